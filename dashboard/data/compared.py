"""A line against that of the period before. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from dashboard.data.models import Compared, Line

LEAST: Final = 2
"""Fewer values make no average."""
MOST_TIMES: Final = 2
"""Of two periods that are compared one has at most so many times the values of the other."""
NOTHING: Final = "no data of the period before"
PARTLY: Final = "only a part of the period before is known"
NOT_NOW: Final = "too little data to compare"


def compared(
    line: Line | None, now: Mapping[float, float], before: Mapping[float, float], *, whole: bool = True
) -> Compared:
    """The values of a range against those of the period before, both by time and made the same way.

    ``line`` is the period before's, moved onto the range; ``whole`` says whether all of that period is held. Averages
    of a part are never compared: neither is a period that is held in part, nor one that has far fewer values.
    """
    if not before:
        return Compared(None, None, NOTHING)
    if not whole or len(before) < LEAST or len(before) * MOST_TIMES < len(now):
        return Compared(line, None, PARTLY)
    if len(now) < LEAST or len(now) * MOST_TIMES < len(before):
        return Compared(line, None, NOT_NOW)
    return Compared(line, relative_change(_average(before), _average(now)))


def relative_change(before: float, now: float) -> float:
    """0.2 is 20 % more; from zero it is endless, but for zero to zero."""
    if before == 0:
        return 0.0 if now == 0 else math.copysign(math.inf, now)
    return (now - before) / abs(before)


def _average(values: Mapping[float, float]) -> float:
    return sum(values.values()) / len(values)
