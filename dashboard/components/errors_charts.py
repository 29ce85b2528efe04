"""Traces of the Errors page's charts. Plotly takes no CSS variables: these colours hold in both themes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from dashboard.components.timechart import line_traces
from dashboard.data.errors import UNKNOWN, Bars, Count
from dashboard.data.errors_metrics import Rates
from dashboard.data.models import Line

Trace = Mapping[str, Any]
COLOURS: Final = {
    "parse_error": "#d64545",
    "validation_error": "#e0912f",
    "timeout": "#7b68d9",
    "enrichment_error": "#2f8fd1",
    "duplicate": "#3f9e82",
    "poison": "#b0418f",
    UNKNOWN: "#8894a3",
}
"""A type has the same colour on every chart and in every list."""
OTHERS: Final = ("#8c7851", "#5b8c3a", "#4a6fa5", "#a05a2c")
"""For types that plug-ins add."""
WARNING: Final = "#c97a00"
CRITICAL: Final = "#e5484d"
UNREAD: Final = "#8894a3"
BEFORE: Final = "#15919f"
"""Of the period before; no type has it."""
CLEAR: Final = "rgba(0,0,0,0)"
FADED: Final = 0.22
NEAR: Final = 2.0
"""A threshold is drawn where the data reaches half of it: farther away it would flatten what there is."""
MOMENT: Final = "%-d %b, %H:%M UTC"
LAYOUT: Final[Mapping[str, Any]] = {
    "barmode": "stack",
    "bargap": 0.12,
    "showlegend": False,
    "margin": {"l": 54, "r": 8, "t": 18, "b": 38},
    "xaxis": {
        "type": "date",
        "hoverformat": "%-d %b, %H:%M UTC",
        "showgrid": False,
        "ticks": "outside",
        "ticklen": 5,
        "tickcolor": CLEAR,
    },
    "yaxis": {"rangemode": "tozero", "nticks": 5, "zeroline": False},
    "dragmode": "zoom",
    "hovermode": "closest",
}
"""Of both time charts."""


def titled(words: str) -> Mapping[str, Any]:
    """The frame of a time chart whose vertical axis says what it counts."""
    title = {"text": words, "standoff": 8, "font": {"size": 12}}
    return {**LAYOUT, "yaxis": {**LAYOUT["yaxis"], "title": title}}


DONUT: Final[Mapping[str, Any]] = {
    "showlegend": False, "margin": {"l": 4, "r": 4, "t": 4, "b": 4}, "hovermode": "closest",
}  # fmt: skip


def colour(name: str) -> str:
    """The colour of an error type."""
    return COLOURS.get(name) or OTHERS[sum(name.encode()) % len(OTHERS)]


def failed_bars(bars: Bars, chosen: str | None) -> list[Trace]:
    """Failed events by type over time; what was not read is hatched, never empty."""
    traces: list[Trace] = [_bar(name, values, bars.x0, bars.step, chosen, "%{y:,}") for name, values in bars.lines]
    unread = next((values.index(entry) for _, values in bars.lines for entry in values if entry is not None), 0)
    if unread:
        traces.append(
            {
                "type": "bar", "name": "not read", "x0": _ms(bars.x0), "dx": _ms(bars.step),
                "xperiod": _ms(bars.step), "xperiodalignment": "middle", "y": [max(bars.tallest, 1)] * unread,
                "marker": {
                    "color": CLEAR,
                    "pattern": {"shape": "/", "fgcolor": UNREAD, "size": 6, "solidity": 0.12},
                },
                "hovertemplate": "older events were not read<extra></extra>",
            }
        )  # fmt: skip
    return traces


def rate_bars(rates: Rates, chosen: str | None) -> list[Trace]:
    """Dead letters a minute by type, with the catalogue's thresholds."""
    traces: list[Trace] = [
        _bar(name, values, rates.x0, rates.step, chosen, "%{y:,.3~r} a minute,") for name, values in rates.lines
    ]
    heights = [sum(value or 0.0 for value in column) for column in zip(*(v for _, v in rates.lines), strict=True)]
    tallest = max(heights, default=0.0)
    ends = (rates.x0, rates.x0 + rates.step * max(len(heights), 1))
    for word, limit, tone in (("warning", rates.warning, WARNING), ("critical", rates.critical, CRITICAL)):
        if limit is not None and tallest * NEAR >= limit:
            traces.append(threshold(f"{word} {limit:,g} a minute", limit, ends, tone))
    return traces


def before_line(line: Line | None, unit: str) -> list[Trace]:
    """The period before, all types together: a dotted line over the bars, in a colour that no type has."""
    if line is None:
        return []
    (trace,) = line_traces([], unit, colours={line.name: BEFORE}, previous=[line])
    return [{**trace, "opacity": 1, "line": {**trace["line"], "width": 3}}]


def threshold(label: str, limit: float, ends: tuple[float, float], tone: str) -> Trace:
    """A dashed line across the chart that says what it is."""
    return {
        "type": "scatter", "mode": "lines+text", "name": label, "x": [_ms(end) for end in ends], "y": [limit, limit],
        "text": [label, ""], "textposition": "top right", "cliponaxis": False, "hoverinfo": "skip",
        "line": {"color": tone, "width": 1.5, "dash": "dash"},
    }  # fmt: skip


def donut(counts: Sequence[Count], chosen: str | None) -> list[Trace]:
    """Failed events by type; the chosen slice stands out from its faded siblings."""
    return [
        {
            "type": "pie", "labels": [count.name for count in counts], "values": [count.number for count in counts],
            "hole": 0.66, "sort": False, "direction": "clockwise", "textinfo": "none",
            "marker": {"colors": [tint(count.name, chosen) for count in counts]},
            "hovertemplate": "%{label}: %{value:,} (%{percent})<extra></extra>",
        }
    ]  # fmt: skip


def tint(name: str, chosen: str | None) -> str:
    """The type's colour, faded where another type is chosen."""
    tone = colour(name)
    if chosen in (None, name):
        return tone
    red, green, blue = (int(tone[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{FADED})"


def _bar(name: str, values: Iterable[float | None], x0: float, step: float, chosen: str | None, amount: str) -> Trace:
    """``meta`` is what a click on the bar chooses."""
    return {
        "type": "bar", "name": name, "meta": name, "x0": _ms(x0), "dx": _ms(step), "y": list(values),
        "xperiod": _ms(step), "xperiodalignment": "middle", "marker": {"color": tint(name, chosen)},
        "hovertemplate": f"{amount} %{{fullData.name}}<br>%{{x|{MOMENT}}}<extra></extra>",
    }  # fmt: skip


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
