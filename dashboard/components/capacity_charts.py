"""Traces of the Capacity page: hosts as lines or bands, stacks, and the forecast with its limit. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.contract.catalogue import Catalogue, Metric
from backend.contract.costs import GB
from backend.contract.ranges import TimeRange
from backend.contract.verdict import amount
from dashboard.components import timechart
from dashboard.components.timechart import PALETTE, Trace
from dashboard.data.capacity_panels import Panel, Spec
from dashboard.data.forecast import DAY, NOMINAL, Forecast
from dashboard.data.limits import LimitRow
from dashboard.data.lines import rounded
from dashboard.data.models import Line

FLEET_COLOUR: Final = PALETTE[0]
FORECAST_COLOUR: Final = PALETTE[5]
BAND: Final = f"{NOMINAL:.0%} range"
ROOM: Final = 1.25
"""How far above its limit and its past a forecast is drawn."""
LEAST_AHEAD_DAYS: Final = 14
USUAL_AHEAD_DAYS: Final = 30
BEYOND: Final = 1.4
"""How much longer than until the limit is met a forecast is drawn."""
MARGIN: Final = {"l": 52, "r": 12, "t": 30, "b": 44}
"""Room for dates below the times."""
FORECAST_FRAME: Final[Mapping[str, Any]] = {**timechart.frame(""), "margin": MARGIN}


def frame(spec: Spec) -> Mapping[str, Any]:
    """The layout of a panel's chart."""
    return {**timechart.frame(spec.axis, stacked=spec.stacked, many=spec.fleet or spec.stacked), "margin": MARGIN}


def traces(panel: Panel, catalogue: Catalogue, wanted: TimeRange) -> list[Trace]:
    """A panel's traces; none where there is nothing to draw."""
    spec = panel.spec
    if panel.state != "ok" or not (panel.lines or panel.bands):
        return []
    previous = timechart.moved(panel.previous, wanted.seconds)
    drawn: list[Trace] = []
    if panel.bands:
        drawn += bands(panel.bands, previous, spec.unit)
        tones = {line.name: PALETTE[1:][i % (len(PALETTE) - 1)] for i, line in enumerate(panel.lines)}
        drawn += timechart.line_traces(panel.lines, spec.unit, colours=tones)
    else:
        drawn += timechart.line_traces(panel.lines, spec.unit, previous=previous, stacked=spec.stacked)
    if spec.judged:
        drawn += _thresholds(panel, catalogue[spec.judged], (wanted.start, wanted.end))
    return drawn + timechart.anomaly_trace(panel.unusual, spec.unit)


def bands(lines: Sequence[Line], previous: Sequence[Line], unit: str) -> list[Trace]:
    """A fleet: the 5th to 95th percentile, the middle half, and the median with the one of the period before."""
    if len(lines) < 5:
        return []
    p5, p25, p50, p75, p95 = lines
    return [
        *timechart.band_traces(p5, p95, "5th to 95th percentile", FLEET_COLOUR),
        *timechart.band_traces(p25, p75, "middle half of the hosts", FLEET_COLOUR),
        *timechart.line_traces(
            [Line("median", p50.x0, p50.dx, p50.values)],
            unit,
            colours={"median": FLEET_COLOUR},
            previous=[Line("median", line.x0, line.dx, line.values) for line in previous],
        ),
    ]


def _thresholds(panel: Panel, metric: Metric, ends: tuple[float, float]) -> list[Trace]:
    """The catalogue's lines; a budget's in the chart's own unit, however far away they are."""
    if not panel.spec.budget:
        return timechart.threshold_traces(metric, _top(panel), ends)
    scale = panel.spec.asked[0].scale
    known = (("warning", metric.warning, timechart.WARNING), ("budget", metric.limit, timechart.CRITICAL))
    return [
        trace
        for word, value, tone in known
        if value is not None
        for trace in timechart.threshold(f"{word} {amount(value * scale, panel.spec.unit)}", value * scale, ends, tone)
    ]


def _top(panel: Panel) -> float:
    """The highest value drawn, of a stack the highest sum."""
    if panel.spec.stacked:
        return max((sum(value or 0.0 for value in at) for at in zip(*_values(panel.lines), strict=False)), default=0.0)
    known = [value for values in _values([*panel.lines, *panel.bands]) for value in values if value is not None]
    return max(known, default=0.0)


def _values(lines: Sequence[Line]) -> list[tuple[float | None, ...]]:
    return [line.values for line in lines]


def forecast(row: LimitRow | None, now: float) -> list[Trace]:
    """The chosen row's past, what is expected with its band, the limit, and where the present is."""
    if row is None or row.forecast is None:
        return []
    found = row.forecast
    scale, unit = (1 / GB, "GB") if row.metric.unit == "bytes" else (1.0, row.metric.unit)
    limit = row.limit.value * scale
    history = _history(found, scale)
    ceiling = 100.0 if unit == "%" else ROOM * max(limit, *(value or 0.0 for value in history.values))
    number = min(len(found.middle), math.ceil(ahead_days(row) * DAY / found.step))

    def line(name: str, values: Sequence[float]) -> Line:
        drawn = tuple(rounded(min(value * scale, ceiling)) for value in values[:number])
        return Line(name, found.start, found.step, drawn)

    expected = timechart.line_traces([line("expected", found.middle)], unit, colours={"expected": FORECAST_COLOUR})
    ends = history.x0, found.start + number * found.step
    measured = timechart.line_traces([history], unit, colours={history.name: FLEET_COLOUR})
    return [
        *timechart.band_traces(line("low", found.low), line("high", found.high), BAND, FORECAST_COLOUR),
        *({**trace, "showlegend": True} for trace in measured),
        *({**trace, "line": {**trace["line"], "dash": "dash"}, "showlegend": True} for trace in expected),
        *timechart.threshold(f"{row.limit.kind} {amount(limit, unit)}", limit, ends, timechart.CRITICAL),
        timechart.now_marker(now),
    ]


def ahead_days(row: LimitRow) -> float:
    """How far ahead the row's forecast is drawn: until well after its limit is met, else a month."""
    met = row.days if row.reach is None or row.reach.latest is None else row.reach.latest
    return USUAL_AHEAD_DAYS if met is None else max(BEYOND * met, LEAST_AHEAD_DAYS)


def _history(found: Forecast, scale: float) -> Line:
    """The measured past, with its gaps."""
    x0 = found.history[0][0]
    values: list[float | None] = [None] * (round((found.history[-1][0] - x0) / found.step) + 1)
    for t, value in found.history:
        values[round((t - x0) / found.step)] = rounded(value * scale)
    return Line("each day's peak" if found.step == DAY else "each hour", x0, found.step, tuple(values))
