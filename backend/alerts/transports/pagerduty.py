"""PagerDuty: an incident per opening of an alert, acknowledged and resolved with it (Events API v2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import requests

from backend.alerts.transports.base import Delivered, Message, TransportError
from backend.alerts.transports.pagerduty_event import Event, dedup_key, event_of
from backend.alerts.transports.retry_after import retry_after
from backend.alerts.transports.secret import Secret
from backend.alerts.transports.text import one_line
from backend.contract.alerts import Delivery
from backend.contract.catalogue import Catalogue

PATH: Final = "/v2/enqueue"
TIMEOUT_SECONDS: Final = 4.5
"""To connect, and then until something is read."""
ACCEPTED: Final = 202
_SHOWN: Final = 200


class PagerDutyTransport:
    """Tells PagerDuty. A reference is the ``dedup_key``, by which PagerDuty makes one incident of any repeat."""

    name = "pagerduty"

    def __init__(
        self,
        key: Secret,
        base_url: str,
        catalogue: Catalogue,
        client_url: str = "",
        clock: Callable[[], float] = time.time,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._key = key
        self._url = base_url.rstrip("/") + PATH
        self._catalogue = catalogue
        self._client_url = client_url
        self._clock = clock
        self._timeout = timeout

    def deliver(self, message: Message, sent: Delivery | None) -> Delivered:
        """Sends one event. Raises TransportError."""
        reference = (sent.reference if sent else "") or dedup_key(message.alert)
        if message.kind == "incident":
            return Delivered(reference)
        answer = self._send(message, reference)
        if answer.status_code == 400 and "routing" in _reasons(answer) and self._key.changed():
            answer = self._send(message, reference)
        if answer.status_code != ACCEPTED:
            raise self._refused(answer)
        return Delivered(reference)

    def _send(self, message: Message, reference: str) -> requests.Response:
        event: Event = event_of(message, self._key.value(), reference, self._catalogue, self._client_url)
        try:
            return requests.post(self._url, json=event, timeout=self._timeout, allow_redirects=False)
        except requests.RequestException as error:
            # Its text may have the request in it.
            name = type(error).__name__
            raise TransportError(f"pagerduty: no answer ({name})", permanent=False) from error

    def _refused(self, answer: requests.Response) -> TransportError:
        """What an answer that is not 202 means (the table in PagerDuty's own description of the API)."""
        status = answer.status_code
        wait = retry_after(answer.headers.get("Retry-After"), self._clock())
        if status == 400:
            return TransportError(f"pagerduty: refused the event: {_reasons(answer)}", permanent=True)
        # Below 400 it was somebody else who answered: a proxy, a page to sign in.
        permanent = 400 < status < 500 and status not in (408, 429)
        return TransportError(f"pagerduty: answered {status}", permanent, wait)


def _reasons(answer: requests.Response) -> str:
    """What PagerDuty says is wrong, in one line."""
    try:
        problem = answer.json()
    except ValueError:
        return "no reason given"
    if not isinstance(problem, dict):
        return "no reason given"
    errors = problem.get("errors")
    texts = errors if isinstance(errors, list) and errors else [problem.get("message") or "no reason given"]
    return one_line("; ".join(str(text) for text in texts), _SHOWN)
