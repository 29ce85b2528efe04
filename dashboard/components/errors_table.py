"""The newest failed events as rows that open their drawers, and the Logs Insights queries for the same filters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from dash import html

from backend.contract.events import EventRecord
from dashboard.components.errors import Children, of_events, pick, unavailable
from dashboard.components.errors_charts import colour
from dashboard.components.links import changed, set_link
from dashboard.components.text import masked
from dashboard.components.times import exact
from dashboard.data.errors import value_of
from dashboard.data.errors_data import ErrorsData
from dashboard.data.insights import InsightsQuery

ROWS: Final = 25
"""More would be more to draw at each refresh than to read; the Replay page searches all."""
DISPLAY_ROWS: Final = 6
COLUMNS: Final = ("Received", "Error type", "Message", "Entity", "Type", "Operator", "Receives", "Dead letter")
DISPLAY_COLUMNS: Final = tuple(title for title in COLUMNS if title != "Message")
"""Messages quote values of payloads, which are nobody's to read from across a room."""


def newest(data: ErrorsData) -> Children:
    """The newest failed events that pass all filters; how many there are besides is said."""
    found = data.failures
    if (missing := unavailable(data)) is not None or found is None:
        return [html.Header(html.H2("Newest failed events"), className="card-head"), missing]
    rows = found.newest[:DISPLAY_ROWS] if data.display else found.newest
    shown = f"{len(rows):,} of {found.matching:,}" if found.matching > len(rows) else f"All {found.matching:,}"
    search = [] if data.display else [html.A("Search all in Replay", href=search_address(data), className="aside")]
    aside = html.Span(shown, className="aside")
    head = html.Header(
        [html.H2("Newest failed events"), *of_events(data), aside, *search], className="card-head newest-head"
    )
    columns = DISPLAY_COLUMNS if data.display else COLUMNS
    titles = html.Thead(html.Tr([html.Th(title, scope="col", className=_class(title)) for title in columns]))
    table = html.Table([titles, html.Tbody([_row(record, data) for record in rows])], className="failed")
    scrolled = {} if data.display else {"tabIndex": 0, "role": "region", "aria-label": "Newest failed events"}
    return [head, html.Div(table, className="failed-box", **scrolled)]


def search_address(data: ErrorsData) -> str:
    """The Replay page searching for failed events with the same filters."""
    wanted = replace(data.request, page="replay", host=None)
    return f"/replay?{changed(wanted, {'event': None, 'status': 'failed'}).query()}"


def _class(title: str) -> str:
    return f"failed-{title.lower().replace(' ', '-')}"


def _row(record: EventRecord, data: ErrorsData) -> html.Tr:
    error, opened = record.error, data.opened is not None and data.opened.event_id == record.event_id
    kind, operator = value_of(record, "error_type"), value_of(record, "operator")
    entity, columns = record.entity_id, DISPLAY_COLUMNS if data.display else COLUMNS
    if data.display:
        cells: Children = [exact(record.received_at), kind, html.Span(masked(entity)), record.event_type, operator]
    else:
        cells = [
            _opener(record, data, opened=opened),
            pick(kind, "error_type", data),
            "no error record" if error is None else error.message,
            pick(entity, "entity_id", data),
            pick(record.event_type, "event_type", data),
            pick(operator, "operator", data),
        ]
    swatch = html.Span(className="swatch", style={"--swatch": colour(kind)})
    dead = "Yes" if error is not None and error.dead_lettered else "No"
    cells += ["–" if error is None else f"{error.receive_count:,}", dead]
    cells[1] = [swatch, cells[1]]
    return html.Tr(
        [
            html.Td(content, className=_class(title), **{"data-label": title})
            for title, content in zip(columns, cells, strict=True)
        ],
        id=f"row-{record.event_id}",
        **{"data-here": "yes" if opened else "no"},
    )


def _opener(record: EventRecord, data: ErrorsData, *, opened: bool) -> html.A:
    """The link that opens the drawer; its box is the whole row, and the focus comes back to it."""
    here = {"aria-current": "true"} if opened else {}
    return set_link(
        exact(record.received_at), data.request, {"event": record.event_id}, className="opener",
        **{"data-opens": record.event_id, **here},
    )  # fmt: skip


def insights(data: ErrorsData) -> Children:
    """The queries with copy buttons and links into AWS; none on a display."""
    if data.display:
        return []
    aside = html.Span("CloudWatch Logs Insights, for the filters and the range of this page", className="aside")
    head = html.Header([html.H2("Look into the logs"), aside], className="card-head")
    return [head, html.Div([_query(query) for query in data.queries], className="insights")]


def _query(query: InsightsQuery) -> html.Details:
    ident = f"insights-{query.key}"
    summary: list[Any] = [html.Strong(query.title), html.Span(query.purpose, className="label")]
    return html.Details(
        [
            html.Summary(summary),
            html.Pre(query.text, id=ident, className="code", tabIndex=0),
            html.P(
                [
                    html.Button("Copy", type="button", className="copy", **{"data-copy": f"#{ident}"}),
                    html.A("Open in AWS", href=query.address, target="_blank", rel="noopener noreferrer"),
                ],
                className="insights-foot",
            ),
        ],
        id=f"query-{query.key}",
        className="insights-query",
    )
