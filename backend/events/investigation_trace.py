"""The trace of an event: what happened to it and to the others of its correlation id, as steps in order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from backend.contract.event_items import PROCESSED_FOR, PROCESSED_TRACE, Item, record_of, step_of
from backend.contract.events import EventRecord, TraceStep, utc_seconds

_STAGES: Final = ("ingested", "duplicate", "failed", "dead_lettered", "redriven", "replayed", "processed")
_RANK: Final = {stage: rank for rank, stage in enumerate(_STAGES)}
"""The order of what happened in one millisecond."""


def trace_of(events: Iterable[Item], gates: Mapping[str, Item], steps: Iterable[Item]) -> tuple[TraceStep, ...]:
    """The steps of the events, oldest first.

    ``events`` are items of ``PipelineEvents``, ``gates`` of ``EventGate`` by event id, ``steps`` the stored ones.
    """
    found = [step_of(item) for item in steps]
    for item in events:
        record = record_of(item)
        found.append(_ingested(record, gates.get(record.event_id, {})))
        found += _processed(record, item)
    return tuple(sorted(found, key=lambda step: (step.at, _RANK.get(step.stage, len(_RANK)))))


def duplicates_of(gate: Item) -> int:
    """How often an event was sent again."""
    return int(gate["duplicates"]["N"]) if "duplicates" in gate else 0


def headers_of(gate: Item) -> dict[str, str]:
    """The headers of the request that brought an event."""
    return {name: value["S"] for name, value in gate["headers"]["M"].items()} if "headers" in gate else {}


def _ingested(record: EventRecord, gate: Item) -> TraceStep:
    detail = f"received from {record.source} {_lag(record.lag_seconds)}"
    if repeats := duplicates_of(gate):
        detail += f", sent again {repeats} {'time' if repeats == 1 else 'times'} and stored once"
    traceparent, xray_id = (gate[name]["S"] if name in gate else "" for name in ("traceparent", "xray_id"))
    return _step(record, record.received_at, "ingested", detail, traceparent, xray_id)


def _processed(record: EventRecord, item: Item) -> list[TraceStep]:
    """When the event was added to its aggregate, and when it came again in a replay, which adds nothing."""
    if record.processed_at is None:
        return []
    again = {
        utc_seconds(entry["M"]["at"]["S"]): (entry["M"]["replay_id"]["S"], entry["M"]["traceparent"]["S"])
        for entry in item.get(PROCESSED_FOR, {}).get("L", ())
    }
    first, _ = again.pop(record.processed_at, ("", ""))
    traceparent = item[PROCESSED_TRACE]["S"] if PROCESSED_TRACE in item else ""
    steps = [_step(record, record.processed_at, "processed", "added to its aggregate", traceparent, replay_id=first)]
    for at, (replay_id, traced) in again.items():
        steps.append(_step(record, at, "processed", "came again, was in its aggregate", traced, replay_id=replay_id))
    return steps


def _lag(seconds: float) -> str:
    if seconds < 0:
        return f"{-seconds:.1f} s before it occurred by the producer's clock"
    return f"{seconds:.1f} s after it occurred"


def _step(
    record: EventRecord,
    at: float,
    stage: str,
    detail: str,
    traceparent: str = "",
    xray_id: str = "",
    replay_id: str = "",
) -> TraceStep:
    return TraceStep(
        at,
        stage,
        record.event_id,
        detail,
        event_type=record.event_type,
        entity_id=record.entity_id,
        traceparent=traceparent,
        xray_id=xray_id,
        replay_id=replay_id,
    )
