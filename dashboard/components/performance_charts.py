"""Traces of the Performance page's charts, and the frames they are drawn in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from backend.contract.ranges import TimeRange
from dashboard.components.timechart import (
    PALETTE,
    Trace,
    anomaly_trace,
    frame,
    highest,
    line_traces,
    threshold_traces,
)
from dashboard.data.performance_data import Panel


class Chart(NamedTuple):
    """``unit`` is what hovering says; ``axis`` the words at the axis. ``always``: its limits are drawn however far away
    the data is, because the chart is about the distance."""

    title: str
    unit: str
    axis: str
    always: bool = False


CHARTS: Final[Mapping[str, Chart]] = {
    "latency": Chart("Latency", "ms", "ms", always=True),
    "throughput": Chart("Throughput", "records/s", "records/s"),
    "regions": Chart("Latency p99 by region", "ms", "ms"),
    "enrichment": Chart("Enrichment latency", "ms", "ms"),
    "cache": Chart("Cache hit rate", "%", "%"),
    "checkpoints": Chart("Checkpoint duration", "ms", "ms", always=True),
    "cpu": Chart("CPU", "%", "%"),
    "memory": Chart("Memory", "%", "%"),
    "gc": Chart("GC pauses", "ms", "ms in each second"),
    "lag": Chart("Consumer lag", "records", "records"),
    "watermark": Chart("Watermark lag", "ms", "ms"),
}
"""Charts of the whole pipeline, in the order of the page."""
DRILL_CHARTS: Final[Mapping[str, Chart]] = {
    "op-latency": Chart("Latency", "ms", "ms"),
    "op-busy": Chart("Busy and backpressured", "%", "% of its time"),
    "op-errors": Chart("Records in error", "records/s", "records/s"),
}
"""Charts of one operator."""
COLOURS: Final = {"p50": PALETTE[2], "p95": PALETTE[1], "p99": PALETTE[0], "backpressured": PALETTE[3]}


def framed(chart: Chart) -> Mapping[str, Any]:
    """The layout of a chart."""
    return frame(chart.axis)


def traces(panel: Panel, over: TimeRange) -> list[Trace]:
    """A panel's traces; none where there is nothing to draw."""
    if panel.state != "shown":
        return []
    chart = CHARTS.get(panel.key) or DRILL_CHARTS[panel.key]
    top = max(highest(panel.lines), highest(panel.previous))
    drawn = line_traces(panel.lines, chart.unit, colours=COLOURS, previous=panel.previous)
    if panel.key in CHARTS:
        drawn += threshold_traces(panel.metric, top, (over.start, over.end), always=chart.always)
    return drawn + anomaly_trace(panel.unusual, chart.unit)
