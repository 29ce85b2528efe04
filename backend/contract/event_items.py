"""Items of ``PipelineEvents`` and messages of the event queue: one spelling for writers and readers. No I/O.

Items are DynamoDB's own JSON, ``{"event_id": {"S": "..."}}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from backend.contract.events import EventError, EventRecord, EventStatus, TraceStep, utc_seconds, utc_text
from backend.contract.tables import (
    ENTITY_ID,
    ERROR_DAY,
    EVENT_ID,
    EXPIRES_AT,
    RECEIVED_AT,
    RECEIVED_KEY,
    SOURCE_DAY,
    TRACE,
    TYPE_DAY,
    day_partition,
    shard_of,
)

Item = dict[str, Any]
ERROR: Final = "error"
STATUS: Final = "status"
PROCESSED_TRACE: Final = "processed_traceparent"
"""Attribute of a processed event: the traceparent of what processed it."""
PROCESSED_REPLAYS: Final = "processed_replays"
"""Attribute of an event: the ids of the replays that it was processed for, as a string set; each counts once."""
PROCESSED_FOR: Final = "processed_for"
"""Attribute of an event: a list of maps with ``at``, ``replay_id`` and ``traceparent``, one for each of those."""


def received_key(received_at: str, event_id: str) -> str:
    """Sort key of an event: orders an entity's events by the time they were received."""
    return f"{received_at}#{event_id}"


def event_key(record: EventRecord) -> Item:
    """The key of the event's item."""
    return {
        ENTITY_ID: {"S": record.entity_id},
        RECEIVED_KEY: {"S": received_key(utc_text(record.received_at), record.event_id)},
    }


def event_item(record: EventRecord, expires_at: int, shards: int) -> Item:
    """The whole item of an event, with the partitions of its indexes."""
    received = utc_text(record.received_at)
    day, shard = received[:10], shard_of(record.event_id, shards)
    item: Item = {
        **event_key(record),
        EVENT_ID: {"S": record.event_id},
        RECEIVED_AT: {"S": received},
        "event_type": {"S": record.event_type},
        "source": {"S": record.source},
        STATUS: {"S": record.status},
        "occurred_at": {"S": utc_text(record.occurred_at, 6)},
        "correlation_id": {"S": record.correlation_id},
        "raw_key": {"S": record.raw_key},
        "sha256": {"S": record.sha256},
        "size": {"N": str(record.size)},
        "late": {"BOOL": record.late},
        "replay_count": {"N": str(record.replay_count)},
        TYPE_DAY: {"S": day_partition(record.event_type, day, shard)},
        SOURCE_DAY: {"S": day_partition(record.source, day, shard)},
        EXPIRES_AT: {"N": str(expires_at)},
    }
    if record.last_replay_id:
        item["last_replay_id"] = {"S": record.last_replay_id}
    if record.processed_at is not None:
        item["processed_at"] = {"S": utc_text(record.processed_at)}
    if record.error is not None:
        item[ERROR] = error_attribute(record.error)
    if record.status == "failed":
        item[ERROR_DAY] = {"S": error_partition(record, shards)}
    return item


def error_partition(record: EventRecord, shards: int) -> str:
    """The value of ``error_day``, which only failed events carry."""
    return day_partition("", utc_text(record.received_at)[:10], shard_of(record.event_id, shards))


def error_attribute(error: EventError) -> Item:
    """The attribute ``error`` of an event's item."""
    return {
        "M": {
            "error_type": {"S": error.error_type},
            "message": {"S": error.message},
            "operator": {"S": error.operator},
            "at": {"S": utc_text(error.at)},
            "receive_count": {"N": str(error.receive_count)},
            "dead_lettered": {"BOOL": error.dead_lettered},
        }
    }


def record_of(item: Mapping[str, Any]) -> EventRecord:
    """The record of an item. Raises KeyError for an item that is not an event's."""
    error = item[ERROR]["M"] if ERROR in item else None
    return EventRecord(
        event_id=item[EVENT_ID]["S"],
        entity_id=item[ENTITY_ID]["S"],
        event_type=item["event_type"]["S"],
        source=item["source"]["S"],
        status=cast("EventStatus", item[STATUS]["S"]),
        occurred_at=utc_seconds(item["occurred_at"]["S"]),
        received_at=utc_seconds(item[RECEIVED_AT]["S"]),
        correlation_id=item["correlation_id"]["S"],
        raw_key=item["raw_key"]["S"],
        sha256=item["sha256"]["S"],
        size=int(item["size"]["N"]),
        late=item["late"]["BOOL"],
        replay_count=int(item["replay_count"]["N"]),
        last_replay_id=item["last_replay_id"]["S"] if "last_replay_id" in item else None,
        processed_at=utc_seconds(item["processed_at"]["S"]) if "processed_at" in item else None,
        error=None if error is None else _error_of(error),
    )


def _error_of(attributes: Mapping[str, Any]) -> EventError:
    return EventError(
        error_type=attributes["error_type"]["S"],
        message=attributes["message"]["S"],
        operator=attributes["operator"]["S"],
        at=utc_seconds(attributes["at"]["S"]),
        receive_count=int(attributes["receive_count"]["N"]),
        dead_lettered=attributes["dead_lettered"]["BOOL"],
    )


_STEP_TEXTS: Final = (
    "stage", "detail", "event_type", "entity_id", "operator", "error_type", "replay_id", "traceparent", "xray_id",
)  # fmt: skip


def trace_item(step: TraceStep, number: int | str, expires_at: int) -> Item:
    """The item of a step of an event's trace; equal time, stage and ``number`` make it the same item again."""
    texts = {name: getattr(step, name) for name in _STEP_TEXTS}
    return {
        ENTITY_ID: {"S": f"{TRACE}{step.event_id}"},
        RECEIVED_KEY: {"S": f"{utc_text(step.at)}#{step.stage}#{number}"},
        "of_event": {"S": step.event_id},
        # Not "entity_id", which is the key.
        **{f"step_{name}": {"S": text} for name, text in texts.items() if text},
        EXPIRES_AT: {"N": str(expires_at)},
    }


def step_of(item: Mapping[str, Any]) -> TraceStep:
    """The step of an item written by ``trace_item``."""
    texts = {name: item[f"step_{name}"]["S"] for name in _STEP_TEXTS if f"step_{name}" in item}
    return TraceStep(
        at=utc_seconds(item[RECEIVED_KEY]["S"].split("#", 1)[0]), event_id=item["of_event"]["S"],
        **{"stage": "", "detail": "", **texts},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class EventMessage:
    """What the event queue carries: never the payload, but where it lies and what its hash must be."""

    event_id: str
    raw_key: str
    sha256: str
    correlation_id: str
    replay_id: str | None = None
    replay_count: int = 0

    def as_text(self) -> str:
        """The message's body."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, separators=(",", ":"))


def parse_message(text: str) -> EventMessage:
    """The message of a body. Raises ValueError saying what is wrong with it."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the message is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError("the message is not a JSON object")
    for name in ("event_id", "raw_key", "sha256", "correlation_id"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise ValueError(f"the message has no {name}")
    count = body.get("replay_count", 0)
    if not isinstance(count, int) or count < 0:
        raise ValueError("replay_count is not a count")
    replay_id = body.get("replay_id")
    if replay_id is not None and not isinstance(replay_id, str):
        raise ValueError("replay_id is not a text")
    known = {name: body[name] for name in ("event_id", "raw_key", "sha256", "correlation_id")}
    return EventMessage(**known, replay_id=replay_id, replay_count=count)
