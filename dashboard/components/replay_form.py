"""What an operator may start from the Replay page: a replay of what was searched, a redrive of what was listed.

The forms' controls do not depend on the data beside them, so a refresh leaves what is being typed alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from dash import html

from backend.contract.event_query import query_json
from backend.contract.replays import CONFIRM_ABOVE
from dashboard.components.replay import Children, box, choice, field, heading, reason_field
from dashboard.data.replay import ReplayData
from dashboard.data.replay_sources import Limits

NO_ACTION: Final[Mapping[str, Any]] = {"data-post": None, "data-body": None}
DELETE: Final = {
    "data-post": "/api/v1/actions/dlq-delete",
    "data-confirm": "Delete the ticked messages for good? The audit log keeps their text, long ones cut.",
    "data-confirm-label": "Delete",
}


def action(data: ReplayData) -> dict[str, Any]:
    """What the form around the open tab's rows asks for: attributes of its element, all None where nothing may be."""
    if not data.acts:
        return dict(NO_ACTION)
    if data.search is not None and data.search.page.events:
        body: dict[str, Any] = {"selection": query_json(data.search.query)}
        return {"data-post": "/api/v1/actions/replay", "data-body": json.dumps(body)}
    if data.queues is not None and data.queues.chosen is not None:
        wanted = data.queues.wanted
        names = ("error_type", "event_type", "entity_id", "operator", "text")
        body = {name: value for name in names if (value := getattr(wanted, name)) is not None}
        content = json.dumps({"queue": data.queues.chosen, **body})
        return {"data-post": "/api/v1/actions/redrive", "data-body": content}
    return dict(NO_ACTION)


def panel(data: ReplayData) -> Children:
    """The controls of the open tab's form; none for who may not act, or where there is nothing to act on."""
    if not data.acts:
        return []
    if data.search is not None and data.search.page.events:
        return [_replay_panel(data.search.targets, data.limits)]
    if data.queues is not None and data.queues.messages:
        return [_redrive_panel(data.limits)]
    return []


def _replay_panel(targets: tuple[str, ...], limits: Limits) -> html.Section:
    to_queue = choice("order-target", "target", targets[0] if targets else "", {name: name for name in targets})
    most = box(
        "order-most", "max_events", "number", min=1, max=limits.max_events, step=1,
        placeholder=f"{limits.max_events:,}",
    )  # fmt: skip
    confirm = box("order-confirm", "confirm", "number", min=0, step=1)
    return html.Section(
        [
            heading("Replay"),
            html.P(
                "Sends the ticked events again; with none ticked, all that match the search, on every page of it. "
                f"An event is replayed at most {limits.max_replays} times.",
                className="hint",
            ),
            html.Div(
                [
                    field("order-target", "To", to_queue),
                    _rate_field("order-rate", limits),
                    field("order-most", "At most", most, "events; the rest is left out"),
                    field(
                        "order-confirm", "Number of events", confirm, f"Typed to confirm more than {CONFIRM_ABOVE:,}"
                    ),
                    reason_field("order-reason"),
                ],
                className="fields",
            ),
            html.Div(
                [
                    html.Button("Dry run", type="submit", formNoValidate=True, **{"data-dry-run": ""}),
                    html.Button("Replay", type="submit", className="primary"),
                ],
                className="buttons",
            ),
            html.P(className="form-status", role="status"),
        ],
        id="order-replay",
        className="card order",
        **{"aria-label": "Replay"},
    )


def _redrive_panel(limits: Limits) -> html.Section:
    return html.Section(
        [
            heading("Redrive"),
            html.P(
                "Sends the ticked messages back; with none ticked, all of the queue that match the filter, "
                "also those that the sample does not show.",
                className="hint",
            ),
            html.Div([_rate_field("redrive-rate", limits), reason_field("redrive-reason")], className="fields"),
            html.Div(
                [
                    html.Button("Delete ticked", type="submit", className="danger", **DELETE),
                    html.Button("Redrive", type="submit", className="primary"),
                ],
                className="buttons",
            ),
            html.P(className="form-status", role="status"),
        ],
        id="order-redrive",
        className="card order",
        **{"aria-label": "Redrive"},
    )


def _rate_field(ident: str, limits: Limits) -> html.Div:
    rate = box(ident, "rate_per_second", "number", min=0, step="any", placeholder=f"{limits.rate_per_second:g}")
    return field(ident, "Events a second", rate, "0 is without a limit")
