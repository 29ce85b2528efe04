"""Answers of the API: JSON, and one shape of "this went wrong" with the status that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from backend.contract.errors import InvalidInput
from backend.events.outcome import CONFLICT, UNAVAILABLE, Outcome, error_of
from backend.events.reading import JSON, TOO_LARGE, UNSUPPORTED

STATUS_OF: Final = {TOO_LARGE: 413, UNSUPPORTED: 415, CONFLICT: 409, "conflict": 409, UNAVAILABLE: 503}
"""By an error's code; every other one is a 400."""


def answer(status: int, body: Mapping[str, Any]) -> Response[str]:
    """A JSON answer that nobody keeps. It is a text already: Powertools would walk through every value of it."""
    text = orjson.dumps(body, default=dict).decode()
    return Response(status_code=status, content_type=JSON, headers={"Cache-Control": "no-store"}, body=text)


def error(status: int, code: str, message: str, field: str | None = None) -> Response[str]:
    """``{error: {code, message, field?}}``."""
    named = {"code": code, "message": message} | ({"field": field} if field else {})
    response = answer(status, {"error": named})
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response


def invalid(problem: InvalidInput) -> Response[str]:
    """What was wrong with the request."""
    described = error_of(problem)
    return error(STATUS_OF.get(problem.code, 400), **described)


def single(outcome: Outcome) -> Response[str]:
    """The answer to one event sent by itself: 201 stored, 200 duplicate, else what went wrong."""
    if outcome.error is not None:
        return error(STATUS_OF.get(outcome.error["code"], 400), **outcome.error)
    return answer(201 if outcome.status == "stored" else 200, outcome.as_json())


def batch(outcomes: list[Outcome]) -> Response[str]:
    """The answer to several events: 207, one result an event in the order sent."""
    return answer(207, {"results": [outcome.as_json() for outcome in outcomes]})


def not_valid(problem: RequestValidationError) -> Response[str]:
    """The first of the parameters that don't fit."""
    found = problem.errors()[0]
    field = str(found["loc"][-1])
    return invalid(InvalidInput(field, found.get("input"), f"does not fit: {found['msg']}"))


def missing(what: str, identity: str) -> Response[str]:
    """There is no such thing."""
    return error(404, "not_found", f"{what}: {identity[:120]!r} is not known", what)
