"""The detector: what it marks, what it leaves alone, and that no clock, gap or scale breaks it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from backend.contract.anomaly import Detector, find
from backend.contract.anomaly_tail import BLOCKS, Tail

START = 1_795_219_200.0
"""2026-11-21 00:00 UTC, a Saturday."""
DAY = 86400.0
Points = list[tuple[float, float]]


def series(
    days: float,
    value: Callable[[float, random.Random], float],
    step: float = 300.0,
    seed: int = 1,
    start: float = START,
) -> Points:
    """``value`` of the seconds since the begin, every ``step`` seconds."""
    draw = random.Random(seed)
    return [(start + i * step, value(i * step, draw)) for i in range(int(days * DAY / step))]


def noise(t: float, draw: random.Random) -> float:
    return 50 + 3 * draw.gauss(0, 1)


def rhythm(t: float, draw: random.Random) -> float:
    return 100 + 60 * math.sin((t / DAY - 0.375) * 2 * math.pi) + 3 * draw.gauss(0, 1)


def changed(points: Points, first: float, hours: float, by: Callable[[float], float]) -> Points:
    """The points, those of some hours from day ``first`` on changed."""
    begin = points[0][0] + first * DAY
    return [(t, by(v) if begin <= t < begin + hours * 3600 else v) for t, v in points]


def days_of(points: Points) -> list[float]:
    """When anomalies are found, days from the begin."""
    return [(anomaly.at - points[0][0]) / DAY for anomaly in find(points)]


def test_a_spike_is_one_anomaly_that_says_what_was_expected() -> None:
    points = changed(series(5, noise), 4, 0.4, lambda v: v + 40)
    (spike,) = find(points)
    assert spike.at == START + 4 * DAY
    assert spike.low < spike.expected < spike.high < spike.value
    assert spike.expected == pytest.approx(50, abs=5)
    assert spike.score > 1.5


def test_it_says_nothing_before_a_day_has_been_seen() -> None:
    assert days_of(changed(series(2, noise), 0.9, 0.4, lambda v: v * 9)) == []


def test_a_new_level_is_one_anomaly_not_a_week_of_them() -> None:
    assert days_of(changed(series(12, noise), 5, 999, lambda v: v + 30)) == [5.0]


def test_a_small_change_that_lasts_is_noticed() -> None:
    (found,) = find(changed(series(7, noise), 5, 999, lambda v: v + 5))
    assert found.kind == "sustained"
    assert 0 <= found.at - START - 5 * DAY <= 4 * 3600


def test_a_peak_that_comes_every_day_is_expected_and_missed_when_it_fails_to_come() -> None:
    points = series(8, rhythm)
    assert days_of(points) == []
    (day,) = days_of(changed(points, 7.5, 8, lambda v: 40.0))
    assert day == pytest.approx(7.5, abs=0.1)


def test_weekends_are_expected_from_the_third_one_on() -> None:
    def office(t: float, draw: random.Random) -> float:
        return rhythm(t, draw) * (0.3 if t // DAY % 7 < 2 else 1)

    assert [day for day in days_of(series(35, office, step=900)) if day > 14] == []


def test_the_third_of_a_kind_within_two_weeks_is_no_news() -> None:
    points = series(13, noise)
    for day in (3.3, 5.7, 8.1, 10.9):
        points = changed(points, day, 0.4, lambda v: 120.0)
    assert days_of(points) == pytest.approx([3.3, 5.7], abs=0.01)


def test_a_trifle_hides_no_incident_some_hours_later() -> None:
    points = changed(series(5, noise), 3.5, 0.1, lambda v: v + 20)
    assert days_of(changed(points, 3.7, 3, lambda v: v + 15)) == [3.5]
    assert days_of(changed(points, 3.7, 3, lambda v: v + 90)) == pytest.approx([3.5, 3.7], abs=0.01)


@pytest.mark.parametrize("step", [10.0, 60.0, 3600.0])
def test_any_spacing_will_do(step: float) -> None:
    days = 2.2 if step == 10 else 5
    points = changed(series(days, noise, step=step), days - 0.5, max(0.4, step / 3600), lambda v: v + 60)
    assert days_of(points) == pytest.approx([days - 0.5], abs=0.05)


@pytest.mark.parametrize("factor", [2.0**-30, 2.0**40])
def test_the_unit_does_not_matter(factor: float) -> None:
    points = changed(series(4, rhythm), 3.2, 0.4, lambda v: v + 200)
    assert days_of([(t, v * factor) for t, v in points]) == days_of(points) != []


def test_what_was_always_the_same_is_noticed_when_it_moves_but_not_for_a_trifle() -> None:
    brokers = series(3, lambda t, draw: 3.0)
    assert days_of(changed(brokers, 2, 0.5, lambda v: 2.0)) == [2.0]
    assert days_of(changed(brokers, 2, 0.5, lambda v: 3.01)) == []


def test_the_first_error_after_days_without_one_is_noticed() -> None:
    (found,) = find(changed(series(3, lambda t, draw: 0.0), 2, 0.5, lambda v: 4.0))
    assert (found.value, found.low, found.high, found.score) == (4.0, 0.0, 0.0, 100.0)


def test_nothing_below_zero_is_expected_of_what_never_was() -> None:
    found = find(changed(series(4, lambda t, draw: draw.expovariate(1)), 3, 0.4, lambda v: 60.0))[-1]
    assert found.at == START + 3 * DAY
    assert found.low == 0


@pytest.mark.parametrize("value", [lambda t, draw: draw.lognormvariate(10, 1), lambda t, draw: draw.paretovariate(3),
                                   lambda t, draw: float(draw.random() < 0.01) * draw.expovariate(1e-6)])  # fmt: skip
def test_heavy_tails_and_mostly_zeros_give_at_most_one_false_alarm_a_week(
    value: Callable[[float, random.Random], float],
) -> None:
    assert len(find(series(21, value, seed=7))) <= 3


def test_what_is_no_number_or_comes_twice_or_late_changes_nothing() -> None:
    points = changed(series(3, noise), 2.5, 0.4, lambda v: v + 40)
    bad = [
        p for t, v in points for p in ((t, v), (t, v + 500), (t - 400, -500.0), (t + 1, math.nan), (t + 2, math.inf))
    ]
    assert find(bad) == find(points) != []


def test_no_point_is_judged_by_what_comes_after_it() -> None:
    points = changed(series(4, rhythm), 3, 2, lambda v: v + 90)
    half = [p for p in points if p[0] <= START + 3.05 * DAY]
    assert find(points)[: len(find(half))] == find(half) != []


def test_a_gap_of_days_is_no_anomaly() -> None:
    points = series(9, rhythm)
    assert days_of([p for p in points if not 4.2 * DAY <= p[0] - START < 6.9 * DAY]) == []


def test_a_clock_that_was_set_back_is_followed() -> None:
    ahead = series(3, noise, start=START + 365 * DAY)
    behind = changed(series(3, noise, seed=2), 2, 0.4, lambda v: v + 40)
    assert [a.at for a in find(ahead + behind)] == [START + 2 * DAY]


def test_one_point_from_the_future_does_not_silence_it_for_good() -> None:
    points = changed(series(4, noise), 3, 0.4, lambda v: v + 40)
    future = [*points[:300], (START + 400 * DAY, 50.0), *points[300:]]
    assert days_of(future) == [3.0]


def test_it_says_when_it_has_seen_enough() -> None:
    detector = Detector()
    ready = [(t, detector.ready) for t, v in series(1.2, noise) if detector.update(t, v) is None]
    assert (ready[250][1], ready[-1][1]) == (False, True)


def test_a_tail_remembers_two_weeks_of_hours() -> None:
    tail, same = Tail(), Tail()
    values = [random.Random(i).random() for i in range(3 * BLOCKS)]
    for i, value in enumerate(values):
        tail.add(3600.0 * i, value + (100 if i < 50 else 0))
    for value in values[-BLOCKS:]:
        same.add(0.0, value)
    assert len(tail) == BLOCKS
    assert tail.limit(0.0) == same.limit(0.0)
