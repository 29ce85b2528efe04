"""The dead-letter tab: depth and age of every queue, and a sample of the chosen one."""

from __future__ import annotations

from typing import Final

from dash import html

from backend.contract.events import ERROR_TYPES
from backend.contract.replays import DeadLetter, DeadLetterFilter, QueueState
from backend.contract.verdict import duration
from dashboard.components.links import set_link
from dashboard.components.replay import (
    FIELD_TITLES,
    Children,
    address_form,
    cell,
    choice_field,
    entity_cell,
    event_link,
    failure_cell,
    heading,
    named,
    not_connected,
    table,
    text_field,
    tick,
)
from dashboard.components.states import badge, note
from dashboard.components.text import count
from dashboard.components.times import ago, exact
from dashboard.data.replay import ReplayData
from dashboard.data.request import ViewRequest

FILTERS: Final = ("error_type", "event_type", "entity_id", "operator", "text")
COLUMNS: Final = ("Dead since", "Receives", "Error", "Type", "Entity", "Operator", "Message")


def queues(data: ReplayData) -> Children:
    """One card a queue; a link to its sample where who looks can follow one."""
    found = data.queues
    if found is None:
        return [not_connected("Dead-letter queues will be shown here with depth, age and a sample of their messages.")]
    missing: Children = []
    if found.missing is not None:
        text = f"There is no queue {found.missing}; the known ones are below."
        missing = [html.P(text, className="replay-note", role="alert")]
    if not found.queues:
        return [*missing, note("No queues", "No dead-letter queue is configured.", "empty")]
    cards = [_queue(queue, data) for queue in found.queues]
    return [*missing, html.Div(cards, className="queues")]


def _queue(queue: QueueState, data: ReplayData) -> html.Article:
    chosen = data.queues is not None and data.queues.chosen == queue.name
    state, word = _state(queue)
    facts = [
        ("Oldest", _oldest(queue)),
        ("In flight", "–" if queue.in_flight is None else f"{queue.in_flight:,}"),
        ("Goes back to", queue.source),
    ]
    links: Children = []
    if data.tab != "overview":
        changes: dict[str, str | None] = {"queue": None} if chosen else {"queue": queue.name, "token": None}
        words = "Close the sample" if chosen else "Look inside"
        links = [html.P(set_link([words, html.Span(f" {queue.name}", className="unseen")], data.request, changes))]
    amount: Children = [html.P(queue.problem or "Its depth can't be read.", className="hint")]
    if queue.depth is not None:
        unit = "message" if queue.depth == 1 else "messages"
        depth = [html.Span(f"{queue.depth:,}", className="number"), html.Span(unit, className="unit")]
        if queue.depth:
            depth.insert(0, html.Span("about", className="unit"))
        trouble = [html.P(queue.problem, className="hint")] if queue.problem else []
        amount = [html.P(depth, className="value"), *trouble]
    return html.Article(
        [
            heading(queue.name, badge(state, word)),
            *amount,
            html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in facts], className="facts"),
            *links,
        ],
        id=f"queue-{queue.name}",
        className="card queue",
        **{"data-state": state, "data-chosen": str(chosen).lower()},
    )


def _oldest(queue: QueueState) -> str:
    if queue.oldest_age_seconds is not None:
        return duration(queue.oldest_age_seconds)
    return "not known until the queue is looked into" if queue.depth or queue.in_flight else "–"


def _state(queue: QueueState) -> tuple[str, str]:
    if queue.depth is None:
        return "unknown", "Unknown"
    return ("degraded", "Waiting") if queue.depth else ("healthy", "Empty")


def filter_form(data: ReplayData) -> Children:
    """The filters of a queue's sample; what they leave is also what a redrive of all takes."""
    found, request = data.queues, data.request
    if found is None or found.chosen is None:
        return []
    controls = [
        choice_field("letter-error", "error_type", "Error type", request.get("error_type"), named(ERROR_TYPES)),
        text_field("letter-type", "event_type", "Type", request.get("event_type")),
        text_field("letter-entity", "entity_id", FIELD_TITLES["entity_id"], request.get("entity_id")),
        text_field("letter-operator", "operator", "Operator", request.operator),
    ]
    if data.acts:
        controls.append(text_field("letter-text", "text", "Text in the message", request.get("text")))
    return [address_form(controls, request, FILTERS, "Filter")]


def sample(data: ReplayData) -> Children:
    """The messages seen in the chosen queue, under a sentence that says that they are a sample."""
    found = data.queues
    if found is None or found.chosen is None:
        return []
    listing = found.listing
    if listing is None:
        return [html.Section([heading(found.chosen), note("No sample now", found.problem, "error")], className="card")]
    if listing.seen < listing.about:
        words = f"{listing.seen:,} of about {listing.about:,}"
        scope = "A queue can't be browsed, so this is a sample of it."
    else:
        words, scope = f"all {listing.seen:,}", "All that were in the queue."
    head = heading(found.chosen, html.Span(words, className="aside"))
    left = f" {count(len(found.messages), 'message')} of them match the filter." if _filtered(found.wanted) else ""
    sentence = html.P([f"{scope}{left} Looked at ", ago(listing.at), "."], className="scanned")
    if not found.messages:
        empty = note("Nothing to show", "No message of the sample matches the filter.", "empty")
        if not listing.seen:
            empty = note("Empty", "No message was found in this queue.", "empty")
        return [html.Section([head, sentence, empty], className="card")]
    heads = ("Chosen", *COLUMNS) if data.acts else COLUMNS
    rows = [_letter(letter, data) for letter in found.messages]
    return [html.Section([head, sentence, table(heads, rows, "letters", "Messages seen")], className="card")]


def _filtered(wanted: DeadLetterFilter) -> bool:
    return any(getattr(wanted, name) is not None for name in FILTERS)


def _letter(letter: DeadLetter, data: ReplayData) -> html.Tr:
    request = data.request
    cells = [
        cell("Dead since", exact(letter.sent_at), "when"),
        cell("Receives", f"{letter.receive_count:,}", "number-cell"),
        failure_cell(_error(letter, request), letter.error_message),
        cell("Type", letter.event_type),
        entity_cell(letter.entity_id, letter.entity_id),
        cell("Operator", letter.operator),
        cell("Message", html.Div(_message(letter, data), className="inside"), "message-cell"),
    ]
    if data.acts:
        label = f"Choose message {letter.message_id}"
        cells.insert(0, tick(f"letter-{letter.message_id}", "message_ids", letter.message_id, label))
    return html.Tr(cells, id=f"message-{letter.message_id}")


def _error(letter: DeadLetter, request: ViewRequest) -> Children:
    if not letter.error_type:
        return []
    return [set_link(letter.error_type, request, {"error_type": letter.error_type}), f" {letter.error_message}"]


def _message(letter: DeadLetter, data: ReplayData) -> Children:
    parts: Children = []
    if letter.event_id:
        parts.append(event_link(letter.event_id, data.request, "Event"))
    if data.acts:
        parts.append(
            html.Details(
                [html.Summary("Body"), html.Pre(letter.body, className="code")], id=f"body-{letter.message_id}"
            )
        )
    return parts or ["Shown to operators"]
