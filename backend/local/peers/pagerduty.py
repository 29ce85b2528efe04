"""A stand-in for PagerDuty's Events API v2: checks every event by PagerDuty's own schema, and keeps incidents."""

from __future__ import annotations

import json
import time
from functools import cache
from importlib import resources
from typing import Any, Final

from jsonschema import Draft202012Validator

from backend.local.peers.mood import Behaviour
from backend.local.peers.pages import pagerduty_page
from backend.local.peers.server import Answer, Asked, Peer, as_json

ROUTING_KEY: Final = "0123456789abcdef0123456789abcdef"
PATH: Final = "/v2/enqueue"
SCHEMA: Final = "pagerduty-events-v2.openapi.json"
"""As PagerDuty publishes it (PagerDuty/api-schema)."""
SUMMARY: Final = 1_024
KEY: Final = 255
EVENT_BYTES: Final = 512_000
MOST: Final = 2_000
Incident = dict[str, Any]


class PagerDutyPeer(Peer):
    """Incidents by ``dedup_key``. ``GET /`` shows them, ``GET /incidents`` gives them as JSON, oldest first.

    An incident is triggered, acknowledged or resolved. A trigger reaches the incident of its key that is not resolved,
    or begins one; what acknowledges or resolves none is taken and changes nothing.
    """

    def __init__(self, port: int = 0, routing_key: str = ROUTING_KEY) -> None:
        self.routing_key = routing_key
        self.incidents: list[Incident] = []
        self.refused: list[list[str]] = []
        super().__init__(port)

    def take(self, asked: Asked) -> Answer:
        """One event."""
        if asked.path != PATH:
            return as_json(404, {"message": "not found"})
        try:
            event = json.loads(asked.body)
        except ValueError:
            return self._invalid(["body is not JSON"])
        problems = problems_of(event, len(asked.body))
        if not problems and event["routing_key"] != self.routing_key:
            problems = ["Invalid routing key"]
        if problems:
            return self._invalid(problems)
        key = event.get("dedup_key") or f"stand-in-{len(self.incidents) + 1}"
        self._apply(event, key)
        return as_json(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def refuse(self, behaviour: Behaviour) -> Answer:
        """429, 500 or a refused routing key as PagerDuty says them."""
        if behaviour.mode == "429":
            wait = {} if behaviour.retry_after is None else {"retry_after": behaviour.retry_after}
            return as_json(429, {"status": "throttle exceeded", "message": "Too many requests"}, **wait)
        if behaviour.mode == "500":
            return as_json(500, {"status": "error", "message": "Internal Server Error"})
        return self._invalid(["Invalid routing key"])

    def show(self, path: str) -> Answer | None:
        """The page, and what tests look at."""
        with self.lock:
            if path == "/":
                return Answer(200, pagerduty_page(self.incidents).encode(), "text/html; charset=utf-8")
            if path == "/incidents":
                return as_json(200, {"incidents": self.incidents, "refused": self.refused})
        return None

    def _apply(self, event: dict[str, Any], key: str) -> None:
        action = event["event_action"]
        known = next((i for i in reversed(self.incidents) if i["dedup_key"] == key and i["status"] != "resolved"), None)
        if known is None and action == "trigger":
            known = {"number": len(self.incidents) + 1, "dedup_key": key, "status": "triggered", "events": []}
            self.incidents = [*self.incidents, known][-MOST:]
        if known is None:
            return
        if action == "trigger":
            known.update({name: event.get(name) for name in ("payload", "links", "client", "client_url")})
        else:
            known["status"] = "acknowledged" if action == "acknowledge" else "resolved"
        known["events"] = [*known["events"], {"at": time.time(), "event_action": action}][-100:]

    def _invalid(self, errors: list[str]) -> Answer:
        self.refused = [*self.refused, errors][-MOST:]
        return as_json(400, {"status": "invalid event", "message": "Event object is invalid", "errors": errors})


def problems_of(event: Any, size: int = 0) -> list[str]:
    """What PagerDuty refuses of an event of ``size`` bytes: its schema, and the limits that its documents give."""
    found = [f"'{_place(error.absolute_path)}' {error.message[:200]}" for error in _validator().iter_errors(event)]
    if found:
        return found
    payload, key = event.get("payload"), event.get("dedup_key")
    if event["event_action"] == "trigger":
        if payload is None:
            found.append("'payload' is missing or blank")
        elif not 0 < len(payload["summary"]) <= SUMMARY:
            found.append(f"'payload.summary' must have 1 to {SUMMARY} characters")
        elif not payload["source"]:
            found.append("'payload.source' is missing or blank")
    elif not key:
        found.append("'dedup_key' is missing or blank")
    if key is not None and len(key) > KEY:
        found.append(f"'dedup_key' is longer than {KEY} characters")
    if size > EVENT_BYTES:
        found.append(f"the event is larger than {EVENT_BYTES} bytes")
    return found


def _place(path: Any) -> str:
    return ".".join(str(step) for step in path) or "event"


@cache
def _validator() -> Any:
    document = json.loads((resources.files(__package__) / SCHEMA).read_text("utf-8"))
    pointer = "#/paths/~1enqueue/post/requestBody/content/application~1json/schema"
    return Draft202012Validator({"$ref": pointer, "paths": document["paths"], "components": document["components"]})
