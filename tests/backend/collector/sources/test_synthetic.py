"""The synthetic source: reproducible, monotonic, believable, and ill when its script says so."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.collector.sources.incidents import DEMO_CYCLE, DEMO_EVERY, WEEKLY, Incident, timeline
from backend.collector.sources.synthetic import SERVERS, SyntheticSource
from backend.contract.catalogue import load_catalogue
from backend.contract.records import Sample, parse_sample

CATALOGUE = load_catalogue()
MONDAY = 1_794_787_200  # 2026-11-16T00:00:00Z
instants = st.floats(min_value=1_000_000_000, max_value=2_000_000_000).map(lambda at: round(at, 3))


def series(samples: list[Sample]) -> dict[tuple[str, str, str], float]:
    return {(s.metric_type, s.hostname, str(s.labels)): s.value for s in samples}


def cumulative(samples: list[Sample]) -> dict[tuple[str, str, str], float]:
    return {key: value for key, value in series(samples).items() if CATALOGUE[key[0]].cumulative}


def total(samples: list[Sample], metric_type: str) -> float:
    return sum(s.value for s in samples if s.metric_type == metric_type)


@given(instants, st.floats(min_value=1, max_value=3600))
@settings(max_examples=40)
def test_it_gives_the_same_samples_for_the_same_instant(at: float, step: float) -> None:
    first = SyntheticSource(CATALOGUE).collect(at, at - step)
    assert SyntheticSource(CATALOGUE).collect(at, at - step) == first
    assert SyntheticSource(CATALOGUE, seed=8).collect(at, at - step) != first


@given(instants, st.floats(min_value=0.001, max_value=90_000), st.sampled_from([None, 900.0, 5000.0]))
@settings(max_examples=75)
def test_its_cumulative_counters_never_fall(at: float, step: float, demo: float | None) -> None:
    source = SyntheticSource(CATALOGUE, demo_started_at=None if demo is None else at + demo)
    before, after = (cumulative(source.collect(t, None).samples) for t in (at, at + step))
    assert before.keys() == after.keys()
    assert not {key: (before[key], after[key]) for key in before if after[key] < before[key]}


def test_its_counters_never_fall_while_each_incident_comes_and_goes() -> None:
    source = SyntheticSource(CATALOGUE, demo_started_at=MONDAY)
    before: dict[tuple[str, str, str], float] = {}
    for at in range(MONDAY - 1800, MONDAY + int(4 * DEMO_EVERY), 20):
        after = cumulative(source.collect(at, at - 20).samples)
        assert all(after[key] >= value for key, value in before.items()), at
        before = after


@given(instants)
@settings(max_examples=50)
def test_every_sample_is_valid_and_in_the_catalogue(at: float) -> None:
    samples = SyntheticSource(CATALOGUE).collect(at, None).samples
    assert 110 <= len(samples) <= 135
    assert len({s.metric_id for s in samples}) == len(samples)
    for sample in samples:
        assert parse_sample(sample.as_json()) == sample._replace(labels=sample.labels or {})
        assert sample.unit == CATALOGUE[sample.metric_type].unit
        label = CATALOGUE[sample.metric_type].group_by
        assert label in (None, "hostname") or sample.labels[label]


@given(instants)
@settings(max_examples=50)
def test_host_metrics_stay_inside_the_catalogues_range(at: float) -> None:
    samples = [s for s in SyntheticSource(CATALOGUE).collect(at, None).samples if s.hostname in SERVERS]
    assert len(samples) == 50
    for sample in samples:
        bounds = CATALOGUE[sample.metric_type].synthetic
        assert bounds is not None
        assert bounds.low <= sample.value <= bounds.high


@given(instants)
@settings(max_examples=50)
def test_host_metrics_move_smoothly(at: float) -> None:
    source = SyntheticSource(CATALOGUE)
    before, after = (series(source.collect(t, None).samples) for t in (at, at + 10))
    hosts = [key for key in before if key[1] in SERVERS and key[0] == "cpu_utilization"]
    assert max(abs(after[key] - before[key]) for key in hosts) < 3


def test_delta_counters_of_short_intervals_add_up_to_those_of_the_long_one() -> None:
    source = SyntheticSource(CATALOGUE, demo_started_at=MONDAY)
    steps = range(MONDAY, MONDAY + 600, 15)
    for metric_type in ("dlq_records", "duplicate_records_detected", "firehose_put_success"):
        whole = total(source.collect(MONDAY + 600, MONDAY).samples, metric_type)
        assert sum(total(source.collect(at + 15, at).samples, metric_type) for at in steps) == whole


def test_it_is_healthy_most_of_a_week() -> None:
    source, ill, rounds = SyntheticSource(CATALOGUE), Counter[str](), 0
    for at in range(MONDAY, MONDAY + 7 * 86400, 1500):
        rounds += 1
        samples = source.collect(at, at - 60).samples
        lag = total(samples, "consumer_lag_records")
        dead = total(samples, "dlq_records")
        for name, value in (("consumer_lag_records", lag), ("dlq_records", dead)):
            ill[name] += CATALOGUE[name].state(value) != "healthy"
        for s in samples:
            metric = CATALOGUE[s.metric_type]
            if metric.basis == "value" and metric.group_by not in ("partition", "region"):
                ill[s.metric_type] += metric.state(s.value) != "healthy"
    assert all(count <= rounds * 0.03 for count in ill.values()), ill
    assert ill["consumer_lag_records"]
    assert ill["dlq_records"]


def test_every_day_of_the_week_has_two_or_three_incidents_and_none_overlap() -> None:
    days = Counter(int(i.start // 86400) for i in WEEKLY)
    assert set(days) == set(range(7))
    assert set(days.values()) <= {2, 3}
    ordered = sorted(WEEKLY, key=lambda i: i.start)
    ends = [(a.start + a.duration, b.start) for a, b in pairwise(ordered)]
    assert all(end < start for end, start in ends)
    assert ordered[-1].start + ordered[-1].duration < 7 * 86400


@pytest.mark.parametrize("incident", DEMO_CYCLE, ids=lambda i: i.kind)
def test_a_demo_incident_comes_past_critical_and_goes(incident: Incident) -> None:
    source = SyntheticSource(CATALOGUE, demo_started_at=MONDAY)
    begin, end = MONDAY + incident.start, MONDAY + incident.start + incident.duration
    metric, limit = {
        "dlq_spike": ("dlq_records", CATALOGUE["dlq_records"].critical),
        "lag_growth": ("consumer_lag_records", CATALOGUE["consumer_lag_records"].critical),
        "checkpoint_failure": ("checkpoint_failures_total", 0),
        "late_data": ("window_completeness", CATALOGUE["window_completeness"].critical),
    }[incident.kind]
    entry = CATALOGUE[metric]

    def signal(at: float) -> float:
        samples = source.collect(at, at - 60).samples
        if entry.cumulative:
            return total(samples, metric) - total(source.collect(at - 60, None).samples, metric)
        return total(samples, metric)

    values = {at: signal(at) for at in (begin, *(begin + 60 + n * 10 for n in range(13)), end + 61)}
    assert entry.state(values[begin]) == "healthy"
    assert any(entry.past(value, limit or 0) for value in values.values())
    assert entry.state(values[end + 61]) == "healthy"


def test_a_demo_starts_quiet_whatever_the_week_says() -> None:
    monday_lag = next(i for i in WEEKLY if i.kind == "lag_growth")
    at = MONDAY + monday_lag.start + monday_lag.duration / 2
    assert total(SyntheticSource(CATALOGUE).collect(at, None).samples, "consumer_lag_records") > 50_000
    demo = SyntheticSource(CATALOGUE, demo_started_at=at)
    assert total(demo.collect(at, None).samples, "consumer_lag_records") < 5000


def test_completeness_agrees_with_the_counters() -> None:
    source = SyntheticSource(CATALOGUE, demo_started_at=MONDAY)
    late_data = next(i for i in DEMO_CYCLE if i.kind == "late_data")
    at = MONDAY + late_data.start + late_data.duration / 2
    before, now = (series(source.collect(t, t - 15).samples) for t in (at - 15, at))

    def grown(metric_type: str) -> float:
        key = (metric_type, "orders-pipeline", str({"operator": "window-aggregate", "job": "orders_enrichment"}))
        return now[key] - before[key]

    shown = next(value for key, value in now.items() if key[0] == "window_completeness")
    assert shown == pytest.approx(100 * (1 - grown("late_records_dropped") / grown("records_in")), abs=0.001)
    assert shown < 90


def test_latency_counts_follow_the_throughput() -> None:
    source = SyntheticSource(CATALOGUE)
    short, long = (source.collect(MONDAY, MONDAY - seconds).samples for seconds in (15, 300))
    counts = [sum(count for s in samples for _, count in (s.observations or ())) for samples in (short, long)]
    assert counts[1] == pytest.approx(20 * counts[0], rel=0.15)
    assert all(len(s.observations) == 12 for s in long if s.observations)


@given(st.floats(min_value=0, max_value=2000))
def test_an_incidents_area_is_the_sum_of_its_levels(offset: float) -> None:
    incident = Incident("lag_growth", 300, 1200)
    step = offset / 2000
    summed = sum(incident.level((n + 0.5) * step) * step for n in range(2000))
    assert incident.area(offset) == pytest.approx(summed, abs=1)


def test_a_timeline_counts_restarts_and_knows_the_last() -> None:
    restart = next(i for i in WEEKLY if i.kind == "job_restart")
    count, last = timeline(None).begun("job_restart", MONDAY + restart.start + 10)
    assert last == MONDAY + restart.start
    assert timeline(None).begun("job_restart", MONDAY + restart.start - 10)[0] == count - 1
