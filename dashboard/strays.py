"""Requests that nothing here can answer: a plain 4xx, where Dash would answer 500 or with a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash
from dash.exceptions import DependencyException, UnsupportedRelativePath
from flask import Flask, Response, request

from dashboard.answers import error_answer

UPDATE: Final = "/_dash-update-component"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
Names = list[tuple[Any, Any]]


def install(app: dash.Dash) -> None:
    """Answers them on the application's server; its callbacks are known by the first request."""
    server: Flask = app.server
    server.register_error_handler(
        DependencyException, lambda _: error_answer(404, "not_found", "There is no such file")
    )
    server.register_error_handler(UnsupportedRelativePath, lambda _: _no_call())
    turn = server.view_functions[UPDATE]

    def update() -> Any:
        if not _is_call(app, _body()):
            return _no_call()
        return turn()

    server.view_functions[UPDATE] = update
    for rule in ("/api", "/api/", "/api/<path:rest>"):
        server.add_url_rule(rule, "unknown_route", _unknown_route, methods=METHODS)


def _no_call() -> Response:
    return error_answer(400, "invalid", "The body is no call that this page makes; reload the page")


def _unknown_route(rest: str = "") -> Response:
    return error_answer(404, "unknown_route", f"There is no {request.method} /api/{rest[:64]} here")


def _body() -> Any:
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def _is_call(app: dash.Dash, body: Any) -> bool:
    """Whether the body names a callback with its outputs and inputs, and texts as their values: an address's parts."""
    if not isinstance(body, dict) or not isinstance(body.get("output"), str):
        return False
    callback: Mapping[str, Any] = app.callback_map.get(body["output"], {})
    if "callback" not in callback:
        return False
    outputs = callback["output"] if isinstance(callback["output"], Sequence) else [callback["output"]]
    asked = body["outputs"] if isinstance(body.get("outputs"), list) else [body.get("outputs")]
    inputs: Any = body.get("inputs")
    changed = body.get("changedPropIds", [])
    return (
        _names(asked) == [(output.component_id, output.component_property) for output in outputs]
        and _names(inputs) == _names(callback["inputs"])
        and _names(body.get("state", [])) == _names(callback["state"])
        and all(isinstance(entry.get("value", ""), str) for entry in inputs)
        and isinstance(changed, list)
        and all(isinstance(name, str) for name in changed)
    )


def _names(entries: Any) -> Names | None:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    return [(entry.get("id"), entry.get("property")) for entry in entries]
