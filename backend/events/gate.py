"""The gate of an event, and what is written from it: every retry, whenever it comes, writes the same. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from backend.contract.event_items import EventMessage, Item
from backend.contract.events import Event, EventRecord, event_id, utc_seconds, utc_text
from backend.contract.tables import ENTITY_ID, EVENT_ID, EXPIRES_AT, RECEIVED_AT
from backend.events.delivery import Delivery
from backend.events.layout import indexed_item
from backend.events.plugins import KeyLayout
from backend.events.tracing import TRACEPARENT, XRAY_ATTRIBUTE
from backend.settings import Settings

OPEN: Final = "open"
STORED: Final = "stored"
STATE: Final = "state"
DUPLICATES: Final = "duplicates"
DAY_SECONDS: Final = 86400


@dataclass(frozen=True, slots=True)
class Gate:
    """An item of EventGate. ``received_at`` is epoch seconds; ``sha256`` is of the raw object at ``raw_key``."""

    event_id: str
    received_at: float
    content_hash: str
    raw_key: str
    sha256: str
    entity_id: str
    source: str
    event_type: str
    correlation_id: str
    traceparent: str
    xray_id: str
    expires_at: int
    headers: Mapping[str, str]
    state: str = OPEN

    def item(self) -> Item:
        """The item in DynamoDB's JSON."""
        return {
            **{name: {"S": getattr(self, name)} for name in _TEXTS},
            RECEIVED_AT: {"S": utc_text(self.received_at)},
            "headers": {"M": {name: {"S": value} for name, value in self.headers.items()}},
            DUPLICATES: {"N": "0"},
            EXPIRES_AT: {"N": str(self.expires_at)},
        }


_TEXTS: Final = (
    EVENT_ID, "content_hash", "raw_key", "sha256", ENTITY_ID, "source", "event_type", "correlation_id", "traceparent",
    "xray_id", STATE,
)  # fmt: skip


def gate_of(item: Mapping[str, Any]) -> Gate:
    """The gate of an item."""
    return Gate(
        **{name: item[name]["S"] for name in _TEXTS},
        received_at=utc_seconds(item[RECEIVED_AT]["S"]),
        expires_at=int(item[EXPIRES_AT]["N"]),
        headers={name: value["S"] for name, value in item["headers"]["M"].items()},
    )


@dataclass(frozen=True, slots=True)
class Lead:
    """An event with its gate and the bytes of its raw object."""

    event: Event
    gate: Gate
    raw: bytes

    def behind(self, gate: Gate) -> Lead:
        """The same event behind the gate that an earlier try has left."""
        return _with_raw(self.event, gate, raw_object(self.event, gate))

    def found(self, raw: bytes) -> Lead:
        """The same event with the object that is there already and is never overwritten.

        An earlier try may have sent the payload's keys in another order. An object that says something else is not
        this event's: then the hash stays, and whoever reads the object refuses it.
        """
        return _with_raw(self.event, self.gate, raw) if _content_hash(raw) == self.gate.content_hash else self


def _with_raw(event: Event, gate: Gate, raw: bytes) -> Lead:
    return Lead(event, replace(gate, sha256=hashlib.sha256(raw).hexdigest()), raw)


def _content_hash(raw: bytes) -> str:
    """The content hash of a raw object; empty for what is none."""
    try:
        record = orjson.loads(raw)
        texts = {name: record[name] for name in ("source", "event_type", "entity_id")}
        event = Event(**texts, occurred_at=utc_seconds(record["occurred_at"]), payload=record["payload"])
        return event.content_hash()
    except (ValueError, TypeError, KeyError):
        return ""


def lead_of(event: Event, delivery: Delivery, settings: Settings, layout: KeyLayout) -> Lead:
    """The event with a new gate. Raises rfc8785.CanonicalizationError for what has no canonical form."""
    content_hash = event.content_hash()
    identity = event_id(event, content_hash)
    # As texts keep it: what is computed now and what a retry reads must be the same.
    received_at = utc_seconds(utc_text(delivery.received_at))
    gate = Gate(
        event_id=identity,
        received_at=received_at,
        content_hash=content_hash,
        raw_key=layout.raw_key(event.source, received_at, identity),
        sha256="",
        entity_id=event.entity_id,
        source=event.source,
        event_type=event.event_type,
        correlation_id=event.correlation_id or delivery.trace_id or identity,
        traceparent=delivery.traceparent,
        xray_id=delivery.xray_id,
        expires_at=int(received_at) + settings.config.events.retention_days * DAY_SECONDS,
        headers=delivery.headers,
    )
    return _with_raw(event, gate, raw_object(event, gate))


def raw_object(event: Event, gate: Gate) -> bytes:
    """The raw object: one line of JSON, the payload's keys in the order sent."""
    record = {
        "event_id": gate.event_id,
        "source": event.source,
        "event_type": event.event_type,
        "entity_id": event.entity_id,
        "occurred_at": utc_text(event.occurred_at, 6),
        "received_at": utc_text(gate.received_at),
        "correlation_id": gate.correlation_id,
        "payload": event.payload,
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def index_record(lead: Lead, settings: Settings) -> EventRecord:
    """What the index says of a new event."""
    event, gate = lead.event, lead.gate
    return EventRecord(
        event_id=gate.event_id,
        entity_id=event.entity_id,
        event_type=event.event_type,
        source=event.source,
        status="received",
        occurred_at=event.occurred_at,
        received_at=gate.received_at,
        correlation_id=gate.correlation_id,
        raw_key=gate.raw_key,
        sha256=gate.sha256,
        size=len(lead.raw),
        late=is_late(lead, settings),
    )


def is_late(lead: Lead, settings: Settings) -> bool:
    """Whether the event was received later after it occurred than its type may be."""
    events = settings.config.events
    known = events.types.get(lead.event.event_type)
    limit = known.late_seconds if known and known.late_seconds is not None else events.late_seconds
    return lead.gate.received_at - lead.event.occurred_at > limit


def index_item(lead: Lead, settings: Settings, layout: KeyLayout) -> Item:
    """The event's item of PipelineEvents."""
    return indexed_item(index_record(lead, settings), lead.gate.expires_at, layout)


def message_entry(gate: Gate, entry_id: str) -> dict[str, Any]:
    """The event's entry of SendMessageBatch, with the trace that it belongs to."""
    message = EventMessage(gate.event_id, gate.raw_key, gate.sha256, gate.correlation_id)
    entry: dict[str, Any] = {
        "Id": entry_id,
        "MessageBody": message.as_text(),
        "MessageAttributes": {TRACEPARENT: {"DataType": "String", "StringValue": gate.traceparent}},
    }
    if gate.xray_id:
        header = {"DataType": "String", "StringValue": f"Root={gate.xray_id}"}
        entry["MessageSystemAttributes"] = {XRAY_ATTRIBUTE: header}
    return entry
