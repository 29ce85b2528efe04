"""The time that all workers share: DynamoDB's own, read off its answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any


class ServerClock:
    """Epoch seconds by DynamoDB's clock; by the worker's own until the first answer with a date.

    Every answer carries the server's time in whole seconds. What has passed since is measured by the monotonic clock,
    so that neither a worker's wrong clock nor its being set matters: two workers an hour apart judge a lease alike.
    """

    def __init__(self, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._ahead: float | None = None

    def heard(self, answer: Mapping[str, Any]) -> None:
        """Takes the time off an answer of DynamoDB, of an error's too."""
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        try:
            at = parsedate_to_datetime(headers["date"]).timestamp()
        except (KeyError, TypeError, ValueError):
            return
        self._ahead = at - self._monotonic()

    def now(self) -> float:
        """The shared time, at most about a second and an answer's way behind the server's."""
        return self._clock() if self._ahead is None else self._ahead + self._monotonic()
