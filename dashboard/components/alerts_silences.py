"""The silences tab: what is kept quiet now, what will be, what was, and the form for another one."""

from __future__ import annotations

import json
from typing import Any, Final

from dash import html

from backend.contract.alerts import SEVERITIES, Silence
from dashboard.components.alerts import Children
from dashboard.components.alerts_drawer import ACTIONS
from dashboard.components.replay import box, cell, choice_field, field, heading, reason_field, table, text_field
from dashboard.components.states import badge, note
from dashboard.components.text import count
from dashboard.components.times import stamp
from dashboard.data.alerts import AlertsData, SilencesData

COLUMNS: Final = ("Silences", "Kind", "Why", "By", "From", "To")
MATCHERS: Final = ("rule", "environment", "severity", "fingerprint")


def silences(data: AlertsData) -> Children:
    """Running, coming and ended ones, and for operators the form."""
    found = data.silences
    if found is None:
        return []
    lists = [
        _list("Running", found.running, data, "Nothing is silenced: every alert is told.", ends=True),
        _list("Coming", found.coming, data, "No silence or maintenance window is planned.", ends=True),
    ]
    if found.ended:
        lists.append(_list("Ended", found.ended, data, "", ends=False))
    if not data.acts:
        return lists
    return [html.Div([html.Div(lists, className="silence-lists"), _form(found, data)], className="silences")]


def _list(title: str, entries: tuple[Silence, ...], data: AlertsData, empty: str, *, ends: bool) -> html.Section:
    head = heading(title, html.Span(count(len(entries), "silence") if entries else "", className="aside"))
    if not entries:
        return html.Section([head, note("None", empty, "empty")], className="card")
    acts = data.acts and ends
    heads = (*COLUMNS, "End") if acts else COLUMNS
    rows = [_row(one, acts=acts) for one in entries]
    return html.Section([head, table(heads, rows, "silences-found", f"{title} silences", ())], className="card")


def _row(one: Silence, *, acts: bool) -> html.Tr:
    kind = "Maintenance" if one.kind == "maintenance" else "Silence"
    ended = [html.Span(f"ended by {one.ended_by}", className="hint")] if one.ended_by else []
    cells = [
        cell("Silences", matchers(one), "words-cell"),
        cell("Kind", badge("silenced", kind)),
        cell("Why", one.reason, "words-cell"),
        cell("By", one.created_by),
        cell("From", stamp(one.starts_at), "when"),
        cell("To", [stamp(one.ends_at), *ended], "when"),
    ]
    if acts:
        cells.append(cell("End", _end(one)))
    return html.Tr(cells, id=f"silence-{one.silence_id}")


def matchers(one: Silence) -> Children:
    """What it keeps quiet, in words."""
    named: list[tuple[str, str]] = [(name, getattr(one, name)) for name in MATCHERS if getattr(one, name)]
    if not named:
        return ["every alert"]
    words: Children = []
    for index, (name, value) in enumerate(named):
        said: Any = html.Code(value[:12] if name == "fingerprint" else value)
        words += [", " if index else "", "one alert " if name == "fingerprint" else f"{name} ", said]
    return words


def _end(one: Silence) -> Any:
    if one.configured:
        return html.Span("in the configuration", className="hint")
    return html.Button(
        "End now",
        type="button",
        **{
            "data-post": f"{ACTIONS}silence-end", "data-body": json.dumps({"silence_id": one.silence_id}),
            "data-confirm": "End this silence? What is still open is told then.",
            "data-confirm-label": "End it", "data-reason": "Reason",
        },
    )  # fmt: skip


def _form(found: SilencesData, data: AlertsData) -> html.Form:
    controls = [
        text_field("new-silence-rule", "rule", "Rule", None, found.rules),
        choice_field("new-silence-environment", "environment", "Environment", None,
                     {name: name for name in data.environments}),
        choice_field("new-silence-severity", "severity", "Severity", None,
                     {severity: severity.capitalize() for severity in SEVERITIES}),
        field("new-silence-from", "From, UTC", box("new-silence-from", "from", "datetime-local"), "Empty: now"),
        field("new-silence-to", "To, UTC", box("new-silence-to", "to", "datetime-local", required=True)),
        reason_field("new-silence-reason"),
    ]  # fmt: skip
    return html.Form(
        html.Section(
            [
                heading("New silence"),
                html.P("Alerts that match all of it are recorded and shown, but nobody is told.", className="hint"),
                html.Div(controls, className="fields"),
                html.Div(html.Button("Create", type="submit", className="primary"), className="buttons"),
                html.P(className="form-status", role="status"),
            ],
            className="card silence-new",
        ),
        id="new-silence",
        **{"data-post": f"{ACTIONS}alert-silence", "aria-label": "New silence"},
    )
