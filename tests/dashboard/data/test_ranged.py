"""Series of any range: hot at once, history before it, one question a page, and a joint that nobody sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.history import Cost, HistoryAnswer, HistoryQuestion
from backend.contract.ranges import TimeRange, parse_time
from backend.contract.rollup import OTHER, Merged, Stats
from backend.contract.sketch import Sketch
from backend.contract.tables import HOUR, LEVEL_SECONDS, MINUTE
from dashboard.data.bands import QUANTILES, Bands
from dashboard.data.history import Look
from dashboard.data.lines import CHART_POINTS, line_of
from dashboard.data.points import Points
from dashboard.data.ranged import OFF, RangedSeries
from dashboard.data.ranged_merge import Need, days_text, question_of
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest
from dashboard.data.source import Source

CATALOGUE = load_catalogue()
CPU = CATALOGUE["cpu_utilization"]
NOW = 1_795_266_000.0
"""2026-11-21 13:00:00 UTC."""
DAY = 86400
TODAY = NOW // DAY * DAY


def wanted(days: float, *, end: float = NOW, metric: str = "cpu_utilization", group: str | None = ALL) -> SeriesRequest:
    span = TimeRange(end - days * DAY, end, live=end == NOW)
    return SeriesRequest(CATALOGUE[metric], "production", span, "avg", group)


class Hot:
    """DynamoDB's lines: as many points as it holds from ``begins`` on."""

    def __init__(self, begins: float | None, step: float = 60, level: str = MINUTE, value: float = 1.0) -> None:
        self.begins, self.step, self.level, self.value = begins, step, level, value

    def answer(self, request: SeriesRequest) -> SeriesAnswer:
        points: Points = []
        if self.begins is not None:
            t = max(self.begins, request.range.start // self.step * self.step)
            while t <= request.range.end:
                points.append((t, self.value))
                t += self.step
        lines = ((ALL, points),) if points else ()
        return SeriesAnswer(request, self.level, LEVEL_SECONDS[self.level], lines, points[-1][0] if points else None)

    def bands(self, request: SeriesRequest) -> Bands | None:
        return None


class Past:
    """History that holds ``value`` in each bucket, or is in another state."""

    def __init__(self, state: str = "done", value: float = 2.0, *, holds: bool = True, error: str = "") -> None:
        self.state, self.value, self.holds, self.error = state, value, holds, error
        self.asked: list[HistoryQuestion] = []

    def look(self, question: HistoryQuestion) -> Look:
        self.asked.append(question)
        if self.state != "done":
            return Look(self.state, "read-1", error=self.error, since=NOW)  # type: ignore[arg-type]
        if not self.holds:
            return Look("done", "read-1", HistoryAnswer())
        stats = Stats(1, self.value, self.value, self.value, self.value)
        buckets = {float(t): Merged({}, stats, 1) for t in range(question.start, question.end, question.step)}
        every = {one.metric: buckets for one in question.metrics}
        return Look("done", "read-1", HistoryAnswer(every, Cost(1, 30_000_000, 0.00015), len(buckets)), NOW)


def read(hot: Hot, past: Past | None, *requests: SeriesRequest) -> tuple[RangedSeries, Sequence[SeriesAnswer], Source]:
    ranged = RangedSeries(hot)
    ranged.connect(
        past, CATALOGUE, lambda: frozenset({("production", "cpu_utilization"), ("production", "memory_usage")})
    )
    found = ranged.read(requests, NOW)
    return ranged, found.answers, found.source


def drawn(answer: SeriesAnswer) -> tuple[float, int]:
    """The spacing and the number of values of its first line on a chart."""
    name, points = answer.lines[0]
    span = answer.request.range
    line = line_of(name, dict(points), span.start, span.end, answer.step_seconds, points=CHART_POINTS)
    assert line is not None
    return line.dx, sum(value is not None for value in line.values)


def test_what_dynamodb_holds_whole_asks_nothing() -> None:
    past = Past()
    _, (answer,), source = read(Hot(0.0), past, wanted(7))

    assert past.asked == []
    assert source.kind == "live"
    assert answer.lines[0][1][0][1] == 1.0


def test_history_ends_where_the_first_whole_hot_day_begins_without_gap_or_double() -> None:
    begins = TODAY - 6 * DAY + 5 * 3600
    past = Past()
    _, (answer,), source = read(Hot(begins), past, wanted(10))

    joint = TODAY - 5 * DAY
    points = answer.lines[0][1]
    times = [t for t, _ in points]
    assert times == sorted(set(times))
    assert {v for t, v in points if t < joint} == {2.0}
    assert {v for t, v in points if t >= joint} == {1.0}
    assert max(b - a for a, b in pairwise(times)) <= past.asked[0].step
    assert times[0] >= NOW - 10 * DAY
    assert (source.kind, source.state, source.scanned_bytes, source.days) == (
        "both", "done", 30_000_000, "11 Nov to 15 Nov",
    )  # fmt: skip


def test_the_question_is_the_same_all_day_and_one_for_the_page() -> None:
    begins = TODAY - 6 * DAY
    past = Past()
    ranged, _, _ = read(Hot(begins), past, wanted(10), wanted(10, metric="memory_usage"), wanted(10, group="host-1"))
    later = [wanted(10, end=NOW + 3600), wanted(10, end=NOW + 3600, metric="memory_usage")]
    later.append(wanted(10, end=NOW + 3600, group="host-1"))
    ranged.read(later, NOW + 3600)

    assert past.asked[0] == past.asked[1]
    (question, _) = past.asked
    assert [one.metric for one in question.metrics] == ["cpu_utilization", "memory_usage"]
    assert question.metrics[0].pinned == ("host-1",)
    assert question.start % DAY == question.end % DAY == 0


class Stored(Hot):
    """DynamoDB as it is: hours where hours are asked for, minutes elsewhere."""

    def answer(self, request: SeriesRequest) -> SeriesAnswer:
        self.step, self.level = (3600, HOUR) if request.finest == HOUR else (60, MINUTE)
        return super().answer(request)


def test_a_week_is_hours_at_once_and_finer_once_history_has_its_closed_days() -> None:
    _, (answer,), source = read(Stored(0.0), Past("running"), wanted(7))
    times = [t for t, _ in answer.lines[0][1]]
    assert {b - a for a, b in pairwise(times)} == {3600}
    assert source.state == "running"

    past = Past()
    _, (answer,), source = read(Stored(0.0), past, wanted(7))
    times = [t for t, _ in answer.lines[0][1]]
    assert (past.asked[0].step, past.asked[0].end) == (900, TODAY)
    assert {b - a for a, b in pairwise(times) if b <= TODAY} == {900}
    assert {b - a for a, b in pairwise(times) if a >= TODAY} == {60}
    assert answer.as_of == NOW
    assert source.kind == "both"
    assert (answer.level, answer.step_seconds, answer.pace_seconds) == (MINUTE, 900, 60)
    assert drawn(answer) == (1800, 337)


def test_a_week_that_ends_at_midnight_is_drawn_as_fine_as_history_is() -> None:
    _, (answer,), _ = read(Stored(0.0), Past(), wanted(7, end=TODAY))
    assert drawn(answer) == (1800, 337)


def test_a_source_that_came_once_today_is_judged_by_its_hours() -> None:
    class Daily(Stored):
        def answer(self, request: SeriesRequest) -> SeriesAnswer:
            found = super().answer(request)
            return found if self.level == HOUR else replace(found, lines=((ALL, found.lines[0][1][:1]),))

    _, (answer,), _ = read(Daily(0.0), Past(), wanted(7))
    assert answer.pace_seconds == 3600


def test_programs_get_history_where_dynamodb_holds_nothing_and_steps_that_stay_elsewhere() -> None:
    past = Past()
    ranged, _, _ = read(Stored(None), past)
    week = wanted(2, end=TODAY - 20 * DAY)
    found = ranged.completed(week, NOW)
    assert found.source.kind == "history"
    assert found.answers[0].lines[0][1][0][1] == 2.0

    ranged, _, _ = read(Stored(0.0), past := Past())
    assert ranged.completed(wanted(7), NOW).answers[0].step_seconds == 60
    assert past.asked == []


def test_a_day_needs_no_history() -> None:
    past = Past()
    _, (answer,), _ = read(Stored(0.0), past, wanted(1))
    assert past.asked == []
    assert answer.level == MINUTE


@pytest.mark.parametrize("step", [3600.0, 86400.0])
def test_a_sparse_metric_is_whole_though_its_first_point_comes_late(step: float) -> None:
    past = Past()
    begins = (NOW - 30 * DAY) // DAY * DAY + DAY + step
    read(Hot(begins, step=step, level=HOUR), past, wanted(30))

    assert bool(past.asked) == (step == 3600.0)


def test_days_that_hold_nothing_leave_the_page_live() -> None:
    _, (answer,), source = read(Hot(TODAY - DAY), Past(holds=False), wanted(30))

    assert source.kind == "live"
    assert source.state == "done"
    assert answer.lines[0][1][0] == (TODAY - DAY, 1.0)


@pytest.mark.parametrize("state", ["running", "failed", "cancelled"])
def test_hot_lines_stay_whole_while_history_is_not_there_and_the_page_says_so(state: str) -> None:
    hot = Hot(TODAY - 6 * DAY + 5 * 3600)
    _, (answer,), source = read(hot, Past(state, error="why"), wanted(10))

    assert answer == hot.answer(wanted(10))
    assert (source.kind, source.state, source.error, source.key) == ("live", state, "why", "read-1")


def test_history_that_is_switched_off_is_said_where_it_is_missed() -> None:
    _, _, source = read(Hot(TODAY), None, wanted(10))
    assert (source.state, source.error) == ("failed", OFF)

    _, _, source = read(Hot(0.0), None, wanted(1))
    assert source.state == "done"


def test_an_old_range_is_as_fine_as_history_has_it() -> None:
    end = TODAY - 20 * DAY + 9 * 3600 + 900
    past = Past()
    _, (answer,), source = read(Hot(0.0, step=3600, level=HOUR), past, wanted(1 / 24, end=end))

    (question,) = past.asked
    assert question.step == 10, "the tier keeps ten seconds"
    assert (question.start, question.end) == ((end - 3600) // 3600 * 3600, (end + 3599) // 3600 * 3600)
    assert len(answer.lines[0][1]) == 361
    assert drawn(answer) == (10, 361)
    assert source.kind == "history"


def test_an_old_range_whose_source_is_slower_than_its_level_asks_nothing() -> None:
    past = Past()
    read(Hot(0.0, step=300, level=MINUTE), past, wanted(1 / 24, end=TODAY - 3 * DAY))

    assert past.asked == []


def test_an_old_range_of_which_dynamodb_holds_nothing_is_history_alone() -> None:
    past = Past()
    end = TODAY - 300 * DAY
    _, (answer,), source = read(Hot(None), past, wanted(90, end=end))

    assert source.kind == "history"
    assert past.asked[0].end == end
    assert answer.lines[0][1][0][0] == end - 90 * DAY


def test_a_metric_that_never_came_is_not_looked_for() -> None:
    past = Past()
    _, _, source = read(Hot(None), past, wanted(30, metric="disk_usage"))

    assert (past.asked, source.kind) == ([], "live")


def test_today_is_never_history() -> None:
    past = Past()
    read(Hot(None), past, wanted(30))
    assert past.asked[0].end == TODAY

    past = Past()
    read(Hot(None), past, wanted(0.25))
    assert past.asked == []


def test_days_are_said_with_their_year_where_it_changes() -> None:
    assert days_text(TODAY - DAY, TODAY) == "20 Nov"
    assert days_text(TODAY + 36 * DAY, TODAY + 45 * DAY) == "27 Dec 2026 to 4 Jan 2027"


def test_a_gauges_sum_needs_its_groups() -> None:
    request = wanted(10)
    summed = SeriesRequest(CPU, "production", request.range, "sum", ALL)
    questions = [question_of([(one, Need(TODAY))], CATALOGUE) for one in (request, summed)]

    assert [one.metrics[0].by_group for one in questions] == [False, True]


def test_a_day_of_25_hours_is_whole() -> None:
    past, now = Past(), NOW
    start, end = (parse_time(text, now, "from") for text in ("2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00"))
    _, (answer,), _ = read(Hot(None), past, wanted(25 / 24, end=end))

    times = [t for t, _ in answer.lines[0][1]]
    assert end - start == 25 * 3600
    assert (times[0], times[-1]) == (start, end)
    assert {b - a for a, b in pairwise(times)} == {past.asked[0].step}


def test_extremes_of_90_days_are_on_the_wire_in_few_points() -> None:
    past = Past()
    _, (answer,), _ = read(Hot(None), past, wanted(90, end=TODAY - 30 * DAY))
    points = dict(answer.lines[0][1])
    points[sorted(points)[777]] = 99.0
    points[sorted(points)[1555]] = -5.0

    span = answer.request.range
    line = line_of(ALL, points, span.start, span.end, answer.spacing_seconds, points=CHART_POINTS)

    assert line is not None
    shown = [value for value in line.values if value is not None]
    assert len(points) == 2160
    assert len(line.values) <= 1000
    assert (max(shown), min(shown)) == (99.0, -5.0)


@pytest.mark.parametrize(("days", "step"), [(1, 120), (7, 900), (12, 1800), (30, 3600), (90, 3600), (400, 14400)])
def test_buckets_are_those_of_the_ranges_level_or_longer(days: int, step: int) -> None:
    past = Past()
    read(Hot(None), past, wanted(days))

    assert past.asked[0].step == step
    assert days * DAY / step <= 2500


class Fleet(Stored):
    """A fleet of which DynamoDB has bands wherever it has lines."""

    def answer(self, request: SeriesRequest) -> SeriesAnswer:
        answer = super().answer(request)
        return replace(answer, lines=tuple((OTHER, points) for _, points in answer.lines))

    def bands(self, request: SeriesRequest) -> Bands | None:
        answer = self.answer(request)
        lines = tuple([(t, 9.0) for t, _ in points] for _, points in answer.lines for _ in QUANTILES)
        return Bands(answer.level, answer.step_seconds, 30, lines) if lines else None


class Spread(Past):
    """History of a fleet; the bands are there where they are asked for."""

    def look(self, question: HistoryQuestion) -> Look:
        look = super().look(question)
        if look.answer is None:
            return look
        sketch = Sketch.of([(float(n), 1) for n in range(1, 31)])
        times = range(question.start, question.end, question.step)
        found = {float(t): Merged({}, Stats(0, 0, 0, 0, 0), 30, sketch) for t in times}
        bands = {one.metric: found for one in question.metrics if one.bands}
        return replace(look, answer=replace(look.answer, bands=bands))


def test_bands_of_a_fleet_are_history_up_to_the_joint_and_minutes_from_there() -> None:
    request = wanted(7, group=None)
    ranged, _, _ = read(Fleet(0.0), Spread(), request)
    bands = ranged.bands(request, NOW)

    assert bands is not None
    times = [t for t, _ in bands.lines[2]]
    assert (times[0], times[-1]) == (request.range.start, NOW)
    assert {b - a for a, b in pairwise(times) if b <= TODAY} == {900}
    assert {b - a for a, b in pairwise(times) if a >= TODAY} == {60}
    assert (bands.groups, bands.step_seconds) == (30, 900)
    assert abs(bands.lines[2][0][1] - 15) < 1
    assert bands.lines[2][-1][1] == 9.0


def test_bands_of_a_month_go_on_where_dynamodb_begins() -> None:
    request = wanted(30, group=None)
    ranged, _, _ = read(Fleet(TODAY - 6 * DAY + 5 * 3600), Spread(), request)
    bands = ranged.bands(request, NOW)

    assert bands is not None
    assert {v for t, v in bands.lines[2] if t >= TODAY - 5 * DAY} == {9.0}
    assert len({t for t, _ in bands.lines[2]}) == len(bands.lines[2]) > 700


def test_bands_of_a_fleet_that_only_history_holds_are_asked_for() -> None:
    request = wanted(7, end=TODAY - 100 * DAY, group=None)
    ranged, _, _ = read(Fleet(None), Spread(), request)
    assert ranged.bands(request, NOW) is not None


def test_another_pages_look_at_the_range_leaves_a_fleet_its_bands() -> None:
    request = wanted(7, group=None)
    ranged, _, _ = read(Fleet(0.0), Spread(), request)
    bands = ranged.bands(request, NOW)
    ranged.read([wanted(7), wanted(7, metric="memory_usage")], NOW)
    assert ranged.bands(request, NOW) == bands
