"""How far a series strays to one side of what is expected, and how far would be news. Pure.

Extreme value theory, as for floods: the greatest deviations of whole hours follow a generalised extreme value
distribution (GEV), whatever the values themselves do. From two weeks of them follows the height that is reached once
in four weeks. Only quantiles are used, so single events don't move it.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from typing import Final

BLOCKS: Final = 14 * 24
"""Hours remembered: two weeks, so that each weekday's behaviour is in it twice."""
TESTS: Final = 6
"""Three measures in two directions each share the rate of false alarms that is accepted."""
FALSE_ALARM_HOURS: Final = 4 * 7 * 24
"""A series that never changes its ways is to give one false alarm in so many hours."""
REACHED_BEFORE: Final = 1 - 1 / (TESTS * FALSE_ALARM_HOURS)
UPPER, TOP = 0.9, 0.98
"""The quantiles beside the median: 34 and 7 of 336 hours lie above, so that one event of some hours is none of them."""
SHAPES: Final = (-0.2, 0.5)
"""From light tails that end to heavier ones than of a request's size; beyond, two weeks can't tell."""
PRIOR_BLOCKS: Final = 168
"""The shape is drawn to 0, an exponential tail, as if by a week's hours that say so: few hours tell little of it."""
SHAPE_STEPS: Final = 12
SAME_KIND: Final = 1.2
"""What goes a fifth farther than the second of two earlier episodes is still of their kind."""
APART_SECONDS: Final = 12 * 3600.0
MEMORY_SECONDS: Final = BLOCKS * 3600.0


def gev(share: float, shape: float) -> float:
    """The quantile of the standard GEV distribution (location 0, scale 1) below which ``share`` of maxima lie."""
    rare = -math.log(share)
    return -math.log(rare) if abs(shape) < 1e-9 else (rare**-shape - 1) / shape


class Tail:
    """One direction of one measure: the maxima of the last hours, and what was out of the ordinary.

    ``add`` takes an hour's greatest deviation, ``limit`` says which deviation is beyond the ordinary.
    """

    __slots__ = ("_factor", "_gap", "_held", "_high", "_measured", "_middle", "_next", "_peaks", "_ring", "_sorted")

    def __init__(self) -> None:
        self._ring = array("d")
        self._sorted = array("d")
        self._next = 0
        self._middle = self._gap = self._factor = self._high = 0.0
        self._measured = True
        self._peaks: list[tuple[float, float]] = []
        self._held = 0.0

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, at: float, value: float) -> None:
        """Takes the greatest deviation of the hour that ended at ``at``; negative when all stayed on the other side."""
        if len(self._ring) < BLOCKS:
            self._ring.append(value)
        else:
            del self._sorted[bisect_left(self._sorted, self._ring[self._next])]
            self._ring[self._next] = value
            self._next = (self._next + 1) % BLOCKS
        self._sorted.insert(bisect_left(self._sorted, value), value)
        self._high = self._sorted[int(self._top * len(self._sorted))]
        self._measured = False
        if self._peaks and not at - MEMORY_SECONDS < self._peaks[0][0] <= at:
            self._peaks = [peak for peak in self._peaks if at - MEMORY_SECONDS < peak[0] <= at]
            self._hold()

    def beyond(self, height: float, least: float) -> bool:
        """Whether a deviation is out of the ordinary; most are not, and cost one comparison."""
        return height > self._high and height > self.limit(least)

    def limit(self, least: float) -> float:
        """The deviation that is reached once in four weeks; at least what two episodes have reached already.

        ``least``: deviations are taken to differ by this much, where a series hardly moves.
        """
        if not self._measured:
            self._measure()
        return max(self._middle + self._factor * max(self._gap, least), self._held)

    def exceeded(self, at: float, height: float) -> None:
        """Takes note of a deviation beyond the limit: the third of a kind within two weeks is no news."""
        if self._peaks and at - self._peaks[-1][0] <= APART_SECONDS:
            height = max(height, self._peaks.pop()[1])
        self._peaks.append((at, height))
        self._hold()

    def _hold(self) -> None:
        heights = sorted(height for _, height in self._peaks)
        self._held = SAME_KIND * heights[-2] if len(heights) > 1 else 0.0

    @property
    def _top(self) -> float:
        """The highest quantile that the hours so far can tell."""
        count = len(self._sorted)
        return min(TOP, 1 - 1.5 / count) if count > 2 else 0.5

    def _measure(self) -> None:
        self._measured = True
        count, top = len(self._sorted), self._top
        if top <= UPPER:
            return
        middle, upper = self._sorted[int(0.5 * count)], self._sorted[int(UPPER * count)]
        shape = _shape(self._high - middle, upper - middle, top) * count / (count + PRIOR_BLOCKS)
        centre = gev(0.5, shape)
        self._factor = (gev(REACHED_BEFORE, shape) - centre) / (gev(top, shape) - centre)
        self._middle, self._gap = max(middle, 0.0), self._high - middle


def _shape(high: float, upper: float, top: float) -> float:
    """The shape at which the quantiles ``UPPER`` and ``top`` lie ``upper`` and ``high`` above the median."""
    if upper <= 0:
        return SHAPES[1] if high > 0 else 0.0
    low_shape, high_shape = SHAPES
    for _ in range(SHAPE_STEPS):
        shape = (low_shape + high_shape) / 2
        centre = gev(0.5, shape)
        if (gev(top, shape) - centre) * upper < high * (gev(UPPER, shape) - centre):
            low_shape = shape
        else:
            high_shape = shape
    return (low_shape + high_shape) / 2
