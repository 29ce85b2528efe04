"""Readings of history: ``GET /api/v1/history/<key>`` says how far one is, ``POST /api/v1/history/cancel`` and
``/retry`` with ``{"key": ...}`` end it or let it begin again.

Whoever may look may do both: neither changes anything that is stored. Displays may not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
from flask import Flask, Response, request

from backend.contract.errors import InvalidInput
from dashboard.access.gate import Gate
from dashboard.access.routes import own_origin
from dashboard.answers import JSON, answering, error_answer, json_answer
from dashboard.auth import current_role
from dashboard.services import Services

MOST_BYTES: Final = 1_000


def register(server: Flask, services: Services, gate: Gate) -> None:
    """Adds the routes of this module to the server."""

    def add(rule: str, name: str, answer: Callable[..., Response], *methods: str) -> None:
        server.add_url_rule(f"/api/v1/history/{rule}", f"history_{name}", answering(answer), methods=methods)

    add("<key>", "state", lambda key: _state(services, key), "GET")
    add("cancel", "cancel", lambda: _act(services, gate, "cancel"), "POST")
    add("retry", "retry", lambda: _act(services, gate, "retry"), "POST")


def _state(services: Services, key: str) -> Response:
    look = services.history.state(key) if services.history is not None else None
    if look is None:
        return error_answer(404, "unknown_reading", "There is no such reading; it may have ended long ago", "key")
    return json_answer(200, {"key": key, "state": look.state, "error": look.error, "since": look.since})


def _act(services: Services, gate: Gate, what: str) -> Response:
    if current_role(request.args) == "display":
        return error_answer(403, "display", "A display can't do this")
    if not own_origin(gate):
        return error_answer(403, "cross_site", "Only a page of Pulseboard itself can do this")
    if request.mimetype != JSON:
        return error_answer(415, "not_json", f"Content-Type: {request.mimetype!r} must be {JSON}")
    key = _key()
    known = [part for part in (services.history, services.gallery) if part is not None]
    if not any(getattr(part, what)(key) for part in known if hasattr(part, what)):
        return error_answer(404, "unknown_reading", "There is no such reading under way; look again", "key")
    services.acted()
    return json_answer(200, {"key": key, "done": what})


def _key() -> str:
    """The key of the request's JSON object. Raises InvalidInput."""
    request.max_content_length = MOST_BYTES
    try:
        body: Any = orjson.loads(request.get_data(cache=False))
    except orjson.JSONDecodeError as error:
        raise InvalidInput("body", str(error), "is not JSON", "not_json") from None
    key = body.get("key") if isinstance(body, dict) else None
    if not isinstance(key, str) or not key:
        raise InvalidInput("key", key, "must name a reading")
    return key
