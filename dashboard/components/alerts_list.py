"""The alerts tab: how many are open, their filters, and the alerts themselves; for displays the open ones, large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from dash import html

from backend.contract.alerts import ALERT_STATES, SEVERITIES, Alert
from dashboard.components.alerts import (
    SEVERITY_LOOKS,
    Children,
    flag_badges,
    how_long,
    severity_badge,
    since,
    state_badge,
    value_words,
)
from dashboard.components.links import set_link
from dashboard.components.replay import address_form, cell, choice_field, heading, named, table, text_field
from dashboard.components.states import note, shape
from dashboard.components.text import count
from dashboard.data.alerts import FILTERS, ON_DISPLAYS, AlertsData, AlertsList
from dashboard.data.request import ViewRequest

COLUMNS: Final = ("Severity", "Alert", "State", "Value", "Opened", "Open for")
RESOLVED_COLUMNS: Final = (*COLUMNS[:-1], "Lasted")
ROWS_KEPT: Final = 1_000
"""Rows are kept from one refresh to the next, as most alerts stay as they are."""


def counts(data: AlertsData) -> Children:
    """Open alerts by severity, each a link to its list."""
    found = data.alerts
    if found is None:
        return []
    tiles = [_tile(severity, number, data) for severity, number in found.counts.items()]
    total = sum(found.counts.values())
    words = f"{count(total, 'alert')} open in {data.request.environment}"
    return [html.Ul(tiles, className="severities", **{"aria-label": words}), *_elsewhere(found, data)]


def _tile(severity: str, number: int, data: AlertsData) -> html.Li:
    look = SEVERITY_LOOKS[severity] if number else "no_data"
    content = [
        html.Span([shape(SEVERITY_LOOKS[severity]), severity.capitalize()], className="severity-name"),
        html.Span(f"{number:,}", className="number"),
    ]
    attributes = {"data-state": look}
    if data.tab == "overview":
        return html.Li(html.Div(content, className="severity"), **attributes)
    chosen = data.request.get("severity") == severity
    here = {"aria-current": "true"} if chosen else {}
    link = set_link(content, data.request, {"severity": None if chosen else severity}, className="severity", **here)
    return html.Li(link, **attributes)


def _elsewhere(found: AlertsList, data: AlertsData) -> Children:
    """What is open in other environments is not shown, but never kept secret."""
    if not found.elsewhere:
        return []
    if data.tab == "overview":
        parts: Children = [f"{number:,} open in {name}" for name, number in found.elsewhere.items()]
        return [html.P(", ".join(parts), className="elsewhere")]
    links = [
        set_link(f"{number:,} open in {name}", data.request, {"environment": name})
        for name, number in found.elsewhere.items()
    ]
    return [html.P(["Besides these: ", *_joined(links)], className="elsewhere")]


def _joined(parts: Sequence[Any]) -> Children:
    return [piece for index, part in enumerate(parts) for piece in ([", "] if index else []) + [part]]


def filters(data: AlertsData) -> Children:
    """The filters of the list. The window of resolved alerts is the shell's range."""
    if data.alerts is None or data.tab == "overview":
        return []
    request = data.request
    controls = [
        choice_field("alerts-severity", "severity", "Severity", request.get("severity"),
                     {severity: severity.capitalize() for severity in SEVERITIES}),
        choice_field("alerts-state", "state", "State", request.get("state"), named(ALERT_STATES)),
        text_field("alerts-rule", "rule", "Rule", request.get("rule"), data.alerts.rules),
    ]  # fmt: skip
    return [address_form(controls, request, FILTERS, "Filter")]


def lists(data: AlertsData) -> Children:
    """Open alerts first, then those of the range that are over."""
    found = data.alerts
    if found is None:
        return []
    if data.tab == "overview":
        return [_wall(found)]
    state = data.request.get("state")
    parts: Children = []
    if state != "resolved":
        parts.append(_open(found, data))
    if state in (None, "resolved"):
        parts.append(_resolved(found, data))
    return parts


def _open(found: AlertsList, data: AlertsData) -> html.Section:
    total, shown = sum(found.counts.values()), len(found.open)
    words = "" if shown == total else f"{shown:,} of {total:,} match"
    head = heading("Open", html.Span(words, className="aside"))
    if not shown:
        filtered = total > 0
        box = (
            note("None matches", f"{count(total, 'alert')} open, none with these filters.", "empty")
            if filtered
            else note("Nothing is open", f"No alert is open in {data.request.environment}.", "empty")
        )
        return html.Section([head, box], className="card")
    rows = [_row(_shown(alert), data.request) for alert in found.open]
    return html.Section([head, table(COLUMNS, rows, "alerts-found", "Open alerts", ())], className="card")


def _resolved(found: AlertsList, data: AlertsData) -> html.Section:
    number = len(found.resolved)
    words = f"newest {number:,}, cut" if found.cut else (f"{number:,} opened in the time range" if number else "")
    head = heading("Resolved", html.Span(words, className="aside"))
    if not number:
        text = "No alert that was opened in this time range and is over matches."
        return html.Section([head, note("None", text, "empty")], className="card")
    rows = [_row(_shown(alert), data.request) for alert in found.resolved]
    return html.Section([head, table(RESOLVED_COLUMNS, rows, "alerts-found", "Resolved alerts", ())], className="card")


@dataclass(frozen=True, slots=True)
class _Shown:
    """An alert as its row tells it from others: ``drawn`` is everything that the row depends on."""

    drawn: tuple[Any, ...]
    alert: Alert = field(compare=False)


def _shown(alert: Alert) -> _Shown:
    drawn = (
        alert.alert_id, alert.state, alert.severity, alert.title, alert.value, alert.unit, alert.rule, alert.source,
        alert.environment, alert.resolved_at, alert.acknowledged_by, alert.unknown_since, alert.flapping,
        alert.silenced_by, alert.noise, alert.group, alert.fired,
    )  # fmt: skip
    return _Shown(drawn, alert)


@lru_cache(maxsize=ROWS_KEPT)
def _row(shown: _Shown, request: ViewRequest) -> html.Tr:
    alert = shown.alert
    opens = {"data-opens": alert.alert_id, "className": "opener"}
    rule: Any = alert.rule
    if request.get("rule") != alert.rule:
        rule = set_link(alert.rule, request, {"rule": alert.rule}, className="pick", title=f"Only {alert.rule}")
    about: Children = [rule, html.Span(f"{alert.environment}, from {alert.source}"), *flag_badges(alert)]
    if alert.fired > 1:
        about.append(html.Span(f"fired {alert.fired:,} times"))
    title = set_link(alert.title, request, {"alert": alert.alert_id}, **opens)
    state: Children = [state_badge(alert)]
    if alert.acknowledged_by:
        state.append(html.Span(f"by {alert.acknowledged_by}", className="hint"))
    last = "Open for" if alert.resolved_at is None else "Lasted"
    chosen = {"data-open": "true"} if request.get("alert") == alert.alert_id else {}
    return html.Tr(
        [
            cell("Severity", severity_badge(alert.severity)),
            cell("Alert", [html.Div(title, className="alert-title"), html.Div(about, className="alert-about")],
                 "alert-cell"),
            cell("State", state),
            cell("Value", value_words(alert), "value-cell"),
            cell("Opened", since(alert), "when"),
            cell(last, how_long(alert), "when"),
        ],
        id=f"alert-{alert.alert_id}",
        **{"data-severity": alert.severity, **chosen},
    )  # fmt: skip


def _wall(found: AlertsList) -> html.Section:
    """The open alerts as displays show them: without links and names, as many as fit."""
    if not found.open:
        return html.Section(note("Nothing is open", "No alert is open.", "empty"), className="card wall-empty")
    shown = found.open[:ON_DISPLAYS]
    entries = [
        html.Li(
            [
                severity_badge(alert.severity),
                html.Span(
                    [html.Span(alert.title, className="wall-words"), *flag_badges(alert, explained=False)],
                    className="wall-title",
                ),
                html.Span(value_words(alert), className="wall-value"),
                state_badge(alert),
                html.Span(how_long(alert), className="wall-age"),
            ],
            id=f"wall-{alert.alert_id}",
            **{"data-state": SEVERITY_LOOKS[alert.severity]},
        )
        for alert in shown
    ]
    more = len(found.open) - len(shown)
    rest = [html.P(f"and {more:,} more", className="wall-more")] if more else []
    return html.Section([html.Ol(entries, className="wall"), *rest], className="card", **{"aria-label": "Open alerts"})
