"""What is odd about a search's events: silences of an entity or a source, late arrivals, repeats. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, Literal

from backend.contract.checks import CANARY_SOURCE
from backend.contract.events import EventQuery, EventRecord, Findings, Gap

GAP_TIMES: Final = 3
"""A silence of more than this many usual intervals is a gap."""
GAP_EVENTS: Final = 5
"""Events that have to be known before an interval counts as usual."""
MOST_GAPS: Final = 100


def findings_of(
    events: Sequence[EventRecord],
    query: EventQuery,
    duplicates: Mapping[str, int],
    now: float,
    expected_seconds: float | None = None,
) -> Findings:
    """Gaps, longest first, late arrivals and repeats among a query's events.

    ``events`` are the newest of the query's, whole or cut; ``duplicates`` is how often an event id was sent again;
    ``expected_seconds`` is the interval configured for the query's event type. The canary's events count only where
    its source is asked for.
    """
    if query.source != CANARY_SOURCE:
        events = [event for event in events if event.source != CANARY_SOURCE]
    gaps = sorted(_gaps(events, query, now, expected_seconds), key=lambda gap: gap.seconds, reverse=True)
    return Findings(tuple(gaps[:MOST_GAPS]), tuple(event for event in events if event.late), dict(duplicates))


def _gaps(
    events: Iterable[EventRecord], query: EventQuery, now: float, expected_seconds: float | None
) -> Iterable[Gap]:
    # Events chosen by how they went, or one by one, say nothing about how often events come.
    chosen = (query.status, query.error_type, query.operator, query.correlation_id)
    if query.event_ids or any(entry is not None for entry in chosen):
        return
    kind: Literal["entity", "source"] = "entity" if query.entity_id is not None else "source"
    times: dict[str, list[float]] = defaultdict(list)
    for event in events:
        name = event.entity_id if kind == "entity" else event.source
        times[name].append(event.received_at if query.time == "received" else event.occurred_at)
    for name, at in times.items():
        yield from _silences(name, kind, sorted(set(at)), min(query.end, now), expected_seconds)


def _silences(
    name: str, kind: Literal["entity", "source"], at: Sequence[float], end: float, expected_seconds: float | None
) -> Iterable[Gap]:
    if len(at) < GAP_EVENTS:
        return
    usual = expected_seconds or median(later - earlier for earlier, later in pairwise(at))
    longest = GAP_TIMES * usual
    for earlier, later in pairwise(at):
        if later - earlier > longest:
            yield Gap(name, kind, earlier, later, later - earlier, usual)
    if end - at[-1] > longest:
        yield Gap(name, kind, at[-1], None, end - at[-1], usual)
