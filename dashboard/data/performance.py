"""What the Performance page shows, put together from one reading of all its series."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from backend.contract.catalogue import Catalogue
from backend.contract.ranges import TimeRange
from dashboard.data import performance_series as series
from dashboard.data.anomalies import Noticed
from dashboard.data.health import SYNTHETIC_TARGET
from dashboard.data.performance_cause import RISE, Cause, Evidence, Role, find, is_silent
from dashboard.data.performance_data import Operators, Panel, Past, PerformanceData
from dashboard.data.performance_operators import ByName, newest, operators_of
from dashboard.data.performance_panels import Curve, Panels, Reading, curves, curves_of, latency_panel, throughput
from dashboard.data.performance_series import SERIES, requested
from dashboard.data.ranged import RangedAnswers
from dashboard.data.request import ViewRequest
from dashboard.data.series import SeriesAnswer, SeriesRequest
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


def watched(reading: Reading, request: ViewRequest) -> dict[str, SeriesRequest]:
    """What is looked at for anomalies, by chart: the very lines that are drawn."""
    found = {}
    for curve in curves(reading, latency_panel(reading)):
        if curve.name == "p99":
            found["latency"] = curve.answer.request
    for curve in throughput(reading, request.operator)[:1]:
        group = next(name for name, points in curve.answer.lines if points is curve.points)
        found["throughput"] = replace(curve.answer.request, group=group)
    for key in WATCHED:
        lines = curves(reading, key)
        if len(lines) == 1:
            found[key] = replace(lines[0].answer.request, group=lines[0].answer.lines[0][0])
    latency = reading.operators(series.OPERATOR_LATENCY, "avg")
    if request.operator and latency is not None:
        found["op-latency"] = replace(latency.request, group=request.operator)
    return found


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
    end = min(over.end, now)
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
        cause=_cause(lately, operators, catalogue, over, end),
        past=_past(lately, panels, request.operator, end),
        source=reading.source if before is None else joined(reading.source, before.source),
        as_of=max([*ages, *([operators.as_of] if operators.as_of else [])], default=None),
        synthetic=SYNTHETIC_TARGET in (reading.by_operator(series.TARGETS, "avg") or {}),
    )


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


def _cause(reading: Reading, operators: Operators, catalogue: Catalogue, over: TimeRange, end: float) -> Cause:
    """Latency judged, with every suspect's evidence in the order a person looks at them."""

    def evidence(role: Role, title: str, panel: str, metric: str, found: Curve | None, operator: str = "") -> Evidence:
        connected = found is not None or any(w.metric == metric for w in reading.answers)
        points = found.points if found else [] if connected else None
        spacing = found.answer.pace_seconds if found else 0.0
        return Evidence(role, title, panel, catalogue[metric], points, spacing, operator)

    def line(key: str, name: str = "") -> Curve | None:
        """The line of that name, without one the one that is highest now."""
        lines = [curve for curve in curves_of(reading, key, None) if not name or curve.name == name]
        return max(lines, key=lambda curve: (_lasts(curve, end), newest(curve.points) or 0.0), default=None)

    p99 = series.WORST if latency_panel(reading) == "worst" else series.LATENCY
    suspects = [
        evidence("cpu", "CPU of workers", "cpu", series.WORKER_CPU, line("cpu", series.WORKERS)),
        evidence("enrichment", "Enrichment latency", "enrichment", "enrichment_latency_ms", line("enrichment")),
        evidence("cache", "Cache hit rate", "cache", "cache_hit_rate", line("cache")),
        evidence("operator", "Slowest operator", "", series.OPERATOR_LATENCY, *_slowest(reading, operators)),
        evidence("busy", "Busiest operator", "", series.BUSY, *_named(reading, series.BUSY, operators.busiest)),
        evidence("collection", "GC pauses", "gc", "gc_pause_time_ms", line("gc")),
        evidence("checkpoints", "Checkpoint duration", "checkpoints", "checkpoint_duration_ms", line("checkpoints")),
        evidence("servers", "CPU of servers", "cpu", series.SERVER_CPU, line("cpu", series.SERVERS)),
        evidence("load", "Records in", "throughput", series.IN, _incoming(reading)),
        evidence("lag", "Consumer lag", "lag", "consumer_lag_records", line("lag")),
    ]
    return find(evidence("latency", "Latency p99", "latency", p99, line("latency", "p99")), suspects, over.start, end)


def _incoming(reading: Reading) -> Curve | None:
    found = throughput(reading, None)
    return next((curve for curve in found if curve.answer.request.metric.key == series.IN), None)


def _slowest(reading: Reading, operators: Operators) -> tuple[Curve | None, str]:
    """The operator whose latency has risen most, in ms; where none has, the slowest."""
    rows = [row for row in operators.rows or () if row.latency_now is not None]
    risen = [row for row in rows if row.latency_usual and (row.latency_now or 0) > RISE * row.latency_usual]
    row = max(risen, key=lambda row: (row.latency_now or 0) - (row.latency_usual or 0), default=None)
    row = row or max(rows or operators.rows or (), key=lambda row: row.latency_now or 0.0, default=None)
    return _named(reading, series.OPERATOR_LATENCY, row.name if row else "")


def _named(reading: Reading, metric: str, operator: str) -> tuple[Curve | None, str]:
    answer = reading.operators(metric, "avg")
    points = dict(answer.lines).get(operator) if answer else None
    return (Curve(operator, points, answer) if answer and points else None), operator
