"""Marks on a time chart as traces: data alone, so that a user's zoom survives a refresh.

They have a vertical axis of their own from 0 to 1 (``MARKS_AXIS``), so they span the chart whatever it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.contract.alerts import Annotation
from backend.contract.verdict import duration
from dashboard.components.text import count, plain
from dashboard.data.alerts_marks import ALERT, Marks, lasting

Trace = Mapping[str, Any]
AXIS: Final = "y9"
MARKS_AXIS: Final[Mapping[str, Any]] = {"yaxis9": {"range": [0, 1], "fixedrange": True, "visible": False}}
"""What a chart's layout needs for them; nothing is drawn of it while there are none."""
COLOURS: Final = {
    "CRITICAL": "#e5484d",
    "HIGH": "#d9650f",
    "MEDIUM": "#b98500",
    "LOW": "#5f7fb8",
    "": "#7b5cc4",
}
"""By severity; "" is what people posted. Plotly takes no CSS variables: these hold in both themes."""
LANE: Final = 0.014
"""The time that alerts lasted is drawn along the top, where plotly leaves room, a lane each severity."""
FAINT: Final = 0.4
"""Opacity of the lines: a chart is about its data."""
NEAR: Final = 1 / 150
"""Of the range: alerts that begin closer together would be one mark to the eye, so they are one."""
STEPS: Final = 120
"""Of the range: as exactly its ends are shown."""
MOST_LINES: Final = 10
"""Of more marks than these only the shapes at the top are drawn."""
MOST_TITLES: Final = 3
MOST_CHARACTERS: Final = 120


def over_marks(axis: Mapping[str, Any]) -> dict[str, Any]:
    """A chart's vertical axis, whose traces are drawn over the marks and whose ticks stay its own."""
    ticks = "linear" if "dtick" in axis else "array" if "tickvals" in axis else "auto"
    return {"overlaying": AXIS, "tickmode": ticks, **axis}


def with_marks(traces: Sequence[Trace], marks: Marks) -> list[Trace]:
    """A chart's traces with the range and the marks behind its data; an empty chart stays empty, as it says so
    itself."""
    return [_range(marks), *mark_traces(marks), *traces] if traces else list(traces)


def mark_traces(marks: Marks) -> list[Trace]:
    """One trace of marks for each severity that occurs, and one of those that lasted."""
    traces: list[Trace] = []
    begun = _near(marks)
    for severity, colour in COLOURS.items():
        of_this = [mark for mark in marks.shown if _severity(mark) == severity]
        spans = [(mark.at, end) for mark in of_this if (end := lasting(mark, marks.end)) is not None]
        if spans:
            traces.append(_lasted(spans, colour, marks, list(COLOURS).index(severity)))
        groups = [group for group in begun if _severity(group[0]) == severity]
        if groups:
            traces.append(_begun(groups, colour, severity, lines=len(begun) <= MOST_LINES))
    return traces


def _range(marks: Marks) -> Trace:
    """Nothing to be seen: the chart shows the whole range, not only where there is data. Its ends are rounded, so that
    a chart does not change with each second."""
    step = (marks.end - marks.start) / STEPS
    start, end = marks.start // step * step, -(-marks.end // step) * step
    return {
        "type": "scatter", "mode": "lines", "x": [_ms(start), _ms(end)], "y": [0, 0], "yaxis": AXIS, "opacity": 0,
        "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip


def left_out(marks: Marks) -> str:
    """What a reader must know of the marks that are not drawn; "" where all are."""
    if marks.unreadable:
        return "marks of alerts can't be read now"
    if marks.cut or marks.number > len(marks.shown):
        return f"{len(marks.shown)} of {'at least ' if marks.cut else ''}{marks.number:,} marks shown"
    return ""


def noted(props: Mapping[str, Mapping[str, Any]], charts: Sequence[str], words: str) -> dict[str, Mapping[str, Any]]:
    """A view's props with ``words`` below its charts: ``plot-x`` holds ``chart-x``, the stylesheet shows its note."""
    plots = [plot for name in charts if (plot := name.replace("chart-", "plot-", 1)) in props]
    return {**props, **{plot: {**props[plot], "data-note": words} for plot in plots}}


def _near(marks: Marks) -> list[list[Annotation]]:
    """Marks that begin in the range, those that are near each other together: alerts, and what people posted apart.

    The first of a group is its worst.
    """
    reach = (marks.end - marks.start) * NEAR
    groups: list[list[Annotation]] = []
    for posted in (False, True):
        begun: list[list[Annotation]] = []
        for mark in sorted(marks.shown, key=lambda mark: mark.at):
            if mark.at < marks.start or (not _severity(mark)) != posted:
                continue
            if begun and mark.at - begun[-1][0].at <= reach:
                begun[-1].append(mark)
            else:
                begun.append([mark])
        groups += begun
    order = list(COLOURS)
    return [sorted(group, key=lambda mark: order.index(_severity(mark))) for group in groups]


def _severity(mark: Annotation) -> str:
    return mark.severity if mark.severity in COLOURS else ""


def _begun(groups: Sequence[Sequence[Annotation]], colour: str, severity: str, *, lines: bool) -> Trace:
    """A shape on top for each, which says on hover what it is; a faint line below it where they are few."""
    x: list[int | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for group in groups:
        at = _ms(min(mark.at for mark in group))
        x += [at, at, None] if lines else [at]
        y += [1.0, 0.0, None] if lines else [1.0]
        texts += [_hover(group)] * 2 + [""] if lines else [_hover(group)]
    shape = "triangle-down" if severity else "diamond"
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return {
        "type": "scatter", "mode": "lines+markers" if lines else "markers",
        "name": severity.capitalize() or "Mark", "yaxis": AXIS,
        "x": x, "y": y, "text": texts, "hovertemplate": "%{text}<extra></extra>", "showlegend": False,
        "line": {"color": f"rgba({red},{green},{blue},{FAINT})", "width": 1}, "connectgaps": False,
        "marker": {
            "color": colour, "symbol": shape, "size": ([9, 0, 0] if lines else [9]) * len(groups), "opacity": 1,
        },
        "cliponaxis": False,
    }  # fmt: skip


def _lasted(spans: Sequence[tuple[float, float]], colour: str, marks: Marks, lane: int) -> Trace:
    x: list[int | None] = []
    for start, end in spans:
        x += [_ms(max(start, marks.start)), _ms(min(end, marks.end)), None]
    height = 1 - LANE * (lane + 0.5)
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": [height, height, None] * len(spans), "yaxis": AXIS,
        "line": {"color": colour, "width": 2}, "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip


def _hover(group: Sequence[Annotation]) -> str:
    """One mark, or how many there are and the worst of them. Plotly reads a few tags in texts: angle brackets are
    written as entities."""
    if len(group) == 1:
        return f"{_title(group[0])}<br>{_about(group[0])}"
    rest = len(group) - MOST_TITLES
    lines = [count(len(group), "alert" if _severity(group[0]) else "mark"), *map(_title, group[:MOST_TITLES])]
    return "<br>".join([*lines, f"and {rest:,} more"] if rest > 0 else lines)


def _title(mark: Annotation) -> str:
    return plain(mark.title if len(mark.title) <= MOST_CHARACTERS else f"{mark.title[:MOST_CHARACTERS]}…")


def _about(mark: Annotation) -> str:
    """Its kind and how long it lasted."""
    kind = f"{mark.severity.capitalize()} alert" if mark.severity else mark.kind
    lasted = "" if mark.until is None else f", {duration(max(mark.until - mark.at, 0.0))}"
    if mark.kind == ALERT and mark.until is None:
        lasted = ", open"
    return f"{plain(kind)}{lasted}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
