"""The audit tab: who did what, when, why, and what came of it."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

from dash import html

from backend.contract.replays import AUDIT_OUTCOMES, AuditEntry
from dashboard.components.replay import (
    Children,
    address_form,
    cell,
    choice_field,
    heading,
    named,
    not_connected,
    outcome_badge,
    table,
    text_field,
)
from dashboard.components.states import note
from dashboard.components.text import count
from dashboard.components.times import exact, stamp
from dashboard.data.replay import AuditData, ReplayData

FILTERS: Final = ("action", "who", "outcome")
ACTIONS: Final = (
    "replay.create", "replay.pause", "replay.resume", "replay.cancel", "dead_letters.redrive", "dead_letters.delete",
    "job.retry",
    "pipeline.run",
    "acknowledge_alert", "silence_alerts", "end_silence", "mark_alert_noise", "resolve_alert", "follow_up_incident",
)  # fmt: skip
"""Suggestions; others that were seen are added."""
COLUMNS: Final = ("When", "Who", "Action", "On", "Why", "Outcome", "Details")
FORMATS: Final = {"csv": "CSV", "json": "JSON"}


def filter_form(data: ReplayData) -> Children:
    """The filters of the log. The window is the shell's range."""
    if data.audit is None:
        return []
    request = data.request
    seen = sorted({entry.action for entry in data.audit.entries}.union(ACTIONS))
    who = sorted({entry.who for entry in data.audit.entries})
    controls = [
        text_field("audit-action", "action", "Action", request.get("action"), seen),
        text_field("audit-who", "who", "Who", request.get("who"), who),
        choice_field(
            "audit-outcome", "outcome", "Outcome", request.get("outcome"), named(AUDIT_OUTCOMES),
        ),
    ]  # fmt: skip
    return [address_form(controls, request, FILTERS, "Filter")]


def log(data: ReplayData) -> Children:
    """The entries, newest first."""
    if not data.acts:
        return [note("For operators", "The audit log is shown to operators only.", "empty")]
    found = data.audit
    if found is None:
        return [not_connected("Every action will be listed here with who, when, why and what came of it.")]
    number = len(found.entries)
    words = f"newest {number:,}, there are more" if found.cut else count(number, "entry", "entries")
    head = heading("Audit log", html.Span([words, *_exports(found, data)], className="aside"))
    cut = " Older ones of this range are left out here, not in an export." if found.cut else ""
    range_words = html.P(["From ", stamp(found.start), " to ", stamp(found.end), f".{cut}"], className="scanned")
    if not number:
        empty = note("No entries", "Nobody did anything in this range that matches the filters.", "empty")
        return [html.Section([head, range_words, empty], className="card")]
    rows = [_entry(entry) for entry in found.entries]
    return [html.Section([head, range_words, table(COLUMNS, rows, "audit", "Audit log")], className="card")]


def _exports(found: AuditData, data: ReplayData) -> Children:
    """Links to the whole log of the range as files."""
    values = {"from": round(found.start * 1000), "to": round(found.end * 1000)}
    filters = {name: value for name in FILTERS if (value := data.request.get(name))}
    return [
        html.A(
            f"Export {text}",
            href=f"/api/v1/audit?{urlencode({'format': name, **values, **filters})}",
            download=f"audit.{name}",
            className="export",
        )
        for name, text in FORMATS.items()
    ]


def _entry(entry: AuditEntry) -> html.Tr:
    outcome: Any = outcome_badge(entry.outcome)
    if entry.finished_at is not None and entry.finished_at - entry.at >= 1:
        outcome = [outcome, html.Span(["ended ", exact(entry.finished_at)], className="hint")]
    details: Any = ""
    if entry.details:
        text = json.dumps(dict(entry.details), indent=2, ensure_ascii=False, default=str)
        details = html.Details(
            [html.Summary("Details"), html.Pre(text, className="code")], id=f"details-{entry.audit_id}"
        )
    return html.Tr(
        [
            cell("When", exact(entry.at), "when"),
            cell("Who", entry.who),
            cell("Action", entry.action),
            cell("On", html.Code(entry.subject) if entry.subject else "", "subject-cell"),
            cell("Why", entry.reason, "words-cell"),
            cell("Outcome", outcome),
            cell("Details", details),
        ],
        id=f"entry-{entry.audit_id}",
    )
