"""The section "Ask history": ready-made questions, the answer as a table, and its files. Values in, components out.

A page takes it in with ``section()`` in its layout, ``load`` in its load and ``props`` in its view.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

from dash import html

from backend.contract.questions import QUESTIONS, Answer, Asked, Column, Question, Value
from dashboard.components.links import set_link
from dashboard.components.states import note, skeleton
from dashboard.components.text import dollars, size
from dashboard.components.times import lasting, stamp
from dashboard.data.gallery import ASK, ASKED, PARAMETERS, GalleryData, Reading, load

__all__ = ["PARAMETERS", "load", "props", "section"]

Children = list[Any]
MOST_ROWS: Final = 200
"""Rows on the page; the files have all."""
FILES: Final = (("csv", "CSV"), ("parquet", "Parquet"))
DRAWN: Final = {"data-drawn": "yes"}


def section() -> html.Section:
    """The frame with its loading looks. Displays don't show it."""
    return html.Section(
        [
            html.Header(
                [html.H2("Ask history"), html.Span(id="gallery-aside", className="aside", **DRAWN)],
                className="card-head",
            ),
            html.Div(
                [
                    html.Ul(html.Li(skeleton()), id="gallery-questions", className="gallery-list", **DRAWN),
                    html.Div(skeleton(), id="gallery-answer", className="gallery-answer", **DRAWN),
                ],
                className="gallery-body",
            ),
        ],
        id="card-gallery",
        className="card panel-gallery",
    )


def props(data: GalleryData) -> dict[str, dict[str, Any]]:
    """What fills the section. Pure."""
    return {
        "gallery-aside": {"children": _aside(data)},
        "gallery-questions": {"children": [_entry(question, data) for question in QUESTIONS]},
        "gallery-answer": {"children": _answer(data)},
    }


def _aside(data: GalleryData) -> str:
    if not data.connected:
        return ""
    words = "Athena reads S3 for the range and the filters of this page"
    if data.limit_bytes is None:
        return f"{words}, up to the workgroup's limit"
    return f"{words}: at most {size(data.limit_bytes)} a question, {dollars(data.limit_dollars)}"


def _entry(question: Question, data: GalleryData) -> html.Li:
    here = data.reading is not None and data.reading.asked.question.name == question.name
    words: Children = [html.Strong(question.title), html.Span(question.purpose, className="label")]
    if not data.connected:
        return html.Li(html.Div(words, className="gallery-question"))
    chosen = {"aria-current": "true"} if here else {}
    changes = {ASK: question.name, ASKED: str(data.again_at if here else data.asked_at)}
    return html.Li(set_link(words, data.request, changes, className="gallery-question", **chosen))


def _answer(data: GalleryData) -> Children:
    if not data.connected:
        return [
            note(
                "Not connected yet",
                "Athena is not connected, or history is switched off (history.enabled).",
                "not-connected",
            )
        ]
    reading = data.reading
    if reading is None:
        text = "Choose a question: it is asked at once. Nothing is asked again until you choose again."
        return [note("Nothing asked yet", text, "empty")]
    head = html.Div(
        [html.Div([html.H3(reading.asked.question.title), _scope(reading.asked)]), _close(data)],
        className="answer-head",
    )
    return [head, *_progress(reading, data), *_sql(reading)]


def _scope(asked: Asked) -> html.P:
    """The range and the filters that the answer follows, and those of the page that it does not."""
    words: Children = [stamp(asked.start), " to ", stamp(asked.end)]
    words.append(f", {asked.environment}" if asked.follows("environment") else ", all environments")
    if asked.host:
        words.append(f", host {asked.host}" if asked.follows("host") else ". Not filtered by host")
    return html.P(words, className="label")


def _close(data: GalleryData) -> html.Div:
    again = set_link("Ask again", data.request, {ASKED: str(data.again_at)})
    close = set_link("Close", data.request, dict.fromkeys(PARAMETERS))
    running = data.running
    return html.Div([close] if running else [again, close], className="answer-links")


def _progress(reading: Reading, data: GalleryData) -> Children:
    """The answer, or what stands in its place: progress with a way out, or why there is none."""
    source = reading.source
    if source.state == "running":
        since: Children = [] if source.since is None else [" for ", lasting(source.since)]
        cancel = html.Button(
            "Cancel",
            type="button",
            **{"data-post": "/api/v1/history/cancel", "data-body": json.dumps({"key": source.key})},
        )
        return [
            html.P([html.Span(["Athena is reading", *since]), cancel], className="answer-running", role="status"),
            skeleton(),
        ]
    if source.state == "cancelled":
        return [note("Cancelled", "The question was taken back before Athena had answered.", "empty")]
    if source.state == "failed" or reading.answer is None:
        return [note("No answer", source.error or "Athena gave no reason.", "error")]
    return [_cost(reading), *_rows(reading, data)]


def _cost(reading: Reading) -> html.P:
    """What the answer cost, by what Athena says."""
    source = reading.source
    words: Children = []
    if source.scanned_bytes is not None:
        words.append(f"{size(source.scanned_bytes)} scanned")
    if source.dollars is not None:
        words.append(f", {dollars(source.dollars)}")
    if source.reused:
        words.append(", an earlier answer of Athena's was used again")
    if reading.asked.question.note:
        words.append(f"{'. ' if words else ''}{reading.asked.question.note}")
    return html.P(words, className="label answer-cost")


def _rows(reading: Reading, data: GalleryData) -> Children:
    answer = reading.answer
    if answer is None or not answer.rows:
        return [note("No rows", "Nothing in this range answers to it.", "empty")]
    columns = answer.asked.question.columns
    head = html.Tr([html.Th(_title(column), scope="col", **_kind(column)) for column in columns])
    body = [
        html.Tr(
            [_cell(value, column, first=not at) for at, (value, column) in enumerate(zip(row, columns, strict=True))]
        )
        for row in answer.rows[:MOST_ROWS]
    ]
    table = html.Table([html.Thead(head), html.Tbody(body)], className="answers")
    box = html.Div(
        table, className="answers-box", tabIndex=0, role="region", **{"aria-label": answer.asked.question.title}
    )
    return [box, html.P([_shown(answer), *_files(answer, data)], className="answer-foot")]


def _shown(answer: Answer) -> html.Span:
    rows = len(answer.rows)
    if rows <= MOST_ROWS:
        return html.Span("1 row" if rows == 1 else f"All {rows:,} rows")
    if answer.cut:
        return html.Span(f"{MOST_ROWS} of more than {rows:,} rows; the files have the first {rows:,}")
    return html.Span(f"{MOST_ROWS} of {rows:,} rows; the files have all")


def _files(answer: Answer, data: GalleryData) -> Children:
    """Links to the same answer as files: fixed ends, so that they are of what is shown."""
    asked = answer.asked
    values = {"from": int(asked.start * 1000), "to": int(asked.end * 1000), "environment": asked.environment}
    if data.request.host:
        values["host"] = data.request.host
    query = urlencode(values)
    address = f"/api/v1/history/ask/{asked.question.name}"
    return [html.A(word, href=f"{address}.{ending}?{query}", className="answer-file") for ending, word in FILES]


def _sql(reading: Reading) -> Children:
    if not reading.sql:
        return []
    return [
        html.Details(
            [
                html.Summary("SQL"),
                html.Pre(reading.sql, id="gallery-sql", className="code", tabIndex=0),
                html.Button("Copy", type="button", className="copy", **{"data-copy": "#gallery-sql"}),
            ],
            id="gallery-sql-box",
            className="answer-sql",
        )
    ]


def _title(column: Column) -> Children:
    return [column.title, *([html.Span(f" ({column.unit})", className="unit")] if column.unit else [])]


def _kind(column: Column) -> dict[str, str]:
    return {"data-kind": column.kind}


def _cell(value: Value, column: Column, *, first: bool) -> Any:
    """The row's first cell names it."""
    if first:
        return html.Th(_shown_value(value, column), scope="row", **_kind(column))
    return html.Td(_shown_value(value, column), **_kind(column))


def _shown_value(value: Value, column: Column) -> Any:
    if value is None or value == "":
        return "–"
    if isinstance(value, str):
        return value
    if column.kind == "time":
        return stamp(value)
    return f"{value:,.{column.places}f}" if column.kind == "number" else f"{value:,}"
