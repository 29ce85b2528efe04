"""Events and the audit log over HTTP: ``/api/v1/events``, ``/api/v1/events/<id>``, ``/api/v1/audit``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from flask import Flask, Response, request

from backend.contract.errors import InvalidInput
from backend.contract.event_query import parse_query
from backend.contract.events import EventDetail, EventRecord, TraceStep, utc_text
from backend.contract.ranges import parse_range
from backend.contract.redaction import redacted
from backend.contract.replays import AuditEntry
from dashboard.answers import answering, error_answer, json_answer
from dashboard.auth import current_role
from dashboard.components.text import masked
from dashboard.data.request import Role, parse_name
from dashboard.services import Services

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
MAX_AUDIT: Final = 10_000
AUDIT_FROM: Final = "now-30d"
COLUMNS: Final = ("at", "finished_at", "action", "who", "outcome", "reason", "subject", "details", "audit_id")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet would run: such a cell gets an apostrophe in front."""


def register(server: Flask, services: Services) -> None:
    """Adds the routes of this module to the server."""
    add = server.add_url_rule
    add("/api/v1/events", "events", answering(lambda: _events(services)))
    add("/api/v1/events/<event_id>", "event", answering(lambda event_id: _event(services, event_id)))
    add("/api/v1/audit", "audit", answering(lambda: _audit(services)))


def _events(services: Services) -> Response:
    """A page of a search. Displays see no further than the first: a token would name entities."""
    if services.events is None:
        return _not_connected("Events")
    role, limit = current_role(request.args), _limit(DEFAULT_LIMIT, MAX_LIMIT)
    query = parse_query(request.args, services.now())
    token = None if role == "display" else request.args.get("token") or None
    page = services.events.search(query, limit, token)
    scanned = page.scanned
    content = {
        "events": [_record_for(record, role).as_json() for record in page.events],
        "scanned": {"from": utc_text(scanned.start), "to": utc_text(scanned.end), "items": scanned.items},
        "truncated": page.truncated,
        "next_token": None if role == "display" else page.next_token,
    }
    return json_answer(200, content)


def _event(services: Services, event_id: str) -> Response:
    """One event with its trace; its raw object for operators only, with secrets redacted."""
    if services.events is None:
        return _not_connected("Events")
    detail = services.events.detail(event_id)
    if detail is None:
        return error_answer(404, "not_found", f"There is no event {event_id[:64]!r}; it may have expired", "event_id")
    role = current_role(request.args)
    content = {
        **_record_for(detail.record, role).as_json(),
        "intact": detail.intact,
        "problem": detail.problem,
        "trace": [_step_for(step, role).as_json() for step in detail.trace],
        "trace_cut": detail.trace_cut,
    }
    if role != "display":
        content["headers"] = dict(detail.headers)
    if role == "operator":
        content |= _raw(detail, services.settings.config.access.redacted_fields)
    return json_answer(200, content)


def _audit(services: Services) -> Response:
    """The audit log as JSON or CSV, newest first; it says where it was cut."""
    if current_role(request.args) != "operator":
        return error_answer(403, "not_operator", "Only operators can read the audit log")
    if services.audit is None:
        return _not_connected("The audit log")
    form = request.args.get("format") or "json"
    if form not in ("json", "csv"):
        raise InvalidInput("format", form, "must be json or csv")
    wanted = parse_range(request.args.get("from"), request.args.get("to"), services.now(), AUDIT_FROM)
    limit = _limit(MAX_AUDIT - 1, MAX_AUDIT - 1)
    filters = {name: parse_name(request.args, name) for name in ("action", "who", "outcome")}
    # One more than wanted tells whether there is more.
    found = services.audit.entries(wanted.start, wanted.end, limit=limit + 1, **filters)
    entries, cut = found[:limit], len(found) > limit
    if form == "json":
        return json_answer(200, {"entries": [entry.as_json() for entry in entries], "truncated": cut})
    answer = Response(_csv(entries, cut=cut), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="pulseboard-audit.csv"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _csv(entries: Sequence[AuditEntry], *, cut: bool) -> str:
    text = io.StringIO(newline="")
    lines = csv.writer(text, quoting=csv.QUOTE_ALL)
    lines.writerow(COLUMNS)
    for entry in entries:
        values = entry.as_json()
        values["details"] = json.dumps(values["details"], ensure_ascii=False)
        lines.writerow([_cell(values[name]) for name in COLUMNS])
    if cut:
        lines.writerow([f"Cut: these are the newest {len(entries):,} entries, narrow the range for older ones"])
    return text.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _record_for(record: EventRecord, role: Role) -> EventRecord:
    """Displays see no entity in full, nor the words of an error or a correlation id, which may name one."""
    if role != "display":
        return record
    error = None if record.error is None else replace(record.error, message="")
    ids = {"entity_id": masked(record.entity_id), "correlation_id": masked(record.correlation_id)}
    return replace(record, **ids, error=error)  # type: ignore[arg-type]


def _step_for(step: TraceStep, role: Role) -> TraceStep:
    return step if role != "display" else replace(step, entity_id=masked(step.entity_id), detail="")


def _raw(detail: EventDetail, names: Sequence[str]) -> dict[str, Any]:
    """The raw object as JSON. What is no JSON can't be redacted, so it is not shown."""
    if detail.raw is None:
        return {"raw": None}
    try:
        return {"raw": redacted(json.loads(detail.raw), names)}
    except (ValueError, RecursionError):
        return {
            "raw": None,
            "problem": detail.problem or "the raw object is not JSON, so secrets in it can't be hidden",
        }


def _limit(usual: int, most: int) -> int:
    text = request.args.get("limit") or str(usual)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise InvalidInput("limit", text, f"must be a whole number from 1 to {most}")
    return int(text)


def _not_connected(what: str) -> Response:
    return error_answer(503, "not_connected", f"{what} can't be read: nothing is connected")
