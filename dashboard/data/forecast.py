"""Where a line is going: a structural time-series model of it, with an honest band, and when it meets a limit.

The model is statsmodels' ``UnobservedComponents`` (docs/adr/0026): a level and a trend that may change over time, with
the day's or the week's rhythm as a few harmonics, fitted by maximum likelihood with a Kalman filter, which takes gaps
as they are. It is imported when the first forecast is made: that costs a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Final

from dashboard.data.points import Points

HOUR: Final = 3600.0
DAY: Final = 86400.0
NOMINAL: Final = 0.8
"""The share of what will be measured that the band should hold."""
HORIZON_DAYS: Final = 90
LEAST_HOURS: Final = 48
"""Below two days nobody can tell a day's rhythm from growth."""
LEAST_DAYS: Final = 14
"""From here on days are what is forecast."""
WEEKLY_FROM_DAYS: Final = 28
LEAST_SHARE: Final = 0.5
"""How much of its time a line must have been measured."""
AHEAD: Final = {HOUR: 1.0, DAY: 3.0}
"""How far ahead of hourly and daily points a forecast goes at most, in lengths of its history."""
HARMONICS: Final = 3
MOST_STEPS: Final = 2
"""Jumps of the level that are taken out; a line with more of them jumps by nature."""
_JUMP: Final = 8.0
"""How many of a line's usual changes make a jump; a jump that most of is still there hours later is a step."""
_AROUND: Final = 6
_STEADY: Final = 1e-9
_SIGMAS: Final = 1.2815515655446004
"""Of a normal distribution, for ``NOMINAL``."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why there is no forecast: ``have`` seconds of measured history of the ``need`` seconds it takes."""

    have: float
    need: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected values and their band: value ``i`` is at ``start + i * step``, epoch s, in the metric's unit.

    ``history`` is what was learnt from, at the same spacing: each day's peak, or each hour; as measured, jumps left in.
    """

    start: float
    step: float
    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    history: tuple[tuple[float, float], ...]

    @property
    def end(self) -> float:
        """Epoch second of the last value."""
        return self.start + (len(self.middle) - 1) * self.step


@dataclass(frozen=True, slots=True)
class Reach:
    """When a limit is met, in days from now; None where that is not within ``horizon_days``.

    ``earliest`` and ``latest`` are where the band's two edges meet it, ``likely`` where its middle does.
    """

    earliest: float | None
    likely: float | None
    latest: float | None
    horizon_days: float


def forecast(points: Points, now: float, *, falls: bool = False) -> Forecast | Shortage:
    """The forecast of hourly ``points``, which are averages over [t, t + 1 h), as of the hour that ended last.

    ``falls``: low values are the bad ones, so a day is its lowest hour instead of its highest. Raises ValueError or
    numpy's LinAlgError where the model can't be fitted.
    """
    end = now // HOUR * HOUR
    closed = [(t, v) for t, v in points if t + HOUR <= end and math.isfinite(v)]
    if not closed:
        return Shortage(0.0, LEAST_HOURS * HOUR)
    span = end - closed[0][0]
    step = DAY if span >= LEAST_DAYS * DAY else HOUR
    level = without_steps(closed)
    values = _slots(level, end, step, falls=falls)
    known = sum(value is not None for value in values)
    enough = LEAST_SHARE * len(values) * step
    seldom = median_spacing(closed) > HOUR * 2
    if step == HOUR and (seldom or span < LEAST_HOURS * HOUR or known < LEAST_SHARE * len(values)):
        return Shortage(span, LEAST_DAYS * DAY) if seldom else Shortage(known * HOUR, max(LEAST_HOURS * HOUR, enough))
    if known * step < enough:
        return Shortage(known * step, enough)
    ahead = math.ceil(min(HORIZON_DAYS * DAY, AHEAD[step] * len(values) * step) / step)
    middle, error = fitted(values, ahead, 7 if step == DAY else 24, trend_changes=step == DAY)
    first = end - len(values) * step
    measured = _slots(closed, end, step, falls=falls)
    return Forecast(
        start=end + step / 2,
        step=step,
        middle=tuple(max(value, 0.0) for value in middle),
        low=tuple(max(m - _SIGMAS * e, 0.0) for m, e in zip(middle, error, strict=True)),
        high=tuple(max(m + _SIGMAS * e, 0.0) for m, e in zip(middle, error, strict=True)),
        history=tuple((first + (i + 0.5) * step, value) for i, value in enumerate(measured) if value is not None),
    )


def reach(found: Forecast, limit: float, now: float, *, falls: bool = False) -> Reach:
    """When the forecast meets ``limit``; ``falls``: from above."""
    bad, good = (found.low, found.high) if falls else (found.high, found.low)

    def met(values: Sequence[float]) -> float | None:
        for i, value in enumerate(values):
            if value <= limit if falls else value >= limit:
                return max((found.start + i * found.step - now) / DAY, 0.0)
        return None

    return Reach(met(bad), met(found.middle), met(good), round((found.end + found.step / 2 - now) / DAY))


def median_spacing(points: Points) -> float:
    """The usual distance of two points, seconds; 0 for fewer than two."""
    return median(b[0] - a[0] for a, b in pairwise(points)) if len(points) > 1 else 0.0


def without_steps(points: Points) -> Points:
    """The points with sudden, lasting changes of level taken out: a disk that was cleaned grows as it did before.

    What lies before a step is moved onto the present level, so that the slope is kept and the level is today's. A
    line that jumps more often than ``MOST_STEPS`` times does so by nature and is left as it is.
    """
    values = [value for _, value in points]
    changes = [b - a for a, b in pairwise(values)]
    if len(changes) < _AROUND:
        return points
    usual = median(changes)
    scale = _JUMP * (1.4826 * median(abs(change - usual) for change in changes) + _STEADY)
    found = [i for i, change in enumerate(changes, start=1) if abs(change - usual) > scale and _lasts(values, i, scale)]
    if not 0 < len(found) <= MOST_STEPS:
        return points
    moved = values
    for i in found:
        jump = changes[i - 1] - usual
        moved = [value + jump if place < i else value for place, value in enumerate(moved)]
    return [(t, value) for (t, _), value in zip(points, moved, strict=True)]


def _lasts(values: Sequence[float], i: int, scale: float) -> bool:
    """Whether the level after ``i`` stays changed: a spike comes back."""
    before, after = values[max(i - _AROUND, 0) : i], values[i : i + _AROUND]
    return len(after) > 1 and abs(median(after) - median(before)) > scale / 2


def _slots(points: Points, end: float, step: float, *, falls: bool) -> list[float | None]:
    """The worst value of each whole step before ``end``, oldest first; None where nothing was measured."""
    number = max(int((end - points[0][0]) // step), 1)
    slots: list[float | None] = [None] * number
    worst = min if falls else max
    for t, value in points:
        place = number - 1 - int((end - HOUR - t) // step)
        if 0 <= place < number:
            held = slots[place]
            slots[place] = value if held is None else worst(held, value)
    return slots


def fitted(
    values: Sequence[float | None], ahead: int, period: int, *, trend_changes: bool
) -> tuple[list[float], list[float]]:
    """Expected values and their standard errors for ``ahead`` steps after ``values``.

    ``period`` is the rhythm's length in steps; it is taken in where four of it were seen. ``trend_changes`` False: one
    trend over all of it, which is what a few days of hours can tell.
    """
    import numpy as np
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    series = np.array([math.nan if value is None else value for value in values], dtype=float)
    middle, spread = float(np.nanmean(series)), float(np.nanstd(series))
    if spread <= _STEADY * max(abs(middle), 1.0):
        return [middle] * ahead, [0.0] * ahead
    rhythm: Mapping[str, Any] = {}
    if len(values) >= 4 * period or (period == 24 and len(values) >= LEAST_HOURS):
        rhythm = {"freq_seasonal": [{"period": period, "harmonics": HARMONICS}]}
    kind = "local linear trend" if trend_changes else "local linear deterministic trend"
    model = UnobservedComponents((series - middle) / spread, kind, **rhythm)
    result = model.fit(method="lbfgs", maxiter=50, disp=False, warn_convergence=False)
    predicted = result.get_forecast(ahead)
    expected = predicted.predicted_mean * spread + middle
    error = np.asarray(predicted.se_mean) * spread
    if not (np.isfinite(expected).all() and np.isfinite(error).all()):
        raise ValueError("the model gave no finite forecast")
    return [float(value) for value in expected], [float(value) for value in error]
