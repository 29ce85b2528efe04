"""Traces of the Jobs page's charts. Plotly takes no CSS variables: these colours hold in both themes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.contract.jobs import JobStatus
from backend.contract.verdict import duration
from dashboard.components.errors_charts import LAYOUT, MOMENT, Trace, threshold
from dashboard.components.text import count, plain
from dashboard.data.jobs_lines import Bar, Timeline, Trend, tidy

STATUS_WORDS: Final[Mapping[JobStatus, str]] = {"STARTED": "Running", "SUCCESS": "Succeeded", "FAILED": "Failed"}
COLOURS: Final[Mapping[JobStatus, str]] = {"SUCCESS": "#3f9e6e", "FAILED": "#d64545", "STARTED": "#4f86e8"}
PATTERNS: Final[Mapping[JobStatus, str]] = {"SUCCESS": "", "FAILED": "x", "STARTED": "/"}
"""A second sign beside the colour."""
SYMBOLS: Final[Mapping[JobStatus, str]] = {"SUCCESS": "circle", "FAILED": "x", "STARTED": "triangle-right"}
P50: Final = "#2f8fd1"
P95: Final = "#8f6ad6"
LIMIT: Final = "#e5484d"
LEAST_SHARE: Final = 0.003
"""Of the range that a bar takes at least: a run of seconds would not be seen in a week."""
LABEL: Final = 22
"""Characters of a row's label at most: the margin grows with the longest one, and the hover has the whole name."""
LABEL_END: Final = 8
TIMELINE: Final[Mapping[str, Any]] = {
    "barmode": "overlay",
    "bargap": 0.28,
    "showlegend": False,
    "margin": {"l": 8, "r": 8, "t": 8, "b": 44},
    "xaxis": {**LAYOUT["xaxis"], "showgrid": True},
    "yaxis": {
        "type": "category", "autorange": "reversed", "automargin": True, "showgrid": False, "zeroline": False,
        "fixedrange": True, "ticklabelstandoff": 6, "dtick": 1, "tickfont": {"size": 13},
    },
    "hovermode": "closest",
    "dragmode": "zoom",
    "uniformtext": {"mode": "hide", "minsize": 10},
}  # fmt: skip
TREND: Final[Mapping[str, Any]] = {
    **LAYOUT,
    "margin": {"l": 46, "r": 8, "t": 18, "b": 44},
}
"""The unit changes with the runs and stands above the chart: the frame is made once."""


def timeline_traces(timeline: Timeline) -> list[Trace]:
    """A bar for each run, or for each stretch of runs of one status; one trace for each status.

    Before them one that has every job's label in the order of the rows: Plotly orders rows as it meets them.
    """
    labels = row_labels(timeline.jobs)
    found = [
        _bars(timeline, status, [bar for bar in timeline.bars if bar.status == status], labels)
        for status in ("SUCCESS", "STARTED", "FAILED")
        if any(bar.status == status for bar in timeline.bars)
    ]  # fmt: skip
    return [_rows(timeline, labels), *found] if found else []


def row_labels(jobs: Sequence[str]) -> dict[str, str]:
    """Each job's label beside its row: its name, or of a long one the beginning and the end. No two are the same."""
    found = {job: job for job in jobs if len(job) <= LABEL}
    taken = set(found)
    for job in sorted(job for job in jobs if len(job) > LABEL):
        label, number = f"{job[: LABEL - LABEL_END - 1]}…{job[-LABEL_END:]}", 2
        while label in taken:
            end = f" ({number})"
            label, number = f"{job[: LABEL - len(end) - 1]}…{end}", number + 1
        taken.add(label)
        found[job] = label
    return found


def _rows(timeline: Timeline, labels: Mapping[str, str]) -> Trace:
    """Nothing to be seen: it says which rows there are, in their order."""
    at = _ms(timeline.end)
    return {
        "type": "bar", "orientation": "h", "name": "", "hoverinfo": "skip",
        "y": [plain(labels[job]) for job in timeline.jobs],
        "base": [at] * len(timeline.jobs), "x": [0] * len(timeline.jobs),
    }  # fmt: skip


def _bars(timeline: Timeline, status: JobStatus, bars: list[Bar], labels: Mapping[str, str]) -> Trace:
    least = (timeline.end - timeline.start) * LEAST_SHARE
    single = not timeline.slot
    trace: dict[str, Any] = {
        "type": "bar", "orientation": "h", "name": STATUS_WORDS[status],
        "y": [plain(labels[bar.job]) for bar in bars],
        # A short run at the end is drawn to the end, not beyond.
        "base": [_ms(min(bar.start, max(bar.end, timeline.end) - least)) for bar in bars],
        "x": [_ms(max(bar.end - bar.start, least)) for bar in bars],
        "text": [bar.batch for bar in bars], "textposition": "inside", "insidetextanchor": "middle",
        "hovertext": [_hover(bar) for bar in bars], "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {
            "color": COLOURS[status],
            "pattern": {
                "shape": PATTERNS[status], "size": 6, "solidity": 0.3, "fillmode": "overlay",
                "fgcolor": "rgba(255,255,255,0.8)",
            },
        },
    }  # fmt: skip
    # What a click chooses: the run, or where runs are joined their job.
    trace["customdata"] = [bar.run if single else bar.job for bar in bars]
    return trace


def _hover(bar: Bar) -> str:
    what = f", batch {plain(bar.batch)}" if bar.batch else "" if bar.run else f", {count(bar.runs, 'run')} began"
    return f"{plain(bar.job)}{what}<br>{STATUS_WORDS[bar.status]}, {duration(bar.end - bar.start)}"


def trend_traces(trend: Trend, ends: tuple[float, float]) -> list[Trace]:
    """Runs as points by status, p50 and p95 of the successful ones and the limit, in the trend's unit."""
    traces: list[Trace] = []
    size, word = trend.unit
    for status in ("SUCCESS", "STARTED", "FAILED"):
        points = [(at, seconds) for at, seconds, own in trend.points if own == status]
        if not points:
            continue
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": STATUS_WORDS[status],
                "x": [_ms(at) for at, _ in points], "y": [tidy(seconds / size) for _, seconds in points],
                "marker": {"color": COLOURS[status], "symbol": SYMBOLS[status], "size": 6, "opacity": 0.75},
                "hovertemplate": f"%{{y:,}} {word}, {STATUS_WORDS[status].lower()}<br>%{{x|{MOMENT}}}<extra></extra>",
            }
        )  # fmt: skip
    for name, colour in (("p50", P50), ("p95", P95)):
        if len(trend.percentiles) > 1:
            traces.append(
                {
                    "type": "scatter", "mode": "lines", "name": name,
                    "x": [_ms(entry.at) for entry in trend.percentiles],
                    "y": [tidy(getattr(entry, name) / size) for entry in trend.percentiles],
                    "line": {"color": colour, "width": 2, "shape": "hvh"},
                    "hovertemplate": f"{name} %{{y:,}} {word}<extra></extra>",
                }
            )  # fmt: skip
    if trend.limit is not None and trend.limit_near:
        traces.append(threshold(f"limit {duration(trend.limit)}", trend.limit / size, ends, LIMIT))
    return traces


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
