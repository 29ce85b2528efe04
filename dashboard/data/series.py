"""``/api/v1/series``: one metric over a range, a line per group, at the level of detail that fits the range."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.contract.bucket import LOOKBACK_SECONDS, Samples, badness
from backend.contract.catalogue import Catalogue, Metric
from backend.contract.errors import InvalidInput
from backend.contract.ranges import TimeRange, level_for, parse_range
from backend.contract.rollup import OTHER, WORST_GROUPS, Merged, Stats, in_parallel
from backend.contract.tables import HOUR, LEVEL_SECONDS, LIVE, LIVE_RETENTION_SECONDS, MINUTE
from dashboard.data.bands import Bands, bands_of, inside
from dashboard.data.hot import KEEP_SECONDS, HotStore, Wanted
from dashboard.data.levels import Levels
from dashboard.data.points import (
    Points,
    Stat,
    combine,
    live_groups,
    live_points,
    merged_points,
    spacing,
    stat_of,
    sum_of_groups,
)
from dashboard.data.request import parse_name

ALL: Final = "all"
"""The group that stands for all groups together, and the name of a metric's only line."""
NEAR_SECONDS: Final = {LIVE: 0.0, MINUTE: KEEP_SECONDS[MINUTE], HOUR: 62 * 86400}
"""Past ranges that begin later are read from memory: the day, or the month, that the present one is compared with."""
FINER: Final = {HOUR: (MINUTE, LIVE), MINUTE: (LIVE, HOUR), LIVE: (MINUTE, HOUR)}
"""Where to look next when a level holds nothing for the range."""


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """A checked question. ``group`` None: a line per group; "all": one line; else that group's line only.

    ``finest`` is the level that is fine enough: who draws minutes has no use for samples, which are kept shorter.
    ``settled``: of a fleet, what the merge has closed is enough. Its newest two or three minutes are samples of each
    host, and reading them costs what the fleet is.
    """

    metric: Metric
    environment: str
    range: TimeRange
    stat: Stat
    group: str | None
    finest: str = LIVE
    settled: bool = False


@dataclass(frozen=True, slots=True)
class SeriesAnswer:
    """``step_seconds`` is the lines' usual spacing; ``level`` what it was read from; ``as_of`` when the newest sample
    in them is from, to the minute."""

    request: SeriesRequest
    level: str
    step_seconds: float
    lines: tuple[tuple[str, Points], ...]
    as_of: float | None
    newest_spacing: float | None = None
    """The usual distance of the newest points, seconds, where it is not that of all: they go on from history."""

    @property
    def spacing_seconds(self) -> float:
        """The usual distance of two points; a source that reports seldom fills only some of a level's buckets."""
        return max(_usual_step(self.lines), self.step_seconds)

    @property
    def pace_seconds(self) -> float:
        """How often the newest points came: what a silence is judged by."""
        return self.newest_spacing or self.spacing_seconds

    def as_json(self) -> dict[str, Any]:
        """The body of ``/api/v1/series``, with the level and the environment added.

        Nothing in it moves with the clock alone, so that equal data keeps its ETag.
        """
        request = self.request
        return {
            "metric": request.metric.key,
            "unit": request.metric.unit + ("/s" if request.stat == "rate" else ""),
            "stat": request.stat,
            "step_seconds": self.step_seconds,
            "level": self.level,
            "environment": request.environment,
            "series": [{"name": name, "points": points} for name, points in self.lines],
        }


def parse_series_request(
    args: Mapping[str, str], catalogue: Catalogue, default_environment: str, now: float
) -> SeriesRequest:
    """The request of a URL's query. Raises InvalidInput naming the parameter that is wrong."""
    name = args.get("metric", "")
    if name not in catalogue:
        raise InvalidInput(
            "metric", name, "is not in the catalogue; see docs/metrics.md for the names", "unknown_metric"
        )
    metric = catalogue[name]
    environment, group, host = (parse_name(args, field) for field in ("environment", "group", "host"))
    if host is not None and metric.group_by != "hostname":
        raise InvalidInput("host", host, f"can't filter {name}, which is kept per {metric.group_by or 'environment'}")
    if group is not None and host is not None and group != host:
        raise InvalidInput("group", group, "contradicts host; give one of them")
    if group == metric.group_by:
        group = None
    return SeriesRequest(
        metric=metric,
        environment=environment or default_environment,
        range=parse_range(args.get("from"), args.get("to"), now),
        stat=stat_of(metric, args.get("stat")),
        group=host or group,
    )


class SeriesService:
    """Answers series requests from the hot store.

    ``live_seconds`` is how long the finest level is kept: a range that begins before is drawn from minutes.
    """

    def __init__(self, hot: HotStore, clock: Callable[[], float], live_seconds: float = LIVE_RETENTION_SECONDS) -> None:
        self._live_seconds = live_seconds
        self._hot = hot
        self._levels = Levels(hot)
        self._clock = clock

    def answer(self, request: SeriesRequest) -> SeriesAnswer:
        """The lines of a request; none where nothing is stored for it.

        Raises the reader's error when nothing could be read at all.
        """
        now = self._clock()
        level = self._level(request, now)
        lines = self._lines(request, level, now)
        for other in FINER[level]:
            if lines:
                break
            level, lines = other, self._lines(request, other, now)
        shown = sorted(lines.items(), key=lambda line: (line[0] == OTHER, line[0]))
        step = _usual_step(shown) if level == LIVE else float(LEVEL_SECONDS[level])
        return SeriesAnswer(request, level, step, tuple(shown), self._as_of(request, level, shown, now))

    def bands(self, request: SeriesRequest) -> Bands | None:
        """How the groups of a fleet spread over the range; None where lines show each of them.

        Read at the level that ``answer`` reads. Raises as ``answer`` does.
        """
        now = self._clock()
        first = self._level(request, now)
        for level in (first, *FINER[first]):
            if level != LIVE:
                step = float(LEVEL_SECONDS[level])
                found = bands_of(self._merged(request, level, now), level, step)
                if found := inside(found, request.range.start, request.range.end):
                    return found
        return None

    def _level(self, request: SeriesRequest, now: float) -> str:
        level = level_for(request.range.seconds)
        if HOUR in (level, request.finest):
            return HOUR
        if level == MINUTE:
            # Up to the present they would be read again by each refresh, if they are not kept in memory.
            return level if self._recent(request, level, now) or not _reaches(request, now) else HOUR
        if request.finest == MINUTE or request.range.start < now - self._live_seconds:
            return MINUTE
        if self._is_fleet(request, now):
            return MINUTE
        return LIVE

    def _as_of(
        self, request: SeriesRequest, level: str, lines: Sequence[tuple[str, Points]], now: float
    ) -> float | None:
        """The newest point; of the hour that is still filling the newest minute in it."""
        newest = max((points[-1][0] for _, points in lines), default=None)
        if level != HOUR or newest is None or newest + LEVEL_SECONDS[HOUR] < now:
            return newest
        key = request.metric.key
        found = self._levels.minutes([request.metric], request.environment, newest, now, settled=request.settled)[key]
        return max(newest, min(max(found, default=newest), request.range.end))

    def _is_fleet(self, request: SeriesRequest, now: float) -> bool:
        """Whether the metric has more groups than merged items keep apart: then live samples cost too much."""
        wanted = Wanted(request.metric.key, request.environment, MINUTE, now - LOOKBACK_SECONDS)
        merged = self._hot.columns([wanted])[request.metric.key, MINUTE].merged
        return bool(merged) and merged[max(merged)].group_count > WORST_GROUPS

    def _lines(self, request: SeriesRequest, level: str, now: float) -> dict[str, Points]:
        metric, environment = request.metric, request.environment
        start, end = request.range.start, request.range.end
        if level == LIVE:
            reach = start - LOOKBACK_SECONDS
            column = (
                self._hot.columns([Wanted(metric.key, environment, LIVE, reach)])[metric.key, LIVE]
                if self._recent(request, LIVE, now)
                else self._hot.closed(metric.key, environment, LIVE, reach, end)
            )
            lines = _live_lines(request, column.samples)
        else:
            lines = merged_lines(request, self._merged(request, level, now))
        within = {name: [(t, v) for t, v in points if start <= t <= end] for name, points in lines.items()}
        return {name: points for name, points in within.items() if points}

    def _recent(self, request: SeriesRequest, level: str, now: float) -> bool:
        """Whether the range is one that columns in memory are kept for: they reach from its start to the present."""
        start = request.range.start
        near = start > now - NEAR_SECONDS[level] or _reaches(request, now)
        return near and start > now - KEEP_SECONDS[level]

    def _merged(self, request: SeriesRequest, level: str, now: float) -> Mapping[float, Merged]:
        metric, environment = request.metric, request.environment
        start, end = request.range.start, request.range.end
        if self._recent(request, level, now):
            return self._levels.merged([metric], environment, level, start, now, settled=request.settled)[metric.key]
        stored = self._hot.closed(metric.key, environment, level, start, end).merged
        return self._levels.with_late(metric, environment, level, stored, start, end)


def _reaches(request: SeriesRequest, now: float) -> bool:
    """Whether the range goes on to the present, more or less."""
    return request.range.end > now - KEEP_SECONDS[LIVE]


def _live_lines(request: SeriesRequest, samples: Samples) -> dict[str, Points]:
    groups = live_groups(samples)
    if request.group == ALL:
        if request.metric.kind == "gauge" and request.stat == "sum":
            lines = [live_points(request.metric, members, "sum") for members in groups.values()]
            return {ALL: combine(lines, "sum")}
        every = [series for members in groups.values() for series in members]
        return {ALL: live_points(request.metric, every, request.stat)}
    if request.group is not None:
        groups = {request.group: groups.get(request.group, [])}
    return {name or ALL: live_points(request.metric, members, request.stat) for name, members in groups.items()}


def merged_lines(request: SeriesRequest, buckets: Mapping[float, Merged]) -> dict[str, Points]:
    """The lines that a request asks for, from merged buckets: stored ones, or those of history."""
    metric = request.metric
    if request.group == ALL:
        if metric.kind == "gauge" and request.stat == "sum":
            return {ALL: [(t, sum_of_groups(metric, merged)) for t, merged in buckets.items()]}
        return {ALL: merged_points(metric, buckets, lambda merged: merged.total, request.stat)}
    if request.group is not None:
        name = request.group
        return {name: merged_points(metric, buckets, lambda merged: merged.groups.get(name), request.stat)}
    kept = _kept_groups(metric, buckets)

    def picker(name: str) -> Callable[[Merged], Stats | None]:
        return lambda merged: _group_or_rest(metric, merged, kept, name)

    names = [*sorted(kept), *([OTHER] if any(merged.groups.keys() - kept for merged in buckets.values()) else [])]
    return {name or ALL: merged_points(metric, buckets, picker(name), request.stat) for name in names}


def _kept_groups(metric: Metric, buckets: Mapping[float, Merged]) -> frozenset[str]:
    """The worst groups over the whole range; each bucket kept its own 20, together they may be many more."""
    scores: dict[str, float] = {}
    for merged in buckets.values():
        for name, stats in merged.groups.items():
            if name != OTHER:
                scores[name] = max(scores.get(name, float("-inf")), badness(metric, stats))
    return frozenset(sorted(scores, key=lambda name: (-scores[name], name))[:WORST_GROUPS])


def _group_or_rest(metric: Metric, merged: Merged, kept: frozenset[str], name: str) -> Stats | None:
    if name != OTHER:
        return merged.groups.get(name)
    rest = [stats for group, stats in merged.groups.items() if group not in kept]
    return in_parallel(rest, metric.across) if rest else None


def _usual_step(lines: Sequence[tuple[str, Points]]) -> float:
    steps = [spacing([t for t, _ in points]) for _, points in lines if len(points) > 1]
    return min(steps, default=60.0)
