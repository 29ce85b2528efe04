"""Marks on a time chart as traces: data alone, so that a user's zoom survives a refresh.

They have a vertical axis of their own from 0 to 1 (``MARKS_AXIS``), so they span the chart whatever it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.contract.alerts import Annotation
from backend.contract.verdict import duration
from dashboard.data.alerts_marks import ALERT, Marks, lasting

Trace = Mapping[str, Any]
AXIS: Final = "y9"
MARKS_AXIS: Final[Mapping[str, Any]] = {
    "yaxis9": {"overlaying": "y", "range": [0, 1], "fixedrange": True, "visible": False}
}
"""What a chart's layout needs for them; nothing is drawn of it while there are none."""
COLOURS: Final = {
    "CRITICAL": "#d0342c",
    "HIGH": "#d9650f",
    "MEDIUM": "#b98500",
    "LOW": "#5f7fb8",
    "": "#7b5cc4",
}
"""By severity; "" is what people posted. Plotly takes no CSS variables: these hold in both themes."""
LANE: Final = 0.014
"""The time that alerts lasted is drawn along the top, where plotly leaves room, a lane each severity."""
MOST_CHARACTERS: Final = 120
TEXT_COLOUR: Final = "#8894a3"


def with_marks(traces: Sequence[Trace], marks: Marks) -> list[Trace]:
    """A chart's traces with the marks behind its data; an empty chart stays empty, as it says so itself."""
    return [*mark_traces(marks), *traces] if traces else list(traces)


def mark_traces(marks: Marks) -> list[Trace]:
    """One trace of lines for each severity that occurs, one of those that lasted, and what is left out."""
    traces: list[Trace] = []
    for severity, colour in COLOURS.items():
        of_this = [mark for mark in marks.shown if _severity(mark) == severity]
        spans = [(mark.at, end) for mark in of_this if (end := lasting(mark, marks.end)) is not None]
        if spans:
            traces.append(_lasted(spans, colour, marks, list(COLOURS).index(severity)))
        begun = [mark for mark in of_this if mark.at >= marks.start]
        if begun:
            traces.append(_lines(begun, colour, severity))
    words = left_out(marks)
    return [*traces, _words(words, marks)] if words else traces


def left_out(marks: Marks) -> str:
    """What a reader must know of the marks that are not drawn; "" where all are."""
    if marks.unreadable:
        return "marks of alerts can't be read now"
    if marks.number > len(marks.shown):
        return f"{len(marks.shown)} of {marks.number:,} marks shown"
    return ""


def _severity(mark: Annotation) -> str:
    return mark.severity if mark.severity in COLOURS else ""


def _lines(marks: Sequence[Annotation], colour: str, severity: str) -> Trace:
    """A dashed line for each with a shape on top, which says on hover what it is."""
    x: list[int | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for mark in marks:
        x += [_ms(mark.at)] * 2 + [None]
        y += [1.0, 0.0, None]
        texts += [_hover(mark)] * 2 + [""]
    shape = "triangle-down" if severity else "diamond"
    return {
        "type": "scatter", "mode": "lines+markers", "name": severity.capitalize() or "Mark", "yaxis": AXIS,
        "x": x, "y": y, "text": texts, "hovertemplate": "%{text}<extra></extra>", "showlegend": False,
        "line": {"color": colour, "width": 1.25, "dash": "dash"}, "connectgaps": False,
        "marker": {"color": colour, "symbol": shape, "size": [9, 0, 0] * len(marks), "opacity": 1},
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


def _words(words: str, span: Marks) -> Trace:
    return {
        "type": "scatter", "mode": "text", "x": [_ms(span.start)], "y": [1.0], "yaxis": AXIS, "text": [words],
        "textposition": "bottom right", "textfont": {"size": 11, "color": TEXT_COLOUR}, "hoverinfo": "skip",
        "showlegend": False,
    }  # fmt: skip


def _hover(mark: Annotation) -> str:
    """Title, kind and how long it lasted. Plotly reads a few tags in texts: angle brackets are written as entities."""
    title = mark.title if len(mark.title) <= MOST_CHARACTERS else f"{mark.title[:MOST_CHARACTERS]}…"
    kind = f"{mark.severity.capitalize()} alert" if mark.severity else mark.kind
    lasted = "" if mark.until is None else f", {duration(max(mark.until - mark.at, 0.0))}"
    if mark.kind == ALERT and mark.until is None:
        lasted = ", open"
    return f"{_plain(title)}<br>{_plain(kind)}{lasted}"


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
