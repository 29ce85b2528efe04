"""A fleet as percentile bands: how a metric's groups spread at each time, whatever their number.

Percentiles come from merged sketches of the groups' averages, so that a band costs the same for 100 hosts and for
10,000. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backend.contract.rollup import Merged
from dashboard.data.points import Points

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Two bands and the median."""


@dataclass(frozen=True, slots=True)
class Bands:
    """``lines`` has the points of each of ``QUANTILES``, in that order: at equal times, epoch s ascending, values in
    the metric's unit.

    ``level`` is what it was read from and ``step_seconds`` its spacing; ``groups`` the most groups of any bucket.
    """

    level: str
    step_seconds: float
    groups: int
    lines: tuple[Points, ...]

    @property
    def as_of(self) -> float:
        """Epoch second of the newest bucket."""
        return self.lines[0][-1][0]


def bands_of(buckets: Mapping[float, Merged], level: str, step_seconds: float) -> Bands | None:
    """The bands of merged buckets; None where none has more groups than are kept apart (then lines show all)."""
    lines: tuple[Points, ...] = tuple([] for _ in QUANTILES)
    for t in sorted(buckets):
        sketch = buckets[t].bands
        if sketch is None:
            continue
        for line, quantile in zip(lines, QUANTILES, strict=True):
            value = sketch.quantile(quantile)
            if value is not None:
                line.append((t, value))
    if not lines[0]:
        return None
    return Bands(level, step_seconds, max(merged.group_count for merged in buckets.values()), lines)


def joined(older: Bands | None, newer: Bands | None, joint: float) -> Bands | None:
    """History up to ``joint``, epoch s, and what is hot from there on, as with lines; what is hot alone where history
    has nothing."""
    older = inside(older, -math.inf, math.nextafter(joint, -math.inf))
    if older is None or newer is None:
        return newer or older
    lines = tuple(
        [*before, *(point for point in after if point[0] >= joint)]
        for before, after in zip(older.lines, newer.lines, strict=True)
    )
    step = older.step_seconds if newer.as_of < joint else max(older.step_seconds, newer.step_seconds)
    return replace(newer, step_seconds=step, groups=max(older.groups, newer.groups), lines=lines)


def inside(bands: Bands | None, start: float, end: float) -> Bands | None:
    """What lies in [start, end]; None where nothing does."""
    if bands is None:
        return None
    lines: Sequence[Points] = [[point for point in line if start <= point[0] <= end] for line in bands.lines]
    return replace(bands, lines=tuple(lines)) if lines[0] else None
