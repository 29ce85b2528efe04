"""The drawer of one alert (``?alert=<id>``): what is wrong, who was told, where to look, and what can be done."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from dash import html

from backend.contract.alerts import LOOK_BACK_SECONDS, Alert, AlertEvent, Delivery
from dashboard.components.alerts import (
    PAGE,
    Children,
    flags,
    how_long,
    page_address,
    severity_badge,
    state_badge,
    value_words,
)
from dashboard.components.links import runbook_address, set_link
from dashboard.components.replay import choice, field
from dashboard.components.states import badge, note, shape
from dashboard.components.text import count
from dashboard.components.times import exact, lasting
from dashboard.data.alerts import AlertsData, OpenedAlert
from dashboard.data.request import ViewRequest

PARTS: Final = ("head", "said", "action", "links", "facts", "deliveries", "trace")
"""Set one by one, so that a refresh of the timeline leaves what is being chosen in the form alone."""
ACTIONS: Final = "/api/v1/actions/"
DURATIONS: Final = {
    "30": "30 minutes", "60": "1 hour", "240": "4 hours", "720": "12 hours", "1440": "1 day", "10080": "7 days",
}  # fmt: skip
"""Minutes that an alert can be silenced for, and their words."""
SCOPES: Final = {"alert": "This alert", "rule": "Every alert of its rule"}
EVENTS: Final = {
    "opened": ("firing", "Opened"),
    "updated": ("no_data", "Updated"),
    "renotified": ("no_data", "Told again"),
    "acknowledged": ("acknowledged", "Acknowledged"),
    "silenced": ("silenced", "Silenced"),
    "flapping": ("flapping", "Flapping"),
    "unknown": ("unknown", "Source silent"),
    "resolved": ("healthy", "Resolved"),
    "delivered": ("no_data", "Delivered"),
    "delivery_failed": ("degraded", "Delivery failed"),
    "noise": ("silenced", "Marked as noise"),
    "note": ("no_data", "Note"),
}
SOURCES: Final = {"runbook_url": "Runbook", "generator_url": "Its source"}
"""Labels that hold an address at the alert's source, and what the link to it is called."""
TRANSPORTS: Final = {"slack": "Slack", "pagerduty": "PagerDuty", "email": "E-mail"}


def frame() -> html.Aside:
    """The closed drawer. ``assets/explore.js`` moves the focus into it and back, and closes it on Escape."""
    return html.Aside(
        [html.Div(id=f"drawer-{part}", className=f"drawer-{part}", **{"data-drawn": "yes"}) for part in PARTS],
        id="drawer",
        className="drawer",
        hidden=True,
        tabIndex=-1,
        **{"aria-labelledby": "drawer-title", "data-closes": "alert"},
    )


def props(data: AlertsData) -> dict[str, dict[str, Any]]:
    """The view's props of the drawer; closed and empty where no alert is open."""
    parts: dict[str, Children] = {part: [] for part in PARTS}
    opened = data.opened
    if opened is not None and opened.alert is None:
        parts["head"] = [html.H2("Alert", id="drawer-title"), _close(data.request)]
        parts["said"] = [note("Nothing to show", "There is no such alert; it may have expired.", "error")]
    elif opened is not None and opened.alert is not None:
        alert = opened.alert
        parts = {
            "head": _head(alert, data.request),
            "said": _said(alert, opened, data.at),
            "action": _actions(alert) if data.acts else [],
            "links": _links(alert, opened, data.request),
            "facts": _facts(alert),
            "deliveries": _deliveries(alert),
            "trace": timeline(alert.events, "Timeline"),
        }
    filled = {f"drawer-{part}": {"children": children} for part, children in parts.items()}
    return {**filled, "drawer": {"hidden": opened is None}}


def _close(request: ViewRequest) -> html.A:
    words = html.Span("Close", className="unseen")
    return set_link(words, request, {"alert": None}, className="drawer-close", title="Close (Esc)")


def _head(alert: Alert, request: ViewRequest) -> Children:
    word = "for" if alert.resolved_at is None else "lasted"
    about = [severity_badge(alert.severity), state_badge(alert), html.Span([f"{word} ", how_long(alert)])]
    return [
        html.Div([html.H2(alert.title, id="drawer-title"), html.P(about, className="drawer-sub")]),
        _close(request),
    ]


def _said(alert: Alert, opened: OpenedAlert, at: float) -> Children:
    """The value, the description, and what else is to be said. All of it is text."""
    parts: Children = []
    if words := value_words(alert):
        parts.append(html.P([html.Span(words, className="number")], className="value"))
    if alert.description:
        parts.append(html.P(alert.description, className="alert-description"))
    told = [html.Li([badge(look, word), html.Span(sentence)]) for look, word, sentence in flags(alert, opened.silence)]
    deadline = alert.acknowledge_by
    if alert.state == "open" and deadline is not None:
        late = at > deadline
        words = "should have been acknowledged by " if late else "acknowledge by "
        look = "degraded" if late else "no_data"
        told.append(html.Li([badge(look, "Nobody has it yet"), html.Span([words, exact(deadline)])]))
    return [*parts, *([html.Ul(told, className="alert-flags")] if told else [])]


def _actions(alert: Alert) -> Children:
    """What operators can do; each asks for its reason in a dialog."""
    buttons = []
    if alert.state == "open":
        buttons.append(_button("Acknowledge", "alert-acknowledge", alert, "Take care of this alert?", "primary"))
    if alert.state != "resolved":
        question = "Resolve this alert by hand? It opens again when its source says so again."
        buttons.append(_button("Resolve by hand", "alert-resolve", alert, question))
    if not alert.noise:
        question = "Mark this alert as noise? It counts against its rule in the tuning figures."
        buttons.append(_button("Mark as noise", "alert-noise", alert, question))
    parts: Children = [html.Div(buttons, className="buttons")] if buttons else []
    if alert.state != "resolved":
        parts.append(_silence_form(alert))
    return parts


def _button(word: str, name: str, alert: Alert, question: str, class_name: str = "") -> html.Button:
    return html.Button(
        word,
        type="button",
        className=class_name,
        **{
            "data-post": f"{ACTIONS}{name}", "data-body": json.dumps({"alert_id": alert.alert_id}),
            "data-confirm": question, "data-confirm-label": word, "data-reason": "Reason",
        },
    )  # fmt: skip


def _silence_form(alert: Alert) -> html.Form:
    return html.Form(
        [
            field("silence-scope", "Silence", choice("silence-scope", "scope", "alert", SCOPES)),
            field("silence-minutes", "For", choice("silence-minutes", "minutes", "60", DURATIONS)),
            html.Button(
                "Silence", type="submit",
                **{
                    "data-confirm": "Silence it? It is recorded and shown, but nobody is told.",
                    "data-confirm-label": "Silence", "data-reason": "Reason",
                },
            ),
            html.P(className="form-status", role="status"),
        ],
        id=f"silence-form-{alert.alert_id}",
        className="silence-form",
        **{"data-post": f"{ACTIONS}alert-silence", "data-body": json.dumps({"alert_id": alert.alert_id})},
    )  # fmt: skip


def _links(alert: Alert, opened: OpenedAlert, request: ViewRequest) -> Children:
    """Where to look: the page it is about from before it began, the runbook, the incident, the trace."""
    links: Children = []
    here = {"environment": alert.environment}
    if address := page_address(alert):
        links.append(html.A("See it from before it began", href=address, className="button"))
    if alert.runbook:
        links.append(html.A("Runbook", href=runbook_address(quote(alert.runbook, safe="")), className="button"))
    for name, word in SOURCES.items():
        if host := _host(alert.labels.get(name, "")):
            address, away = alert.labels[name], {"rel": "noreferrer noopener", "target": "_blank"}
            links.append(html.A(f"{word} on {host}", href=address, className="button", title=address, **away))
    if alert.incident_id:
        words = opened.incident.title if opened.incident else "Incident"
        changes = {"tab": "incidents", "incident": alert.incident_id, "alert": None}
        links.append(set_link("Incident", request, changes, className="button", title=words))
    if alert.correlation_id:
        since = {"from": round((alert.opened_at - LOOK_BACK_SECONDS) * 1000), **here}
        href = f"/replay?{urlencode({'correlation_id': alert.correlation_id, **since})}"
        links.append(html.A("Trace its events", href=href, className="button"))
    if request.get("rule") != alert.rule:
        href = f"{PAGE}?{urlencode({'rule': alert.rule, 'from': 'now-7d', **here})}"
        links.append(html.A("Its rule, last 7 days", href=href, className="button"))
    return [html.Nav(links, className="buttons", **{"aria-label": "Where to look"})] if links else []


def _host(address: str) -> str:
    """The host of a web address; "" for all else: other schemes can run code, or are no address."""
    try:
        parts = urlsplit(address)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _facts(alert: Alert) -> Children:
    rows: list[tuple[str, Any]] = [
        ("Rule", html.Code(alert.rule)),
        ("Source", alert.source),
        ("Environment", alert.environment),
        ("Opened", exact(alert.opened_at)),
        ("Fired", count(alert.fired, "time")),
    ]
    if alert.acknowledged_at is not None:
        by = f" by {alert.acknowledged_by}" if alert.acknowledged_by else ""
        rows.append(("Acknowledged", [exact(alert.acknowledged_at), by]))
    if alert.resolved_at is not None:
        rows.append(("Resolved", exact(alert.resolved_at)))
    if alert.unknown_since is not None:
        rows.append(("Silent for", lasting(alert.unknown_since)))
    if alert.correlation_id:
        rows.append(("Correlation id", html.Code(alert.correlation_id)))
    linked = {name for name in SOURCES if _host(alert.labels.get(name, ""))}
    rows += [(name, str(value)) for name, value in sorted(alert.labels.items()) if name not in linked]
    facts = html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in rows], className="event-facts")
    return [html.H3("Facts"), facts]


def _deliveries(alert: Alert) -> Children:
    """Who was told, over which transport, and what went wrong."""
    if not alert.deliveries:
        text = "Nobody was told yet." if not alert.silenced_by else "Nobody was told: it is silenced."
        return [html.H3("Told"), html.P(text, className="hint")]
    rows = [_delivery(one) for one in alert.deliveries]
    return [html.H3("Told"), html.Ul(rows, className="deliveries")]


def _delivery(one: Delivery) -> html.Li:
    if one.problem:
        state, words = "degraded", "Not delivered" if one.delivered_at is None else "Trouble since"
    elif one.delivered_at is None:
        state, words = "no_data", "Waiting"
    else:
        state, words = "healthy", "Delivered"
    parts: Children = [html.Strong(TRANSPORTS.get(one.transport, one.transport)), badge(state, words)]
    if one.delivered_at is not None:
        parts.append(exact(one.delivered_at))
    if one.attempts > 1:
        parts.append(html.Span(count(one.attempts, "attempt")))
    if one.problem:
        parts.append(html.Span(one.problem, className="delivery-problem"))
    return html.Li(parts)


def timeline(events: tuple[AlertEvent, ...], title: str) -> Children:
    """What happened, oldest first."""
    head = html.H3(title)
    if not events:
        return [head, html.P("Nothing is recorded yet.", className="hint")]
    return [head, html.Ol([_event(event) for event in events], className="trace timeline")]


def _event(event: AlertEvent) -> html.Li:
    state, word = EVENTS.get(event.kind, ("no_data", event.kind.replace("_", " ").capitalize()))
    who = [html.Span(f"by {event.who}", className="trace-operator")] if event.who else []
    text = [html.P(event.text, className="trace-detail")] if event.text else []
    return html.Li(
        [
            shape(state),
            html.Div([html.P([html.Strong(word), *who, exact(event.at, "trace-time")], className="trace-head"), *text]),
        ],
        className="trace-step",
        **{"data-state": state},
    )
