"""One event as its drawer shows it: read, checked against who looks, its payload redacted. The Errors and Replay pages
share it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.events import EventDetail
from backend.contract.redaction import redacted
from dashboard.data.request import Role

EVENT_ID: Final = re.compile(r"[0-9a-f]{64}")
MOST_CHARACTERS: Final = 65_536
"""Of a payload's text; the rest is one click away in S3, and a page is no place to scroll through it."""
_INVISIBLE: Final = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""What would not be seen, would turn the text around it, or can't be sent as UTF-8: written as JSON escapes."""


class DetailSource(Protocol):
    """Where single events are read: ``backend.events.investigation.Investigation``."""

    def detail(self, event_id: str) -> EventDetail | None:
        """The event with its raw object and trace, None where there is no such event."""


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """What the drawer shows. ``problem`` says why there is no detail; ``payload`` is empty for who may not see it.

    ``payload_size`` is the length of the whole payload's text in characters; more than ``len(payload)`` when cut.
    ``payload_problem`` says why an operator sees none.
    """

    event_id: str
    detail: EventDetail | None = None
    payload: str = ""
    payload_size: int = 0
    payload_problem: str = ""
    problem: str = ""


def open_event(
    source: DetailSource | None, event_id: str | None, role: Role, redacted_fields: Iterable[str]
) -> OpenEvent | None:
    """The event named by the URL; None where none is named, and for displays, which have no drawer.

    Raw text never goes further than this for anyone but operators.
    """
    if not event_id or role == "display":
        return None
    if not EVENT_ID.fullmatch(event_id):
        return OpenEvent(event_id, problem="This is not an event id; it has 64 hexadecimal digits.")
    if source is None:
        return OpenEvent(event_id, problem="Events are not connected yet.")
    try:
        detail = source.detail(event_id)
    except (BotoCoreError, ClientError, TimeoutError) as error:
        return OpenEvent(event_id, problem=f"The event can't be read now ({type(error).__name__}).")
    if detail is None:
        return OpenEvent(event_id, problem="There is no such event; it may have expired.")
    if role != "operator" or detail.raw is None:
        return OpenEvent(event_id, replace(detail, raw=None), payload_problem=detail.problem)
    text, problem = payload_text(detail.raw, redacted_fields)
    shown = text[:MOST_CHARACTERS]
    return OpenEvent(event_id, replace(detail, raw=None), shown, len(text), problem or detail.problem)


def payload_text(raw: str, redacted_fields: Iterable[str]) -> tuple[str, str]:
    """The payload of a raw object, indented, with configured fields redacted; or why it is not shown.

    An object that is not the JSON it was written as can't be redacted, so nothing of it is shown.
    """
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return "", "The stored object is not JSON any more, so secrets in it can't be told apart: it is not shown."
    payload = content["payload"] if isinstance(content, dict) and "payload" in content else content
    text = json.dumps(redacted(payload, redacted_fields), indent=2, ensure_ascii=False)
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text), ""
