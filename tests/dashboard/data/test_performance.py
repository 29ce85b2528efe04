from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.contract.ranges import TimeRange
from backend.contract.records import make_sample
from dashboard.data.performance import data_of
from dashboard.data.performance_data import PerformanceData
from dashboard.data.performance_operators import ends_of, operators_of
from dashboard.data.performance_panels import Reading
from dashboard.data.performance_series import BUSY, SERIES
from dashboard.data.points import Points
from dashboard.data.ranged import RangedAnswers
from dashboard.data.series import SeriesAnswer, SeriesRequest
from dashboard.data.source import LIVE, Source, joined
from dashboard.pages.performance import load
from dashboard.services import Services
from tests.dashboard.fakes import NOW
from tests.dashboard.performance_desk import CATALOGUE, EVERY, request, services, table
from tests.memory_table import MemoryTable


@pytest.fixture(scope="module")
def slow() -> Iterator[Services]:
    built = services(table(NOW))
    yield built
    built.close()


def loaded(built: Services, **changes: Any) -> PerformanceData:
    return load(built, request(**changes), NOW)


class Counting:
    """Answers through the real reader and keeps what was asked."""

    def __init__(self, built: Services) -> None:
        self._ranged = built.ranged
        self.asked: list[Sequence[SeriesRequest]] = []

    def read(self, requests: Sequence[SeriesRequest], now: float) -> RangedAnswers:
        self.asked.append(requests)
        return self._ranged.read(requests, now)


@pytest.mark.parametrize(
    ("changes", "readings"), [({}, 1), ({"compare": True}, 2), ({"start": "now-30d"}, 2), ({"start": "now-7d"}, 2)]
)
def test_all_series_of_a_look_are_read_in_one_go(slow: Services, changes: Any, readings: int) -> None:
    counting: Any = Counting(slow)
    loaded(replace(slow, ranged=counting), **changes)
    assert len(counting.asked) == readings
    assert all(len({asked.range for asked in requests}) == 1 for requests in counting.asked)


def test_the_scripted_slowdown_is_told_with_its_cause_and_where_it_is_felt(slow: Services) -> None:
    data = loaded(slow)
    assert data.cause.speed == "slow"
    assert [step.role for step in data.cause.causes][:3] == ["cache", "enrichment", "cpu"]
    assert {step.evidence.operator for step in data.cause.causes if step.evidence.operator} == {"enrich"}
    assert (data.operators.busiest, data.operators.held_up) == ("enrich", "orders-source")
    assert (data.past[0].panel, data.past[0].state) == ("lag", "critical")
    assert data.synthetic


def test_a_range_of_hours_tells_what_is_so_now_and_not_the_average_of_an_hour(slow: Services) -> None:
    data = loaded(slow, start="now-30d")
    assert data.cause.speed == "slow"
    assert data.as_of is not None
    assert NOW - data.as_of < 120


def test_percentiles_come_from_sketches_and_regions_are_lines(slow: Services) -> None:
    panels = loaded(slow).panels
    latency = panels["latency"]
    assert ([line.name for line in latency.lines], latency.note) == (["p50", "p95", "p99"], "")
    assert [line.name for line in panels["regions"].lines] == ["ap-southeast-1", "eu-west-1", "us-east-1"]
    assert (panels["regions"].metric.critical, panels["regions"].metric.slo) == (10_000, None)


def test_throughput_is_told_where_records_enter_and_leave(slow: Services) -> None:
    assert [line.name for line in loaded(slow).panels["throughput"].lines] == ["in, orders-source", "out, sink"]
    chosen = loaded(slow, operator="enrich").panels["throughput"]
    assert ([line.name for line in chosen.lines], chosen.unfiltered) == (["in", "out"], ())


def test_filters_apply_where_a_metric_has_them_and_elsewhere_it_is_said(slow: Services) -> None:
    panels = loaded(slow, host="taskmanager-1", operator="window-aggregate").panels
    assert panels["gc"].unfiltered == panels["cpu"].unfiltered == ("operator",)
    assert [line.name for line in panels["gc"].lines] == ["taskmanager-1"]
    assert [line.name for line in panels["watermark"].lines] == ["window-aggregate"]
    assert panels["watermark"].unfiltered == ("host",)
    assert panels["checkpoints"].unfiltered == ("host", "operator")


def test_one_operator_has_its_own_charts_and_an_unknown_one_has_none(slow: Services) -> None:
    drill = loaded(slow, operator="enrich").drill
    assert drill is not None
    assert drill.known
    busy = drill.panels["op-busy"].lines[0]
    assert busy.name == "busy"
    assert 90 < max(value for value in busy.values if value is not None) <= 100
    unknown = loaded(slow, operator="nobody").drill
    assert unknown is not None
    assert (unknown.known, {panel.state for panel in unknown.panels.values()}) == (False, {"empty"})
    assert loaded(slow).drill is None


def test_the_period_before_lies_on_the_range_and_ends_where_it_begins(slow: Services) -> None:
    data = loaded(slow, start="now-15m", compare=True)
    line = data.panels["latency"].previous[-1]
    assert line.name == "p99"
    assert data.range.start - EVERY <= line.x0 <= data.range.start
    assert line.x0 + line.dx * (len(line.values) - 1) <= data.range.end
    assert loaded(slow).panels["latency"].previous == ()


def test_what_never_came_is_not_connected_and_costs_no_query(slow: Services) -> None:
    missing = {"cache_hit_rate", "gc_pause_time_ms", "operator_latency_ms"}
    hot: Any = SimpleNamespace(
        seen=lambda: frozenset(entry for entry in slow.hot.seen() if entry[1] not in missing),
        environments=slow.hot.environments,
    )
    counting: Any = Counting(slow)
    data = loaded(replace(slow, hot=hot, ranged=counting))
    assert (data.panels["cache"].state, data.panels["gc"].state) == ("not_connected", "not_connected")
    assert [step.role for step in data.cause.unknown] == ["cache", "operator", "collection"]
    assert not {asked.metric.key for asked in counting.asked[0]} & missing


def test_quantiles_of_subtasks_are_told_as_the_worst_where_there_are_no_sketches() -> None:
    reader = MemoryTable(CATALOGUE)
    for step in range(60, -1, -1):
        at = NOW - step * EVERY
        samples = [
            make_sample(timestamp=at, metric_type="latency_p99_ms", value=value, hostname=host,
                        labels={"operator": "parse", "subtask": host})
            for host, value in (("tm-1", 800.0), ("tm-2", 900.0 if step > 5 else 4000.0))
        ]  # fmt: skip
        reader.put_samples(samples, at, f"metrics/metrics-{at}.json")
    built = services(reader)
    data = loaded(built)
    built.close()
    latency = data.panels["latency"]
    assert (latency.note, [line.name for line in latency.lines]) == ("worst subtask", ["p99"])
    assert max(value for value in latency.lines[0].values if value is not None) == 4000
    assert data.cause.latency.now == 4000
    assert data.operators.rows is None


def test_an_empty_account_is_all_unknown_and_nothing_is_zero() -> None:
    reader = MemoryTable(CATALOGUE)
    built = services(reader)
    data = loaded(built)
    built.close()
    assert {panel.state for panel in data.panels.values()} == {"not_connected"}
    assert (data.cause.speed, data.operators.rows, data.as_of, data.past) == ("unknown", None, None, ())


def test_an_old_range_is_never_called_silent(slow: Services) -> None:
    start, end = (str(int((NOW - ago) * 1000)) for ago in (1500, 600))
    data = loaded(slow, start=start, end=end)
    assert not any(panel.silent for panel in data.panels.values())
    assert data.cause.speed == "usual"


def test_a_range_that_ended_inside_the_incident_finds_its_cause_whatever_now_is(slow: Services) -> None:
    start, end = (str(int((NOW + after) * 1000)) for after in (-1800, 600))
    cause = load(slow, request(start=start, end=end), NOW + 900).cause
    assert [step.role for step in cause.causes][:3] == ["cache", "enrichment", "cpu"]
    assert {step.evidence.operator for step in cause.causes if step.evidence.operator} == {"enrich"}
    assert cause.stretch is not None
    assert (cause.then, cause.stretch.past, cause.stretch.lasts) == (True, "critical", True)


def test_a_panel_whose_source_stopped_is_silent_and_its_value_is_no_present_one(slow: Services) -> None:
    slow.now, before = (lambda: NOW + 900), slow.now
    try:
        data = load(slow, request(), NOW + 900)
    finally:
        slow.now = before
    assert data.panels["latency"].silent
    assert (data.cause.speed, data.cause.latency.why_unknown, data.past) == ("unknown", "silent", ())


# ------------------------------------------------------------------------------------------------- operators
def counted(*amounts: float) -> Points:
    return [(float(i), amount) for i, amount in enumerate(amounts)]


def test_records_that_went_nowhere_are_lost_unless_something_explains_them() -> None:
    counts = {
        "in": {name: counted(500, 500) for name in ("parse", "filter", "window", "enrich", "source")},
        "out": {
            "parse": counted(400, 400), "filter": counted(10, 10), "window": counted(40, 40),
            "enrich": counted(495, 500),
        },
        "errors": {"parse": counted(50, 50)},
        "late": {"window": counted(0, 0)},
    }  # fmt: skip
    rows = {row.name: row for row in operators_of(None, None, counts, ["filter"], {}).rows or ()}
    assert rows["parse"].lost == 100
    assert rows["enrich"].lost == 0, "what is on its way is not lost"
    assert (rows["window"].lost, rows["window"].why_fewer) == (None, "aggregates")
    assert (rows["filter"].lost, rows["filter"].why_fewer) == (None, "filters")
    assert rows["source"].lost is None, "nobody counts what leaves it"


def test_nothing_is_called_lost_where_some_counts_lie_with_the_others() -> None:
    counts = {"in": {"parse": counted(500, 500)}, "out": {"parse": counted(400), "other": counted(90, 600)}}
    (row,) = operators_of(None, None, counts, [], {}).rows or ()
    assert row.lost is None


def test_an_operator_that_fell_silent_is_not_the_busiest_now() -> None:
    asked = SeriesRequest(CATALOGUE[BUSY], "production", TimeRange(NOW - 3600, NOW, live=True), "avg", None)
    lines = tuple((name, [(t, busy) for t in (NOW - 2460, NOW - 2430, end)]) for name, busy, end in
                  (("gone", 990.0, NOW - 2400), ("there", 400.0, NOW - 30)))  # fmt: skip
    reading = Reading({next(w for w in SERIES if w.metric == BUSY): SeriesAnswer(asked, "raw", 30, lines, NOW)}, LIVE)
    found = data_of(reading, None, None, {}, CATALOGUE, [], request(), asked.range, NOW, ())
    assert (found.operators.busiest, [row.busy for row in found.operators.rows or ()]) == ("there", [None, 400.0])


def test_nobody_is_busiest_where_nothing_is_reported() -> None:
    found = operators_of({"a": counted(5)}, None, {}, [], {"busy": {}, "backpressured": None})
    assert (found.busiest, found.held_up) == ("", "")


def test_ends_of_a_pipeline_are_found_by_what_they_count() -> None:
    taken = {"source": counted(0), "parse": counted(100), "window": counted(90), "sink": counted(30)}
    given = {"source": counted(100), "parse": counted(90), "window": counted(30), "sink": counted(0)}
    assert ends_of(taken, given) == ("parse", "window")
    assert ends_of({}, {}) == (None, None)


# ---------------------------------------------------------------------------------------------------- source
def test_of_two_readings_the_one_that_is_not_done_speaks_and_costs_add_up() -> None:
    running = Source("both", "running", key="k")
    done = Source("both", "done", scanned_bytes=100, dollars=0.5, reused=True)
    assert joined(done, running) == replace(running, scanned_bytes=100, dollars=0.5)
    assert joined(done, LIVE).kind == "both"
    assert joined(LIVE, LIVE) == LIVE
    assert joined(done, done).scanned_bytes == 200


def test_of_two_readings_days_and_notes_are_those_of_both() -> None:
    november, october = (Source("history", days=days, note=f"not {days}") for days in ("20 Nov", "20 Oct"))
    both = joined(november, october)
    assert (both.days, both.note) == ("20 Nov and 20 Oct", "not 20 Nov; not 20 Oct")
    assert joined(november, november).days == "20 Nov"
    failed = joined(november, replace(october, state="failed"))
    assert (failed.days, failed.note) == ("20 Oct", both.note)


def test_a_reading_without_answers_has_no_operators() -> None:
    assert Reading({}, LIVE).by_operator("records_in", "sum") is None
