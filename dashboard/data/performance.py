"""What the Performance page shows, put together from one reading of all its series."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final, Protocol

from backend.contract.catalogue import Catalogue
from backend.contract.ranges import TimeRange
from backend.contract.rollup import OTHER
from dashboard.data import performance_series as series
from dashboard.data.anomalies import Noticed
from dashboard.data.health import SYNTHETIC_TARGET
from dashboard.data.performance_cause import RISE, Cause, Evidence, Role, find, find_then, is_silent, stretch_of
from dashboard.data.performance_data import Operators, Panel, Past, PerformanceData
from dashboard.data.performance_operators import ByName, newest, operators_of, usual
from dashboard.data.performance_panels import Curve, Panels, Reading, curves, curves_of, latency_panel, throughput
from dashboard.data.performance_series import SERIES, requested
from dashboard.data.performance_stretch import LEAST_BEFORE, Stretch
from dashboard.data.ranged import RangedAnswers
from dashboard.data.request import ViewRequest
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest
from dashboard.data.source import joined

WATCHED: Final = ("lag", "enrichment", "cache", "checkpoints")
"""Charts whose anomalies are looked for where they have one line, besides latency and throughput."""


NOW: Final = {"latency": series.OPERATOR_LATENCY, "busy": series.BUSY, "backpressured": series.BACKPRESSURED}
"""What is told of each operator as it is now."""


class RangedSource(Protocol):
    """Where series of any range are read: ``dashboard.data.ranged.RangedSeries``."""

    def read(self, requests: Sequence[SeriesRequest], now: float) -> RangedAnswers:
        """The answers in the order of the requests."""


def read(
    source: RangedSource, seen: Collection[str], catalogue: Catalogue, request: ViewRequest, over: TimeRange, now: float
) -> Reading:
    """All series over a range in one call; a metric not in ``seen`` is not connected and costs no query."""
    wanted = [entry for entry in SERIES if entry.metric in seen]
    found = source.read([requested(entry, catalogue, request, over) for entry in wanted], now)
    return Reading(dict(zip(wanted, found.answers, strict=True)), found.source)


def watched(reading: Reading, request: ViewRequest) -> dict[str, SeriesAnswer]:
    """What is looked at for anomalies, by chart: the very lines that are drawn."""
    found = {}
    for curve in curves(reading, latency_panel(reading)):
        if curve.name == "p99":
            found["latency"] = curve.answer
    for curve in throughput(reading, request.operator)[:1]:
        group = next(name for name, points in curve.answer.lines if points is curve.points)
        found["throughput"] = _only(curve.answer, group)
    for key in WATCHED:
        lines = curves(reading, key)
        if len(lines) == 1:
            found[key] = _only(lines[0].answer, lines[0].answer.lines[0][0])
    latency = reading.operators(series.OPERATOR_LATENCY, "avg")
    if request.operator and latency is not None:
        found["op-latency"] = _only(latency, request.operator)
    return found


def _only(answer: SeriesAnswer, group: str) -> SeriesAnswer:
    """One line of an answer."""
    lines = tuple(line for line in answer.lines if line[0] == group)
    return replace(answer, request=replace(answer.request, group=group), lines=lines)


def data_of(
    reading: Reading, before: Reading | None, lately: Reading | None, unusual: Mapping[str, Noticed],
    catalogue: Catalogue, filters: Collection[str], request: ViewRequest, over: TimeRange, now: float,
    environments: tuple[str, ...],
) -> PerformanceData:  # fmt: skip
    """The page's data.

    ``before`` is the reading of the period before, where it is compared; ``lately`` that of the last day, where the
    range's own can't tell what is so now; ``unusual`` is what was noticed by chart; ``filters`` are operators that drop
    records on purpose.
    """
    lately = lately or reading
    make = Panels(catalogue, reading, before, lately, request, over, now)
    panels = _marked(make.all(), unusual)
    end = _end(reading, over, now)
    operators = _operators(reading, lately, filters, end)
    drill = None
    if request.operator is not None:
        drill = make.drill(request.operator, known=operators.row(request.operator) is not None)
        drill = replace(drill, panels=_marked(drill.panels, unusual))
    ages = [panel.as_of for panel in panels.values() if panel.as_of is not None]
    return PerformanceData(
        request=request,
        environments=environments,
        range=over,
        panels=panels,
        operators=operators,
        drill=drill,
        cause=_cause(reading, lately, catalogue, over, end),
        past=_past(lately, panels, request.operator, end),
        source=reading.source if before is None else joined(reading.source, before.source),
        as_of=max([*ages, *([operators.as_of] if operators.as_of else [])], default=None),
        synthetic=SYNTHETIC_TARGET in (reading.by_operator(series.TARGETS, "avg") or {}),
    )


def _end(reading: Reading, over: TimeRange, now: float) -> float:
    """What a silence is judged by: of a range that is over the newest that came in it, for that was so then."""
    newest = [points[-1][0] for answer in reading.answers.values() for _, points in answer.lines if points]
    return min(over.end, now) if over.live or not newest else max(newest)


def _marked(panels: Mapping[str, Panel], unusual: Mapping[str, Noticed]) -> dict[str, Panel]:
    none = Noticed((), None)
    found = {key: unusual.get(key, none) for key in panels}
    return {key: replace(p, unusual=found[key].marks, noticing=found[key].state) for key, p in panels.items()}


def _operators(reading: Reading, lately: Reading, filters: Collection[str], end: float) -> Operators:
    counted = {"in": series.IN, "out": series.OUT, "errors": series.ERRORS, "late": series.LATE}
    return operators_of(
        reading.by_operator(series.OPERATOR_LATENCY, "avg"),
        reading.by_operator(series.OPERATOR_LATENCY, "max"),
        {word: reading.by_operator(metric, "sum") for word, metric in counted.items()},
        filters,
        {word: _present(lately.operators(metric, "avg"), end) for word, metric in NOW.items()},
    )


def _present(answer: SeriesAnswer | None, end: float) -> ByName | None:
    """Points by operator; of one that fell silent before ``end`` none, as nothing is known of it now."""
    if answer is None:
        return None
    spacing = answer.pace_seconds
    return {name: [] if points and is_silent(points[-1][0], spacing, end) else points for name, points in answer.lines}


def _lasts(curve: Curve, end: float) -> bool:
    return bool(curve.points) and not is_silent(curve.points[-1][0], curve.answer.pace_seconds, end)


def _past(reading: Reading, panels: Mapping[str, Panel], operator: str | None, end: float) -> tuple[Past, ...]:
    """What is beyond its thresholds now, latency left out: it is what the page is about. The worst first."""
    found = []
    for key, panel in panels.items():
        metric = panel.metric
        if key == "latency" or panel.silent or metric.basis != "value" or metric.direction == "none":
            continue
        lasting = [curve for curve in curves_of(reading, key, operator) if _lasts(curve, end)]
        values = [(newest(curve.points), curve.name) for curve in lasting]
        lines = [(value, name) for value, name in values if value is not None]
        if not lines:
            continue
        value, name = (min if metric.direction == "lower_is_worse" else max)(lines)
        state = metric.state(value)
        if state != "healthy":
            found.append(Past(key, state, value, name))
    return tuple(sorted(found, key=lambda past: past.state != "critical"))


def _cause(reading: Reading, lately: Reading, catalogue: Catalogue, over: TimeRange, end: float) -> Cause:
    """Latency judged, with every suspect's evidence in the order a person looks at them: in a live range as it is now,
    in one that is over at the worst of it. A slow stretch that a live range has behind it is told as well."""
    latency = _latency(reading, catalogue)
    stretch = stretch_of(latency)
    if over.live:
        found = find(_latency(lately, catalogue), _suspects(lately, catalogue, _Moment(end)), over.start, end)
        # Below every threshold a busy noon is slow beside the night, which is no news.
        told = stretch if stretch is not None and stretch.past and found.speed != "slow" else None
        return replace(found, stretch=told)
    if stretch is not None:
        return find_then(latency, _suspects(reading, catalogue, _Moment(end, stretch)), stretch)
    return find(latency, _suspects(reading, catalogue, _Moment(end)), over.start, end)


@dataclass(frozen=True, slots=True)
class _Moment:
    """When a line is judged: at ``end``, or at the worst of a stretch."""

    end: float
    stretch: Stretch | None = None

    def value(self, curve: Curve) -> float | None:
        """What the line measured then."""
        if self.stretch is not None:
            values = self.stretch.values(curve.points, curve.answer.spacing_seconds)
            return median(values) if values else None
        return newest(curve.points) if _lasts(curve, self.end) else None

    def usual(self, curve: Curve) -> float | None:
        """What it measures otherwise."""
        if self.stretch is None:
            return usual(curve.points)
        values = self.stretch.others(curve.points)
        return median(values) if len(values) >= LEAST_BEFORE else None

    def highest(self, found: Iterable[Curve]) -> Curve | None:
        """The line with the highest value then; one that is silent only where all are."""
        return max(found, key=lambda curve: (self.value(curve) is not None, self.value(curve) or 0.0), default=None)


def _evidence(
    reading: Reading, catalogue: Catalogue, role: Role, title: str, panel: str, metric: str, found: Curve | None,
) -> Evidence:  # fmt: skip
    if found is None:
        connected = any(wanted.metric == metric for wanted in reading.answers)
        return Evidence(role, title, panel, catalogue[metric], [] if connected else None)
    # What is over may lie in history, which is coarser than what comes now.
    answer, operator = found.answer, "" if panel else found.name
    spacing = answer.pace_seconds if answer.request.range.live else answer.spacing_seconds
    return Evidence(role, title, panel, catalogue[metric], found.points, spacing, operator)


def _latency(reading: Reading, catalogue: Catalogue) -> Evidence:
    p99 = series.WORST if latency_panel(reading) == "worst" else series.LATENCY
    line = next((curve for curve in curves_of(reading, "latency", None) if curve.name == "p99"), None)
    return _evidence(reading, catalogue, "latency", "Latency p99", "latency", p99, line)


def _suspects(reading: Reading, catalogue: Catalogue, moment: _Moment) -> list[Evidence]:
    def line(key: str, name: str = "") -> Curve | None:
        """The line of that name, without one the one that is highest."""
        return moment.highest(curve for curve in curves_of(reading, key, None) if not name or curve.name == name)

    busiest = moment.highest(_each(reading, series.BUSY))
    told: tuple[tuple[Role, str, str, str, Curve | None], ...] = (
        ("cpu", "CPU of workers", "cpu", series.WORKER_CPU, line("cpu", series.WORKERS)),
        ("enrichment", "Enrichment latency", "enrichment", "enrichment_latency_ms", line("enrichment")),
        ("cache", "Cache hit rate", "cache", "cache_hit_rate", line("cache")),
        ("operator", "Slowest operator", "", series.OPERATOR_LATENCY, _slowest(reading, moment)),
        ("busy", "Busiest operator", "", series.BUSY, busiest),
        ("collection", "GC pauses", "gc", "gc_pause_time_ms", line("gc")),
        ("checkpoints", "Checkpoint duration", "checkpoints", "checkpoint_duration_ms", line("checkpoints")),
        ("servers", "CPU of servers", "cpu", series.SERVER_CPU, line("cpu", series.SERVERS)),
        ("load", "Records in", "throughput", series.IN, _incoming(reading)),
        ("lag", "Consumer lag", "lag", "consumer_lag_records", line("lag")),
    )
    return [_evidence(reading, catalogue, *one) for one in told]


def _incoming(reading: Reading) -> Curve | None:
    found = throughput(reading, None)
    return next((curve for curve in found if curve.answer.request.metric.key == series.IN), None)


def _each(reading: Reading, metric: str) -> list[Curve]:
    """A line for each operator."""
    answer = reading.operators(metric, "avg")
    lines = answer.lines if answer else ()
    return [Curve(name, points, answer) for name, points in lines if answer and points and name not in (ALL, OTHER)]


def _slowest(reading: Reading, moment: _Moment) -> Curve | None:
    """The operator whose latency has risen most, in ms; where none has, the slowest."""
    found = _each(reading, series.OPERATOR_LATENCY)
    compared = [(curve, moment.value(curve), moment.usual(curve)) for curve in found]
    rises = [(now - before, curve) for curve, now, before in compared if now and before and now > RISE * before]
    return max(rises, key=lambda rise: rise[0])[1] if rises else moment.highest(found)
