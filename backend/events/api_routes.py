"""The routes of the API: read the request, ask the service, answer."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import orjson
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel

from backend.alerts.annotations import Annotations
from backend.alerts.publish import Publisher
from backend.contract.errors import InvalidInput
from backend.contract.event_query import parse_query
from backend.contract.events import EventDetail, utc_text
from backend.contract.redaction import redacted
from backend.contract.replays import MAX_REASON, Preview, Replay
from backend.events.api_answers import answer, batch, missing, single
from backend.events.api_parameters import EventParameters, RecentParameters
from backend.events.delivery import caller_of, delivery_of, lower_headers
from backend.events.ingest import Ingest
from backend.events.investigation import Investigation
from backend.events.reading import Bounds, read_body, read_object
from backend.jobs.lineage_store import Lineage
from backend.replay.request import parse_replay_request, wants_dry_run
from backend.replay.service import ReplayService
from backend.settings import Settings

BODY: Final = "body"
_EVENT_ID: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes ask. ``alerts`` publishes what Alertmanager says. ``clock`` gives epoch seconds."""

    settings: Settings
    ingest: Ingest
    investigation: Investigation
    replays: ReplayService
    alerts: Publisher
    annotations: Annotations
    lineage: Lineage
    clock: Callable[[], float] = time.time

    @property
    def bounds(self) -> Bounds:
        """What a body may be at most, now."""
        return Bounds(self.settings.config.events, self.settings.config.limits, self.clock())


def add_routes(app: APIGatewayHttpResolver, services: Services) -> None:
    """Adds all routes but those that describe the API."""
    add_event_routes(app, services)
    add_replay_routes(app, services)


def add_event_routes(app: APIGatewayHttpResolver, services: Services) -> None:
    """Ingest and search."""

    @app.post("/ingest")
    def ingest() -> Response[str]:
        event: Mapping[str, Any] = app.current_event.raw_event
        bounds = services.bounds
        body = read_body(body_of(event), lower_headers(event).get("content-type", ""), bounds)
        outcomes = services.ingest.take_all(body.entries, delivery_of(event, bounds.now))
        return single(outcomes[0]) if body.single else batch(outcomes)

    @app.get("/events")
    def events(parameters: Annotated[EventParameters, Query()]) -> Response[str]:
        check_names(app.current_event.raw_event, EventParameters)
        query = parse_query(parameters.values(), services.clock())
        page = services.investigation.search(query, parameters.limit, parameters.token)
        scanned = page.scanned
        return answer(200, {
            "events": [event.as_json() for event in page.events],
            "scanned": {"from": utc_text(scanned.start), "to": utc_text(scanned.end), "items": scanned.items},
            "truncated": page.truncated,
            "next_token": page.next_token,
        })  # fmt: skip

    @app.get("/events/<event_id>")
    def event(event_id: str) -> Response[str]:
        detail = services.investigation.detail(event_id) if _EVENT_ID.fullmatch(event_id) else None
        if detail is None:
            return missing("event_id", event_id)
        return answer(200, _detail(detail, services.settings.config.access.redacted_fields))


def add_replay_routes(app: APIGatewayHttpResolver, services: Services) -> None:
    """Replays: create, list, read, steer."""
    replays = services.replays

    @app.post("/replay")
    def create() -> Response[str]:
        event: Mapping[str, Any] = app.current_event.raw_event
        bounds = services.bounds
        body = read_object(body_of(event), lower_headers(event).get("content-type", ""), bounds)
        request = parse_replay_request(body, bounds.now, services.settings)
        if wants_dry_run(body):
            return answer(200, _preview(replays.preview(request)))
        replay = replays.create(request, caller_of(event))
        return answer(202, {"replay_id": replay.replay_id, "matched": replay.matched, "status": replay.status})

    @app.get("/replay")
    def recent(parameters: Annotated[RecentParameters, Query()]) -> Response[str]:
        check_names(app.current_event.raw_event, RecentParameters)
        return answer(200, {"replays": [replay.as_json() for replay in replays.recent(parameters.limit)]})

    @app.get("/replay/<replay_id>")
    def replay(replay_id: str) -> Response[str]:
        return _known(lambda: replays.get(replay_id), replay_id)

    def steering(action: Callable[[str, str, str], Replay]) -> Callable[[str], Response[str]]:
        def steer(replay_id: str) -> Response[str]:
            event: Mapping[str, Any] = app.current_event.raw_event
            reason = _reason(event, services.bounds)
            return _known(lambda: action(replay_id, caller_of(event), reason), replay_id)

        return steer

    app.post("/replay/<replay_id>/cancel")(steering(replays.cancel))
    app.post("/replay/<replay_id>/pause")(steering(replays.pause))
    app.post("/replay/<replay_id>/resume")(steering(replays.resume))


def body_of(event: Mapping[str, Any]) -> bytes:
    """The bytes of an API Gateway v2 event's body. Raises InvalidInput for broken base64."""
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        # A lone surrogate can't come over HTTP; let it be refused where all that is no UTF-8 is.
        return str(text).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(BODY, text[:40], "is marked as base64 and is not") from None


def check_names(event: Mapping[str, Any], known: type[BaseModel]) -> None:
    """Raises InvalidInput for a query parameter that is not known, or given twice: a filter less finds too much."""
    names = [field.alias or name for name, field in known.model_fields.items()]
    pairs = parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True)
    for name, count in Counter(name for name, _ in pairs).items():
        if name not in names:
            raise InvalidInput(name, dict(pairs)[name], f"is not known; use {', '.join(names)}")
        if count > 1:
            raise InvalidInput(name, f"{count} values", "can have one only; give event_ids with commas between them")


def _reason(event: Mapping[str, Any], bounds: Bounds) -> str:
    """The optional reason of a steering request, which may come without a body."""
    body = body_of(event)
    if not body:
        return ""
    record = read_object(body, lower_headers(event).get("content-type", ""), bounds)
    for name in record:
        if name != "reason":
            raise InvalidInput(name, record[name], "is not known; use reason")
    reason = record.get("reason") or ""
    if not isinstance(reason, str) or len(reason) > MAX_REASON or not reason.isprintable():
        raise InvalidInput("reason", reason, f"must be printable text of at most {MAX_REASON} characters")
    return reason


def _known(act: Callable[[], Replay], replay_id: str) -> Response[str]:
    try:
        return answer(200, act().as_json())
    except KeyError:
        return missing("replay_id", replay_id)


def _preview(preview: Preview) -> dict[str, Any]:
    return {
        "matched": preview.matched,
        "matched_at_least": bool(preview.stopped),
        "would_send": preview.would_send,
        "skipped": preview.skipped,
        "capped": preview.capped,
        "sample": [record.as_json() for record in preview.sample],
        "scanned": {"from": utc_text(preview.scanned_from), "to": utc_text(preview.scanned_to)},
    }


def _detail(detail: EventDetail, hidden: list[str]) -> dict[str, Any]:
    """An event's answer. A raw object that is no JSON is not shown: nothing in it could be redacted."""
    try:
        raw = None if detail.raw is None else orjson.loads(detail.raw)
    except orjson.JSONDecodeError:
        raw = None
    return {
        **detail.record.as_json(),
        "raw_key": detail.record.raw_key,
        "payload": redacted(raw["payload"], hidden) if isinstance(raw, dict) and "payload" in raw else None,
        "intact": detail.intact,
        "problem": detail.problem,
        "headers": dict(detail.headers),
        "trace": [step.as_json() for step in detail.trace],
        "trace_cut": detail.trace_cut,
    }
