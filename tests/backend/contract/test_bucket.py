"""Buckets equal a computation by hand, and longer ones equal what their parts' samples give."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.bucket import LOOKBACK_SECONDS, badness, buckets, longer
from backend.contract.catalogue import load_catalogue
from backend.contract.rollup import OTHER, WORST_GROUPS, Merged
from backend.contract.sketch import Sketch

CATALOGUE = load_catalogue()
CPU = CATALOGUE["cpu_utilization"]
LAG = CATALOGUE["consumer_lag_records"]
RECORDS = CATALOGUE["records_in"]
DLQ = CATALOGUE["dlq_records"]
LATENCY = CATALOGUE["latency_ms"]
COMPLETE = CATALOGUE["window_completeness"]
T0 = 1_795_266_000

keys = st.tuples(st.sampled_from(["a", "b", ""]), st.sampled_from(["s1", "s2"]))
offsets = st.integers(-440, 440)
"""Never farther apart than the lookback."""


def series_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[tuple[str, str], dict[float, Any]]]:
    return st.dictionaries(keys, st.dictionaries(offsets.map(lambda o: T0 + o), values, min_size=1), min_size=1)


def one(values: Mapping[float, float], group: str = "g") -> dict[tuple[str, str], Mapping[float, float]]:
    return {(group, "s"): {T0 + t: v for t, v in values.items()}}


@given(samples=series_of(st.integers(0, 100)), start=st.integers(-5, 5), length=st.integers(1, 10))
def test_gauge_buckets_equal_brute_force(
    samples: dict[tuple[str, str], dict[float, int]], start: int, length: int
) -> None:
    begin, end = T0 + 60 * start, T0 + 60 * (start + length)
    found = buckets(LAG, samples, begin, end)
    expected: dict[float, dict[tuple[str, str], list[int]]] = {}
    for key, values in samples.items():
        for t in sorted(values):
            if begin <= t < end:
                expected.setdefault(t // 60 * 60, {}).setdefault(key, []).append(values[t])
    assert list(found) == sorted(expected)
    for t, series in expected.items():
        total = found[t].total
        assert total.count == sum(len(v) for v in series.values())
        assert total.average == pytest.approx(sum(sum(v) / len(v) for v in series.values()))
        assert total.last == sum(v[-1] for v in series.values())
        assert set(found[t].groups) == {group for group, _ in series}
        for group, stats in found[t].groups.items():
            parts = [v for (name, _), v in series.items() if name == group]
            assert stats.average == pytest.approx(sum(sum(v) / len(v) for v in parts))


@given(samples=series_of(st.integers(0, 100)))
def test_counter_buckets_equal_brute_force(samples: dict[tuple[str, str], dict[float, int]]) -> None:
    found = buckets(RECORDS, samples, T0, T0 + 600)
    grown: dict[float, int] = {}
    for values in samples.values():
        times = sorted(values)
        for before, t in pairwise(times):
            if T0 <= t < T0 + 600:
                a, b = values[before], values[t]
                grown[t // 60 * 60] = grown.get(t // 60 * 60, 0) + (b - a if b >= a else b)
    assert {t: b.total.increase for t, b in found.items() if b.total.increase} == {t: g for t, g in grown.items() if g}


@given(
    samples=series_of(st.integers(0, 1000)),
    metric=st.sampled_from([CPU, RECORDS, DLQ, COMPLETE, LAG]),
)
def test_an_hour_from_its_minutes_equals_one_from_its_samples(
    samples: dict[tuple[str, str], dict[float, int]], metric: Any
) -> None:
    start, end = T0 - 660, T0 + 660
    minutes = buckets(metric, samples, start, end)
    joined = longer(metric, list(minutes.values())).total
    whole = buckets(metric, samples, 0, end + 1e6, 10**10)[0].total
    assert joined.count == whole.count
    if metric.kind == "counter":
        assert joined.increase == whole.increase
    elif metric is CPU:
        assert joined.average == pytest.approx(whole.average)
        assert (joined.low, joined.high) == (whole.low, whole.high)


def test_the_first_value_ever_of_a_counter_is_no_increase() -> None:
    found = buckets(RECORDS, one({5: 1_000_000}), T0, T0 + 60)[T0].total
    assert (found.increase, found.span) == (0, 0)


def test_growth_counts_from_the_sample_before_the_bucket() -> None:
    found = buckets(RECORDS, one({-10: 100, 5: 130, 50: 190}), T0, T0 + 60)[T0].total
    assert (found.increase, found.span) == (90, 60)


def test_a_predecessor_older_than_the_lookback_is_a_new_beginning() -> None:
    near = buckets(RECORDS, one({0 - LOOKBACK_SECONDS: 100, 0: 130}), T0, T0 + 60)[T0].total
    far = buckets(RECORDS, one({-1 - LOOKBACK_SECONDS: 100, 0: 130}), T0, T0 + 60)[T0].total
    assert (near.increase, far.increase) == (30, 0)


def test_a_restarted_counter_grew_by_what_it_shows_since() -> None:
    found = buckets(RECORDS, one({-10: 1000, 10: 40, 50: 90}), T0, T0 + 60)[T0].total
    assert found.increase == 90


def test_a_delta_counter_adds_up_what_its_samples_say() -> None:
    found = buckets(DLQ, one({-10: 7, 10: 3, 20: 4}), T0, T0 + 60)[T0].total
    assert (found.increase, found.span) == (7, 30)


def test_the_rate_of_a_delta_counters_first_bucket_is_not_too_high() -> None:
    found = buckets(DLQ, one({0: 10, 10: 10, 20: 10, 30: 10, 40: 10, 50: 10}), T0, T0 + 60)[T0].total
    assert found.increase == 60
    assert found.span == 60


def test_counters_of_several_series_add_up_in_every_number() -> None:
    samples = {("op", "1"): {T0: 100.0, T0 + 30: 160.0}, ("op", "2"): {T0: 10.0, T0 + 30: 20.0}}
    bucket = buckets(RECORDS, samples, T0, T0 + 60)[T0]
    for stats in (bucket.total, bucket.groups["op"]):
        assert (stats.last, stats.average, stats.low, stats.high, stats.increase) == (180, 145, 110, 180, 70)


def test_a_histogram_bucket_describes_its_observations() -> None:
    def packed(values: list[float]) -> list[float]:
        return [sum(values), max(values), *Sketch.of([v, 1] for v in values).flat()]

    samples = {
        ("eu", "h"): {T0: packed([10.0, 20.0]), T0 + 10: packed([30.0])},
        ("us", "h"): {T0: packed([1000.0])},
    }
    bucket = buckets(LATENCY, samples, T0, T0 + 60)[T0]
    assert bucket.total.count == 4
    assert bucket.total.average == pytest.approx(265)
    assert bucket.total.high == 1000
    assert bucket.groups["eu"].average == pytest.approx(20)
    assert bucket.groups["eu"].last == 30
    assert bucket.total.sketch is not None
    assert bucket.total.sketch.quantile(0.99) == pytest.approx(30, rel=0.011)
    assert bucket.total.sketch.quantile(1.0) == pytest.approx(1000, rel=0.011)


def fleet(metric: Any, size: int) -> Merged:
    samples = {(f"h{n:04}", "s"): {T0: float(n)} for n in range(size)}
    return buckets(metric, samples, T0, T0 + 60)[T0]


def test_twenty_groups_are_kept_apart() -> None:
    merged = fleet(CPU, WORST_GROUPS)
    assert len(merged.groups) == WORST_GROUPS
    assert OTHER not in merged.groups
    assert merged.bands is None


def test_beyond_twenty_groups_the_worst_stay_and_bands_describe_all() -> None:
    merged = fleet(CPU, 101)
    assert merged.group_count == 101
    assert set(merged.groups) == {f"h{n:04}" for n in range(81, 101)} | {OTHER}
    assert merged.groups[OTHER].average == pytest.approx(40)
    assert merged.groups[OTHER].count == 81
    assert merged.total.average == pytest.approx(50)
    assert merged.bands is not None
    assert merged.bands.count == 101
    assert merged.bands.quantile(0.5) == pytest.approx(50, rel=0.011)


def test_where_lower_is_worse_the_lowest_groups_stay() -> None:
    assert set(fleet(COMPLETE, 30).groups) == {f"h{n:04}" for n in range(20)} | {OTHER}


def test_counters_rank_by_growth_and_histograms_by_p99() -> None:
    old = {("old", "s"): {T0 - 60: 1e6, T0: 1e6}, ("busy", "s"): {T0 - 60: 0.0, T0: 5.0}}
    found = buckets(RECORDS, old, T0, T0 + 60)[T0].groups
    assert badness(RECORDS, found["busy"]) > badness(RECORDS, found["old"])
    pack = [20.0, 10.0, *Sketch.of([[10.0, 2]]).flat()]
    assert badness(LATENCY, buckets(LATENCY, {("g", "s"): {T0: pack}}, T0, T0 + 60)[T0].total) == pytest.approx(
        10, rel=0.011
    )


def test_a_longer_bucket_keeps_twenty_groups_and_joins_the_others() -> None:
    parts = [fleet(CPU, 101), fleet(CPU, 50)]
    joined = longer(CPU, parts)
    assert len(joined.groups) == WORST_GROUPS + 1
    assert joined.groups[OTHER].count + sum(s.count for n, s in joined.groups.items() if n != OTHER) == 151
    assert joined.total.count == 151
    assert joined.group_count == 101
    assert joined.bands is not None
    assert joined.bands.count == 151


def test_buckets_reach_from_start_to_end_only() -> None:
    found = buckets(CPU, one({-60: 1, 0: 2, 59: 3, 60: 4, 120: 5}), T0, T0 + 120)
    assert {t: m.total.last for t, m in found.items()} == {T0: 3, T0 + 60: 4}


def test_an_hour_remembers_its_worst_minute() -> None:
    """Four minutes past critical would be 8 a minute in the hour's average: the hour still says 120."""
    metric = load_catalogue()["dlq_records"]
    samples = {("parse", "x"): {60.0 * m + 30: 120.0 if m < 4 else 0.0 for m in range(60)}}
    hour = longer(metric, list(buckets(metric, samples, 0, 3600).values()))
    assert Merged.decode(hour.encode()).worst == 120
    lag = load_catalogue()["consumer_lag_records"]
    values = {("0", "x"): {60.0 * m + 30: 100_000.0 if m < 50 else 100.0 for m in range(60)}}
    assert longer(lag, list(buckets(lag, values, 0, 3600).values())).worst == 100_000
