"""The drawer of one event, beside the page that opened it (``?event=<id>``): what happened to it, and what was sent.

``frame`` goes into a page's layout, ``props`` into its view. Everything an event says is drawn as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dash import html

from backend.contract.events import EventDetail, EventRecord, TraceStep
from backend.contract.replays import MAX_REASON
from dashboard.components.links import changed, set_link
from dashboard.components.states import badge, note, shape
from dashboard.components.text import LEAST_LAG, count, lag
from dashboard.components.times import exact
from dashboard.data.open_event import OpenEvent
from dashboard.data.request import ViewRequest
from dashboard.html import Element

Children = list[Any]
PARTS: Final = ("head", "error", "action", "facts", "trace", "payload")
"""Set one by one, so that a refresh of the trace leaves what is being typed into the form alone."""
STATUS: Final = {
    "failed": ("critical", "Failed"),
    "processed": ("healthy", "Processed"),
    "received": ("unknown", "Received"),
}
"""Status of an event -> the state whose shape and colour it wears, and its word."""
STAGES: Final = {
    "ingested": ("no_data", "Ingested"),
    "duplicate": ("degraded", "Sent again"),
    "processed": ("healthy", "Processed"),
    "failed": ("critical", "Failed"),
    "dead_lettered": ("critical", "Dead-lettered"),
    "replayed": ("no_data", "Replayed"),
    "redriven": ("no_data", "Redriven"),
}
REASON: Final = {
    "id": "drawer-reason", "name": "reason", "required": True, "minlength": 3, "maxlength": MAX_REASON,
    "autocomplete": "off", "class": "form-control",
}  # fmt: skip
SHORT: Final = 12
"""Hexadecimal digits of an event id that are enough to tell neighbours apart."""


def frame() -> html.Aside:
    """The closed drawer. ``assets/explore.js`` moves the focus into it and back, and closes it on Escape."""
    return html.Aside(
        [html.Div(id=f"drawer-{part}", className=f"drawer-{part}", **{"data-drawn": "yes"}) for part in PARTS],
        id="drawer",
        className="drawer",
        hidden=True,
        tabIndex=-1,
        **{"aria-labelledby": "drawer-title", "data-closes": "event"},
    )


def props(opened: OpenEvent | None, request: ViewRequest, max_replays: int) -> dict[str, dict[str, Any]]:
    """The view's props of the drawer; closed and empty where no event is open."""
    parts: dict[str, Children] = {part: [] for part in PARTS}
    if opened is not None:
        parts["head"] = _head(opened, request)
        if opened.detail is None:
            parts["error"] = [note("Nothing to show", opened.problem, "error")]
        else:
            record = opened.detail.record
            parts |= {
                "error": _error(opened.detail),
                "action": _action(record, request, max_replays),
                "facts": _facts(opened.detail),
                "trace": _trace(opened.detail, request),
                "payload": [*_payload(opened, request), *_headers(opened.detail.headers)],
            }
    filled = {f"drawer-{part}": {"children": children} for part, children in parts.items()}
    return {**filled, "drawer": {"hidden": opened is None}}


def status_badge(status: str) -> html.Span:
    """An event's status as word, shape and colour."""
    state, word = STATUS.get(status, ("unknown", status.capitalize()))
    return badge(state, word)


def replay_address(record: EventRecord, request: ViewRequest) -> str:
    """The Replay page with this event chosen: its entity searched, its drawer open."""
    wanted = replace(request, page="replay", parameters=(), host=None, operator=None)
    return f"/replay?{changed(wanted, {'entity_id': record.entity_id, 'event': record.event_id}).query()}"


def _head(opened: OpenEvent, request: ViewRequest) -> Children:
    close = set_link(
        html.Span("Close", className="unseen"), request, {"event": None}, className="drawer-close", title="Close (Esc)"
    )
    if opened.detail is None:
        return [html.H2("Event", id="drawer-title"), close]
    record = opened.detail.record
    return [
        html.Div(
            [
                html.H2(
                    [record.event_type, " ", html.Span(record.entity_id, className="drawer-entity")], id="drawer-title"
                ),
                html.P(
                    [status_badge(record.status), html.Span(["received ", exact(record.received_at)])],
                    className="drawer-sub",
                ),
            ]
        ),
        close,
    ]


def _error(detail: EventDetail) -> Children:
    parts: Children = []
    if detail.intact is False:
        text = "The stored object does not match the hash recorded at ingest. Don't replay it before you know why."
        parts.append(note("Tampered with", text, "error"))
    error = detail.record.error
    if error is not None:
        dead = " and dead-lettered" if error.dead_lettered else ""
        parts.append(
            html.Div(
                [
                    html.P(
                        [shape("critical"), html.Strong(error.error_type), f" in {error.operator}"],
                        className="failure-kind",
                    ),
                    html.P(error.message, className="failure-text"),
                    html.P(
                        [f"Received {count(error.receive_count, 'time')}{dead}, last tried ", exact(error.at)],
                        className="label",
                    ),
                ],
                className="failure",
                **{"data-state": "critical"},
            )
        )
    return parts


def _action(record: EventRecord, request: ViewRequest, max_replays: int) -> Children:
    to_page: Children = []
    if request.page != "replay":
        to_page = [html.A("Open in Replay", href=replay_address(record, request), className="button")]
    if request.role != "operator":
        return to_page
    if record.replay_count >= max_replays:
        text = f"Replayed {count(record.replay_count, 'time')}, which is the cap: loops are stopped."
        return [html.P(text, className="label"), *to_page]
    form = html.Form(
        [
            html.Label("Why it should go through again", htmlFor="drawer-reason"),
            html.Div(
                [
                    Element("input", REASON),
                    html.Button("Replay", type="submit", className="primary"),
                    *to_page,
                ],
                className="drawer-row",
            ),
            html.P(className="form-status", role="status"),
        ],
        id=f"drawer-form-{record.event_id}",
        **{
            "data-post": "/api/v1/actions/replay",
            "data-body": json.dumps({"selection": {"event_ids": [record.event_id]}}),
        },
    )
    return [form]


def _facts(detail: EventDetail) -> Children:
    record = detail.record
    late = ", late" if record.late else ""
    traced = next((step for step in detail.trace if step.traceparent or step.xray_id), None)
    rows: list[tuple[str, Any]] = [
        ("Source", record.source),
        ("Occurred", exact(record.occurred_at)),
        ("Lag", f"{_lag(record.lag_seconds)}{late}"),
        ("Processed", "never" if record.processed_at is None else exact(record.processed_at)),
        ("Replays", f"{record.replay_count:,}"),
        ("Size", f"{record.size:,} bytes"),
        ("Event id", _copied("drawer-id", record.event_id)),
        ("Correlation id", _copied("drawer-correlation", record.correlation_id)),
        ("Hash", [html.Span(_intact(detail), className="drawer-intact"), html.Code(record.sha256)]),
        ("Object", html.Code(record.raw_key)),
    ]
    if traced is not None and traced.traceparent:
        rows.append(("Trace context", html.Code(traced.traceparent)))
    if traced is not None and traced.xray_id:
        rows.append(("X-Ray", html.Code(traced.xray_id)))
    return [
        html.H3("Facts"),
        html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in rows], className="event-facts"),
    ]


def _intact(detail: EventDetail) -> Any:
    if detail.intact is None:
        return badge("unknown", "Not checked")
    return badge("healthy", "Intact") if detail.intact else badge("critical", "Tampered with")


def _lag(seconds: float) -> str:
    return lag(seconds) if seconds > -LEAST_LAG else f"{lag(seconds)} ahead of our clock"


def _copied(ident: str, text: str) -> html.Span:
    return html.Span([html.Code(text, id=ident), _copy_button(ident)], className="copied")


def _copy_button(ident: str, words: str = "Copy") -> html.Button:
    return html.Button(words, type="button", className="copy", **{"data-copy": f"#{ident}"})


def _trace(detail: EventDetail, request: ViewRequest) -> Children:
    if not detail.trace:
        return [html.H3("Trace"), note("No trace", "No step of this correlation id is recorded.", "empty")]
    first = detail.trace[0].at
    cut = (
        [html.P(f"The first {count(len(detail.trace), 'step')}; there are more.", className="label")]
        if detail.trace_cut
        else []
    )
    steps = [_step(step, detail.record.event_id, first, request) for step in detail.trace]
    return [html.H3("Trace of its correlation id"), html.Ol(steps, className="trace"), *cut]


def _step(step: TraceStep, event_id: str, first: float, request: ViewRequest) -> html.Li:
    state, word = STAGES.get(step.stage, ("no_data", step.stage.replace("_", " ").capitalize()))
    own = step.event_id == event_id
    where = [html.Span(f"in {step.operator}", className="trace-operator")] if step.operator else []
    kind = [html.Span(step.error_type, className="trace-kind")] if step.error_type else []
    other: Children = []
    if not own:
        name = " ".join(filter(None, (step.event_type, step.entity_id))) or step.event_id[:SHORT]
        other = [html.Span(["of ", set_link(name, request, {"event": step.event_id})], className="trace-other")]
    return html.Li(
        [
            html.Span(f"+{step.at - first:,.3f} s", className="trace-at"),
            shape(state),
            html.Div(
                [
                    html.P(
                        [html.Strong(word), *kind, *where, *other, exact(step.at, "trace-time")], className="trace-head"
                    ),
                    *([html.P(step.detail, className="trace-detail")] if step.detail else []),
                ]
            ),
        ],
        className="trace-step",
        **{"data-state": state, "data-own": str(own).lower()},
    )


def _payload(opened: OpenEvent, request: ViewRequest) -> Children:
    if request.role != "operator":
        return [html.H3("Payload"), note("For operators", "Raw payloads are shown to operators only.", "empty")]
    if not opened.payload:
        problem = opened.payload_problem or "The object can't be read."
        return [html.H3("Payload"), note("Not shown", problem, "error")]
    cut = len(opened.payload) < opened.payload_size
    size = f"The first {len(opened.payload):,} of {opened.payload_size:,} characters; the object in S3 has all."
    return [
        html.Header([html.H3("Payload"), _copy_button("drawer-raw")], className="drawer-part"),
        html.Pre(opened.payload, id="drawer-raw", className="code", tabIndex=0),
        *([html.P(size, className="label")] if cut else []),
    ]


def _headers(headers: Mapping[str, str]) -> Children:
    if not headers:
        return []
    rows = [html.Div([html.Dt(name), html.Dd(html.Code(value))]) for name, value in sorted(headers.items())]
    return [html.H3("Headers of its request"), html.Dl(rows, className="event-facts")]
