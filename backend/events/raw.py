"""The raw object of an event: its bytes checked against their hash, its fields read. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from backend.contract.events import utc_seconds
from backend.events.failures import EventFailure


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as it lies in S3. Times are epoch seconds; ``payload`` is as the producer sent it."""

    event_id: str
    source: str
    event_type: str
    entity_id: str
    occurred_at: float
    received_at: float
    correlation_id: str
    payload: Any


def read_raw(body: bytes, sha256: str) -> RawEvent:
    """The event of an object's bytes.

    Raises EventFailure ``poison`` when the bytes are not those that were stored, or are not an event.
    """
    found = hashlib.sha256(body).hexdigest()
    if found != sha256:
        message = f"the raw object was changed: its SHA-256 is {found}, recorded is {sha256}"
        raise EventFailure("poison", message, alert=True)
    try:
        return _event(orjson.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EventFailure("poison", f"the raw object is not an event: {error!r}") from error


def _event(entry: Mapping[str, Any]) -> RawEvent:
    texts = ("event_id", "source", "event_type", "entity_id", "correlation_id")
    for name in texts:
        if not isinstance(entry[name], str):
            raise TypeError(f"{name} is not a text")
    return RawEvent(
        **{name: entry[name] for name in texts},
        occurred_at=utc_seconds(entry["occurred_at"]),
        received_at=utc_seconds(entry["received_at"]),
        payload=entry["payload"],
    )
