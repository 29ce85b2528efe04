"""What a replay sends for an event, and the step that the event's trace shows for it. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from backend.contract.event_items import Item, trace_item
from backend.contract.events import EventRecord, TraceStep
from backend.contract.replays import Replay
from backend.events.plugins import ReplayMessage
from backend.events.tracing import TRACEPARENT, XRAY_ATTRIBUTE
from backend.replay.sending import Outgoing

DAY_SECONDS: Final = 86_400


def trace_id(replay: Replay) -> str:
    """The trace of a replay, 32 hexadecimal digits: the same at each try, and its time first, as X-Ray wants it."""
    return f"{int(replay.created_at):08x}{hashlib.sha256(replay.replay_id.encode()).hexdigest()[:24]}"


def traceparent(replay: Replay, event_id: str) -> str:
    """The W3C trace context of one event's message: the replay's trace, a span for the event."""
    return f"00-{trace_id(replay)}-{event_id[:16]}-01"


def outgoing(record: EventRecord, replay: Replay, message: ReplayMessage) -> Outgoing:
    """The message of an event. What a plug-in raises comes through."""
    trace = trace_id(replay)
    root = f"Root=1-{trace[:8]}-{trace[8:]};Parent={record.event_id[:16]};Sampled=1"
    return Outgoing(
        message.body(record, replay.replay_id, record.replay_count + 1),
        {TRACEPARENT: _text(traceparent(replay, record.event_id))},
        {XRAY_ATTRIBUTE: _text(root)},
    )


def replayed_step(record: EventRecord, replay: Replay, sent_at: float, retention_days: int) -> Item:
    """The item of the event's trace that says who sent it again, where to and why."""
    step = TraceStep(
        at=sent_at,
        stage="replayed" if replay.kind == "replay" else "redriven",
        event_id=record.event_id,
        detail=f"sent again to {replay.target} by {replay.requested_by}: {replay.reason}",
        event_type=record.event_type,
        entity_id=record.entity_id,
        replay_id=replay.replay_id,
        traceparent=traceparent(replay, record.event_id),
    )
    return trace_item(step, replay.replay_id, int(record.received_at) + retention_days * DAY_SECONDS)


def _text(value: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value}
