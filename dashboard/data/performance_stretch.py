"""Stretches of a range in which latency was slow, so that who comes after an incident finds it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from backend.contract.catalogue import Metric
from dashboard.data.points import Points

Past = Literal["critical", "warning", ""]

SLOW: Final = 1.5
"""From this multiple of its usual value on latency is slow, also below every threshold."""
NOISE_SPREADS: Final = 4.0
"""What differs by less than so many median deviations from the usual is noise."""
NEWEST: Final = 3
"""So many values make up what is said to be so at a time: their median, as one alone may be an outlier."""
QUIET_PART: Final = 0.25
"""The part of a range that must have been quiet for its usual value to be known: the lowest values of latency."""
LEAST_BEFORE: Final = 5
"""Fewer values from before a slowdown are no usual value."""
SUMMED_SECONDS: Final = 300.0
"""Values that lie so far apart each sum up many samples: one alone is no outlier."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Latency was past ``past`` ("": no threshold, only far above its usual) from ``start`` to ``end``, epoch s, and
    slow since ``slow_from``. ``value`` is the highest in it, at ``at``; ``lasts``: to the newest value there is."""

    start: float
    end: float
    at: float
    value: float
    past: Past
    slow_from: float
    lasts: bool

    def values(self, points: Points, spacing: float) -> list[float]:
        """What a line that has a point each ``spacing`` seconds measured in it: the values nearest to the worst."""
        inside = [(t, value) for t, value in points if self.start - spacing < t < self.end]
        nearest = sorted(inside, key=lambda point: abs(point[0] - self.at))
        return [value for _, value in nearest[:NEWEST]]

    def others(self, points: Points) -> list[float]:
        """What a line measured before all was slow; where that is too little, after it as well."""
        before = [value for t, value in points if t < self.slow_from]
        if len(before) >= LEAST_BEFORE:
            return before
        return before + [value for t, value in points if t >= self.end]


def worst_stretch(points: Points, metric: Metric, spacing: float) -> Stretch | None:
    """The stretch with the highest latency, of a line that has a point each ``spacing`` seconds; None where none of it
    was slow. It is told by the highest threshold that it is past."""
    if not points:
        return None
    summed, values = spacing >= SUMMED_SECONDS, [value for _, value in points]
    values = values if summed else _smooth(values)

    def above(level: float) -> list[tuple[int, int]]:
        return _runs([value > level for value in values], 1 if summed else NEWEST)

    slow = above(slow_level(points, metric))
    if not slow:
        return None
    past: Past = ""
    found = slow
    if metric.critical is not None and (runs := above(metric.critical)):
        past, found = "critical", runs
    elif metric.warning is not None and (runs := above(metric.warning)):
        past, found = "warning", runs
    first, last = max(found, key=lambda run: max(value for _, value in points[run[0] : run[1] + 1]))
    at, value = max(points[first : last + 1], key=lambda point: point[1])
    since = min((a for a, b in slow if a <= first <= b), default=first)
    lasts = last == len(points) - 1
    end = points[last][0] + spacing if lasts else min(points[last][0] + spacing, points[last + 1][0])
    return Stretch(points[first][0], end, at, value, past, points[since][0], lasts)


def slow_level(points: Points, metric: Metric) -> float:
    """The latency from which on it is slow: past the warning, or far above the quiet part of the range."""
    values = sorted(value for _, value in points)
    quiet = values[: max(LEAST_BEFORE, int(len(values) * QUIET_PART))]
    usual = median(quiet)
    levels = [SLOW * usual + NOISE_SPREADS * spread(quiet, usual)]
    return min(levels + ([] if metric.warning is None else [metric.warning]))


def spread(values: Sequence[float], middle: float) -> float:
    """The median distance from the middle."""
    return median(abs(value - middle) for value in values)


def _smooth(values: Sequence[float]) -> list[float]:
    """Each with its neighbours: the median of three."""
    last = max(len(values) - NEWEST, 0)
    firsts = (min(max(i - 1, 0), last) for i in range(len(values)))
    return [median(values[first : first + NEWEST]) for first in firsts]


def _runs(inside: Sequence[bool], apart: int) -> list[tuple[int, int]]:
    """The first and the last index of each run of True; up to ``apart`` steps belong together."""
    found: list[tuple[int, int]] = []
    for i in (i for i, one in enumerate(inside) if one):
        if found and i - found[-1][1] <= apart:
            found[-1] = found[-1][0], i
        else:
            found.append((i, i))
    return found
