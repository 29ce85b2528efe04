"""The Health page's data, put together over a table in memory; the recorded Flink cluster was healthy and looks so."""

from __future__ import annotations

import gzip
import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from backend.collector.exposition import parse_exposition
from backend.collector.mapper import Mapper
from backend.collector.mapping import load_mapping
from backend.contract.catalogue import load_catalogue
from backend.contract.records import Sample, make_sample
from backend.contract.tables import LIVE
from dashboard.data.health import HealthService
from dashboard.data.hot import HotStore
from dashboard.data.models import HealthData, SignalCard
from dashboard.data.request import ViewRequest
from dashboard.data.series import SeriesService, parse_series_request
from tests.dashboard.data.feeding import ENVIRONMENT, NOW, Clock, every, growing, put, samples
from tests.memory_table import MemoryTable

CATALOGUE = load_catalogue()
FLINK = Path(__file__).parents[2] / "data" / "flink"


class Bench:
    """A health service over a table and a clock."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.clock = Clock()
        self.hot = HotStore(self.table, 5.0, self.clock)
        self.service = HealthService(self.hot, CATALOGUE)

    def load(self, start: str = "now-1h", environment: str = ENVIRONMENT, **options: Any) -> HealthData:
        return self.service.load(ViewRequest("health", environment, start, **options), self.clock())

    def lag(self, start: str = "now-1h", **options: Any) -> SignalCard:
        return next(card for card in self.load(start, **options).signals if card.key == "consumer_lag_records")


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.hot.close()


def states(data: HealthData) -> Mapping[str, str]:
    return {signal.key: signal.state for signal in data.verdict.signals}


def test_an_empty_table_is_unknown_and_nothing_is_green(bench: Bench) -> None:
    data = bench.load()
    assert data.verdict.status == "unknown"
    assert set(states(data).values()) == {"not_connected"}
    assert {card.state for card in data.signals} == {"not_connected"}
    assert all(card.value is None and card.sparkline is None for card in data.signals)
    assert {slo.state for slo in data.slos} == {"not_connected"}
    assert {check.state for check in data.self_checks} == {"not_connected"}
    assert {day.status for day in data.days} == {"no_data"}
    assert (data.incidents, data.as_of, data.checkpoints.completed) == ((), 0.0, None)


def test_cards_carry_value_trend_sparkline_and_thresholds(bench: Bench) -> None:
    put(bench.table, samples("consumer_lag_records", growing(60, -3600, by=100), partition="0"))
    lag = next(card for card in bench.load().signals if card.key == "consumer_lag_records")
    assert (lag.value, lag.state, lag.age_seconds, lag.unit) == (6000, "healthy", 0, "records")
    assert (lag.warning, lag.critical, lag.higher_is_worse) == (10_000, 50_000, True)
    assert lag.trend is not None
    assert lag.trend > 1
    assert lag.sparkline is not None
    assert lag.sparkline.dx == 60
    assert [v for v in lag.sparkline.values if v is not None][-1] == 5900


def lag(step: float, start: float, end: float, value: float) -> list[Sample]:
    return samples("consumer_lag_records", every(step, start, end, value), partition="0")


def test_the_period_before_lies_behind_the_range_and_is_what_it_is_compared_with(bench: Bench) -> None:
    put(bench.table, lag(60, -7200, -3660, 100), lag(60, -3600, 0, 150))
    card = bench.lag(compare=True)
    assert card.before is not None
    assert card.before.change == pytest.approx(0.5)
    assert not card.before.why_unknown
    assert card.before.line is not None
    assert card.sparkline is not None
    assert (card.before.line.x0, card.before.line.dx) == (card.sparkline.x0, card.sparkline.dx)
    assert set(card.before.line.values) == {100}
    assert set(card.sparkline.values) == {150}


def test_comparing_reads_nothing_more_and_changes_nothing_where_nobody_asks_for_it(bench: Bench) -> None:
    put(bench.table, lag(60, -7200, 0, 100))
    plain = bench.lag()
    read = bench.table.queries
    compared = bench.lag(compare=True)
    assert bench.table.queries == read
    assert plain.before is None
    assert replace(compared, before=None) == plain


def test_a_day_and_the_day_before_are_compared_in_hours_both(bench: Bench) -> None:
    put(bench.table, lag(900, -2 * 86_400, 0, 100), lag(60, -90_060, -90_060, 400), lag(60, -7260, -7260, 400))
    bench.table.merge(ENVIRONMENT, NOW - 2 * 86_400, NOW - 3600)
    card = bench.lag("now-1d", compare=True)
    assert card.before is not None
    assert card.before.line is not None
    assert card.sparkline is not None
    assert card.before.line.dx == card.sparkline.dx == 3600
    assert card.before.change == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("start", "first", "line", "why"),
    [
        ("now-1h", -3600, False, "no data of the period before"),
        ("now-1h", -4200, True, "only a part of the period before is known"),
        ("now-20d", -25 * 86_400, True, "only a part of the period before is known"),
        ("now-40d", -29 * 86_400, False, "no data of the period before"),
    ],
)
def test_a_period_before_that_is_not_known_whole_is_compared_with_nothing(
    bench: Bench, start: str, first: int, line: bool, why: str
) -> None:
    put(bench.table, lag(60 if start == "now-1h" else 21_600, first, 0, 100))
    bench.table.merge(ENVIRONMENT, NOW + first, NOW - 600)
    card = bench.lag(start, compare=True)
    assert card.before is not None
    assert (card.before.line is not None, card.before.change, card.before.why_unknown) == (line, None, why)


@pytest.mark.parametrize(("took", "state", "value"), [(1_230.0, "healthy", "1.23 s"), (12_000.0, "degraded", "12 s"),
                                                      (31_000.0, "critical", "31 s")])  # fmt: skip
def test_the_alert_consumer_and_the_canary_are_seen_at_work(bench: Bench, took: float, state: str, value: str) -> None:
    put(bench.table, samples("alert_consumer_heartbeat", every(60, -600, value=1)))
    put(bench.table, samples("canary_latency_ms", every(60, -600, value=took)))
    checks = {check.key: check for check in bench.load().self_checks}
    assert (checks["alert-consumer"].state, checks["alert-consumer"].age_seconds) == ("healthy", 0)
    assert (checks["canary"].state, checks["canary"].value) == (state, value)
    bench.clock.now = NOW + 200
    checks = {check.key: check for check in bench.load().self_checks}
    assert [(checks[key].state, checks[key].value) for key in ("alert-consumer", "canary")] == [("unknown", "")] * 2


def test_pulseboard_at_work_is_not_taken_for_a_collector_at_work(bench: Bench) -> None:
    put(bench.table, samples("consumer_lag_records", every(60, -1200, -600, value=100), partition="0"))
    put(bench.table, samples("alert_consumer_heartbeat", every(60, -600, value=1)))
    assert next(check.state for check in bench.load().self_checks if check.key == "collector") == "unknown"


def test_since_is_when_the_status_began_also_before_anybody_looked(bench: Bench) -> None:
    values = {**every(60, -7200, -3660, value=100), **every(60, -3600, 0, value=20_000)}
    put(bench.table, samples("consumer_lag_records", values, partition="0"))
    bench.table.merge(ENVIRONMENT, NOW - 7200, NOW - 180)
    verdict = bench.load().verdict
    assert (verdict.status, verdict.since) == ("degraded", NOW - 3600)


def test_a_change_under_watch_begins_now(bench: Bench) -> None:
    put(bench.table, samples("consumer_lag_records", every(10, -1200, value=100), partition="0"))
    bench.load()
    put(bench.table, samples("consumer_lag_records", every(10, 10, 60, value=20_000), partition="0"))
    bench.clock.now = NOW + 65
    assert bench.load().verdict.since == NOW + 65
    bench.clock.now = NOW + 70
    assert bench.load().verdict.since == NOW + 65


def test_what_happened_while_nobody_looked_is_not_passed_over(bench: Bench) -> None:
    put(bench.table, samples("consumer_lag_records", every(60, -1200, value=100), partition="0"))
    assert bench.load().verdict.status == "healthy"
    away = {**every(60, 60, 3600, value=20_000), **every(60, 3660, 7200, value=100)}
    put(bench.table, samples("consumer_lag_records", away, partition="0"))
    bench.clock.now = NOW + 7200
    bench.table.merge(ENVIRONMENT, NOW - 1200, NOW + 7000)
    verdict = bench.load().verdict
    assert (verdict.status, verdict.since) == ("healthy", NOW + 3660)


@pytest.mark.parametrize("step", [60, 300, 900])
def test_slow_sources_stay_healthy_between_their_samples(bench: Bench, step: float) -> None:
    put(
        bench.table,
        samples("consumer_lag_records", every(step, -3600, value=100), partition="0"),
        samples("dlq_records", every(step, -3600, value=5 * step / 60)),
        samples("checkpoint_failures_total", every(step, -3600, value=3), job="a"),
    )
    for now in (0.0, step / 2, step + 20, 2 * step):
        bench.clock.now = NOW + now
        data = bench.load()
        assert data.verdict.status == "healthy", (now, data.verdict.reasons)
    assert data.interval_seconds == step


def test_checkpoints_and_self_checks_tell_what_they_know(bench: Bench) -> None:
    put(
        bench.table,
        samples("checkpoints_completed_total", growing(10, -3700), job="a"),
        samples("checkpoint_failures_total", every(10, -3700, value=2), job="a"),
        samples("checkpoint_duration_ms", every(10, -600, value=1500), job="a"),
    )
    data = bench.load()
    checkpoints = data.checkpoints
    assert checkpoints.completed == pytest.approx(360, abs=12)
    assert (checkpoints.failed, checkpoints.success_percent, checkpoints.last_duration_ms) == (0, 100, 1500)
    checks = {check.key: check.state for check in data.self_checks}
    assert checks == {
        "collector": "healthy",
        "processor": "healthy",
        "alert-consumer": "not_connected",
        "canary": "not_connected",
    }
    bench.clock.now += 600
    assert {c.key: c.state for c in bench.load().self_checks}["collector"] == "unknown"


def test_sources_that_report_in_turn_are_not_called_silent(bench: Bench) -> None:
    """Three collectors, each every minute: how soon one follows the other says nothing about any of them."""
    put(
        bench.table,
        samples("consumer_lag_records", every(60, -1800, value=100), partition="0"),
        samples("dlq_records", every(60, -1797, 0, value=1)),
        samples("job_restarts_total", every(60, -1794, 0, value=1), job="a"),
    )
    bench.clock.now = NOW + 50
    assert bench.load().self_checks[0].state == "healthy"


def test_environments_have_verdicts_of_their_own(bench: Bench) -> None:
    put(bench.table, samples("consumer_lag_records", every(10, -600, value=100), partition="0"))
    put(bench.table, samples("consumer_lag_records", every(10, -600, value=60_000), partition="0", environment="test"))
    assert bench.load().verdict.status == "healthy"
    data = bench.load(environment="test")
    assert data.verdict.status == "critical"
    assert data.environments == ("production", "test")


def test_many_loads_at_once_put_the_history_together_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bench.table, samples("consumer_lag_records", every(60, -1200, value=100), partition="0"))
    made: list[str] = []
    original = HealthService._put_together
    started = threading.Event()
    go_on = threading.Event()

    def counted(service: HealthService, environment: str, now: float) -> object:
        made.append(environment)
        started.set()
        assert go_on.wait(10)
        return original(service, environment, now)

    monkeypatch.setattr(HealthService, "_put_together", counted)
    threads = [threading.Thread(target=bench.load, args=(f"now-{n}h",)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert made == [ENVIRONMENT]


def test_incidents_and_days_remember_what_was(bench: Bench) -> None:
    values = {**every(60, -14400, 0, value=100), **every(60, -7200, -6060, value=60_000)}
    put(bench.table, samples("consumer_lag_records", values, partition="0"))
    bench.table.merge(ENVIRONMENT, NOW - 14400, NOW - 180)
    data = bench.load()
    (incident,) = data.incidents
    assert (incident.start, incident.end) == (NOW - 7200, NOW - 6000)
    assert (incident.status, incident.reason) == ("critical", "Consumer lag")
    assert (data.days[-1].status, data.days[-1].bad_minutes) == ("critical", 20)
    assert data.verdict.since == NOW - 6000


# ---------------------------------------------------------------------------------- a real Flink cluster
def flink_scrapes() -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = {}
    for path in sorted(FLINK.glob("*.prom.gz")):
        found.setdefault(int(path.name.split("-")[0]), []).append(gzip.decompress(path.read_bytes()).decode())
    return found


@cache
def flink_samples() -> list[tuple[int, list[Sample]]]:
    """Each recorded pair in the catalogue's terms."""
    found = []
    mapping = load_mapping("flink", CATALOGUE)
    mapper = Mapper(mapping)
    for at, texts in flink_scrapes().items():
        scraped = [parse_exposition(text, mapping.wanted).series for text in texts]
        rows = [row for n, series in enumerate(scraped) for row in mapper.apply(series, f"flink:{n}", at).rows]
        samples_of_it = [
            make_sample(timestamp=at, metric_type=r.metric, value=r.value, hostname=r.hostname, labels=r.labels)
            for r in mapper.prefixed(rows)
        ]
        found.append((at, samples_of_it))
    return found


@pytest.fixture
def flink(bench: Bench) -> Bench:
    """All recorded pairs, each an object of its own at its own time; the clock stands at the last."""
    for at, scraped in flink_samples():
        bench.table.put_samples(scraped, at, f"metrics/metrics-{at}-flink.json")
        bench.clock.now = float(at)
    return bench


def test_the_recorded_cluster_is_never_red(bench: Bench) -> None:
    pairs = 0
    for at, scraped in flink_samples():
        pairs += 1
        bench.table.put_samples(scraped, at, f"metrics/metrics-{at}-flink.json")
        for after in (0.0, 7.0, 14.0):
            bench.clock.now = at + after
            data = bench.load()
            assert not {"degraded", "critical"} & set(states(data).values()), (at, data.verdict)
    assert pairs == 16
    assert {day.status for day in bench.load().days} <= {"no_data", "healthy", "unknown"}


def test_the_recorded_cluster_is_healthy_with_complete_windows(flink: Bench) -> None:
    data = flink.load("now-15m")
    assert data.verdict.status == "healthy", data.verdict.reasons
    found = states(data)
    assert found["checkpoint_failures_total"] == found["job_restarts_total"] == found["latency_ms"] == "healthy"
    completeness = next(card for card in data.signals if card.key == "window_completeness")
    assert (completeness.value, completeness.state) == (100, "healthy")
    assert completeness.note == "from late records dropped"
    latency = next(card for card in data.signals if card.key == "latency_ms")
    assert latency.note == "worst subtask"


def test_rates_of_the_recorded_cluster_are_counter_differences_over_time(flink: Bench) -> None:
    service = SeriesService(flink.hot, flink.clock)
    request = parse_series_request({"metric": "records_in", "from": "now-15m"}, CATALOGUE, ENVIRONMENT, flink.clock())
    answer = service.answer(request)
    assert answer.step_seconds == 15
    assert answer.lines
    for name, points in answer.lines:
        counted = list(_counter(flink, "records_in", name).items())
        expected = {t1: (v1 - v0) / (t1 - t0) for (t0, v0), (t1, v1) in itertools.pairwise(counted)}
        assert dict(points) == pytest.approx(expected), name


def _counter(bench: Bench, metric: str, group: str) -> dict[float, float]:
    """The counter of one operator over its subtasks, as the files have it."""
    column = bench.hot.closed(metric, ENVIRONMENT, LIVE, 0, 2e9)
    total: dict[float, float] = {}
    for (name, _series), values in column.samples.items():
        if name == group:
            for t, value in values.items():
                total[t] = total.get(t, 0.0) + value
    return dict(sorted(total.items()))
