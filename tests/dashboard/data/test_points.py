"""Points: rates with resets per series, groups combined as the catalogue says, the same at every level."""

from __future__ import annotations

import pytest

from backend.contract.bucket import buckets
from backend.contract.catalogue import load_catalogue
from backend.contract.errors import InvalidInput
from backend.contract.sketch import Sketch
from dashboard.data.points import combine, live_points, merged_points, spacing, stat_of, stat_value, sum_of_groups

CATALOGUE = load_catalogue()
CPU = CATALOGUE["cpu_utilization"]
LAG = CATALOGUE["consumer_lag_records"]
RECORDS = CATALOGUE["records_in"]
DLQ = CATALOGUE["dlq_records"]
LATENCY = CATALOGUE["latency_ms"]


def packed(*values: float) -> list[float]:
    return [sum(values), max(values), *Sketch.of([v, 1] for v in values).flat()]


def test_a_rate_is_the_growth_over_the_time_between_two_samples() -> None:
    assert live_points(RECORDS, [{0: 100.0, 15: 250.0, 45: 280.0}], "rate") == [(15, 10.0), (45, 1.0)]


def test_a_reset_counts_from_zero_in_its_own_series_only() -> None:
    steady, restarted = {0: 100.0, 10: 200.0, 20: 300.0}, {0: 500.0, 10: 20.0, 20: 40.0}
    assert live_points(RECORDS, [steady, restarted], "rate") == [(10, 12.0), (20, 12.0)]


def test_a_single_sample_of_a_counter_has_no_rate() -> None:
    assert live_points(RECORDS, [{0: 100.0}], "rate") == []


def test_the_rate_of_a_delta_counter_is_its_value_over_its_time() -> None:
    assert live_points(DLQ, [{0: 30.0, 60: 30.0, 120: 0.0}], "rate") == [(60, 0.5), (120, 0.0)]


def test_what_a_delta_counter_adds_includes_its_first_value() -> None:
    assert live_points(DLQ, [{0: 30.0, 60: 20.0}], "sum") == [(0, 30.0), (60, 20.0)]


def test_growth_of_series_that_report_at_different_times_is_counted_once() -> None:
    first = dict.fromkeys(range(0, 600, 60), 6.0)
    second = {t + 25: 4.0 for t in range(0, 600, 60)}
    points = live_points(DLQ, [first, second], "sum")
    assert sum(value for _, value in points) == 100


@pytest.mark.parametrize(("how", "value"), [("sum", 30), ("avg", 15), ("max", 20), ("min", 10)])
def test_lines_combine_at_shared_times(how: str, value: float) -> None:
    lines = [[(0.0, 10.0), (10.0, 10.0)], [(0.0, 20.0), (10.0, 20.0)]]
    assert combine(lines, how) == [(0, value), (10, value)]  # type: ignore[arg-type]


def test_lines_of_different_times_combine_in_steps_without_dips() -> None:
    lines = [[(t + shift, 10.0) for t in range(0, 300, 60)] for shift in (0.0, 7.0, 31.0)]
    found = combine(lines, "sum")
    assert [value for _, value in found] == [30.0] * 5


def test_a_line_that_ended_is_not_carried_on_for_ever() -> None:
    ended = [(float(t), 10.0) for t in range(0, 120, 60)]
    going_on = [(t + 7.0, 10.0) for t in range(0, 600, 60)]
    found = dict(combine([ended, going_on], "sum"))
    assert found[60] == 20
    assert found[540] == 10


def test_lines_without_points_count_for_nothing() -> None:
    assert combine([[], [(1.0, 2.0)], []], "avg") == [(1, 2)]
    assert combine([], "avg") == []


def test_percentiles_of_groups_are_those_of_all_their_observations() -> None:
    quick, slow = {0: packed(*[10.0] * 99)}, {0: packed(1000.0)}
    ((_, p99),) = live_points(LATENCY, [quick, slow], "p99")
    ((_, p50),) = live_points(LATENCY, [quick, slow], "p50")
    ((_, average),) = live_points(LATENCY, [quick, slow], "avg")
    assert (p50, p99) == (pytest.approx(10, rel=0.011), pytest.approx(10, rel=0.011))
    assert average == pytest.approx((990 + 1000) / 100)
    assert live_points(LATENCY, [quick, slow], "max") == [(0, 1000)]
    assert live_points(LATENCY, [quick, slow], "sum") == [(0, 1990)]


def test_histograms_of_different_times_are_one_line() -> None:
    regions = [{t + shift: packed(value) for t in range(0, 600, 60)} for shift, value in ((0, 10.0), (29, 1000.0))]
    points = live_points(LATENCY, regions, "max")
    assert [value for _, value in points] == [1000.0] * 10


@pytest.mark.parametrize(("stat", "value"), [("avg", 20), ("min", 10), ("max", 30), ("last", 20), ("sum", 20)])
def test_statistics_of_a_gauge_over_hosts(stat: str, value: float) -> None:
    hosts = [{0: v, 10: v} for v in (10.0, 20.0, 30.0)]
    assert live_points(CPU, hosts, stat) == [(0, value), (10, value)]  # type: ignore[arg-type]


def test_a_gauge_whose_parts_add_up_shows_their_sum_whatever_is_asked() -> None:
    assert live_points(LAG, [{0: 10.0}, {0: 5.0}], "max") == [(0, 15)]


SAMPLES = {
    "gauge": (
        LAG,
        {("0", "h"): dict.fromkeys(range(0, 60, 10), 10.0), ("1", "h"): dict.fromkeys(range(0, 60, 10), 5.0)},
    ),
    "counter": (RECORDS, {("op", s): {t: float(t * 2) for t in range(-10, 60, 10)} for s in ("1", "2")}),
    "histogram": (LATENCY, {("eu", "h"): {t: packed(*[10.0] * 50, *[30.0] * 50) for t in range(0, 60, 10)}}),
}


@pytest.mark.parametrize(
    ("kind", "stat"),
    [
        ("gauge", "avg"),
        ("gauge", "min"),
        ("gauge", "max"),
        ("gauge", "sum"),
        ("gauge", "last"),
        ("counter", "rate"),
        ("counter", "last"),
        ("histogram", "p99"),
        ("histogram", "avg"),
        ("histogram", "max"),
    ],
)
def test_a_merged_minute_says_what_its_samples_say(kind: str, stat: str) -> None:
    metric, samples = SAMPLES[kind]
    live = live_points(metric, list(samples.values()), stat)  # type: ignore[arg-type]
    merged = buckets(metric, samples, 0, 60)  # type: ignore[arg-type]
    ((_, value),) = merged_points(metric, merged, lambda m: m.total, stat)  # type: ignore[arg-type]
    assert value == pytest.approx(live[-1][1], rel=0.011)


def test_what_a_counter_grew_by_in_a_minute_is_what_its_samples_grew_by() -> None:
    metric, samples = SAMPLES["counter"]
    live = live_points(metric, list(samples.values()), "sum")
    merged = buckets(metric, samples, 0, 60)[0]
    assert stat_value(metric, merged.total, "sum") == sum(v for _, v in live) == 240


def test_the_sum_of_a_fleet_counts_the_hosts_that_are_not_kept_apart() -> None:
    fleet = {(f"h{n}", "s"): {0: 2.0} for n in range(100)}
    assert sum_of_groups(CPU, buckets(CPU, fleet, 0, 60)[0]) == pytest.approx(200)
    few = {(f"h{n}", "s"): {0: 2.0} for n in range(3)}
    assert sum_of_groups(CPU, buckets(CPU, few, 0, 60)[0]) == 6


def test_a_counters_first_bucket_has_no_rate() -> None:
    merged = buckets(RECORDS, {("op", "s"): {5: 100.0}}, 0, 60)
    assert merged_points(RECORDS, merged, lambda m: m.total, "rate") == []


@pytest.mark.parametrize(("metric", "default"), [(CPU, "avg"), (RECORDS, "rate"), (DLQ, "rate"), (LATENCY, "p99")])
def test_every_kind_has_its_default_statistic(metric: object, default: str) -> None:
    assert stat_of(metric, None) == stat_of(metric, "") == default  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "stat"),
    [(CPU, "p99"), (CPU, "rate"), (RECORDS, "p50"), (LATENCY, "rate"), (CPU, "median"), (CPU, "AVG")],
)
def test_a_statistic_that_does_not_fit_is_refused(metric: object, stat: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        stat_of(metric, stat)  # type: ignore[arg-type]
    assert caught.value.field == "stat"


def test_the_spacing_is_the_median_and_a_minute_where_nothing_tells() -> None:
    assert spacing([0, 10, 20, 300]) == 10
    assert spacing([5]) == 60
