"""JSON answers of the HTTP interface, and errors in the one shape that all of it uses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from flask import Response, request

from backend.contract.errors import InvalidInput
from dashboard.data.views import BeingMade

logger = logging.getLogger(__name__)

Answer = Callable[..., Response]
JSON: Final = "application/json"
BEING_MADE: Final = "being_made"
"""The code of an answer that is on its way: ``assets/live.js`` asks again at once."""


def json_answer(status: int, content: Any) -> Response:
    """The content as JSON that nobody stores."""
    response = Response(orjson.dumps(content), status=status, mimetype=JSON)
    response.headers["Cache-Control"] = "no-store"
    return response


def error_answer(status: int, code: str, message: str, field: str | None = None) -> Response:
    """``{error: {code, message, field?}}``."""
    error = {"code": code, "message": message}
    if field is not None:
        error["field"] = field
    return json_answer(status, {"error": error})


def answering(handler: Answer) -> Answer:
    """Turns what goes wrong into ``{error: {code, message, field?}}`` with the status that fits."""

    @wraps(handler)
    def answer(**values: str) -> Response:
        try:
            return handler(**values)
        except InvalidInput as error:
            return error_answer(400, error.code, str(error), error.field)
        except BeingMade:
            return error_answer(503, BEING_MADE, "This view is being made, which takes longer than usual; ask again")
        except (BotoCoreError, ClientError, TimeoutError) as error:
            logger.warning("no answer from AWS for %s", request.path, exc_info=True)
            text = f"The data can't be read now ({type(error).__name__}); try again shortly"
            return error_answer(503, "unavailable", text)

    return answer
