"""The verdict's signals: settled values now, the same arithmetic for the past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from backend.contract.bucket import buckets
from backend.contract.catalogue import load_catalogue
from backend.contract.rollup import Merged
from backend.contract.sketch import Sketch
from backend.contract.verdict import Reading, State, judge_signal
from dashboard.data.signals import SIGNALS, complete_percent, history, reading

CATALOGUE = load_catalogue()
NOW = 1_795_266_000.0
SPECS = {spec.key: spec for spec in SIGNALS}
Series = Mapping[float, Any]


def read(key: str, now: float = 0.0, **metrics: Mapping[tuple[str, str], Series] | Series) -> Reading:
    """The reading of a signal from live samples by seconds from ``NOW``; a metric given counts as seen."""
    live = {}
    for name, series in metrics.items():
        named = series if not series or isinstance(next(iter(series)), tuple) else {("", "s"): series}
        live[name] = {key: {NOW + t: v for t, v in values.items()} for key, values in named.items()}  # type: ignore[union-attr]
    return reading(SPECS[key], CATALOGUE, live, frozenset(metrics), NOW + now)


def state(found: Reading, now: float = 0.0) -> State:
    return judge_signal(found, NOW + now).state


def ramp(step: float, start: float, end: float = 0.0, by: float = 0.0, first: float = 0.0) -> dict[float, float]:
    return {start + i * step: first + i * by for i in range(int((end - start) // step) + 1)}


def packed(*values: float) -> list[float]:
    return [sum(values), max(values), *Sketch.of([v, 1] for v in values).flat()]


def test_never_seen_is_not_connected() -> None:
    found = read("dlq_records")
    assert not found.seen
    assert state(found) == "not_connected"


def test_seen_before_and_out_of_reach_is_unknown() -> None:
    assert state(read("dlq_records", dlq_records={})) == "unknown"


def test_parts_of_a_gauge_add_up() -> None:
    parts = {(str(n), "h"): ramp(10, -300, first=6000) for n in range(3)}
    found = read("consumer_lag_records", consumer_lag_records=parts)
    assert (found.value, found.at, found.interval) == (18_000, NOW, 10)
    assert state(found) == "degraded"


def test_the_bucket_still_filling_never_decides() -> None:
    lag = {**ramp(60, -600, first=100), 30: 99_999.0}
    found = read("consumer_lag_records", now=35, consumer_lag_records=lag)
    assert found.value == 100
    assert found.at == NOW + 30
    assert read("consumer_lag_records", now=61, consumer_lag_records=lag).value == 100, (
        "its last samples may be under way"
    )
    assert read("consumer_lag_records", now=71, consumer_lag_records=lag).value == 99_999


def test_a_window_does_not_sag_while_its_last_samples_are_under_way() -> None:
    """Five-second counts that arrive up to 5 s late: 12 of them make a minute, never 11."""
    counts = ramp(5, -300, 20, first=8)
    values = {read("dlq_records", now=now, dlq_records=counts).value for now in (20.0, 21.0, 23.0, 25.0)}
    assert values == {96}


@pytest.mark.parametrize("step", [10, 60, 300, 900])
def test_a_value_stands_for_three_intervals_and_then_is_silent(step: float) -> None:
    lag = ramp(step, -10 * step, first=100)
    for now in (0.0, 0.5 * step, 1.5 * step, 2.9 * step):
        assert state(read("consumer_lag_records", now=now, consumer_lag_records=lag), now) == "healthy"
    later = 3 * step + 1
    assert state(read("consumer_lag_records", now=later, consumer_lag_records=lag), later) == "unknown"


def test_intervals_are_held_between_ten_seconds_and_fifteen_minutes() -> None:
    assert read("consumer_lag_records", consumer_lag_records=ramp(1, -60)).interval == 10
    assert read("consumer_lag_records", consumer_lag_records=ramp(1800, -7200)).interval == 900


@pytest.mark.parametrize(("step", "each"), [(10, 2.0), (60, 12.0), (300, 60.0), (900, 180.0)])
def test_the_dlq_rate_is_per_minute_however_often_it_is_reported(step: float, each: float) -> None:
    found = read("dlq_records", dlq_records=ramp(step, -12 * step, first=each))
    assert found.value == pytest.approx(12)
    assert state(found) == "degraded"


def test_the_first_value_ever_of_a_counter_is_no_increase() -> None:
    found = read("checkpoint_failures_total", now=60, checkpoint_failures_total={0.0: 7.0})
    assert found.value == 0
    assert state(found, 60) == "healthy"


def test_a_failed_checkpoint_is_critical_for_five_minutes() -> None:
    failures = {**ramp(10, -600), **ramp(10, -290, 600, first=1)}
    assert state(read("checkpoint_failures_total", checkpoint_failures_total=failures)) == "critical"
    later = {t: v for t, v in failures.items() if t <= 60}
    assert state(read("checkpoint_failures_total", now=60, checkpoint_failures_total=later), 60) == "healthy"


def test_a_failure_counts_even_where_a_counter_reports_seldom() -> None:
    failures = {-1800.0: 3.0, -900.0: 3.0, 0.0: 4.0}
    assert state(read("checkpoint_failures_total", checkpoint_failures_total=failures)) == "critical"


def test_a_restarted_counter_is_no_burst() -> None:
    restarts = {**ramp(10, -600, -310, first=50), **ramp(10, -300, 0, first=0)}
    assert read("job_restarts_total", job_restarts_total=restarts).value == 0


def test_latency_is_the_p99_of_all_regions_together() -> None:
    regions = {("eu", "h"): {-10.0: packed(*[100.0] * 99)}, ("us", "h"): {-10.0: packed(*[9000.0] * 3)}}
    found = read("latency_ms", now=10, latency_ms=regions)
    assert found.value == pytest.approx(9000, rel=0.011)
    assert state(found) == "critical"


def test_a_ready_made_p99_speaks_where_there_is_no_histogram() -> None:
    found = read("latency_ms", latency_p99_ms={("op", "1"): ramp(15, -300, first=3500)})
    assert found.value == 3500
    assert state(found) == "degraded"


def test_a_source_that_fell_silent_gives_way_to_one_that_speaks() -> None:
    old = {("eu", "h"): {t: packed(1.0) for t in ramp(10, -3000, -2000)}}
    found = read("latency_ms", latency_ms=old, latency_p99_ms={("op", "1"): ramp(15, -300, first=10)})
    assert found.value == 10


# --------------------------------------------------------------------------------------- completeness
def operators(late: float, **came: float) -> dict[str, Mapping[tuple[str, str], Series]]:
    """Counters growing by so much per 10 s; only the operator ``window`` reports late records."""
    return {
        "late_records_dropped": {("window", "h"): ramp(10, -600, by=late)},
        "records_in": {(name, "h"): ramp(10, -600, by=by) for name, by in came.items()},
    }


def test_a_window_that_aggregates_is_complete() -> None:
    """A healthy window operator takes 7,323 records and gives 2,895: what it gives is no loss."""
    counters = {
        "late_records_dropped": {("window", "h"): ramp(10, -600)},
        "records_in": {("window", "h"): ramp(10, -600, by=7323 / 60)},
        "records_out": {("window", "h"): ramp(10, -600, by=2895 / 60)},
    }
    assert read("window_completeness", **counters).value == 100


def test_completeness_counts_only_operators_that_drop() -> None:
    found = read("window_completeness", **operators(8, window=100, source=1e6))
    assert found.value == pytest.approx(92)
    assert state(found) == "degraded"


def test_completeness_is_right_among_more_operators_than_a_bucket_keeps_apart() -> None:
    many = {f"operator-{n:02}": 1e6 for n in range(40)}
    found = read("window_completeness", **operators(1, window=100, **many))
    assert found.value == pytest.approx(99)


def test_a_reported_completeness_goes_before_a_derived_one() -> None:
    found = read("window_completeness", window_completeness=ramp(10, -300, first=97), **operators(50, window=100))
    assert found.value == 97


@pytest.mark.parametrize(
    ("dropped", "came", "percent"), [(0, 0, 100), (0, 50, 100), (1, 100, 99), (100, 100, 0), (5, 0, 0), (200, 100, 0)]
)
def test_completeness_in_per_cent(dropped: float, came: float, percent: float) -> None:
    assert complete_percent(dropped, came) == percent


# -------------------------------------------------------------------------------------------- history
def past(key: str, step: int = 60, **metrics: Mapping[tuple[str, str], Series]) -> dict[float, float]:
    merged: dict[str, Mapping[float, Merged]] = {
        name: buckets(
            CATALOGUE[name],
            {k: {NOW + t: v for t, v in values.items()} for k, values in series.items()},
            NOW - 1e5,
            NOW + 60,
            step,
        )
        for name, series in metrics.items()
    }
    return {t - NOW: v for t, v in history(SPECS[key], CATALOGUE, merged, step).items()}


@pytest.mark.parametrize(("step", "each"), [(10, 2.0), (60, 12.0), (300, 60.0), (900, 180.0)])
@pytest.mark.parametrize("level", [60, 3600])
def test_the_past_dlq_rate_is_per_minute_at_every_level(step: float, each: float, level: int) -> None:
    found = past("dlq_records", level, dlq_records={("", "s"): ramp(step, -7200 - step, -step, first=each)})
    settled = [v for t, v in found.items() if t >= -3600 - level]
    assert settled
    assert settled == pytest.approx([12] * len(settled), rel=0.02)


def test_a_past_failure_counts_in_each_of_the_five_minutes_after_it() -> None:
    failures = {**ramp(10, -1200, -610), **ramp(10, -600, 0, first=1)}
    found = past("checkpoint_failures_total", checkpoint_failures_total={("job", "s"): failures})
    assert [t for t, v in found.items() if v > 0] == [-600, -540, -480, -420, -360]


def test_past_completeness_is_that_of_the_last_five_minutes() -> None:
    found = past("window_completeness", **operators(8, window=100, source=1e6))
    assert list(found.values())[6:] == pytest.approx([92] * (len(found) - 6), rel=0.01)


def test_past_completeness_compares_only_operators_that_both_sides_keep_apart() -> None:
    many = {f"operator-{n:02}": 1e6 for n in range(40)}
    found = past("window_completeness", **operators(1, window=100, **many))
    assert set(found.values()) <= {100.0}


def test_a_past_gauge_is_its_last_value_in_each_bucket() -> None:
    found = past("consumer_lag_records", consumer_lag_records={("0", "h"): ramp(10, -120, -10, by=10)})
    assert found == {-120: 50, -60: 110}


def test_nothing_in_the_past_is_no_value() -> None:
    assert past("dlq_records") == {}
