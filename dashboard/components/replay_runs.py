"""The replays tab: the list of replays, redrives and retries, and one of them in detail while it goes on."""

from __future__ import annotations

import json
from typing import Any, Final

from dash import html

from backend.contract.replays import FINISHED, Replay, ReplayResult
from backend.contract.verdict import duration
from dashboard.components.links import set_link
from dashboard.components.replay import (
    Children,
    cell,
    event_link,
    heading,
    not_connected,
    outcome_badge,
    pages,
    selection_words,
    short,
    table,
)
from dashboard.components.states import badge, note
from dashboard.components.text import count
from dashboard.components.times import exact, stamp
from dashboard.data.replay import ReplayData, ReplaysData
from dashboard.data.request import ViewRequest

LOOKS: Final = {
    "pending": ("no_data", "Waiting"),
    "running": ("running", "Running"),
    "paused": ("paused", "Paused"),
    "succeeded": ("healthy", "Succeeded"),
    "failed": ("critical", "Failed"),
    "cancelled": ("cancelled", "Cancelled"),
}
COLUMNS: Final = ("Replay", "Status", "Matched", "Sent", "Failed", "Skipped", "Selection", "By", "Why", "Created")
KINDS: Final = {"replay": "Replay", "redrive": "Redrive", "retry": "Retry"}
NOUNS: Final = {"retry": ("batch", "batches")}
"""What is sent, by kind; events where none is named."""


def replays(data: ReplayData) -> Children:
    """The list, or the chosen replay in detail."""
    found = data.replays
    if found is None:
        return [not_connected("Replays will be listed here with their progress, results and who asked for them.")]
    if found.chosen is not None:
        return [_detail(found.chosen, data), _results(found, data)]
    return [*_missing(found, data.request), run_list(found, data)]


def _missing(found: ReplaysData, request: ViewRequest) -> Children:
    if found.missing is None:
        return []
    back = set_link("Show the list", request, {"replay": None})
    return [html.P([f"There is no replay {found.missing}. ", back], className="replay-note", role="alert")]


def run_list(found: ReplaysData, data: ReplayData) -> html.Section:
    """The newest replays; for displays without links, reasons and names."""
    shown = found.recent
    head = heading(
        "Replays, redrives and retries", html.Span(f"newest {len(shown):,}" if shown else "", className="aside")
    )
    if not shown:
        return html.Section(
            [head, note("None yet", "Nothing has been replayed, redriven or retried.", "empty")], className="card"
        )
    public = data.tab == "overview"
    heads = [name for name in COLUMNS if not (public and name in ("By", "Why"))]
    rows = [_row(entry, data.request, public) for entry in shown]
    return html.Section([head, table(heads, rows, "runs", "Replays, redrives and retries")], className="card")


def _row(entry: Replay, request: ViewRequest, public: bool) -> html.Tr:
    name: Any = html.Code(short(entry.replay_id))
    if not public:
        name = set_link(name, request, {"replay": entry.replay_id, "token": None}, title=entry.replay_id)
    cells = [
        cell("Replay", name),
        cell("Status", [status(entry), *_small_bar(entry)]),
        *[cell(title, f"{number:,}", "number-cell") for title, number in _counts(entry)],
        cell("Selection", html.Span(selection_words(entry.selection, public)), "words-cell"),
        cell("Created", stamp(entry.created_at), "when"),
    ]
    if not public:
        cells[-1:-1] = [cell("By", entry.requested_by), cell("Why", entry.reason, "words-cell", entry.reason)]
    return html.Tr(cells, id=f"run-{entry.replay_id}")


def _counts(entry: Replay) -> list[tuple[str, int]]:
    return [
        ("Matched", entry.matched),
        ("Sent", entry.sent),
        ("Failed", entry.failed),
        ("Skipped", entry.skipped),
    ]


def status(entry: Replay) -> html.Span:
    """A replay's status; one that was asked to stop, and one that ended with failures, says so."""
    state, word = LOOKS[entry.status]
    if entry.status not in FINISHED and entry.cancel_requested:
        word = "Cancelling"
    elif entry.status in ("pending", "running") and entry.pause_requested:
        word = "Pausing"
    elif entry.status == "succeeded" and entry.failed:
        state, word = "degraded", "Done with failures"
    return badge(state, word)


def _things(entry: Replay, number: int) -> str:
    """So many of what it sends: ``3 events``, ``1 batch``."""
    return count(number, *NOUNS.get(entry.kind, ("event", "events")))


def _small_bar(entry: Replay) -> Children:
    return [] if entry.status in FINISHED else [_bar(entry)]


def _bar(entry: Replay) -> Any:
    share = 100 * entry.done / entry.matched if entry.matched else 0.0
    return html.Div(
        html.Span(style={"width": f"{min(share, 100.0):.1f}%"}),
        className="bar progress",
        role="progressbar",
        **{
            "aria-valuemin": "0", "aria-valuemax": str(entry.matched), "aria-valuenow": str(entry.done),
            "aria-label": f"{entry.done:,} of {_things(entry, entry.matched)} dealt with",
            "data-state": LOOKS[entry.status][0],
        },
    )  # fmt: skip


def _detail(entry: Replay, data: ReplayData) -> html.Section:
    back = set_link("All replays", data.request, {"replay": None, "token": None})
    head = heading([KINDS[entry.kind], " ", html.Code(short(entry.replay_id), title=entry.replay_id)], status(entry))
    share = f"{100 * entry.done / entry.matched:.0f}" if entry.matched else "–"
    figures = html.Div(
        [
            html.P([html.Span(share, className="number"), html.Span("%", className="unit")], className="value"),
            html.P(_pace(entry), className="pace"),
        ],
        className="reading",
    )
    counted = html.Dl(
        [html.Div([html.Dt(name), html.Dd(f"{number:,}")]) for name, number in _counts(entry)], className="tally"
    )
    trouble = [note("It did not finish", entry.error, "error")] if entry.error else []
    return html.Section(
        [html.P(back, className="back"), head, figures, _bar(entry), counted, *trouble, *_buttons(entry, data),
         _facts(entry)],
        className="card run",
        **{"data-status": entry.status},
    )  # fmt: skip


def _pace(entry: Replay) -> str:
    parts = [f"{entry.done:,} of {_things(entry, entry.matched)}"]
    rate, left = entry.measured_rate, entry.seconds_left
    if rate is not None:
        limit = "without a limit" if entry.rate_per_second is None else f"limit {entry.rate_per_second:,.4g}"
        parts.append(f"{rate:,.0f} a second ({limit})" if rate >= 10 else f"{rate:,.1f} a second ({limit})")
    elif entry.status == "running":
        parts.append("rate not known yet")
    if left is not None and entry.status == "running":
        parts.append(f"{duration(max(left, 1.0))} left")
    return ", ".join(parts)


def _buttons(entry: Replay, data: ReplayData) -> Children:
    if not data.acts or entry.status in FINISHED:
        return []
    left = f"{_things(entry, entry.matched - entry.done)} not sent yet"
    buttons: Children = []
    if entry.status == "paused":
        buttons.append(_button("Resume", "replay-resume", entry, f"Go on sending the {left}?"))
    elif not entry.pause_requested:
        buttons.append(_button("Pause", "replay-pause", entry, f"Pause with {left}? It can be resumed."))
    if not entry.cancel_requested:
        question = f"Cancel for good with {left}? What was sent stays sent."
        buttons.append(_button("Cancel", "replay-cancel", entry, question, "danger"))
    return [html.Div(buttons, className="buttons")]


def _button(word: str, name: str, entry: Replay, question: str, class_name: str = "") -> html.Button:
    return html.Button(
        word,
        type="button",
        className=class_name,
        **{
            "data-post": f"/api/v1/actions/{name}", "data-body": json.dumps({"replay_id": entry.replay_id}),
            "data-confirm": question, "data-confirm-label": f"{word} the {entry.kind}", "data-reason": "Reason",
        },
    )  # fmt: skip


def _facts(entry: Replay) -> html.Dl:
    many = NOUNS.get(entry.kind, ("event", "events"))[1]
    rate = "without a limit" if entry.rate_per_second is None else f"{entry.rate_per_second:,.4g} {many} a second"
    rows: list[tuple[str, Any]] = [
        ("Selection", selection_words(entry.selection)),
        ("Reason", entry.reason),
        ("Asked for by", entry.requested_by),
        ("Sent to", entry.target),
        ("Rate", rate),
        ("At most", "no cap of its own" if entry.max_events is None else _things(entry, entry.max_events)),
        ("Created", exact(entry.created_at)),
    ]
    named = (("Started", entry.started_at), ("Last progress", entry.updated_at), ("Ended", entry.finished_at))
    rows += [(name, exact(at)) for name, at in named if at is not None]
    return html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in rows], className="run-facts")


def _results(found: ReplaysData, data: ReplayData) -> html.Section:
    batches = found.chosen is not None and found.chosen.kind == "retry"
    title = "Results by batch" if batches else "Results by event"
    head = heading(title)
    if not found.results:
        started = found.chosen is not None and found.chosen.started_at is not None
        text = "Results are written as parts of the replay are done." if started else "It has not started yet."
        return html.Section([head, note("None yet", text, "empty")], className="card")
    rows = [_result(entry, None if batches else data.request) for entry in found.results]
    heads = ("Batch" if batches else "Event", "Outcome", "Detail", "Message id")
    links = pages(data.request, found.continued, found.next_token)
    words = f"{len(found.results):,} shown" + (", there are more" if found.next_token else "")
    head.children = [*head.children, html.Span(words, className="aside")]
    return html.Section([head, table(heads, rows, "results", title), *links], className="card")


def _result(entry: ReplayResult, request: ViewRequest | None) -> html.Tr:
    """One result; without a request it is a batch's, which has no drawer to open."""
    if request is None:
        about = cell("Batch", entry.event_id)
    else:
        about = cell("Event", event_link(entry.event_id, request) if entry.event_id else "")
    return html.Tr(
        [
            about,
            cell("Outcome", outcome_badge(entry.outcome)),
            cell("Detail", entry.detail, "words-cell"),
            cell("Message id", html.Code(entry.message_id) if entry.message_id else ""),
        ]
    )
