"""The score of the Numenta Anomaly Benchmark: what its paper and its scorer say of single cases."""

from __future__ import annotations

import math

import pytest

from benchmarks.nab import Scored, normalised, score, sigmoid

TIMES = [float(300 * i) for i in range(100)]
WINDOW = (TIMES[40], TIMES[59])


def scored(*alarms: int, windows: list[tuple[float, float]] | None = None) -> Scored:
    return score(TIMES, {TIMES[i] for i in alarms}, [WINDOW] if windows is None else windows)


def test_the_sigmoid_has_the_values_of_the_paper() -> None:
    assert [round(sigmoid(x), 5) for x in (-1.0, -0.5, 0.0, 1.0, 3.5)] == [0.98661, 0.84828, 0.0, -0.98661, -1.0]


def test_a_detection_at_the_first_point_of_a_window_is_worth_all_of_it() -> None:
    assert scored(40).score == pytest.approx(1.0)
    assert normalised([scored(40)]) == pytest.approx(100.0)


def test_saying_nothing_is_nothing() -> None:
    assert (scored().score, normalised([scored()])) == (-1.0, 0.0)


def test_only_the_earliest_detection_of_a_window_counts() -> None:
    late = scored(50)
    assert scored(50, 55, 58).score == late.score < scored(45).score
    assert (scored(50, 55).true_alarms, scored(50, 55).found) == (2, 1)


def test_a_false_alarm_costs_less_right_behind_a_window_than_far_from_it() -> None:
    before, behind, far = (scored(40, i).score - 1.0 for i in (30, 61, 99))
    assert before == pytest.approx(-0.11)
    assert -0.11 < far < behind < 0
    assert behind == pytest.approx(0.11 * sigmoid(2 / 19))


def test_the_first_part_is_not_scored() -> None:
    assert scored(0, 14).false_alarms == 0
    assert scored(15).false_alarms == 1


def test_long_series_are_left_alone_for_750_points_at_most() -> None:
    times = [float(i) for i in range(20_000)]
    assert score(times, {749.0}, []).false_alarms == 0
    assert score(times, {750.0}, []).false_alarms == 1


def test_without_windows_there_is_no_score() -> None:
    assert math.isnan(normalised([scored(20, windows=[])]))
