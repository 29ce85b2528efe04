"""Messages of the event queue on their way through the processor, stage by stage. Pure.

``Received`` is a message as Lambda hands it over, ``Arrived`` one whose event is known and intact, ``Ready`` one whose
event can be added to its aggregate, ``Failed`` one that goes back to the queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.contract.event_items import EventMessage, Item
from backend.contract.events import EventError
from backend.contract.tables import ENTITY_ID, RECEIVED_KEY
from backend.events.failures import EventFailure
from backend.events.raw import RawEvent
from backend.events.tracing import TRACEPARENT, XRAY_ATTRIBUTE, continued, xray_id_of

MOST_RECEIVES: Final = 3
"""``maxReceiveCount`` of the event queue: what fails this often is a dead letter."""
BACK_OFF_SECONDS: Final = (5, 20)
"""Until a message that may succeed later is handed out for the second and for the third time."""
MESSAGE_CHARACTERS: Final = 1_000
"""Of an error's message in the event's own item."""
DETAIL_BYTES: Final = 16_384
"""Of an error's message in the event's trace, half of them its head and half its tail."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it was received for the ``receives``-th time. ``traceparent`` has a span of this invocation."""

    message_id: str
    receipt: str
    receives: int
    body: str
    traceparent: str
    xray_id: str

    @property
    def last_time(self) -> bool:
        """Whether SQS moves the message to the dead letters if it fails now."""
        return self.receives >= MOST_RECEIVES


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message with its event: the raw object, intact, and the item of the index."""

    received: Received
    message: EventMessage
    raw: RawEvent
    item: Item

    @property
    def key(self) -> Item:
        """The key of the event's item."""
        return {name: self.item[name] for name in (ENTITY_ID, RECEIVED_KEY)}


@dataclass(frozen=True, slots=True)
class Ready:
    """An event that its aggregate ``window`` has not counted yet, normalised."""

    arrived: Arrived
    normal: Mapping[str, Any]
    window: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A message that can't be processed now. ``message`` and ``item`` where they are known."""

    received: Received
    failure: EventFailure
    message: EventMessage | None = None
    item: Item | None = None

    def returns_after(self) -> int:
        """Seconds until the queue hands the message out again, or moves it to the dead letters."""
        if self.received.last_time or self.failure.permanent:
            return 0
        return BACK_OFF_SECONDS[self.received.receives - 1]

    def error(self, operator: str, now: float) -> EventError:
        """The error that the event's item shows."""
        return EventError(
            error_type=self.failure.error_type,
            message=self.failure.message[:MESSAGE_CHARACTERS],
            operator=operator,
            at=now,
            receive_count=self.received.receives,
            dead_lettered=self.received.last_time,
        )


def received_of(record: Mapping[str, Any]) -> Received:
    """The message of an SQS record of Lambda's event."""
    attributes, given = record["attributes"], record.get("messageAttributes") or {}
    return Received(
        message_id=record["messageId"],
        receipt=record["receiptHandle"],
        receives=max(int(attributes["ApproximateReceiveCount"]), 1),
        body=record["body"],
        traceparent=continued(given.get(TRACEPARENT, {}).get("stringValue")),
        xray_id=xray_id_of(attributes.get(XRAY_ATTRIBUTE)),
    )


def by_window(ready: Iterable[Ready]) -> dict[str, list[Ready]]:
    """The events by aggregate."""
    windows: dict[str, list[Ready]] = {}
    for entry in ready:
        windows.setdefault(entry.window, []).append(entry)
    return windows


def first_of_each(ready: Sequence[Ready]) -> tuple[list[Ready], list[Ready]]:
    """The first message of every event, and the others."""
    first: dict[str, Ready] = {}
    for entry in ready:
        first.setdefault(entry.arrived.raw.event_id, entry)
    return list(first.values()), [entry for entry in ready if first[entry.arrived.raw.event_id] is not entry]


def is_long(text: str) -> bool:
    """Whether an error's text has to be shortened for the trace."""
    return len(text.encode("utf-8", "replace")) > DETAIL_BYTES


def shortened(text: str, whole: str) -> str:
    """The head and the tail of a long text; ``whole`` says where all of it is."""
    data = text.encode("utf-8", "replace")
    half = DETAIL_BYTES // 2
    head, tail = data[:half].decode("utf-8", "ignore"), data[-half:].decode("utf-8", "ignore")
    return f"{head}\n[{len(data) - 2 * half} bytes left out; the whole is in {whole}]\n{tail}"
