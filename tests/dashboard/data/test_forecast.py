"""Forecasts of lines whose future is known: growth, a cleaned disk, rhythms, and what is too little to say."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from dashboard.data.forecast import (
    DAY,
    HOUR,
    Forecast,
    Shortage,
    forecast,
    reach,
    without_steps,
)
from dashboard.data.points import Points
from tests.dashboard.data.feeding import NOW


def hours(days: float, value: Callable[[float], float], noise: float = 0.3, every: float = 1) -> Points:
    """Hourly points up to ``NOW``; ``value`` takes days since the first one."""
    draw = random.Random(7)
    number = int(days * 24)
    return [(NOW - (number - i) * HOUR, value(i / 24) + draw.gauss(0, noise)) for i in range(number) if i % every == 0]


def made(points: Points, *, falls: bool = False) -> Forecast:
    found = forecast(points, NOW, falls=falls)
    assert isinstance(found, Forecast)
    return found


def test_a_disk_that_fills_is_full_on_the_day_that_its_growth_says() -> None:
    found = made(hours(30, lambda day: 60 + day))
    said = reach(found, 100, NOW)
    assert (found.step, len(found.middle), said.horizon_days) == (DAY, 90, 90)
    assert said.earliest is not None
    assert said.latest is not None
    assert 8 <= said.earliest <= 10 <= said.latest + 1
    assert all(low <= middle <= high for low, middle, high in zip(found.low, found.middle, found.high, strict=True))


def test_a_disk_that_was_cleaned_grows_on_from_where_it_is() -> None:
    found = made(hours(30, lambda day: 60 + day - (30 if day > 29.7 else 0)))
    said = reach(found, 100, NOW)
    assert said.likely == pytest.approx(40, abs=4)
    assert max(value for _, value in found.history) > 85, "what was measured is shown as it was"


def test_free_slots_run_out_from_above() -> None:
    said = reach(made(hours(30, lambda day: 40 - day, 0.1), falls=True), 0, NOW, falls=True)
    assert said.likely == pytest.approx(10, abs=1.5)


def test_a_few_days_are_forecast_by_the_hour_with_the_days_rhythm_and_no_farther_than_they_are_long() -> None:
    found = made(hours(3, lambda day: 50 + 10 * math.sin(2 * math.pi * day)))
    assert (found.step, len(found.middle)) == (HOUR, 72)
    night = found.middle[18]
    assert found.middle[6] - night == pytest.approx(20, abs=5)
    assert reach(found, 90, NOW).earliest is None


def test_a_line_that_never_moves_stays_where_it_is() -> None:
    found = made([(t, 5.0) for t, _ in hours(20, lambda _: 5)])
    assert set(found.middle) == set(found.high) == {5.0}
    assert reach(found, 9, NOW).horizon_days == 60


@pytest.mark.parametrize(
    ("points", "need"),
    [
        ([], 48 * HOUR),
        (hours(1, lambda day: day), 48 * HOUR),
        (hours(3, lambda day: day, every=12), 14 * DAY),
        ([point for i, point in enumerate(hours(10, lambda day: day)) if i % 8 < 3], 120 * HOUR),
        ([*hours(30, lambda day: day)[:20], *hours(0.5, lambda day: day)], 15 * DAY),
    ],
    ids=["nothing", "one day", "twice a day", "three of eight hours", "mostly gaps"],
)
def test_too_little_is_said_as_such_with_what_it_takes(points: Points, need: float) -> None:
    found = forecast(points, NOW)
    assert isinstance(found, Shortage)
    assert found.need == need
    assert found.have < found.need


def test_the_hour_that_is_still_filling_is_not_learnt_from() -> None:
    points = hours(30, lambda _: 50.0, noise=0)
    assert made([*points, (NOW, 99.0)]).history == made(points).history


def test_a_step_is_taken_out_and_a_spike_and_a_sawtooth_are_not() -> None:
    line = hours(5, lambda day: 50 + day, 0.05)
    stepped = [(t, v - 20 if i > 60 else v) for i, (t, v) in enumerate(line)]
    moved = without_steps(stepped)
    assert max(abs(b[1] - a[1]) for a, b in pairwise(moved)) < 1
    assert moved[-1] == stepped[-1]
    spiked = [(t, v + 30 if i == 60 else v) for i, (t, v) in enumerate(line)]
    assert without_steps(spiked) == spiked
    saw = [(t, 20.0 + i % 24 + (i % 2) / 10) for i, (t, _) in enumerate(line)]
    assert without_steps(saw) == saw
