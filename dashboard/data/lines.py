"""From values by time to what a chart carries: evenly spaced, rounded, at most so many points. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from dashboard.data.models import Line

SPARK_POINTS: Final = 90
CHART_POINTS: Final = 500
"""Of a line on a time chart: one for about two pixels of a wide one."""
SIGNIFICANT: Final = 4


def rounded(value: float, digits: int = SIGNIFICANT) -> float:
    """``value`` to ``digits`` significant digits: what a screen can show, at a third of the bytes.

    What is no finite number stays one: it travels as null, never as zero.
    """
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def line_of(
    name: str, values: Mapping[float, float], start: float, end: float, step: float, points: int = SPARK_POINTS
) -> Line | None:
    """An even line over [start, end]; None without a value.

    Where several values share a point, the one farther from the line's middle stays, so that extremes survive.
    A single empty point between two values is bridged: sources that report every few minutes are not dotted lines.
    """
    inside = {t: v for t, v in values.items() if start - step <= t <= end}
    if not inside:
        return None
    width = max(step, math.ceil((end - start) / points / step) * step)
    x0 = start // width * width
    middle = sorted(inside.values())[len(inside) // 2]
    slots: list[float | None] = [None] * (int((end - x0) // width) + 1)
    for t, value in inside.items():
        slot = int((t - x0) // width)
        if 0 <= slot < len(slots):
            held = slots[slot]
            if held is None or abs(value - middle) > abs(held - middle):
                slots[slot] = value
    return Line(name, x0, width, tuple(None if v is None else rounded(v) for v in _bridged(slots, inside, width)))


def trend_of(values: Mapping[float, float]) -> float | None:
    """Relative change of the second half's average against the first's; None without both or from zero."""
    if len(values) < 4:
        return None
    ordered = [values[t] for t in sorted(values)]
    half = len(ordered) // 2
    before, after = sum(ordered[:half]) / half, sum(ordered[half:]) / (len(ordered) - half)
    return (after - before) / abs(before) if before else None


def _bridged(slots: list[float | None], values: Mapping[float, float], width: float) -> list[float | None]:
    """Fills gaps no longer than the values' own spacing with the value before them."""
    times = sorted(values)
    gaps = sorted(b - a for a, b in zip(times, times[1:], strict=False))  # noqa: RUF007 - sorted below
    usual = gaps[len(gaps) // 2] if gaps else width
    reach = max(1, round(1.5 * usual / width))
    filled, empty = list(slots), reach
    for i, value in enumerate(slots):
        if value is not None:
            empty = 0
        else:
            empty += 1
            if empty < reach and i:
                filled[i] = filled[i - 1]
    return filled
