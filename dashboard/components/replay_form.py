"""What an operator may start from the Replay page: a replay of what was searched, a redrive of what was listed.

The forms' controls do not depend on the data beside them, so a refresh leaves what is being typed alone. What is
ticked and what matches are two buttons: no tick that is lost can turn the one into the other. The first button is what
the Enter key presses; it never starts more than what is ticked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from dash import html

from backend.contract.event_query import FIELDS, query_json
from backend.contract.replays import CONFIRM_ABOVE, Listing
from dashboard.components.replay import Children, box, choice, field, heading, reason_field
from dashboard.components.text import count
from dashboard.data.replay import QueuesData, ReplayData
from dashboard.data.replay_sources import Limits
from dashboard.data.request import ViewRequest

NO_ACTION: Final[Mapping[str, Any]] = {"data-post": None, "data-body": None}
DELETE: Final = {
    "data-post": "/api/v1/actions/dlq-delete",
    "data-confirm": "Delete the ticked messages for good? The audit log keeps their text, long ones cut.",
    "data-confirm-label": "Delete",
}
TICKED: Final = {"data-takes": "ticked"}
COUNTED: Final = {
    "data-confirm": "{found}. Send them again?",
    "data-confirm-label": "Replay {would_send}",
    "data-type-above": str(CONFIRM_ABOVE),
}
REPLAY_TICKED: Final = {
    **TICKED, **COUNTED, "data-counts": str(CONFIRM_ABOVE), "data-body": json.dumps({"selection": {}}),
}  # fmt: skip
"""Exactly the events named, whatever was searched when they were ticked."""
REPLAY_ALL: Final = {"data-takes": "all", **COUNTED, "data-counts": "0"}
LETTER_FILTERS: Final = ("error_type", "event_type", "entity_id", "operator", "text")


def action(data: ReplayData) -> dict[str, Any]:
    """What the form around the open tab's rows asks for: attributes of its element, all None where nothing may be."""
    if not data.acts:
        return dict(NO_ACTION)
    if data.search is not None:
        body: dict[str, Any] = {"selection": query_json(data.search.query)}
        return {"data-post": "/api/v1/actions/replay", "data-body": json.dumps(body)}
    if data.queues is not None and data.queues.chosen is not None:
        wanted = data.queues.wanted
        body = {name: value for name in LETTER_FILTERS if (value := getattr(wanted, name)) is not None}
        content = json.dumps({"queue": data.queues.chosen, **body})
        return {"data-post": "/api/v1/actions/redrive", "data-body": content}
    return dict(NO_ACTION)


def panel(data: ReplayData) -> Children:
    """The controls of the open tab's form; none for who may not act, or where there is nothing to act on."""
    if not data.acts:
        return []
    search, queues = data.search, data.queues
    if search is not None:
        # Where nothing is found there may still be something ticked.
        some = bool(search.page.events or search.page.next_token)
        return [_replay_panel(search.targets, data.limits, _searched(data.request, (*FIELDS, "time")), some=some)]
    if queues is not None and queues.chosen is not None and queues.listing is not None:
        searched = _searched(data.request, ("queue", *LETTER_FILTERS), ranged=False)
        return [_redrive_panel(data.limits, queues.chosen, queues, queues.listing, searched)]
    return []


def _searched(request: ViewRequest, names: tuple[str, ...], *, ranged: bool = True) -> str:
    """What is searched for, as a text: ticks end with it."""
    values = [request.operator if name == "operator" else request.get(name) for name in names]
    return json.dumps([*([request.start, request.end] if ranged else []), *values])


def _ticks(name: str, searched: str) -> dict[str, str]:
    """Attributes of a panel whose form has rows to tick (``assets/ticks.js``)."""
    return {"data-ticks": name, "data-ticks-of": searched}


def _ticked() -> html.Div:
    """How many are ticked, also those whose rows are on no screen, and a way to untick them."""
    clear = html.Button("Clear ticks", type="button", hidden=True, className="clear", **{"data-ticks-clear": ""})
    number = html.Span("0 ticked", **{"data-ticks-count": "", "aria-live": "polite"})
    return html.Div([number, clear], className="ticked")


def _of_ticked(word: str, **attributes: Any) -> html.Button:
    """A button for what is ticked, with its number; not to be pressed where nothing is."""
    number = html.Span("0", **{"data-ticks-number": ""})
    return html.Button([f"{word} ticked (", number, ")"], type="submit", disabled=True, **attributes)


def _replay_panel(targets: tuple[str, ...], limits: Limits, searched: str, *, some: bool) -> html.Section:
    to_queue = choice("order-target", "target", targets[0] if targets else "", {name: name for name in targets})
    most = box(
        "order-most", "max_events", "number", min=1, max=limits.max_events, step=1,
        placeholder=f"{limits.max_events:,}",
    )  # fmt: skip
    return html.Section(
        [
            heading("Replay"),
            html.P(
                "Sends again what is ticked, or all that match the search, on every page of it. "
                f"An event is replayed at most {count(limits.max_replays, 'time')}.",
                className="hint",
            ),
            html.Div(
                [
                    field("order-target", "To", to_queue, wide=True),
                    _rate_field("order-rate", limits),
                    field("order-most", "At most", most, "events; the rest is left out"),
                    reason_field("order-reason"),
                ],
                className="fields",
            ),
            _ticked(),
            html.Div(
                [
                    html.Button("Dry run", type="submit", formNoValidate=True, **{"data-dry-run": ""}),
                    _of_ticked("Replay", className="primary", **REPLAY_TICKED),
                    html.Button("Replay all matching…", type="submit", **REPLAY_ALL),
                ],
                className="buttons",
            ),
            html.P(className="form-status", role="status"),
        ],
        id="order-replay",
        className="card order" if some else "card order order-idle",
        **{"aria-label": "Replay", **_ticks("selection.event_ids", searched)},
    )


def _redrive_panel(limits: Limits, name: str, found: QueuesData, listing: Listing, searched: str) -> html.Section:
    body = {"data-body": json.dumps({"queue": name})}
    asked = {"data-confirm": _redrive_question(name, found, listing), "data-confirm-label": "Redrive all matching"}
    return html.Section(
        [
            heading("Redrive"),
            html.P(
                "Sends back what is ticked, or all messages of the queue that match the filter, "
                "also those that the sample does not show.",
                className="hint",
            ),
            html.Div([_rate_field("redrive-rate", limits), reason_field("redrive-reason")], className="fields"),
            _ticked(),
            html.Div(
                [
                    _of_ticked("Redrive", className="primary", **TICKED, **body),
                    html.Button("Redrive all matching…", type="submit", **{"data-takes": "all", **asked}),
                    _of_ticked("Delete", className="danger", **TICKED, **body, **DELETE),
                ],
                className="buttons",
            ),
            html.P(className="form-status", role="status"),
        ],
        id="order-redrive",
        className="card order",
        **{"aria-label": "Redrive", **_ticks("message_ids", searched)},
    )


def _redrive_question(name: str, found: QueuesData, listing: Listing) -> str:
    """What a redrive of all would take, as far as it can be known: a queue can't be counted by a filter."""
    holds = f"{name} holds about {count(listing.about, 'message')}"
    if all(getattr(found.wanted, one) is None for one in LETTER_FILTERS):
        return f"Send back all messages of the queue? {holds}."
    matching = f"{len(found.messages):,} of the {listing.seen:,} looked at do"
    return f"Send back all messages of the queue that match the filter? {holds}; {matching}."


def _rate_field(ident: str, limits: Limits) -> html.Div:
    rate = box(ident, "rate_per_second", "number", min=0, step="any", placeholder=f"{limits.rate_per_second:g}")
    return field(ident, "Events a second", rate, "0 is without a limit")
