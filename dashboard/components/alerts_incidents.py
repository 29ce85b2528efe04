"""The incidents tab: what CRITICAL alerts opened, each with its timeline and the form that is filled afterwards."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final
from urllib.parse import urlencode

from dash import html

from backend.contract.alerts import LOOK_BACK_SECONDS, MAX_FOLLOW_UP, Incident
from backend.contract.verdict import duration
from dashboard.components.alerts import Children
from dashboard.components.alerts_drawer import ACTIONS, timeline
from dashboard.components.links import set_link
from dashboard.components.replay import cell, field, heading, table
from dashboard.components.states import badge, note
from dashboard.components.text import count
from dashboard.components.times import exact, lasting, stamp
from dashboard.data.alerts import MOST_INCIDENTS, AlertsData
from dashboard.data.request import ViewRequest

COLUMNS: Final = ("Incident", "State", "Environment", "Opened", "Lasted", "Follow-up")
QUESTIONS: Final = {
    "summary": ("Summary", "What happened, and who noticed"),
    "root_cause": ("Root cause", "Why it happened"),
    "prevention": ("Prevention", "What keeps it from happening again"),
}
"""The follow-up form: field to its label and what is asked."""
WORDS: Final = {"page": "Page of its alert", "runbook": "Runbook"}
SAID: Final = ("alert",)
"""Links that messages need and the page has by itself, as it knows its own alert."""


def incidents(data: AlertsData) -> Children:
    """The list, or the chosen incident."""
    found = data.incidents
    if found is None:
        return []
    if found.chosen is not None:
        return [_detail(found.chosen, data)]
    missing: Children = []
    if found.missing:
        missing = [html.P("There is no such incident; it may have expired.", className="replay-note", role="alert")]
    number = len(found.recent)
    if not number:
        empty = note("None yet", "A CRITICAL alert opens an incident; none has.", "empty")
        return [*missing, html.Section([heading("Incidents"), empty], className="card")]
    words = f"newest {number:,}, there may be more" if number >= MOST_INCIDENTS else count(number, "incident")
    rows = [_row(incident, data.request) for incident in found.recent]
    listed = table(COLUMNS, rows, "incidents-found", "Incidents", ())
    return [*missing, html.Section([heading("Incidents", html.Span(words, className="aside")), listed],
                                   className="card")]  # fmt: skip


def _row(incident: Incident, request: ViewRequest) -> html.Tr:
    link = set_link(incident.title, request, {"incident": incident.incident_id}, className="opener")
    return html.Tr(
        [
            cell("Incident", html.Div(link, className="alert-title"), "alert-cell"),
            cell("State", _state(incident)),
            cell("Environment", incident.environment),
            cell("Opened", stamp(incident.opened_at), "when"),
            cell("Lasted", _length(incident), "when"),
            cell("Follow-up", _followed(incident)),
        ],
        id=f"incident-{incident.incident_id}",
    )


def _state(incident: Incident) -> html.Span:
    return badge("firing", "Open") if incident.closed_at is None else badge("healthy", "Closed")


def _length(incident: Incident) -> Any:
    if incident.closed_at is None:
        return lasting(incident.opened_at)
    return duration(max(incident.closed_at - incident.opened_at, 0.0))


def _followed(incident: Incident) -> Any:
    if incident.followed_up_by:
        return badge("healthy", "Done")
    return badge("no_data", "Not yet") if incident.closed_at is None else badge("degraded", "Missing")


def _detail(incident: Incident, data: AlertsData) -> html.Section:
    back = set_link("All incidents", data.request, {"incident": None})
    closed = [" to ", exact(incident.closed_at)] if incident.closed_at is not None else [", still open"]
    when = [exact(incident.opened_at), *closed, ", ", _length(incident)]
    return html.Section(
        [
            html.P(back, className="back"),
            heading(incident.title, _state(incident)),
            html.P([html.Span(incident.environment), ": ", *when], className="scanned"),
            _links(incident, data.request),
            html.Div(
                [
                    html.Div(timeline(incident.events, "Timeline")),
                    html.Div([html.H3("Follow-up"), *_follow_up(incident, data)]),
                ],
                className="incident-parts",
            ),
        ],
        className="card incident",
    )


def _links(incident: Incident, request: ViewRequest) -> html.Nav:
    end = None if incident.closed_at is None else round((incident.closed_at + LOOK_BACK_SECONDS) * 1000)
    values = {"from": round((incident.opened_at - LOOK_BACK_SECONDS) * 1000), "environment": incident.environment}
    span = urlencode({**values, **({"to": end} if end else {})})
    links: Children = [
        set_link("Its alert", request, {"tab": None, "incident": None, "alert": incident.alert_id}),
        html.A("Errors of that time", href=f"/errors?{span}"),
        html.A("Health of that time", href=f"/?{span}"),
    ]
    stored = sorted((name, address) for name, address in incident.links.items() if name not in SAID)
    links += [html.A(WORDS.get(name, name), href=address) for name, address in stored]
    if incident.slack_channel:
        links.append(html.Span(f"Slack: {incident.slack_channel}"))
    return html.Nav(links, className="pages", **{"aria-label": "Links of the incident"})


def _follow_up(incident: Incident, data: AlertsData) -> Children:
    answers = {name: getattr(incident, name) for name in QUESTIONS}
    by = [html.P(f"Filled in by {incident.followed_up_by}.", className="hint")] if incident.followed_up_by else []
    if not data.acts:
        if not any(answers.values()):
            return [note("Not filled in yet", "Operators fill it in once the incident is over.", "empty")]
        rows = [html.Div([html.Dt(QUESTIONS[name][0]), html.Dd(text or "–")]) for name, text in answers.items()]
        return [html.Dl(rows, className="follow-up-read"), *by]
    fields = [_question(name, text) for name, text in answers.items()]
    # A form of its own for each set of saved answers: what a browser keeps of the last one is not shown for the next.
    saved = hashlib.sha256(json.dumps(answers).encode()).hexdigest()[:8]
    body = {"incident_id": incident.incident_id, "reason": "Follow-up of the incident"}
    form = html.Form(
        [
            *fields,
            html.Div(html.Button("Save", type="submit", className="primary"), className="buttons"),
            html.P(className="form-status", role="status"),
        ],
        id=f"follow-up-{saved}",
        **{"data-post": f"{ACTIONS}incident-follow-up", "data-body": json.dumps(body)},
    )
    return [*by, form]


def _question(name: str, text: str) -> html.Div:
    label, hint = QUESTIONS[name]
    ident = f"follow-up-{name.replace('_', '-')}"
    box = html.Textarea(text, id=ident, name=name, rows=4, required=True, maxLength=MAX_FOLLOW_UP)
    return field(ident, label, box, hint)
