"""What the Errors page says of the period before, where it compares."""

from __future__ import annotations

from typing import Any, Final

from dash import html

from dashboard.components.errors_charts import BEFORE
from dashboard.components.times import exact, stamp
from dashboard.data.compared import NOTHING
from dashboard.data.errors import Failures
from dashboard.data.errors_before import PeriodBefore

Children = list[Any]
DOTTED: Final = "period before, all types"
DOTS: Final = f"repeating-linear-gradient(90deg, {BEFORE} 0 2px, transparent 2px 4px)"
ABOUT: Final = 0.01
"""Counts that differ by less are told as about the same."""


def against(found: Failures, before: PeriodBefore | None) -> Children:
    """The count of the period before, and how much more or less that is where both are known whole."""
    if before is None:
        return []
    if before.failures is None:
        return [f" ({NOTHING})"]
    past, now = before.failures.matching, found.matching
    told = f"{past:,}" if past else "none"
    if before.known_from is not None:
        return [f" (at least {told} in the period before)" if past else " (none known of the period before)"]
    whole = found.reading.cut_from is None and found.reading.end <= found.reading.read_at
    size = f": {_more(now / past)} now" if whole and past and now else ""
    return [f" ({told} in the period before{size})"]


def _more(times: float) -> str:
    """A count that is so many times another, in words."""
    if abs(times - 1) < ABOUT:
        return "as many" if times == 1 else "about as many"
    return f"{times:,.0f} times as many" if times >= 10 else f"{abs(times - 1):.0%} {'more' if times > 1 else 'fewer'}"


def notes(before: PeriodBefore | None) -> list[Children]:
    """What the dotted lines are, and how much of the period's failed events is known."""
    if before is None:
        return []
    start, end = before.range.start, before.range.end
    said: list[Children] = [["Compared with the period before (dotted), from ", stamp(start), " to ", stamp(end), "."]]
    if before.failures is not None and before.known_from is not None:
        number = len(before.failures.reading.events)
        said.append(
            [f"Of its failed events only the newest {number:,} are known, from ", exact(before.known_from), "."]
        )
    return said


def failed_before(before: PeriodBefore | None) -> str:
    """The legend's word for failed events of the period before."""
    if before is None:
        return ""
    if before.failures is None:
        return NOTHING
    if before.failed is not None:
        return DOTTED
    return "none in the period before" if before.known_from is None else "none known of the period before"


def rate_before(before: PeriodBefore | None) -> str:
    """The legend's word for dead letters of the period before."""
    if before is None:
        return ""
    return NOTHING if before.rate is None else DOTTED


def entry(words: str) -> html.Li:
    """The period before in a chart's legend, with its dots where it is drawn."""
    dots = [html.Span(className="swatch", style={"--swatch": DOTS})] if words == DOTTED else []
    return html.Li([*dots, html.Span(words)])
