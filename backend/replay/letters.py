"""Messages of dead-letter queues as people read them: joined with what the index knows of their events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from backend.contract.event_items import parse_message
from backend.contract.events import EventQuery, EventRecord
from backend.contract.ranges import OLDEST
from backend.contract.replays import DeadLetter

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from backend.replay.service import FindsEvents

AHEAD_SECONDS: Final = 86_400
"""Events received a little ahead of this clock are found, too."""


def event_of(message: MessageTypeDef) -> str:
    """The id of the event that a message is about; empty where it is about none."""
    try:
        return parse_message(message["Body"]).event_id
    except ValueError:
        return ""


def replay_behind(message: MessageTypeDef) -> str:
    """The id of the replay or redrive that sent the message; empty where none did."""
    try:
        return parse_message(message["Body"]).replay_id or ""
    except ValueError:
        return ""


def records_of(messages: Iterable[MessageTypeDef], events: FindsEvents, now: float) -> dict[str, EventRecord]:
    """The index's records of the messages' events, by event id."""
    ids = tuple(dict.fromkeys(event_id for message in messages if (event_id := event_of(message))))
    if not ids:
        return {}
    query = EventQuery(float(OLDEST), now + AHEAD_SECONDS, event_ids=ids)
    return {record.event_id: record for page in events.pages(query) for record in page}


def letter_of(message: MessageTypeDef, record: EventRecord | None) -> DeadLetter:
    """One message. Without a record it says what the message itself says."""
    attributes = message.get("Attributes", {})
    error = record.error if record is not None else None
    return DeadLetter(
        message_id=message["MessageId"],
        sent_at=int(attributes.get("SentTimestamp", "0")) / 1000,
        receive_count=int(attributes.get("ApproximateReceiveCount", "0")),
        body=message["Body"],
        event_id=event_of(message),
        correlation_id=record.correlation_id if record is not None else "",
        event_type=record.event_type if record is not None else "",
        entity_id=record.entity_id if record is not None else "",
        error_type=error.error_type if error is not None else "",
        error_message=error.message if error is not None else "",
        operator=error.operator if error is not None else "",
    )


def letters_of(messages: Sequence[MessageTypeDef], events: FindsEvents, now: float) -> list[DeadLetter]:
    """The messages with what the index knows of their events, one batched look-up for all."""
    records = records_of(messages, events, now)
    return [letter_of(message, records.get(event_of(message))) for message in messages]
