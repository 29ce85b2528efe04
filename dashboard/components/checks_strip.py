"""The reconciliation as a strip: an hour a column, a stage a row, drawn as bars of one chart.

A cell is healthy only where its hour is settled and was counted: what is still on its way and what nobody knows look
different, and never green.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.contract.checks import STAGES, HourCounts
from dashboard.data.checks import HOUR, Strip

Trace = Mapping[str, Any]
MATCH: Final = "match"
ROWS: Final = (MATCH, *STAGES)
"""From top to bottom."""
TITLES: Final = {
    MATCH: "Match, %",
    "ingested": "Ingested",
    "stored": "Stored in S3",
    "indexed": "Indexed",
    "processed": "Processed",
    "dead_lettered": "Dead-lettered",
}
LEGEND: Final = {
    "complete": "complete",
    "missing": "events are missing",
    "counted": "counted",
    "settling": "still settling",
    "unknown": "unknown",
}
"""Kinds of cells and their words."""
COLOURS: Final = {"complete": "#2f7d66", "missing": "#b42318", "counted": "#5a6675", "settling": "#4a6fa5"}
"""Dark enough for white figures, in both themes."""
UNKNOWN: Final = "#8894a3"
DIM: Final = "#3d5d8c"
"""Stripes under figures: near enough to their ground that the figures stay readable."""
CLEAR: Final = "rgba(0,0,0,0)"
HEIGHT: Final = 0.9
LAYOUT: Final[Mapping[str, Any]] = {
    "barmode": "overlay",
    "bargap": 0,
    "showlegend": False,
    "margin": {"l": 104, "r": 8, "t": 4, "b": 40},
    "hovermode": "closest",
    "dragmode": False,
    "uniformtext": {"minsize": 9, "mode": "hide"},
    "xaxis": {"type": "date", "showgrid": False, "fixedrange": True},
    "yaxis": {
        "range": [0, len(ROWS)],
        "tickvals": [len(ROWS) - index - 0.5 for index in range(len(ROWS))],
        "ticktext": [TITLES[row] for row in ROWS],
        "fixedrange": True,
        "zeroline": False,
        "showgrid": False,
    },
}


def strip_traces(strip: Strip | None, limit: float) -> list[Trace]:
    """One trace for each kind of cell that occurs. ``limit`` is the match, in percent, that counts as complete."""
    if strip is None:
        return []
    cells: dict[str, list[tuple[float, int, str, str]]] = {kind: [] for kind in LEGEND}
    for column, hour in enumerate(strip.hours):
        at = strip.first + column * HOUR
        for index, row in enumerate(ROWS):
            kind = cell_kind(hour, row, limit)
            text = "" if hour is None or kind == "unknown" else _figure(hour, row)
            cells[kind].append((at, len(ROWS) - 1 - index, text, _hover(hour, row, kind)))
    return [_trace(kind, found) for kind, found in cells.items() if found]


def cell_kind(hour: HourCounts | None, row: str, limit: float) -> str:
    """What a cell says: ``complete``, ``missing``, ``counted`` (nothing to hold it against), ``settling``, ``unknown``.

    ``processed`` is complete together with what was dead-lettered.
    """
    if hour is None:
        return "unknown"
    known = hour.match_percent if row == MATCH else hour.counts.get(row)
    if known is None:
        return "unknown"
    if not hour.settled:
        return "settling"
    if row == MATCH:
        return "complete" if known >= limit else "missing"
    base = hour.counts.get("ingested")
    if row in ("ingested", "dead_lettered") or base is None:
        return "counted"
    if row == "processed":
        dead = hour.counts.get("dead_lettered")
        if dead is None:
            return "counted"
        known += dead
    return "complete" if base == 0 or 100 * known / base >= limit else "missing"


def _figure(hour: HourCounts, row: str) -> str:
    if row == MATCH:
        return "" if hour.match_percent is None else _percent(hour.match_percent).rstrip("%")
    number = hour.counts.get(row)
    return "" if number is None else _short(number)


def _short(number: int) -> str:
    """``950``, ``1.2k``, ``34k``, ``1.2M``: what fits into a cell; the hover has all digits."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.1f}{letter}" if scaled < 10 else f"{scaled:.0f}{letter}"
    return str(number)


def _percent(value: float) -> str:
    """Never rounded up to 100."""
    return "100%" if value >= 100 else f"{min(value, 99.99):.4g}%"


def _hover(hour: HourCounts | None, row: str, kind: str) -> str:
    title = TITLES[row].removesuffix(", %")
    if hour is None or kind == "unknown":
        return f"{title}: unknown"
    if row == MATCH:
        said = "" if hour.match_percent is None else _percent(hour.match_percent)
        outside = "" if hour.external is None else f", outside count {hour.external:,}"
        said += outside
    else:
        said = f"{hour.counts[row]:,} events"
    return f"{title}: {said}<br>{LEGEND[kind]}"


def _trace(kind: str, cells: list[tuple[float, int, str, str]]) -> Trace:
    """Bars of one kind; ``x`` is the middle of the hour in epoch ms."""
    marker: dict[str, Any] = {"color": COLOURS.get(kind, CLEAR), "line": {"width": 0}}
    if kind == "unknown":
        marker["pattern"] = {"shape": "/", "fgcolor": UNKNOWN, "bgcolor": CLEAR, "size": 6, "solidity": 0.2}
    elif kind == "settling":
        marker["pattern"] = {"shape": "-", "fgcolor": DIM, "bgcolor": COLOURS[kind], "size": 6, "solidity": 0.3}
    return {
        "type": "bar", "name": LEGEND[kind], "x": [round((at + HOUR / 2) * 1000) for at, *_ in cells],
        "y": [HEIGHT] * len(cells), "base": [base + (1 - HEIGHT) / 2 for _, base, *_ in cells],
        "width": round(HOUR * 1000 * 0.94), "marker": marker,
        "text": [text for *_, text, _ in cells], "textposition": "inside", "insidetextanchor": "middle",
        "textangle": 0, "hovertext": [hover for *_, hover in cells],
        "hovertemplate": "%{hovertext}<br>hour around %{x|%-d %b, %H:%M UTC}<extra></extra>",
    }  # fmt: skip
