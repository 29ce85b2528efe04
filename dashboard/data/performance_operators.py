"""Operators over a range: latency, how busy and how held up, what came, left, and went nowhere. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median
from typing import Final

from backend.contract.checks import in_flight
from backend.contract.rollup import OTHER
from dashboard.data.performance_data import OperatorRow, Operators
from dashboard.data.performance_stretch import LEAST_BEFORE, NEWEST
from dashboard.data.points import Points
from dashboard.data.series import ALL

ByName = Mapping[str, Points]
AGGREGATES: Final = "aggregates"
FILTERS: Final = "filters"
"""Why fewer records may leave an operator than come: its window makes one of many, or it is declared as a filter."""


def operators_of(
    latency: ByName | None,
    latency_max: ByName | None,
    counts: Mapping[str, ByName | None],
    filters: Collection[str],
    lately: Mapping[str, ByName | None],
) -> Operators:
    """All operators that any metric names, the slowest first. ``counts`` has the points of ``in``, ``out``, ``errors``
    and ``late``, each an amount; ``filters`` drop records on purpose; ``lately`` has the newest points of ``latency``,
    ``busy`` and ``backpressured``. None: no source sends that metric."""
    newer, busy, backpressured = (lately.get(word) for word in ("latency", "busy", "backpressured"))
    series = (latency, latency_max, newer, busy, backpressured, counts.get("in"), counts.get("out"))
    if all(found is None for found in series):
        return Operators(None)
    names = sorted({name for found in series for name in found or {}} - {ALL, OTHER})
    rows = []
    for name in names:
        points = (latency or {}).get(name, [])
        values = [value for _, value in points]
        recent = (newer or {}).get(name, [])
        came, left = (_total(counts.get(key), name) for key in ("in", "out"))
        lost, why = _lost(name, came, left, counts, filters)
        rows.append(
            OperatorRow(
                name=name,
                latency=sum(values) / len(values) if values else None,
                latency_max=max((value for _, value in (latency_max or {}).get(name, [])), default=None),
                latency_now=newest(recent),
                latency_usual=usual(recent),
                busy=newest((busy or {}).get(name, [])),
                backpressured=newest((backpressured or {}).get(name, [])),
                records_in=came,
                records_out=left,
                lost=lost,
                why_fewer=why,
            )
        )
    rows.sort(key=lambda row: (-(row.latency or 0.0), row.name))
    times = [t for found in series for points in (found or {}).values() for t, _ in points[-1:]]
    return Operators(
        rows=tuple(rows),
        busiest=_most({row.name: row.busy for row in rows}),
        held_up=_most({row.name: row.backpressured for row in rows}),
        as_of=max(times, default=None),
    )


def newest(points: Points) -> float | None:
    """The median of the newest values: what is said to be now."""
    return median(value for _, value in points[-NEWEST:]) if points else None


def usual(points: Points) -> float | None:
    """The median of all but the newest values; None where they are too few."""
    return median(v for _, v in points[:-NEWEST]) if len(points) >= NEWEST + LEAST_BEFORE else None


def ends_of(taken: ByName, given: ByName) -> tuple[str | None, str | None]:
    """The operator where records enter and the one where they leave: by how much it takes in and gives out.

    A source takes nothing in as some engines count, a sink gives nothing out: those that count nothing are left out.
    """
    came, left = ({name: _sum(points) for name, points in of.items() if name != OTHER} for of in (taken, given))
    first = max((n for n in came if came[n]), key=lambda n: (came[n], left.get(n, 0.0), n), default=None)
    last = min((n for n in left if left[n]), key=lambda n: (left[n], came.get(n, 0.0), n), default=None)
    return first, last


def _lost(
    name: str, came: float | None, left: float | None, counts: Mapping[str, ByName | None], filters: Collection[str]
) -> tuple[float | None, str]:
    """Records that went nowhere, and why fewer may leave than come.

    Beyond a fleet's twenty lines an operator's counts may lie with the others' in some hours: then nobody can tell.
    """
    if name in filters:
        return None, FILTERS
    if any(OTHER in (found or {}) for found in counts.values()):
        return None, ""
    if name in (counts.get("late") or {}):
        return None, AGGREGATES
    if not came or left is None:
        return None, ""
    missing = came - left - (_total(counts.get("errors"), name) or 0.0)
    return (missing if missing > in_flight(came) else 0.0), ""


def _total(found: ByName | None, name: str) -> float | None:
    points = None if found is None else found.get(name)
    return _sum(points) if points else None


def _sum(points: Points) -> float:
    return sum(value for _, value in points)


def _most(values: Mapping[str, float | None]) -> str:
    known = {name: value for name, value in values.items() if value}
    return max(known, key=lambda name: (known[name], name), default="")
