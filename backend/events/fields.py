"""The fields of an event as producers send them. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from backend.contract.errors import InvalidInput
from backend.contract.events import Event
from backend.contract.ranges import OLDEST

REQUIRED: Final = ("source", "event_type", "entity_id", "occurred_at", "payload")
OPTIONAL: Final = ("correlation_id", "idempotency_key")
NAME_PATTERN: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""``source`` and ``event_type``: they become part of keys, file paths and metrics."""
MAX_TEXT: Final = 256
_NAME: Final = re.compile(NAME_PATTERN)


def event_of(record: object, place: str, now: float, future_seconds: float) -> Event:
    """The event of a decoded object at ``now`` (epoch s); ``place`` goes before each field's name in messages.

    Raises InvalidInput naming the first field that is missing, unknown or wrong.
    """
    prefix = f"{place}." if place else ""
    if not isinstance(record, dict):
        raise InvalidInput(place or "body", record, "must be a JSON object with one event")
    for name in REQUIRED:
        if name not in record:
            raise InvalidInput(prefix + name, None, "is required; add it", "missing_field")
    for name in record:
        if name not in REQUIRED and name not in OPTIONAL:
            raise InvalidInput(prefix + _shown(name), name, "is not a field of an event; put it into payload")
    return Event(
        source=_name(record, "source", prefix),
        event_type=_name(record, "event_type", prefix),
        entity_id=_entity(record, prefix),
        occurred_at=_moment(record["occurred_at"], f"{prefix}occurred_at", now, future_seconds),
        payload=record["payload"],
        correlation_id=_optional(record, "correlation_id", prefix),
        idempotency_key=_optional(record, "idempotency_key", prefix),
    )


def _name(record: dict[str, Any], name: str, prefix: str) -> str:
    value = record[name]
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        remedy = "must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit"
        raise InvalidInput(prefix + name, value, remedy)
    return value


def _entity(record: dict[str, Any], prefix: str) -> str:
    value = _text(record["entity_id"], f"{prefix}entity_id")
    if value.startswith("@"):
        raise InvalidInput(f"{prefix}entity_id", value, "must not begin with '@'")
    return value


def _optional(record: dict[str, Any], name: str, prefix: str) -> str | None:
    value = record.get(name)
    return None if value is None else _text(value, prefix + name)


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise InvalidInput(field, value, f"must be printable text of 1 to {MAX_TEXT} characters")
    return value


def _moment(value: object, field: str, now: float, future_seconds: float) -> float:
    """Epoch seconds of ISO 8601 text; what is finer than a microsecond is dropped."""
    remedy = "must be ISO 8601 with a zone, such as 2026-11-21T15:46:35.250Z"
    if not isinstance(value, str):
        raise InvalidInput(field, value, remedy)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidInput(field, value, remedy) from None
    if instant.tzinfo is None:
        raise InvalidInput(field, value, "has no zone; append Z for UTC, or an offset such as +01:00")
    seconds = instant.timestamp()
    if seconds < OLDEST:
        raise InvalidInput(field, value, "lies before the year 2000; check the producer's clock")
    if seconds > now + future_seconds:
        remedy = f"lies more than {future_seconds:g} s in the future; check the producer's clock"
        raise InvalidInput(field, value, remedy)
    return seconds


def _shown(name: str) -> str:
    return name if len(name) <= 64 else name[:64] + "..."
