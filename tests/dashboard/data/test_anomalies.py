"""Marks on charts: read in the background, a few days before the range, and only what has closed since."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from threading import Event

import pytest

from backend.contract.anomaly import Anomaly, Detector
from backend.contract.catalogue import load_catalogue
from backend.contract.ranges import TimeRange
from dashboard.data import anomalies
from dashboard.data.anomalies import FINE, WHOLE, AnomalyService, Mark, State, bucketed
from dashboard.data.hot import HotStore
from dashboard.data.points import Points
from dashboard.data.series import SeriesAnswer, SeriesRequest, SeriesService
from tests.dashboard.data.feeding import ENVIRONMENT, NOW, Clock, put, samples
from tests.memory_table import MemoryTable

CPU = load_catalogue()["cpu_utilization"]
DAY = 86400.0


class Lines:
    """A source of series that remembers what it was asked for; ``error`` is raised when set."""

    def __init__(self, lines: dict[str, Points]) -> None:
        self.lines = lines
        self.asked: list[TimeRange] = []
        self.error: Exception | None = None

    def answer(self, request: SeriesRequest) -> SeriesAnswer:
        self.asked.append(request.range)
        if self.error:
            raise self.error
        span = request.range
        inside = [(name, [p for p in points if span.start <= p[0] <= span.end]) for name, points in self.lines.items()]
        return SeriesAnswer(request, "1m", 60.0, tuple(line for line in inside if line[1]), None)


class Later:
    """Jobs that run when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], None]) -> None:
        self.jobs.append(job)

    def run(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()


def minutes(start: float, end: float, spike: float | None = None, seed: int = 1) -> Points:
    """CPU every five minutes, seconds from ``NOW``; a spike of a quarter of an hour."""
    draw = random.Random(seed)
    times = range(int(start), int(end), 300)
    return [(NOW + t, 40 + draw.random() + (50 if spike is not None and 0 <= t - spike < 900 else 0)) for t in times]


def last(seconds: float, group: str | None = None, end: float = NOW, live: bool = True) -> SeriesRequest:
    return SeriesRequest(CPU, ENVIRONMENT, TimeRange(end - seconds, end, live), "avg", group)


def answer(request: SeriesRequest, shown: dict[str, Points], step: float = 300.0) -> SeriesAnswer:
    return SeriesAnswer(request, "1m", step, tuple(shown.items()), None)


class Bench:
    """A service over lines; its readings are done at once unless ``later``."""

    def __init__(self, lines: dict[str, Points], later: Later | None = None) -> None:
        self.lines, self.clock = Lines(lines), Clock()
        self.service = AnomalyService(self.lines, self.clock, later or (lambda job: job()))

    def look(self, request: SeriesRequest, shown: dict[str, Points] | None = None) -> list[tuple[str, float]]:
        (found,) = self.service.found([answer(request, shown or {})], self.clock())
        return [(mark.line, mark.at - NOW) for mark in found.marks if isinstance(mark, Mark)]

    def state(self, request: SeriesRequest) -> State | None:
        return self.service.found([answer(request, {})], self.clock())[0].state


def test_marks_name_their_line_and_lie_inside_the_range() -> None:
    bench = Bench({"a": minutes(-4 * DAY, 0), "b": minutes(-4 * DAY, 0, spike=-7200)})
    assert bench.look(last(DAY)) == [("b", -7200)]
    assert bench.look(last(3600)) == []
    assert bench.state(last(3600)) == "ready"


def test_a_first_look_waits_for_nothing_and_says_so() -> None:
    later = Later()
    bench = Bench({"a": minutes(-4 * DAY, 0, spike=-7200)}, later)
    assert (bench.look(last(DAY)), bench.state(last(DAY)), len(later.jobs)) == ([], "learning", 1)
    later.run()
    assert (bench.look(last(DAY)), bench.state(last(DAY))) == ([("a", -7200)], "ready")


def test_readings_are_done_in_a_thread_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anomalies, "PAUSE_SECONDS", 0.0)
    lines, read = Lines({}), Event()
    monkeypatch.setattr(lines, "answer", lambda _: read.set())
    service = AnomalyService(lines, Clock())
    assert service.found([answer(last(DAY), {})], NOW) == (((), "learning"),)
    assert read.wait(10)
    service.close()
    assert service.found([answer(replace(last(DAY), environment="other"), {})], NOW) == (((), "learning"),)


def test_too_little_history_and_none_at_all_are_told_apart() -> None:
    few, none = Bench({"a": minutes(-7200, 0, spike=-1800)}), Bench({})
    assert (few.look(last(DAY)), few.state(last(DAY))) == ([], "not_enough")
    assert (none.look(last(DAY)), none.state(last(DAY))) == ([], "no_data")


def test_days_before_the_range_are_read_once_and_then_only_the_tail() -> None:
    bench = Bench({"a": minutes(-5 * DAY, 3600)})
    for _ in range(5):
        bench.look(last(3600))
    first = list(bench.lines.asked)
    assert first[-1].end - first[0].start >= 4 * DAY
    assert [b.start - a.end for a, b in pairwise(first)] == [1.0] * (len(first) - 1)
    assert max(span.seconds for span in first) <= DAY  # more minutes than a day's are never held at once
    bench.clock.now += 300
    bench.look(last(3600, end=bench.clock()))
    (tail,) = bench.lines.asked[len(first) :]
    assert tail.seconds <= 2 * 3600 + 300


def test_a_bucket_that_is_still_filling_is_not_judged() -> None:
    bench = Bench({"a": [*minutes(-4 * DAY, -300), (NOW - 300, 95.0)]})
    assert bench.look(last(3600)) == []
    bench.clock.now += 300
    assert bench.look(last(3600, end=bench.clock())) == [("a", -300)]


def test_what_came_late_is_taken_in_and_what_is_corrected_later_does_no_harm() -> None:
    bench = Bench({"a": minutes(-4 * DAY, -3600)})
    assert bench.look(last(DAY)) == []
    bench.lines.lines = {"a": [(t, 99.0 if t < NOW - 7200 else v) for t, v in minutes(-4 * DAY, 900, spike=-1800)]}
    bench.clock.now += 600
    assert bench.look(last(DAY, end=bench.clock())) == [("a", -1800)]


def test_an_earlier_range_is_read_from_its_own_beginning() -> None:
    bench = Bench({"a": minutes(-9 * DAY, 0, spike=-53 * 3600)})
    assert bench.look(last(DAY)) == []
    assert bench.look(last(DAY, end=NOW - 2 * DAY, live=False)) == [("a", -53 * 3600)]
    read = len(bench.lines.asked)
    assert bench.look(last(DAY)) == []
    assert len(bench.lines.asked) == read


def test_a_range_of_long_ago_is_looked_at_once_as_it_was() -> None:
    bench = Bench({"a": minutes(-40 * DAY, -28 * DAY, spike=-30.5 * DAY)})
    past = last(DAY, end=NOW - 30 * DAY, live=False)
    assert bench.look(past) == [("a", -30.5 * DAY)]
    read = len(bench.lines.asked)
    bench.clock.now += DAY
    assert bench.look(past) == [("a", -30.5 * DAY)]
    assert len(bench.lines.asked) == read


def test_of_a_longer_range_the_very_lines_that_are_shown_are_judged_and_nothing_is_read() -> None:
    later = Later()
    bench, week = Bench({}, later), last(7 * DAY)
    shown = {"a": minutes(-7 * DAY, 0, spike=-4 * DAY), "b": minutes(-7 * DAY, 0)}
    assert (bench.look(week, shown), bench.state(week)) == ([], "learning")
    later.run()
    assert (bench.look(week, shown), bench.state(week)) == ([("a", -4 * DAY)], "ready")
    assert (bench.lines.asked, later.jobs) == ([], [])


def test_shown_lines_are_taken_in_as_they_close_and_again_once_history_begins_them_earlier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fed: list[float] = []
    update = Detector.update

    def counted(self: Detector, at: float, value: float) -> Anomaly | None:
        fed.append(at)
        return update(self, at, value)

    monkeypatch.setattr(Detector, "update", counted)
    bench, week = Bench({}), last(7 * DAY)
    whole = minutes(-7 * DAY, 1800, spike=-4 * DAY)
    hot = [point for point in whole if NOW - 2 * DAY <= point[0] < NOW]
    assert bench.look(week, {"a": hot}) == []
    bench.clock.now += 900
    before = len(fed)
    bench.look(week, {"a": whole[-580:]})
    assert len(fed) == before + 1, "only the quarter of an hour that closed"
    before = len(fed)
    assert bench.look(week, {"a": whole}) == [("a", -4 * DAY)]
    assert len(fed) - before > 600, "all of it again"
    before = len(fed)
    bench.look(week, {"a": whole})
    assert len(fed) == before


def test_points_too_far_apart_for_a_detector_are_not_looked_at() -> None:
    bench = Bench({})
    found = bench.service.found([answer(last(200 * DAY), {"a": minutes(-DAY, 0)}, 4 * 3600.0)], NOW)
    assert found == (((), None),)


def test_a_reading_that_fails_is_tried_again_a_minute_later() -> None:
    bench = Bench({"a": minutes(-4 * DAY, 0, spike=-7200)})
    bench.lines.error = TimeoutError("DynamoDB does not answer")
    assert [bench.look(last(DAY)), bench.look(last(DAY))] == [[], []]
    assert len(bench.lines.asked) == 1
    bench.lines.error = None
    bench.clock.now += 60
    assert bench.look(last(DAY)) == [("a", -7200)]


def test_what_was_not_looked_at_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anomalies, "MAX_LINES", 4)
    bench = Bench({"a": minutes(-7200, 0), "b": minutes(-7200, 0)})
    for environment in ("one", "two", "three", "one"):
        bench.look(replace(last(DAY), environment=environment))
    read = len(bench.lines.asked)
    assert read % 4 == 0  # "one" was forgotten and read again
    bench.look(replace(last(DAY), environment="three"))
    assert len(bench.lines.asked) == read


def test_percentiles_are_never_averaged() -> None:
    points = [(0.0, 1.0), (60.0, 5.0), (120.0, 3.0), (300.0, 7.0)]
    assert bucketed(points, FINE, "avg", 600) == [(0, 3.0), (300, 7.0)]
    assert bucketed(points, FINE, "p99", 600) == [(0, 5.0), (300, 7.0)]
    assert bucketed(points, FINE, "min", 599) == [(0, 1.0)]
    assert bucketed(points, WHOLE, "last", 3600) == [(0, 7.0)]


@pytest.fixture
def hot() -> Iterator[HotStore]:
    table = MemoryTable()
    spiked = {t: 90.0 if t == -2400 else 40.0 + t % 7 for t in range(-30 * 3600, 0, 1200)}
    put(table, samples("cpu_utilization", spiked, host="a"))
    table.merge(ENVIRONMENT, NOW - 31 * 3600, NOW - 900)
    store = HotStore(table, 5.0, Clock())
    yield store
    store.close()


def test_it_reads_the_stored_series_and_the_mark_lies_on_the_line(hot: HotStore) -> None:
    series = SeriesService(hot, Clock())
    service = AnomalyService(series, Clock(), lambda job: job())
    ((marks, _),) = service.found([answer(last(6 * 3600), {})], NOW)
    (mark,) = marks
    assert isinstance(mark, Mark)
    assert (mark.line, mark.at, mark.value, mark.low < 40 < mark.high < 90) == ("a", NOW - 2400, 90.0, True)
