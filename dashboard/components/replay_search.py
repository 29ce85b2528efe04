"""The search tab: its form, what was looked at, what is odd about the result, and the events themselves."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from dash import html

from backend.contract.event_query import FIELDS
from backend.contract.events import ERROR_TYPES, STATUSES, EventRecord, Gap
from backend.contract.verdict import duration
from dashboard.components.event_drawer import status_badge
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
    pages,
    table,
    text_field,
    tick,
)
from dashboard.components.states import note, shape
from dashboard.components.text import LEAST_LAG, count, lag
from dashboard.components.times import exact, stamp
from dashboard.data.replay import ReplayData, SearchData
from dashboard.data.request import ViewRequest

FILTERS: Final = (*FIELDS, "time")
FINDINGS_SHOWN: Final = 20
TIMES: Final = {"received": "received", "occurred": "occurred"}
ROWS_KEPT: Final = 1_000
"""Rows are kept from one refresh to the next, as most events stay: making 100 anew was a third of all views' time."""
COLUMNS: Final = ("Event", "Received", "Type", "Entity", "Source", "Status", "Error", "Lag", "Replays")


def search_form(data: ReplayData) -> Children:
    """The filters of the search. The window is the shell's range."""
    search, request = data.search, data.request
    if search is None:
        return []
    controls = [
        text_field("search-entity", "entity_id", FIELD_TITLES["entity_id"], request.get("entity_id")),
        text_field("search-correlation", "correlation_id", "Correlation id", request.get("correlation_id")),
        text_field("search-type", "event_type", "Type", request.get("event_type"), search.types),
        text_field("search-source", "source", "Source", request.get("source"), search.sources),
        choice_field("search-status", "status", "Status", request.get("status"), named(STATUSES)),
        choice_field("search-error", "error_type", "Error type", request.get("error_type"), named(ERROR_TYPES)),
        text_field("search-operator", "operator", "Operator", request.operator, search.operators),
        choice_field(
            "search-time", "time", "Time range means", request.get("time"), {"occurred": "Time occurred"},
            "Time received",
        ),
    ]  # fmt: skip
    return [address_form(controls, request, FILTERS, "Search")]


def result(data: ReplayData) -> Children:
    """The events found, newest first, under a sentence that says how far the search looked."""
    search = data.search
    if search is None:
        return [not_connected("Events will be searched here by entity, type, source, status and time.")]
    found = search.page.events
    head: Children = [heading("Events", html.Span(_found_words(search), className="aside")), _scanned(search)]
    if not found:
        return [html.Section([*head, _nothing(search, data.request)], className="card")]
    rows = [_row(record, data.request, data.acts) for record in found]
    heads = ("Chosen", *COLUMNS) if data.acts else COLUMNS
    following = pages(data.request, search.continued, search.page.next_token)
    return [html.Section([*head, table(heads, rows, "events-found", "Events found"), *following], className="card")]


def _found_words(search: SearchData) -> str:
    found = len(search.page.events)
    if search.page.truncated:
        return f"{'Next' if search.continued else 'Newest'} {found:,}, there are more"
    return f"{'Last ' if search.continued else ''}{count(found, 'event')}" if found else "none"


def _scanned(search: SearchData) -> html.P:
    scanned = search.page.scanned
    cut = " There are more: older ones are on the next page." if search.page.next_token else ""
    meant = "" if search.query.time == "received" else " (searched by the time they occurred)"
    return html.P(
        [f"Looked at {count(scanned.items, 'item')} received from ", stamp(scanned.start), " to ",
         stamp(scanned.end), f"{meant}.{cut}"],
        className="scanned",
    )  # fmt: skip


def _nothing(search: SearchData, request: ViewRequest) -> html.Div:
    """No event matches, or none so far: says what to try, as links."""
    following = search.page.next_token
    if following:
        box = note("None so far", "A part of the range has been looked at; older events may match.", "empty")
        box.children = [*box.children, *pages(request, search.continued, following)]
        return box
    box = note("No event matches", "Nothing in this time range has all the filters set above.", "empty")
    tries: Children = []
    if request.end == "now" and request.start not in ("now-30d", "now-7d"):
        tries.append(set_link("Search the last 7 days", request, {"from": "now-7d", "token": None}))
    if any(getattr(search.query, name) for name in FIELDS):
        tries.append(set_link("Clear the filters", request, {**dict.fromkeys(FILTERS), "token": None}))
    box.children = [*box.children, html.P(tries, className="tries")]
    return box


@lru_cache(maxsize=ROWS_KEPT)
def _row(record: EventRecord, request: ViewRequest, acts: bool) -> html.Tr:
    error = record.error
    cells = [
        cell("Event", event_link(record.event_id, request)),
        cell("Received", exact(record.received_at), "when"),
        cell("Type", _filter_link(record.event_type, "event_type", request), "name-cell"),
        entity_cell(_filter_link(record.entity_id, "entity_id", request), record.entity_id),
        cell("Source", _filter_link(record.source, "source", request), "name-cell"),
        cell("Status", status_badge(record.status)),
        failure_cell(
            [] if error is None else [_filter_link(error.error_type, "error_type", request), f" {error.message}"],
            "" if error is None else f"{error.operator}: {error.message}",
        ),
        cell("Lag", _lag(record), "number-cell"),
        cell("Replays", f"{record.replay_count:,}", "number-cell"),
    ]
    if acts:
        label = f"Choose {record.event_type} {record.entity_id}"
        cells.insert(0, tick(f"pick-{record.event_id}", "selection.event_ids", record.event_id, label))
    chosen = {"data-open": "true"} if request.get("event") == record.event_id else {}
    return html.Tr(cells, id=f"row-{record.event_id}", **chosen)


def _filter_link(value: str, name: str, request: ViewRequest) -> Any:
    """The value as a link that searches for it; as plain text where it is searched for already."""
    if request.get(name) == value:
        return value
    return set_link(value, request, {name: value, "token": None}, title=f"Only {FIELD_TITLES[name].lower()} {value}")


def _lag(record: EventRecord) -> Any:
    seconds = record.lag_seconds
    text = lag(seconds)
    if seconds <= -LEAST_LAG:
        text = f"−{text}"
    if not record.late:
        return text
    return html.Span([shape("degraded"), f"{text}, late"], className="late", **{"data-state": "degraded"})


def findings(data: ReplayData) -> Children:
    """Gaps, late arrivals and events sent again among the events shown, each opening on its list."""
    search = data.search
    if search is None or not search.page.events:
        return []
    odd, request = search.findings, data.request
    again = sorted(odd.duplicates.items(), key=lambda entry: -entry[1])
    return [
        _finding("gaps", "gap", len(odd.gaps), [_gap(gap) for gap in odd.gaps[:FINDINGS_SHOWN]]),
        _finding(
            "late", "late arrival", len(odd.late), [_late_arrival(record, request) for record in
                                                    odd.late[:FINDINGS_SHOWN]],
        ),
        _finding(
            "again", "event sent again", len(again), [_duplicate(*entry, request) for entry in again[:FINDINGS_SHOWN]],
            "events sent again",
        ),
        html.P("Among the events shown on this page.", className="hint findings-scope"),
    ]  # fmt: skip


def _finding(ident: str, one: str, number: int, entries: Children, many: str | None = None) -> Any:
    if not number:
        return html.P(f"No {many or one + 's'} seen", className="finding")
    if number > len(entries):
        entries = [*entries, html.Li(f"and {number - len(entries):,} more")]
    summary = html.Summary([shape("degraded"), count(number, one, many)], **{"data-state": "degraded"})
    return html.Details([summary, html.Ul(entries)], id=f"finding-{ident}", className="finding")


def _gap(gap: Gap) -> html.Li:
    until = [" to ", exact(gap.end)] if gap.end is not None else [" to the end of the range"]
    times = gap.seconds / gap.usual_seconds if gap.usual_seconds else 0
    usual = f"usually every {duration(gap.usual_seconds)}" + (f", {times:,.0f} times as long" if times else "")
    return html.Li(
        [html.Strong(f"{gap.kind} {gap.name}"), f" silent for {duration(gap.seconds)} (", exact(gap.start), *until,
         f"), {usual}"]
    )  # fmt: skip


def _late_arrival(record: EventRecord, request: ViewRequest) -> html.Li:
    words = f" {record.event_type} of {record.entity_id}, {duration(record.lag_seconds)} after it occurred"
    return html.Li([event_link(record.event_id, request), words])


def _duplicate(event_id: str, times: int, request: ViewRequest) -> html.Li:
    return html.Li([event_link(event_id, request), f" sent again {count(times, 'time')}, stored once"])
