"""Traces of time charts, shared by the pages that have many: lines, bands, thresholds, marks of what was unusual.

All pure: values in, plain traces out. Times come in as epoch seconds and leave as the milliseconds that plotly takes; a
line is a start and a spacing, never a list of times. Plotly takes no CSS variables: the colours hold in both themes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from backend.contract.anomaly import Anomaly
from backend.contract.catalogue import Metric
from backend.contract.verdict import amount
from dashboard.components.marks import AXIS
from dashboard.components.text import plain
from dashboard.data.models import Line

Trace = Mapping[str, Any]
PALETTE: Final = (
    "#2f8fd1", "#d27208", "#1c9a74", "#b8559b", "#9a8400", "#7d72d8", "#c75450", "#15919f", "#8f7355", "#7c8794",
)  # fmt: skip
"""Told apart with any colour vision, at least 3:1 against the panels of both themes; after ten they come again, and
names on hover tell lines apart."""
WARNING: Final = "#c97a00"
CRITICAL: Final = "#e5484d"
PROMISE: Final = "#7b68d9"
"""Of the limit that a service level promises."""
LIMIT: Final = "#6b7785"
UNUSUAL: Final = "#c2338f"
KINDS: Final = {"value": "unusual", "sustained": "unusual, with the hour before", "jump": "an unusual jump"}
"""What an anomaly is said to be."""
CLEAR: Final = "rgba(0,0,0,0)"
NEAR: Final = 2.0
"""A threshold is drawn where the data reaches half of it: farther away it would flatten what there is."""
FADED: Final = 0.25
BEFORE: Final = 0.5
BAND: Final = 0.18
STACK: Final = 0.55
POINT: Final = 5
ASIDE: Final = 0.012
"""Of the chart's width: clear of the axis and its numbers."""
LABELS: Final = "x9"
"""A horizontal axis from 0 to 1 for words inside a chart: on the axis of time they would widen the range shown."""
MOMENT: Final = "%-d %b, %H:%M UTC"


def frame(axis_title: str, *, stacked: bool = False, many: bool = False) -> Mapping[str, Any]:
    """The layout of a time chart for ``chart()``: its vertical axis says what it counts. ``many``: it may hold more
    lines than a hover box can list."""
    title = {"text": axis_title, "standoff": 8, "font": {"size": 12}}
    return {
        **({"showlegend": False} if many else {}),
        "legend": {
            "orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom",
            "traceorder": "reversed" if stacked else "normal",
        },
        "margin": {"l": 64, "r": 12, "t": 18, "b": 38},
        "xaxis": {
            "type": "date", "hoverformat": MOMENT, "showgrid": False, "ticks": "outside", "ticklen": 4,
            "tickcolor": CLEAR, "tickangle": 0,
        },
        "yaxis": {
            "title": title, "rangemode": "tozero", "nticks": 5, "zeroline": False, "exponentformat": "SI",
            "minexponent": 5, "separatethousands": True,
        },
        f"xaxis{LABELS[1:]}": {
            "overlaying": "x", "anchor": "y", "range": [0, 1], "fixedrange": True, "visible": False,
        },
        "hovermode": "closest" if many else "x unified",
        "hoverlabel": {"namelength": -1},
        "dragmode": "zoom",
    }  # fmt: skip


def line_traces(
    lines: Sequence[Line],
    unit: str,
    *,
    colours: Mapping[str, str] | None = None,
    faded: Sequence[str] = (),
    previous: Sequence[Line] = (),
    stacked: bool = False,
) -> list[Trace]:
    """A trace for each line, those of the period before first, as they lie behind.

    ``colours`` are by the lines' names, the palette's in their order where it names none; ``faded`` are the names that
    step back. ``previous`` are lines of the period before, already moved onto the range (``moved``): dotted, in the
    colour of the line of the same name. ``stacked``: one on the other; one that says nothing adds nothing.
    """
    tones = _tones([*lines, *previous], colours or {})
    traces = [_line(line, unit, tones[line.name], faded=line.name in faded, before=True) for line in previous]
    drawn = [_line(line, unit, tones[line.name], faded=line.name in faded, stacked=stacked) for line in lines]
    # A line alone is what the chart's title says.
    return traces + ([{**drawn[0], "showlegend": False}] if len(drawn) == 1 else drawn)


def moved(lines: Iterable[Line], seconds: float) -> list[Line]:
    """Lines ``seconds`` later: those of the period before, laid onto the range."""
    return [replace(line, x0=line.x0 + seconds) for line in lines]


def highest(lines: Iterable[Line]) -> float:
    """The highest value of all; 0 without one."""
    return max((value for line in lines for value in line.values if value is not None), default=0.0)


def threshold_traces(
    metric: Metric, tallest: float, ends: tuple[float, float], *, unit: str = "", always: bool = False
) -> list[Trace]:
    """The catalogue's warning, critical and promised values and its limit as dashed lines that say what they are.

    ``tallest`` is the highest value drawn, ``ends`` the range in epoch seconds. A line far above the data is left out,
    but for ``always``. Equal ones are one line with both names. ``unit`` where the chart's differs from the metric's.
    """
    known = (
        ("warning", metric.warning, WARNING),
        ("critical", metric.critical, CRITICAL),
        ("promised", metric.slo.limit if metric.slo else None, PROMISE),
        ("limit", metric.limit, LIMIT),
    )
    drawn: dict[float, tuple[str, str]] = {}
    for word, value, tone in known:
        near = value is not None and (tallest * NEAR >= value or metric.direction == "lower_is_worse")
        if value is not None and (near or always):
            words, first = drawn.get(value, ("", tone))
            drawn[value] = (f"{words} and {word}" if words else word, first)
    unit = unit or metric.unit
    return [
        trace
        for value, (word, tone) in sorted(drawn.items())
        for trace in threshold(f"{word} {amount(value, unit)}", value, ends, tone)
    ]


def threshold(label: str, value: float, ends: tuple[float, float], tone: str) -> list[Trace]:
    """A dashed line across the chart, and the words that say what it is."""
    return [
        {
            "type": "scatter", "mode": "lines", "name": plain(label), "x": [_ms(end) for end in ends],
            "y": [value, value], "hoverinfo": "skip", "showlegend": False,
            "line": {"color": tone, "width": 1.5, "dash": "dash"},
        },
        {
            "type": "scatter", "mode": "text", "name": plain(label), "xaxis": LABELS, "x": [ASIDE], "y": [value],
            "text": [plain(label)], "textposition": "top right", "cliponaxis": False, "textfont": {"size": 11},
            "hoverinfo": "skip", "showlegend": False,
        },
    ]  # fmt: skip


def band_traces(low: Line, high: Line, name: str, colour: str) -> list[Trace]:
    """The area between two lines of equal times; hovering says its upper end."""
    edge = {"width": 0, "color": colour}
    common = {"type": "scatter", "mode": "lines", "line": edge, "connectgaps": False}
    return [
        {**common, **_places(low), "name": f"{plain(name)}, low", "hoverinfo": "skip", "showlegend": False},
        {
            **common, **_places(high), "name": plain(name), "hoverinfo": "skip",
            "fill": "tonexty", "fillcolor": tint(colour, BAND),
        },
    ]  # fmt: skip


def anomaly_trace(found: Sequence[Anomaly], unit: str) -> list[Trace]:
    """Rings around what was unusual, which say what had been expected; no trace where nothing was."""
    if not found:
        return []
    texts = [
        f"{KINDS[point.kind]}: {amount(point.value, unit)}, "
        f"expected {amount(point.low, unit)} to {amount(point.high, unit)}"
        for point in found
    ]
    return [
        {
            "type": "scatter", "mode": "markers", "name": "unusual", "x": [_ms(point.at) for point in found],
            "y": [point.value for point in found], "text": [plain(text) for text in texts],
            "hovertemplate": "%{text}<extra></extra>", "cliponaxis": False,
            "marker": {"symbol": "circle-open", "size": 11, "color": UNUSUAL, "line": {"width": 2}},
        }
    ]  # fmt: skip


def now_marker(now: float) -> Trace:
    """An upright line where the present is: what lies right of it is a forecast."""
    return {
        "type": "scatter", "mode": "lines+text", "name": "now", "x": [_ms(now)] * 2, "y": [0, 1], "yaxis": AXIS,
        "text": ["", "now"], "textposition": "bottom right", "hoverinfo": "skip", "showlegend": False,
        "line": {"color": LIMIT, "width": 1.5, "dash": "dot"},
    }  # fmt: skip


def tint(colour: str, opacity: float) -> str:
    """A ``#rrggbb`` colour that lets through what is behind it."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def _line(
    line: Line, unit: str, tone: str, *, faded: bool = False, before: bool = False, stacked: bool = False
) -> Trace:
    stroke: dict[str, Any] = {"color": tone, "width": 1.5 if before else 2}
    trace: dict[str, Any] = {
        "type": "scatter", **_places(line), "mode": "lines", "connectgaps": False, "line": stroke,
        "name": plain(f"{line.name}, period before" if before else line.name),
        "hovertemplate": f"%{{y:,.4~g}}{_suffix(unit)}<extra>%{{fullData.name}}</extra>",
    }  # fmt: skip
    alone = _alone(line.values)
    if any(alone):
        sizes = [POINT if one else 0 for one in alone]
        trace |= {"mode": "lines+markers", "marker": {"color": tone, "opacity": 1, "size": sizes, "line": {"width": 0}}}
    if before:
        stroke["dash"] = "dot"
        trace |= {"opacity": FADED if faded else BEFORE, "showlegend": False}
    elif faded:
        trace["opacity"] = FADED
    if stacked and not before:
        stroke["width"] = 1
        trace |= {"stackgroup": "stack", "fillcolor": tint(tone, FADED if faded else STACK)}
    return trace


def _alone(values: Sequence[float | None]) -> list[bool]:
    """Which values have no neighbour: without a line to either side they must be drawn as points."""
    around = zip((None, *values), values, (*values[1:], None), strict=False)
    return [value is not None and before is None and after is None for before, value, after in around]


def _places(line: Line) -> dict[str, Any]:
    return {"x0": _ms(line.x0), "dx": _ms(line.dx), "y": list(line.values)}


def _suffix(unit: str) -> str:
    return unit if unit in ("", "%") else f" {plain(unit)}"


def _tones(lines: Sequence[Line], colours: Mapping[str, str]) -> dict[str, str]:
    names = list(dict.fromkeys(line.name for line in lines))
    return {name: colours.get(name, PALETTE[index % len(PALETTE)]) for index, name in enumerate(names)}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
