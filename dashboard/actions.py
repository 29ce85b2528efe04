"""Everything that can be done from the pages: ``POST /api/v1/actions/<name>``, behind one guard.

The services write the audit log, before they act and after, so that the pages, the API and the command line leave the
same entries; the guard adds the attempts that it refuses.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from backend.contract.errors import InvalidInput
from backend.replay.request import check_reason, wants_dry_run
from dashboard import alert_actions as alerts
from dashboard import job_actions as jobs
from dashboard import replay_actions as replays
from dashboard.access.gate import ACTIONS as PREFIX
from dashboard.access.gate import Gate
from dashboard.access.routes import own_origin
from dashboard.answers import JSON, error_answer, json_answer
from dashboard.auth import Identity, identity
from dashboard.services import Services

logger = logging.getLogger(__name__)

TOKEN_HEADER: Final = "X-Pulseboard-Token"  # noqa: S105 - a header's name
MAX_BODY: Final = 1_000_000
"""Bytes; ten thousand event ids are 700,000."""
MAX_DEPTH: Final = 6
REFUSALS_EVERY_SECONDS: Final = 10.0
"""The same refusal goes into the audit log this often at most: a foreign page could fill it otherwise."""
MAX_REFUSALS: Final = 256
STATUS: Final = {"not_found": 404, "conflict": 409, "busy": 409, "not_connected": 503}
"""Of the codes that bad input may have, where it is not 400."""

Body = Mapping[str, Any]
Content = dict[str, Any]


def _acts(_body: Body) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Action:
    """``run(services, body, who)`` does it and returns the answer; ``recorded_as`` is its name in the audit log.

    ``acts`` tells whether a body asks for more than a look.
    """

    recorded_as: str
    run: Callable[[Services, Body, str], Content]
    acts: Callable[[Body], bool] = _acts


ACTIONS: Final[Mapping[str, Action]] = {
    "replay": Action("replay.create", replays.create, lambda body: not wants_dry_run(body)),
    "replay-cancel": Action("replay.cancel", replays.cancel),
    "replay-pause": Action("replay.pause", replays.pause),
    "replay-resume": Action("replay.resume", replays.resume),
    "redrive": Action("dead_letters.redrive", replays.redrive),
    "dlq-delete": Action("dead_letters.delete", replays.delete),
    "job-retry": Action("job.retry", jobs.retry, lambda body: not wants_dry_run(body)),
    "pipeline-run": Action("pipeline.run", jobs.run_pipeline),
    "alert-acknowledge": Action("acknowledge_alert", alerts.acknowledge),
    "alert-silence": Action("silence_alerts", alerts.silence),
    "silence-end": Action("end_silence", alerts.end_silence),
    "alert-noise": Action("mark_alert_noise", alerts.mark_noise),
    "alert-resolve": Action("resolve_alert", alerts.resolve),
    "incident-follow-up": Action("follow_up_incident", alerts.follow_up),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an attempt is not let through."""

    status: int
    code: str
    message: str


def register(server: Flask, services: Services, gate: Gate) -> None:
    """Adds the route of all actions to the server."""
    guard = Guard(services, gate)
    server.add_url_rule(f"{PREFIX}<name>", "action", guard.answer, methods=["POST"])


class Guard:
    """Lets operators act from pages of this site, and nobody else."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._services = services
        self._gate = gate
        self._refused: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    def answer(self, name: str) -> Response:
        """The answer to an attempt at the action ``name``."""
        action = ACTIONS.get(name)
        if action is None:
            return error_answer(404, "unknown_action", f"There is no action {name[:64]!r}")
        who = identity()
        refusal = self._refusal(who)
        if refusal is not None:
            self._record(action, who, refusal)
            return error_answer(refusal.status, refusal.code, refusal.message)
        try:
            body = _body()
            acts = action.acts(body)
            if acts:
                body = {**body, "reason": check_reason(body.get("reason"))}
            content = action.run(self._services, body, who.name)
        except RequestEntityTooLarge:
            return error_answer(413, "too_large", f"body: more than {MAX_BODY:,} bytes; choose fewer, or use filters")
        except InvalidInput as error:
            return error_answer(STATUS.get(error.code, 400), error.code, str(error), error.field)
        except (BotoCoreError, ClientError, TimeoutError) as error:
            logger.warning("action %s did not end well", name, exc_info=True)
            text = f"AWS did not answer as it should ({type(error).__name__})"
            return error_answer(503, "unavailable", f"{text}; look whether it was done before you try again")
        if acts:
            self._services.acted()
        return json_answer(200, content)

    def _refusal(self, who: Identity) -> Refusal | None:
        if not own_origin(self._gate):
            return Refusal(403, "cross_site", "Only a page of Pulseboard itself can do this")
        if who.role != "operator":
            return Refusal(403, "not_operator", f"Only operators can do this; {who.name} is a {who.role}")
        if request.mimetype != JSON:
            return Refusal(415, "not_json", f"Content-Type: {request.mimetype!r} must be {JSON}")
        if not hmac.compare_digest(
            request.headers.get(TOKEN_HEADER, "").encode(), self._gate.action_token(who).encode()
        ):
            return Refusal(403, "bad_token", "The page was opened by someone else or long ago; reload it")
        return None

    def _record(self, action: Action, who: Identity, refusal: Refusal) -> None:
        logger.warning("refused %s to %s: %s", action.recorded_as, who.name, refusal.code)
        audit = self._services.audit
        if audit is None or not self._first(who.name, action.recorded_as, refusal.code):
            return
        try:
            entry = audit.begin(action.recorded_as, who.name, "", "", {"refused": refusal.code})
            audit.finish(entry, "refused", {"message": refusal.message})
        except (BotoCoreError, ClientError):
            logger.exception("the refusal could not be put on record")

    def _first(self, *what: str) -> bool:
        """Whether the same was not refused a moment ago."""
        key, now = (what[0], what[1], what[2]), time.monotonic()
        again = now - self._refused.get(key, float("-inf")) < REFUSALS_EVERY_SECONDS
        if not again:
            self._refused[key] = now
            self._refused.move_to_end(key)
            while len(self._refused) > MAX_REFUSALS:
                self._refused.popitem(last=False)
        return not again


def _body() -> Body:
    """The request's JSON object. Raises InvalidInput, RequestEntityTooLarge."""
    request.max_content_length = MAX_BODY
    try:
        body = orjson.loads(request.get_data(cache=False))
    except orjson.JSONDecodeError as error:
        raise InvalidInput("body", str(error), "is not JSON", "not_json") from None
    if not isinstance(body, dict):
        raise InvalidInput("body", type(body).__name__, "must be a JSON object")
    if _deeper(body, MAX_DEPTH):
        raise InvalidInput("body", "the object", f"is nested more than {MAX_DEPTH} levels deep")
    return body


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_deeper(entry, levels - 1) for entry in inner))
