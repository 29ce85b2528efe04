"""Answers of the query gallery as files: ``/api/v1/history/ask/<name>.csv`` and ``.parquet``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flask import Flask, Response, request

from backend.contract.errors import InvalidInput
from backend.contract.questions import BY_NAME, Answer, Asked
from dashboard.answers import answering, error_answer, json_answer
from dashboard.auth import current_role
from dashboard.data.gallery import ASK, PARAMETERS, asked_of
from dashboard.data.request import parse_view_request
from dashboard.gallery_files import csv_of, file_name, parquet_of
from dashboard.services import Services

WAIT_SECONDS: Final = 25.0
"""How long a download waits for Athena: load balancers give up at 60 s, people sooner."""
FORMS: Final[Mapping[str, tuple[str, Callable[[Answer], bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_of),
    "parquet": ("application/vnd.apache.parquet", parquet_of),
}
"""Ending of the address -> media type, and what writes it."""


def register(server: Flask, services: Services) -> None:
    """Adds the routes of this module to the server."""
    for ending in FORMS:
        path, name = f"/api/v1/history/ask/<name>.{ending}", f"history_{ending}"
        server.add_url_rule(path, name, answering(lambda name, ending=ending: _file(services, name, ending)))


def _file(services: Services, name: str, ending: str) -> Response:
    """The answer as a file: the one that the page shows where there is one, else asked now."""
    if current_role(request.args) == "display":
        return error_answer(403, "display", "A display can't take files")
    if services.gallery is None:
        return error_answer(503, "not_connected", "History can't be asked: nothing is connected")
    if name not in BY_NAME:
        text = f"There is no question {name[:64]!r}; use {', '.join(BY_NAME)}"
        return error_answer(404, "unknown_question", text, ASK)
    reading = services.gallery.ask(_asked(services, name), wait=WAIT_SECONDS)
    state = reading.source.state
    if state == "running":
        text = "Athena is still reading; ask for the same file again in a few seconds"
        answer = json_answer(202, {"state": state, "message": text})
        answer.headers["Retry-After"] = "5"
        return answer
    if reading.answer is None:
        return error_answer(503, state, reading.source.error or "Athena was stopped before it had answered; ask again")
    return _attachment(reading.answer, ending)


def _asked(services: Services, name: str) -> Asked:
    """The question of the address. Raises InvalidInput naming what is wrong."""
    args = {**request.args.to_dict(), ASK: name}
    now = services.now()
    wanted = parse_view_request("", args, services.settings.config.environment, now, PARAMETERS)
    asked = asked_of(wanted, now)
    if asked is None:  # the name was checked, so this is for the type alone
        raise InvalidInput(ASK, name, "is not a question")
    return asked


def _attachment(answer: Answer, ending: str) -> Response:
    media_type, write = FORMS[ending]
    response = Response(write(answer), content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name(answer, ending)}"'
    response.headers["Cache-Control"] = "no-store"
    if answer.cut:
        response.headers["X-Pulseboard-Cut"] = str(len(answer.rows))
    return response
