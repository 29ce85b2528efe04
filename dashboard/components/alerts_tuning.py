"""The tuning tab: how each rule did in the newest weeks, and which want to be tuned."""

from __future__ import annotations

from typing import Any, Final

from dash import html

from backend.contract.alerts import RuleWeek
from dashboard.components.alerts import Children
from dashboard.components.links import set_link
from dashboard.components.replay import cell, heading, table
from dashboard.components.states import badge, note
from dashboard.components.text import count
from dashboard.data.alerts import WEEKS, AlertsData

COLUMNS: Final = ("Rule", "Fired", "Acknowledged in time", "Noise", "Verdict")
NUMBERS: Final = ("Fired", "Acknowledged in time", "Noise")


def tuning(data: AlertsData) -> Children:
    """A table a week, the newest first; the noisiest rules on top."""
    if data.weeks is None:
        return []
    weeks = sorted({one.week for one in data.weeks}, reverse=True)
    if not weeks:
        return [
            html.Section(
                [heading("Tuning"), note("Nothing fired", f"No rule fired in the last {WEEKS} weeks.", "empty")],
                className="card",
            )
        ]
    return [_week(week, [one for one in data.weeks if one.week == week], data) for week in weeks]


def _week(week: str, rules: list[RuleWeek], data: AlertsData) -> html.Section:
    rules.sort(key=lambda one: (-one.noise, -one.fired, one.rule))
    loud = sum(one.tune for one in rules)
    words = f"{count(len(rules), 'rule')} fired" + (f", {count(loud, 'rule')} to tune" if loud else "")
    rows = [_row(one, data) for one in rules]
    year, _, number = week.partition("-W")
    head = heading(f"Week {number.lstrip('0')} of {year}", html.Span(words, className="aside"))
    return html.Section([head, table(COLUMNS, rows, "tuning", f"Rules in {week}", NUMBERS)], className="card")


def _row(one: RuleWeek, data: AlertsData) -> html.Tr:
    rule = set_link(one.rule, data.request, {"tab": None, "rule": one.rule, "from": f"now-{WEEKS}w", "to": None})
    verdict: Any = badge("degraded", "Tune me") if one.tune else ""
    return html.Tr(
        [
            cell("Rule", rule, "words-cell"),
            cell("Fired", f"{one.fired:,}", "number-cell"),
            cell("Acknowledged in time", in_time(one), "number-cell"),
            cell("Noise", f"{one.noise:,}", "number-cell"),
            cell("Verdict", verdict),
        ],
        id=f"tuning-{one.week}-{one.rule}",
        **({"data-state": "degraded"} if one.tune else {}),
    )


def in_time(one: RuleWeek) -> str:
    """``8 of 10, 80%``; nothing where nothing fired."""
    if not one.fired:
        return ""
    return f"{one.acknowledged_in_time:,} of {one.fired:,}, {one.acknowledged_in_time / one.fired:.0%}"
