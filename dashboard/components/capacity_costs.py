"""What a month costs, as a table: usage, price, dollars; what is not measured is named below, never as zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dash import html

from backend.contract.costs import CostLine, Estimate
from backend.contract.verdict import amount, duration
from dashboard.components.capacity import quantity
from dashboard.components.rows import beyond, held, rest
from dashboard.components.states import note, skeleton
from dashboard.components.text import dollars
from dashboard.components.times import short_day

Children = list[Any]
DISPLAY_LINES: Final = 4
"""Lines that a screen without scrolling has room for."""
_MULTIPLES: Final = ((1e9, "billion "), (1e6, "million "), (1e3, "thousand "))


def costs(found: Estimate | None, counted: Mapping[str, float], *, waiting: bool, display: bool = False) -> Children:
    """The estimate's card. ``counted``: in how many seconds the amounts were counted that are a pace, by item."""
    measured_seconds = max(counted.values(), default=0.0)
    title = html.H2("Estimated cost of a month")
    if found is None:
        body = skeleton() if waiting else note("No estimate", "Usage can't be read now.", "error")
        return [html.Header([title], className="card-head"), body]
    if not found.lines:
        return [
            html.Header([title], className="card-head"),
            note("Not enough data", "Nothing that costs has been measured yet.", "empty"),
        ]
    head = html.Header([title, html.Span(f"prices of {_day(found.as_of)}", className="aside")], className="card-head")
    few = held(len(found.lines), DISPLAY_LINES)
    shown = found.lines[:few] if display else found.lines

    def others(number: int) -> str:
        left = found.lines[number:]
        return f"And {len(left)} more, together {dollars(sum(line.dollars for line in left))}."

    def row(line: CostLine, left_out: bool) -> html.Tr:
        return _line(line, counted.get(line.item.key, measured_seconds), measured_seconds, left_out)

    what = html.Span("What", className="unseen")
    pace = "List prices, no free allowances."
    if measured_seconds:
        pace = f"Usage of {duration(measured_seconds)} at that pace for 30 days; list prices, no free allowances."
    return [
        head,
        html.P(
            [html.Span(dollars(found.total), className="number"), html.Span("a month, of what is measured")],
            className="value cost-total",
        ),
        html.Table(
            [
                html.Thead(html.Tr([html.Th(name, scope="col") for name in (what, "A month", "Price", "US dollars")])),
                html.Tbody([row(line, i >= few) for i, line in enumerate(shown)]),
            ],
            className="cost-rows",
        ),
        *rest(others, len(shown), few, len(found.lines), "costs-more"),
        html.P(pace, className="cost-note"),
        html.P(["Not included: ", html.Span("; ".join(found.missing)), "."], className="cost-note cost-missing"),
    ]


def _line(line: CostLine, counted: float, longest: float, left_out: bool) -> html.Tr:
    item = line.item
    # Where it was counted as long as the others, the note below says so for all.
    differs = duration(counted) != duration(longest)
    measured = [html.Span(f", from {duration(counted)}", className="label")] if differs else []
    names: Children = [html.Span(item.service, className="cost-service"), html.Span(item.title)]
    price = f"{line.price:.6g}" if line.price >= 0.001 else f"{line.price:.10f}".rstrip("0")
    return html.Tr(
        [
            html.Th(names, scope="row", title=f"{item.service}: {item.title}{f', {item.made}' if item.made else ''}"),
            html.Td(
                [f"{'≤ ' if item.made.startswith('at most') else ''}{quantity(line.amount, item.unit)}", *measured]
            ),
            html.Td(f"{price} per {_per(item.per, item.unit)}"),
            html.Td(dollars(line.dollars)),
        ],
        **beyond(left_out),
    )


def _per(per: float, unit: str) -> str:
    """``million units``, ``GB``: what a price is for."""
    if unit == "bytes":
        return {1e9: "GB", 1e12: "TB"}[per]
    for size, name in _MULTIPLES:
        if per == size:
            return f"{name}{unit}"
    return amount(per, unit).removeprefix("1 ")


def _day(as_of: str) -> str:
    return f"{short_day(as_of)} {as_of[:4]}"
