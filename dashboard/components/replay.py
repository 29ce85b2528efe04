"""What the tabs of the Replay page have in common: tabs, tables, form fields, and selections in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import html

from backend.contract.event_query import FIELDS
from backend.contract.replays import MAX_REASON
from dashboard.components.links import set_link
from dashboard.components.states import badge, note, synthetic_events
from dashboard.components.text import count, masked
from dashboard.components.times import stamp
from dashboard.data.replay import PARAMETERS, TABS, ReplayData, Tab
from dashboard.data.request import ViewRequest
from dashboard.html import Element

Children = list[Any]
TITLES: Final[Mapping[Tab, str]] = {
    "search": "Search",
    "replays": "Replays",
    "dead-letters": "Dead letters",
    "audit": "Audit log",
    "overview": "Overview",
}
FIELD_TITLES: Final = {
    "entity_id": "Entity",
    "correlation_id": "Correlation id",
    "event_type": "Type",
    "source": "Source",
    "status": "Status",
    "error_type": "Error type",
    "operator": "Operator",
}
"""The filters of events, in the order of the forms."""
NUMBERS: Final = ("Lag", "Replays", "Matched", "Sent", "Failed", "Skipped", "Receives")
"""Columns of numbers, which stand right."""
MASKED: Final = ("entity_id", "correlation_id", "text")
"""What names somebody, or quotes a message."""
SHOWN_BATCHES: Final = 5
"""Of a retry, in its sentence; its results list them all."""
SHORT: Final = 12
"""Digits of an id that are enough to tell neighbours apart."""
_LEAVING: Final = {name: None for name in (*PARAMETERS, "operator") if name != "tab"}
"""What a tab's parameters mean to another one is nothing."""


def tabs(data: ReplayData) -> Children:
    """The tabs as links; none for a display, which has nothing to press."""
    if data.tab == "overview":
        return []
    items = []
    for tab in TABS:
        here = {"aria-current": "page"} if tab == data.tab else {}
        changes = {**_LEAVING, "tab": None if tab == "search" else tab}
        items.append(html.Li(set_link(TITLES[tab], data.request, changes, **here)))
    return [html.Ul(items)]


def environment_note(data: ReplayData) -> Children:
    """Says so where the address names an environment that these events are not of."""
    synthetic: Children = [synthetic_events()] if data.synthetic else []
    if data.request.environment == data.environment:
        return synthetic
    text = f"Everything here is of {data.environment}: events are not filtered by environment."
    return [*synthetic, html.P(text, className="replay-note")]


def not_connected(what: str) -> html.Div:
    """The look of a service that this dashboard was not given."""
    return note("Not connected yet", what, "not-connected")


def heading(title: Any, *aside: Any) -> html.Header:
    """A card's head."""
    return html.Header([html.H2(title), *aside], className="card-head")


def table(
    heads: Sequence[str], rows: Sequence[html.Tr], class_name: str, label: str, numbers: Sequence[str] = NUMBERS
) -> html.Div:
    """A table that scrolls in its own box; on phones its rows become cards (``cell`` carries the column's name)."""
    head = html.Thead(
        html.Tr([html.Th(title, scope="col", className="number-cell" if title in numbers else "") for title in heads])
    )
    return html.Div(
        html.Table([head, html.Tbody(list(rows))], className=f"rows {class_name}", **{"aria-label": label}),
        className="rows-box",
    )


def cell(label: str, content: Any, class_name: str = "", title: str = "") -> html.Td:
    """A cell that knows its column's name. Nothing known is a dash, never an empty cell."""
    extra: dict[str, Any] = {"data-label": label}
    if title:
        extra["title"] = title
    if content in (None, "", []):
        return html.Td("–", className=f"{class_name} nothing".strip(), **extra)
    return html.Td(content, className=class_name, **extra)


def entity_cell(content: Any, entity_id: str) -> html.Td:
    """An entity on one line; one that is too long loses its beginning, as ids differ at their ends."""
    return cell("Entity", html.Span(content) if isinstance(content, str) and content else content, "entity", entity_id)


def failure_cell(content: Children, whole: str) -> html.Td:
    """An error cut to two lines; ``whole`` is its title."""
    return cell("Error", html.Div(content, className="clamp") if content else "", "failure-cell", whole)


def tick(ident: str, name: str, value: str, label: str) -> html.Td:
    """A box to tick in the row of ``value``; the ticked ones are sent as the list ``name``.

    It keeps its tick when a refresh moves its row: rows are told apart by their ids.
    """
    check = Element("input", {"id": ident, "type": "checkbox", "name": f"{name}[]", "value": value})
    return html.Td(html.Label([html.Span(label, className="unseen"), check], className="tick"), className="tick-cell")


def field(ident: str, label: str, control: Any, hint: str = "", wide: bool = False) -> html.Div:
    """A control, whose id is ``ident``, under its label."""
    below = [html.Span(hint, className="hint")] if hint else []
    controls = control if isinstance(control, list) else [control]
    parts = [html.Label(label, htmlFor=ident, className="label"), *controls, *below]
    return html.Div(parts, className="field field-wide" if wide else "field")


def box(ident: str, name: str, kind: str = "text", **attributes: Any) -> Element:
    """An input; attributes as HTML names them."""
    own = {"id": ident, "name": name, "type": kind, "class": "form-control", "autocomplete": "off"}
    return Element("input", {**own, **attributes})


def choice(ident: str, name: str, value: str, options: Mapping[str, str]) -> html.Select:
    """A select of ``options``, value to words."""
    entries = [html.Option(words, value=key, selected=key == value or None) for key, words in options.items()]
    return html.Select(entries, id=ident, name=name, className="form-select")


def text_field(ident: str, name: str, label: str, value: str | None, suggestions: Sequence[str] = ()) -> html.Div:
    """A text of the address, with what is known to choose from."""
    if not suggestions:
        return field(ident, label, box(ident, name, "search", value=value or "", maxlength=256))
    listed = f"{ident}-known"
    known = html.Datalist([html.Option(value=entry) for entry in suggestions], id=listed)
    control = box(ident, name, "search", value=value or "", maxlength=256, list=listed)
    return field(ident, label, [control, known])


def choice_field(
    ident: str, name: str, label: str, value: str | None, options: Mapping[str, str], anything: str = "Any"
) -> html.Div:
    """A choice of the address; nothing chosen is ``anything``."""
    return field(ident, label, choice(ident, name, value or "", {"": anything, **options}))


def named(values: Sequence[str]) -> dict[str, str]:
    """Options of a choice: ``parse_error`` reads "Parse error"."""
    return {value: value.replace("_", " ").capitalize() for value in values}


def reason_field(ident: str) -> html.Div:
    """Why something is done; kept in the audit log."""
    reason = box(ident, "reason", required=True, minlength=3, maxlength=MAX_REASON)
    return field(ident, "Reason", reason, "Kept in the audit log with your name", wide=True)


def address_form(controls: Sequence[Any], request: ViewRequest, names: Sequence[str], label: str) -> html.Form:
    """A form that sets the address, with a link that clears what it set."""
    buttons = [html.Button(label, type="submit", className="primary")]
    if any((request.operator if name == "operator" else request.get(name)) for name in names):
        cleared: dict[str, str | None] = {**dict.fromkeys(names), "token": None}
        buttons.append(set_link("Clear", request, cleared, className="clear"))
    return html.Form(
        [*controls, html.Div(buttons, className="buttons")],
        className="fields address",
        role="search",
        **{"data-url": "", "aria-label": label},
    )


def pages(request: ViewRequest, continued: bool, following: str | None) -> Children:
    """Links to the first and the next page of a result."""
    links: Children = []
    if continued:
        links.append(set_link("First page", request, {"token": None}))
    if following:
        links.append(set_link("Next page", request, {"token": following}, rel="next"))
    return [html.Nav(links, className="pages", **{"aria-label": "Pages of the result"})] if links else []


def short(ident: str) -> str:
    """The first digits of a long id."""
    return ident if len(ident) <= SHORT else ident[:SHORT]


def event_link(event_id: str, request: ViewRequest, children: Any = None) -> html.A:
    """Opens the event beside the page; the focus comes back to it afterwards."""
    shown = html.Code(short(event_id)) if children is None else children
    opens = {"title": event_id, "data-opens": event_id}
    return set_link(shown, request, {"event": event_id}, **opens)


def selection_words(selection: Mapping[str, Any], hide: bool = False) -> Children:
    """A replay's recorded selection as a sentence; ``hide`` masks ids, as displays need."""
    if selection.get("job_name"):
        named = selection.get("batches", [])
        total = selection.get("batches_total", len(named))
        shown = ", ".join(map(str, named[:SHOWN_BATCHES])) + (", ..." if total > SHOWN_BATCHES else "")
        return [f"{count(total, 'batch', 'batches')} of {selection['job_name']}: {shown}"]
    ids = next((name for name in ("event_ids", "message_ids") if selection.get(name)), None)
    said = [_filter_words(name, selection[name], hide) for name in (*FIELDS, "text") if selection.get(name)]
    words: Children = [f"From {selection['queue']}: "] if selection.get("queue") else []
    what = "message" if selection.get("queue") else "event"
    if ids is None:
        words.append(f"all {what}s")
    else:
        words.append(f"{count(selection.get(f'{ids}_total', len(selection[ids])), what)} named one by one")
    if said:
        words += [" of ", ", ".join(said)]
    return [*words, *_range_words(selection)]


def _filter_words(name: str, value: Any, hide: bool) -> str:
    text = masked(str(value)) if hide and name in MASKED else str(value)
    return f"{FIELD_TITLES.get(name, name).lower()} {text}"


def _range_words(selection: Mapping[str, Any]) -> Children:
    try:
        start, end = (int(selection[name]) / 1000 for name in ("from", "to"))
    except (KeyError, TypeError, ValueError):
        return []
    return [f", {selection.get('time', 'received')} ", stamp(start), " to ", stamp(end)]


def outcome_badge(outcome: str) -> html.Span:
    """What became of an event or an action as word, shape and colour."""
    looks = {
        "sent": "healthy", "succeeded": "healthy", "failed": "critical", "refused": "degraded", "skipped": "unknown",
        "started": "no_data", "cancelled": "cancelled",
    }  # fmt: skip
    return badge(looks.get(outcome, "unknown"), outcome.capitalize())
