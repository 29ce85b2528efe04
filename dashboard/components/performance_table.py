"""The operators of the pipeline as a table, and the heading over one of them looked at closely."""

from __future__ import annotations

from typing import Any, Final

from dash import html

from backend.contract.verdict import amount
from dashboard.components.links import set_link
from dashboard.components.rows import beyond, held, rest
from dashboard.components.states import note, shape
from dashboard.components.text import percent
from dashboard.components.times import ago
from dashboard.data.performance_data import OperatorRow, PerformanceData
from dashboard.data.performance_operators import AGGREGATES, FILTERS

Children = list[Any]
ROWS: Final = 40
DISPLAY_ROWS: Final = 5
"""Rows that a screen without scrolling has room for."""
COLUMNS: Final = ("Operator", "Latency", "Highest", "Busy", "Backpressured", "Records in", "Records out", "Lost inside")
WHY_FEWER: Final = {
    AGGREGATES: "fewer by design",
    FILTERS: "filters on purpose",
}


def operators(data: PerformanceData) -> Children:
    """Every operator, the slowest first; the busiest and the most backpressured are named."""
    found = data.operators
    if found.rows is None:
        return [_head(), note("Not connected", "No source reports operators.", "not-connected")]
    if not found.rows:
        return [_head(), note("No data", "No operator reported in this range.", "empty")]
    total, few = len(found.rows), held(len(found.rows), DISPLAY_ROWS)
    rows = found.rows[: few if data.display else ROWS]
    head = html.Thead(html.Tr([html.Th(title, scope="col") for title in COLUMNS]))
    table = html.Table(
        [head, html.Tbody([_row(row, data, i >= few) for i, row in enumerate(rows)])], className="operator-rows"
    )
    more = rest(lambda shown: f"The slowest {shown} of {total:,}.", len(rows), few, total, "label")
    return [_head(*_stand_out(data)), html.Div(table, className="operator-box"), *more]


def _head(*aside: Any) -> html.Header:
    return html.Header([html.H2("Operators"), *aside], className="card-head")


def _stand_out(data: PerformanceData) -> Children:
    found = data.operators
    words: Children = []
    busiest, held_up = found.row(found.busiest), found.row(found.held_up)
    if busiest is not None and busiest.busy:
        words += ["busiest ", html.Strong(busiest.name), f" {_part(busiest.busy)}"]
    if held_up is not None and held_up.backpressured:
        words += [", " if words else "", "most backpressured ", html.Strong(held_up.name)]
        words.append(f" {_part(held_up.backpressured)}")
    if data.request.host:
        words.append(f"{', ' if words else ''}not filtered by host")
    age = [] if found.as_of is None or not data.range.live else [html.Span(ago(found.as_of), className="panel-age")]
    return [html.Span([html.Span(words), *age], className="aside")] if words or age else []


def _row(row: OperatorRow, data: PerformanceData, left_out: bool) -> html.Tr:
    chosen = data.request.operator == row.name
    name: Any = html.Span(row.name)
    if not data.display:
        here = {"aria-current": "true"} if chosen else {}
        name = set_link(
            row.name, data.request, {"operator": None if chosen else row.name}, className="opener", **here
        )  # fmt: skip
    compared = row.latency_usual is not None and row.latency_now is not None
    cells = (
        _ms(row.latency), _ms(row.latency_max), _bar(row.busy), _bar(row.backpressured), _count(row.records_in),
        _count(row.records_out), _lost(row),
    )  # fmt: skip
    title = f"now {_ms(row.latency_now)}, usually {_ms(row.latency_usual)}" if compared else ""
    tds = [html.Td(cell, **{"data-label": label}) for label, cell in zip(COLUMNS[1:], cells, strict=True)]
    return html.Tr(
        [html.Th(name, scope="row", title=title or row.name), *tds],
        id=f"operator-{row.name}",
        **beyond(left_out),
        **{"data-here": "yes" if chosen else "no"},
    )


def _ms(value: float | None) -> str:
    return "–" if value is None else amount(value, "ms")


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _part(value: float) -> str:
    """Milliseconds of each second as a part of the time."""
    return percent(value / 10, 0)


def _bar(value: float | None) -> Any:
    if value is None:
        return "–"
    return html.Span(_part(value), className="busy", style={"--part": f"{min(max(value / 10, 0), 100):.0f}%"})


def _lost(row: OperatorRow) -> Any:
    """Records that went nowhere: told only where nothing else explains that fewer leave than come."""
    if row.why_fewer:
        return html.Span(WHY_FEWER[row.why_fewer], className="label")
    if row.lost is None:
        return "–"
    if not row.lost:
        return "0"
    share = percent(100 * row.lost / row.records_in, 1) if row.records_in else ""
    return html.Span([shape("degraded"), html.Strong(f"{row.lost:,.0f}"), f" {share}"], className="lost")


def drill_head(data: PerformanceData) -> Children:
    """Over one operator's charts: its name, what it does now, and the way back."""
    if data.drill is None:
        return []
    name = data.drill.operator
    back = [] if data.display else [set_link("Back to all operators", data.request, {"operator": None})]
    row = data.operators.row(name)
    if row is None:
        return [html.H2(name), html.Span("No operator of this name reported in this range."), *back]
    now = f"latency {_ms(row.latency_now)}" if row.latency_now is not None else ""
    usual = f", usually {_ms(row.latency_usual)}" if row.latency_usual is not None and now else ""
    busy = f"busy {_part(row.busy)} of its time" if row.busy is not None else ""
    held = f"backpressured {_part(row.backpressured)}" if row.backpressured is not None else ""
    facts = "; ".join(text for text in (f"{now}{usual}", busy, held) if text)
    return [html.H2(name), html.Span(facts, className="drill-facts"), *back]
