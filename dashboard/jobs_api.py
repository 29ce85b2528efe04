"""Rows of the grid of runs: ``/api/v1/jobs/runs``, a block at a time, from memory alone."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request

from backend.contract.errors import InvalidInput
from dashboard.answers import answering, error_answer, json_answer
from dashboard.auth import current_role
from dashboard.data.jobs import PARAMETERS
from dashboard.data.jobs_query import MAX_BLOCK, matching, ordered, parse_query, rows_of
from dashboard.data.request import parse_view_request
from dashboard.services import Services

USUAL_BLOCK: Final = 100
MAX_START: Final = 10_000_000


def register(server: Flask, services: Services) -> None:
    """Adds the route of this module to the server."""
    server.add_url_rule("/api/v1/jobs/runs", "job_runs", answering(lambda: _runs(services)))


def _runs(services: Services) -> Response:
    """``start`` and ``count`` choose the block; the rest is the address of the page."""
    if services.runs is None:
        return error_answer(503, "not_connected", "Job runs can't be read: nothing is connected")
    now = services.now()
    role, environment = current_role(request.args), services.settings.config.environment
    start = _whole("start", 0, 0, MAX_START)
    number = _whole("count", USUAL_BLOCK, 1, MAX_BLOCK)
    wanted = parse_view_request("jobs", request.args, environment, now, PARAMETERS, role)
    query = parse_query(wanted, now)
    held = services.runs.held()
    mask = matching(held.columns, query)
    rows = ordered(held.columns, mask, query.sort, now)
    return json_answer(
        200,
        {
            "rows": rows_of(held.columns, rows[start : start + number], role, now),
            "matching": len(rows),
            "held_from": held.since,
            "whole": query.start >= held.since,
            "version": held.version,
        },
    )


def _whole(name: str, usual: int, least: int, most: int) -> int:
    text = request.args.get(name) or str(usual)
    if not (text.isascii() and text.isdigit() and len(text) < 9 and least <= int(text) <= most):
        raise InvalidInput(name, text, f"must be a whole number from {least} to {most}")
    return int(text)
