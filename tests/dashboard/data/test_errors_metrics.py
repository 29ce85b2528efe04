from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.ranges import TimeRange
from backend.contract.records import Sample
from dashboard.data.errors import Count
from dashboard.data.errors_before import PeriodBefore, rates_before
from dashboard.data.errors_metrics import ErrorMetrics, OperatorRow, Trend, read_metrics, with_failed
from dashboard.data.hot import HotStore
from dashboard.data.models import Line
from dashboard.data.series import SeriesService
from tests.dashboard.data.feeding import ENVIRONMENT, NOW, Clock, every, growing, put, samples
from tests.memory_table import MemoryTable

CATALOGUE = load_catalogue()


class Bench:
    """A hot store over a table in memory, read as the page reads it."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.clock = Clock()
        self.hot = HotStore(self.table, 5.0, self.clock)

    def put(self, *series: list[Sample]) -> None:
        put(self.table, *series)

    def read(self, seconds: float = 3600.0) -> ErrorMetrics:
        seen = frozenset(metric for environment, metric in self.hot.seen() if environment == ENVIRONMENT)
        wanted = TimeRange(NOW - seconds, NOW, live=True)
        return read_metrics(SeriesService(self.hot, self.clock), seen, CATALOGUE, ENVIRONMENT, wanted, NOW)

    def before(self, seen: frozenset[str] = frozenset({"dlq_records"})) -> Line | None:
        past = TimeRange(NOW - 7200, NOW - 3600, live=False)
        source = SeriesService(self.hot, self.clock)
        return PeriodBefore(past, None, rates_before(source, seen, CATALOGUE, ENVIRONMENT, past, NOW)).rate

    def trend(self, key: str) -> Trend:
        return next(trend for trend in self.read().trends if trend.key == key)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.hot.close()


def test_what_was_never_seen_is_not_connected_and_never_zero(bench: Bench) -> None:
    found = bench.read()
    assert found.dead_letters is None
    assert found.operators is None
    assert found.as_of is None
    assert {trend.state for trend in found.trends} == {"not_connected"}
    assert {trend.value for trend in found.trends} == {None}
    assert set(found.totals.values()) == {None}


def test_dead_letters_are_rates_a_minute_by_type_worst_first(bench: Bench) -> None:
    bench.put(
        samples("dlq_records", every(30, -1800, value=10), error_type="parse_error"),
        samples("dlq_records", every(30, -1800, value=1), error_type="timeout"),
        samples("dlq_records", every(30, -1800, value=0), error_type="poison"),
    )
    found = bench.read().dead_letters
    assert found is not None
    lines = dict(found.lines)
    assert list(lines) == ["parse_error", "timeout"]
    assert lines["parse_error"][-5:] == (20.0,) * 5
    assert lines["timeout"][-1] == 2.0
    assert lines["parse_error"][0] is None
    assert (found.warning, found.critical) == (10, 100)


def test_a_slow_source_is_not_seen_as_spikes(bench: Bench) -> None:
    bench.put(samples("dlq_records", every(300, -3600, value=50), error_type="parse_error"))
    found = bench.read().dead_letters
    assert found is not None
    assert found.step == 300
    assert {value for value in found.lines[0][1] if value is not None} == {10.0}


def test_a_trend_is_judged_by_the_catalogue_and_by_nothing_else(bench: Bench) -> None:
    bench.put(
        samples("duplicate_records_detected", every(60, -1800, value=4)),
        samples("timeouts", every(60, -1800, value=40)),
    )
    duplicates, timeouts = bench.trend("duplicate_records_detected"), bench.trend("timeouts")
    assert (duplicates.state, duplicates.value) == ("degraded", 4.0)
    assert (timeouts.state, timeouts.value) == (None, 40.0)
    assert timeouts.total == 40.0 * 31
    assert timeouts.line is not None


def test_a_silent_trend_has_no_current_value(bench: Bench) -> None:
    bench.put(samples("timeouts", every(60, -3000, -1200, value=2)))
    timeouts = bench.trend("timeouts")
    assert (timeouts.state, timeouts.value) == ("unknown", None)
    assert timeouts.age_seconds == 1200.0
    assert timeouts.total is not None


def test_operators_rates_are_errors_of_what_came_in(bench: Bench) -> None:
    bench.put(
        samples("records_in", growing(60, -1800, by=100), operator="parse"),
        samples("records_error", growing(60, -1800, by=5), operator="parse"),
        samples("records_in", growing(60, -1800, by=10), operator="sink"),
    )
    rows = {row.name: row for row in bench.read().operators or ()}
    assert rows["parse"].rate_percent == pytest.approx(5)
    assert rows["sink"].errors is None
    assert rows["sink"].rate_percent is None


@pytest.mark.parametrize(
    ("counts", "order"),
    [({}, ["parse", "sink"]), ({"sink": 3}, ["sink", "parse"]), ({"new": 9}, ["new", "parse", "sink"])],
)
def test_failed_events_stand_beside_the_rates(counts: Mapping[str, int], order: list[str]) -> None:
    rows = [OperatorRow("sink", None, 100), OperatorRow("parse", 5, 100)]
    joined = with_failed(rows, [Count(name, number) for name, number in counts.items()])
    assert [row.name for row in joined] == order
    assert {row.name: row.failed for row in joined if row.failed} == counts


def test_failed_events_are_listed_without_any_metric() -> None:
    assert with_failed(None, [Count("parse", 3)]) == (OperatorRow("parse", failed=3),)


def test_dead_letters_of_the_period_before_are_one_line_of_all_types_on_the_range(bench: Bench) -> None:
    bench.put(
        samples("dlq_records", every(60, -5400, -1800, value=10), error_type="parse_error"),
        samples("dlq_records", every(60, -5400, -1800, value=2), error_type="timeout"),
    )
    found, line = bench.read().dead_letters, bench.before()
    assert found is not None
    assert line is not None
    assert (line.x0, line.dx) == (found.x0 + found.step / 2, found.step)
    assert line.values[0] is None
    assert {value for value in line.values if value is not None} == {12.0}


def test_dead_letters_that_nobody_reported_before_are_unknown(bench: Bench) -> None:
    bench.put(samples("dlq_records", every(60, -1800, value=10), error_type="parse_error"))
    assert bench.before() is None
    assert bench.before(frozenset()) is None


def test_zero_dead_letters_before_are_zero(bench: Bench) -> None:
    bench.put(
        samples("dlq_records", every(60, -5400, -4200, value=0), error_type="poison"),
        samples("dlq_records", every(60, -5400, -4200, value=0), error_type="timeout"),
    )
    line = bench.before()
    assert line is not None
    assert {value for value in line.values if value is not None} == {0.0}
