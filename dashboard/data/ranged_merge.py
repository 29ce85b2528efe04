"""What of a range DynamoDB lacks, what is asked of history for it, and both as one line. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from backend.contract.catalogue import Catalogue, Metric
from backend.contract.history import HistoryQuestion, MetricWanted
from backend.contract.ranges import POINTS_WANTED, TimeRange, level_for
from backend.contract.rollup import OTHER, WORST_GROUPS
from backend.contract.tables import HOUR, LEVEL_SECONDS, LIVE, MINUTE
from dashboard.data.points import Points
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest

DAY: Final = 86_400
HOUR_SECONDS: Final = 3_600
CLOSED_AFTER_SECONDS: Final = 900
"""A UTC day is over this long after its end: until then its objects may still be on their way."""
LATE_STEPS: Final = 2
"""Lines that begin so many of their steps after the range are whole: nothing is missing before them."""
LEAST_LATE_SECONDS: Final = HOUR_SECONDS
MINUTES_UP_TO: Final = 25 * HOUR_SECONDS
"""Longer ranges are read from DynamoDB in hours: a day, and what an absolute range of a day is widened by."""
STEPS: Final = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400)
MOST_BUCKETS: Final = {LIVE: 1_000, MINUTE: 1_000, HOUR: 2_500}
"""Buckets of a line that continues DynamoDB's, by the range's level: twice what charts draw, hours up to 90 days."""
MOST_FINE: Final = 1_000
"""Buckets of a line that is finer than DynamoDB's."""
FINE_BELOW: Final = 6 * HOUR_SECONDS
"""Ranges up to here are read in whole hours, longer ones in whole days, so that all who look ask the same."""
WHOLE_LEVEL: Final = 1.5
"""A line whose points are farther apart than so many of its level's steps is as fine as its source."""


@dataclass(frozen=True, slots=True)
class Need:
    """What history is wanted for: everything before ``joint`` (epoch s), where DynamoDB's line goes on.

    ``fine``: DynamoDB has it too, but coarser than the range allows. ``today``: what follows is read in minutes then,
    for hours beside finer history would be a step.
    """

    joint: float
    fine: bool = False
    today: bool = False


def in_hours(request: SeriesRequest) -> SeriesRequest:
    """The request as DynamoDB is asked: of a range longer than a day it gives hours, whatever the range allows.

    A week of minutes is ten thousand items a metric, and a page has thirty: what is finer than hours comes from
    history.
    """
    return replace(request, finest=HOUR) if _read_in_hours(request.range) else request


def lately_of(over: TimeRange, now: float) -> TimeRange | None:
    """The last day, where a live range is read in hours and so can't tell what is so now; None where it can."""
    return TimeRange(now - DAY, now, live=True) if over.live and over.seconds > MINUTES_UP_TO else None


def today_of(request: SeriesRequest, joint: float) -> SeriesRequest:
    """What follows ``joint``, in minutes."""
    wanted = request.range
    return replace(request, range=TimeRange(joint, wanted.end, wanted.live), finest=MINUTE)


def _read_in_hours(wanted: TimeRange) -> bool:
    return wanted.seconds > MINUTES_UP_TO and level_for(wanted.seconds) == MINUTE


def closed_until(now: float) -> float:
    """The end of the newest UTC day that is over."""
    return (now - CLOSED_AFTER_SECONDS) // DAY * DAY


def need_of(answer: SeriesAnswer, now: float) -> Need | None:
    """What the range lacks of a hot answer; None where it is whole, or where no closed day could help."""
    wanted, closed = answer.request.range, closed_until(now)
    begins = min((points[0][0] for _, points in answer.lines), default=None)
    joint = min(_day_after(wanted.end), closed)
    if begins is None:
        need = Need(joint)
    elif _read_in_hours(wanted) and _too_coarse(answer):
        need = Need(joint, fine=True, today=joint < wanted.end)
    else:
        late = max(LATE_STEPS * answer.spacing_seconds, LEAST_LATE_SECONDS)
        if begins - wanted.start > late:
            need = Need(min(_day_after(begins - LEAST_LATE_SECONDS), closed))
        elif wanted.end <= closed and _too_coarse(answer):
            need = Need(_day_after(wanted.end), fine=True)
        else:
            return None
    return need if need.joint > wanted.start else None


def question_of(
    needs: Sequence[tuple[SeriesRequest, Need]], catalogue: Catalogue, spreads: Iterable[str] = ()
) -> HistoryQuestion:
    """One question for all of a page's requests, which share range and environment.

    ``spreads`` are metrics whose fleets are wanted as bands.
    """
    request = needs[0][0]
    wanted, fine = request.range, any(need.fine for _, need in needs)
    joint = max(need.joint for _, need in needs)
    grid = HOUR_SECONDS if fine and wanted.seconds <= FINE_BELOW else DAY
    level = level_for(wanted.seconds)
    step = _step(wanted.seconds, LEVEL_SECONDS[level], MOST_BUCKETS[level])
    if fine:
        step = fine_step(wanted.seconds, [one.metric for one, _ in needs], catalogue)
    end = min(joint, math.ceil(wanted.end / grid) * grid)
    return HistoryQuestion(
        request.environment, _metrics([one for one, _ in needs], set(spreads)), int(wanted.start // grid * grid),
        int(end), step,
    )  # fmt: skip


def fine_step(seconds: float, metrics: Iterable[Metric], catalogue: Catalogue) -> int:
    """The step of a line that is as fine as its metrics are kept and as a chart can show."""
    finest = min(catalogue.tiers[metric.tier].resolution_seconds for metric in metrics)
    return _step(seconds, finest, MOST_FINE)


def _step(seconds: float, finest: int, most: int) -> int:
    return next((step for step in STEPS if step >= finest and seconds / step <= most), STEPS[-1])


def _metrics(requests: Sequence[SeriesRequest], spreads: set[str]) -> tuple[MetricWanted, ...]:
    by_metric: dict[str, list[SeriesRequest]] = {}
    for request in requests:
        by_metric.setdefault(request.metric.key, []).append(request)
    return tuple(
        MetricWanted(
            key,
            any(_needs_groups(request) for request in asked),
            tuple(sorted({request.group for request in asked if request.group not in (None, ALL)})),
            key in spreads,
        )
        for key, asked in sorted(by_metric.items())
    )


def _needs_groups(request: SeriesRequest) -> bool:
    """A gauge's sum is that of its groups."""
    return request.group != ALL or (request.metric.kind == "gauge" and request.stat == "sum")


def _too_coarse(answer: SeriesAnswer) -> bool:
    """Whether the level, not the source, is what leaves a line with few points."""
    most = max((len(points) for _, points in answer.lines), default=0)
    return most < POINTS_WANTED and answer.spacing_seconds <= WHOLE_LEVEL * answer.step_seconds


def _day_after(at: float) -> float:
    """The first midnight (UTC) at or after an instant."""
    return math.ceil(at / DAY) * DAY


def continued(
    hot: SeriesAnswer, older: Mapping[str, Points], joint: float, step: float, today: SeriesAnswer | None = None
) -> SeriesAnswer:
    """History up to ``joint`` and DynamoDB's lines from there on; the hot answer itself where history has nothing.

    ``today`` holds the lines after the joint where they are finer than the hot answer's. What DynamoDB alone has of a
    line stays, before the joint as well. Beyond 20 groups the worst of either stay.
    """
    wanted = hot.request.range
    past = {name: _between(points, wanted.start, min(joint, wanted.end + 1)) for name, points in older.items()}
    past = {name: points for name, points in past.items() if points}
    if not past:
        return hot
    lines: dict[str, Points] = dict(past)
    after = dict((today or hot).lines)
    for name, points in hot.lines:
        lines[name] = [*past[name], *_between(after.get(name, []), joint, math.inf)] if name in past else points
    for name, points in after.items():
        lines.setdefault(name, points)
    kept = _worst(hot.request.metric, lines)
    shown = sorted(((name, lines[name]) for name in kept), key=lambda line: (line[0] == OTHER, line[0]))
    newest = max([points[-1][0] for _, points in shown] + [at for at in (hot.as_of, today and today.as_of) if at])
    last = today or hot
    # Where history is all there is between the ends, the coarser lines it took the place of are not drawn any more.
    step = max(step, last.step_seconds) if last.lines and joint < wanted.end else step
    told = next((one for one in (today, hot) if one and any(len(points) > 1 for _, points in one.lines)), None)
    return replace(
        hot, level=last.level, step_seconds=step, lines=tuple(shown), as_of=newest,
        newest_spacing=None if told is None else told.spacing_seconds,
    )  # fmt: skip


def days_text(start: float, end: float) -> str:
    """Which UTC days a stretch is of: ``24 Oct to 20 Nov``."""
    first, last = (datetime.fromtimestamp(at, UTC) for at in (start, max(end - 1, start)))
    words = [f"{day.day} {day:%b}" + (f" {day.year}" if first.year != last.year else "") for day in (first, last)]
    return words[0] if words[0] == words[1] else " to ".join(words)


def _between(points: Points, start: float, end: float) -> Points:
    return [(t, value) for t, value in points if start <= t < end]


def _worst(metric: Metric, lines: Mapping[str, Points]) -> list[str]:
    named = [name for name in lines if name != OTHER]
    if len(named) > WORST_GROUPS:
        sign = -1 if metric.direction == "lower_is_worse" else 1
        named.sort(key=lambda name: max(sign * value for _, value in lines[name]), reverse=True)
        named = named[:WORST_GROUPS]
    return [*named, *([OTHER] if OTHER in lines else [])]
