"""Minutes and hours against what a plain computation over all samples gives."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.contract.bucket import LOOKBACK_SECONDS
from backend.contract.catalogue import load_catalogue
from backend.contract.rollup import LiveSeries, encode_live
from backend.contract.sketch import Sketch
from backend.processor.items import Row
from backend.processor.merge import merge_hour, merged_minutes

CATALOGUE = load_catalogue()
START = 1_795_255_200
"""A full hour."""
Values = dict[tuple[str, str], dict[int, float]]


def rows(samples: Values, split: int = 1) -> list[Row]:
    """Live rows of samples {(group, series): {second: value}}, each minute spread over ``split`` objects."""
    found: list[Row] = []
    minutes = sorted({t // 60 * 60 for values in samples.values() for t in values})
    for minute in minutes:
        entries = []
        for (group, series), values in samples.items():
            times = sorted(t for t in values if minute <= t < minute + 60)
            if times:
                entries.append(LiveSeries(group, series, [t - minute for t in times], [values[t] for t in times]))
        found += [
            Row(START + minute, encode_live(some), START + 86400 + minute + part, 0, f"{minute}-{part}")
            for part in range(split)
            if (some := entries[part::split])
        ]
    return found


def merged(key: str, stored: list[Row], first: int = 0, last: int = 10**6) -> dict[int, Any]:
    """The merged minutes from ``first`` to ``last`` seconds after START, by minute."""

    def read(a: int, b: int) -> list[Row]:
        return [row for row in stored if a <= row.timestamp <= b]

    found = merged_minutes(CATALOGUE[key], read(START + first, START + last), read)
    return {m.minute - START: m.merged for m in found}


names = st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y"]))
seconds = st.dictionaries(st.integers(0, 2400), st.integers(0, 50), min_size=1, max_size=25)
many = st.dictionaries(names, seconds, min_size=1, max_size=5)


@given(many, st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_gauges_equal_a_plain_computation(samples: Values, split: int) -> None:
    for minute, result in merged("cpu_utilization", rows(samples, split)).items():
        inside = {n: [v for t, v in sorted(s.items()) if minute <= t < minute + 60] for n, s in samples.items()}
        everything = [v for values in inside.values() for v in values]
        assert result.total.count == len(everything)
        assert result.total.average == pytest.approx(sum(everything) / len(everything))
        assert (result.total.low, result.total.high) == (min(everything), max(everything))
        for group, stats in result.groups.items():
            mine = [v for (g, _), values in inside.items() if g == group for v in values]
            assert stats.count == len(mine)
            assert stats.average == pytest.approx(sum(mine) / len(mine))


@given(many, st.integers(1, 3), st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_increases_equal_a_plain_computation_from_any_start(samples: Values, split: int, first: int) -> None:
    for minute, result in merged("records_in", rows(samples, split), first=first * 60).items():
        grown = 0.0
        for values in samples.values():
            times = sorted(values)
            for a, b in pairwise(times):
                if minute <= b < minute + 60 and minute_start_near(times, b, minute) - a <= LOOKBACK_SECONDS:
                    grown += values[b] - values[a] if values[b] >= values[a] else values[b]
        assert result.total.increase == grown


def minute_start_near(times: list[int], at: int, minute: int) -> int:
    """The minute's first sample, from which the way back to the sample before it is measured."""
    return next(t for t in times if t >= minute) if at >= minute else at


@given(st.dictionaries(names, seconds, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_sums_of_delta_counters_equal_a_plain_computation(samples: Values) -> None:
    for minute, result in merged("dlq_records", rows(samples)).items():
        expected = sum(v for s in samples.values() for t, v in s.items() if minute <= t < minute + 60)
        assert result.total.increase == expected


def test_a_counter_reset_counts_from_zero() -> None:
    samples = {("o", "x"): {0: 100, 30: 130, 60: 5, 90: 9}}
    result = merged("records_in", rows(samples))
    assert result[0].total.increase == 30
    assert result[60].total.increase == 9
    assert result[60].total.span == 60


def test_the_first_value_ever_seen_is_no_increase() -> None:
    assert merged("records_in", rows({("o", "x"): {10: 5000}}))[0].total.increase == 0


def test_a_counter_goes_on_over_a_gap_of_up_to_45_minutes() -> None:
    near = rows({("o", "x"): {0: 100, LOOKBACK_SECONDS - 20: 150}})
    far = rows({("o", "x"): {0: 100, LOOKBACK_SECONDS + 30: 150}})
    assert merged("records_in", near, first=2640)[2640].total.increase == 50
    assert merged("records_in", far, first=2700)[2700].total.increase == 0


def test_series_that_come_back_at_different_times_each_find_their_last_value() -> None:
    samples = {("o", "x"): {60 * n: 10 * n for n in range(20)}, ("o", "y"): {300: 1, 1100: 8}}
    result = merged("records_in", rows(samples), first=900)
    assert result[1080].total.increase == 10 + 7


def test_the_same_sample_in_two_objects_counts_once() -> None:
    stored = rows({("o", "x"): {0: 1, 20: 5, 40: 9}})
    twice = [row._replace(metric_id=f"again-{row.metric_id}") for row in stored]
    assert merged("records_in", stored + twice) == merged("records_in", stored)


def test_the_20_worst_groups_are_named_and_the_rest_are_other() -> None:
    samples = {(f"h{n:02}", ""): {5: float(n), 25: float(n)} for n in range(50)}
    result = merged("cpu_utilization", rows(samples, split=50))[0]
    assert sorted(result.groups) == sorted([f"h{n:02}" for n in range(30, 50)] + ["other"])
    assert result.group_count == 50
    assert result.groups["other"].count == 60
    assert result.groups["other"].average == pytest.approx(sum(range(30)) / 30)
    assert result.total.average == pytest.approx(24.5)
    assert result.bands.count == 50
    assert result.bands.quantile(0.5) == pytest.approx(24.5, rel=0.05)
    low = merged("window_completeness", rows(samples))[0]
    assert "h00" in low.groups
    assert "h49" not in low.groups


def test_20_groups_need_no_other() -> None:
    samples = {(f"h{n:02}", ""): {5: float(n)} for n in range(20)}
    result = merged("cpu_utilization", rows(samples))[0]
    assert len(result.groups) == 20
    assert "other" not in result.groups
    assert result.bands is None


def test_an_hour_is_its_minutes() -> None:
    draw = random.Random(7)
    samples = {("o", s): {t: t // 7 + draw.randrange(5) for t in range(0, 3600, 15)} for s in "xy"}
    minutes = merged("records_in", rows(samples))
    hour = merge_hour(CATALOGUE["records_in"], minutes)
    assert hour.total.count == 480
    assert hour.total.increase == sum(m.total.increase for m in minutes.values())


def test_percentiles_of_merged_minutes_are_those_of_all_observations() -> None:
    draw = random.Random(11)
    observed: list[float] = []
    stored: list[Row] = []
    for minute in range(0, 3600, 60):
        for host in range(3):
            values = [draw.lognormvariate(5, 1) for _ in range(20)]
            observed += values
            pack = [sum(values), max(values), *Sketch.of([(v, 1) for v in values]).flat()]
            entry = LiveSeries("eu", f"h{host}", [5], [pack])
            stored.append(Row(START + minute, encode_live([entry]), 2**40, 0, f"{minute}-{host}"))
    minutes = merged("latency_ms", stored)
    hour = merge_hour(CATALOGUE["latency_ms"], minutes)
    observed.sort()
    for q in (0.5, 0.95, 0.99):
        assert hour.total.sketch.quantile(q) == pytest.approx(observed[int(q * (len(observed) - 1))], rel=0.02)
    assert hour.total.high == max(observed)
    assert hour.total.average == pytest.approx(sum(observed) / len(observed))
    assert hour.total.count == len(observed)


def test_a_minute_is_kept_as_computable_until_its_first_live_item_expires() -> None:
    stored = rows({("a", "x"): {5: 1}, ("b", "x"): {5: 1}}, split=2)
    (minute,) = merged_minutes(CATALOGUE["cpu_utilization"], stored, lambda *_: [])
    assert minute.kept_until == min(row.expires_at for row in stored)


def test_merged_minutes_are_stored_without_loss() -> None:
    result = merged("records_in", rows({("o", "x"): {0: 1, 20: 5}}))[0]
    assert orjson.loads(result.encode())["all"] == [2, 3.0, 1, 5, 5, 4, 20]
