"""What the API says about itself: Powertools' description of paths and parameters, and bodies and answers added."""

from __future__ import annotations

import json
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from backend.alerts.alertmanager import MOST_ALERTS
from backend.alerts.annotations import KIND_PATTERN, MAX_LINK
from backend.contract.alerts import MAX_TITLE
from backend.contract.events import ERROR_TYPES, STATUSES
from backend.contract.jobs import JOB_STATUSES
from backend.events.fields import MAX_TEXT, NAME_PATTERN
from backend.events.reading import JSON, NDJSON
from backend.jobs.lineage import EVENT_TYPES

PATH: Final = "/openapi.json"
TITLE: Final = "Pulseboard: events, replays, alerts"
VERSION: Final = "1"
Schema = dict[str, Any]

_ID: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TEXT: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
_NAME: Final[Schema] = {"type": "string", "pattern": f"^{NAME_PATTERN}$"}
_INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}


def _object(properties: Schema, required: tuple[str, ...] | None = None, *, closed: bool = False) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    if names := list(properties) if required is None else list(required):
        schema["required"] = names
    return schema | ({"additionalProperties": False} if closed else {})


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


SCHEMAS: Final[dict[str, Schema]] = {
    "NewEvent": _object(
        {
            "source": _NAME,
            "event_type": _NAME,
            "entity_id": {**_TEXT, "description": "what the event is about; must not begin with @"},
            "occurred_at": {**_INSTANT, "description": "with a zone; what is finer than a microsecond is dropped"},
            "payload": {"description": "any JSON value; kept as it is sent"},
            "correlation_id": _nullable(_TEXT),
            "idempotency_key": {**_nullable(_TEXT), "description": "one event per source and key, whatever it says"},
        },
        ("source", "event_type", "entity_id", "occurred_at", "payload"),
        closed=True,
    ),
    "Error": _object({"code": {"type": "string"}, "message": {"type": "string"}, "field": {"type": "string"}},
                     ("code", "message")),
    "Problem": _object({"error": _ref("Error")}),
    "Taken": _object({"event_id": _ID, "status": {"enum": ["stored", "duplicate"]}}),
    "Result": _object({"event_id": _ID, "status": {"enum": ["stored", "duplicate", "error"]}, "error": _ref("Error")},
                      ("status",)),
    "Results": _object({"results": _list(_ref("Result"))}),
    "Event": _object(
        {
            "event_id": _ID,
            "entity_id": {"type": "string"},
            "event_type": {"type": "string"},
            "source": {"type": "string"},
            "status": {"enum": list(STATUSES)},
            "occurred_at": _INSTANT,
            "received_at": _INSTANT,
            "lag_seconds": {"type": "number"},
            "late": {"type": "boolean"},
            "correlation_id": {"type": "string"},
            "replay_count": _COUNT,
            "last_replay_id": _nullable({"type": "string"}),
            "processed_at": _nullable(_INSTANT),
            "sha256": _ID,
            "size": _COUNT,
            "error": _nullable(_object({"error_type": {"enum": list(ERROR_TYPES)}, "message": {"type": "string"}})),
        }
    ),
    "Scanned": _object({"from": _INSTANT, "to": _INSTANT, "items": _COUNT}, ("from", "to")),
    "Events": _object({
        "events": _list(_ref("Event")),
        "scanned": _ref("Scanned"),
        "truncated": {"type": "boolean"},
        "next_token": _nullable({"type": "string"}),
    }),
    "EventDetail": {
        "allOf": [_ref("Event")],
        **_object({
            "payload": {"description": "configured fields redacted"},
            "intact": _nullable({"type": "boolean"}),
            "problem": {"type": "string"},
            "headers": {"type": "object"},
            "trace": _list({"type": "object"}),
            "trace_cut": {"type": "boolean"},
        }),
    },
    "Selection": _object({
        "entity_id": _nullable(_TEXT), "event_type": _nullable(_TEXT), "source": _nullable(_TEXT),
        "status": _nullable({"enum": list(STATUSES)}), "error_type": _nullable(_TEXT), "operator": _nullable(_TEXT),
        "correlation_id": _nullable(_TEXT), "event_ids": _list(_ID), "from": {"type": "string"},
        "to": {"type": "string"}, "time": {"enum": ["received", "occurred"]},
    }, (), closed=True),
    "NewReplay": _object({
        "selection": _ref("Selection"),
        "reason": {"type": "string", "minLength": 3, "maxLength": 500},
        "dry_run": {"type": "boolean"},
        "rate_per_second": {"type": "number", "minimum": 0},
        "max_events": {"type": "integer", "minimum": 1},
        "target": {"type": "string"},
        "confirm": {"type": "integer", "description": "the number of events, needed above 1,000"},
    }, ("selection",), closed=True),
    "Steering": _object({"reason": {"type": "string", "maxLength": 500}}, (), closed=True),
    "Created": _object({"replay_id": {"type": "string"}, "matched": _COUNT, "status": {"type": "string"}}),
    "Preview": _object({
        "matched": _COUNT, "matched_at_least": {"type": "boolean"}, "would_send": _COUNT, "skipped": _COUNT,
        "capped": {"type": "boolean"},
        "sample": _list(_ref("Event")), "scanned": _ref("Scanned"),
    }),
    "Replay": _object({
        "replay_id": {"type": "string"}, "status": {"type": "string"}, "matched": _COUNT, "sent": _COUNT,
        "failed": _COUNT, "skipped": _COUNT, "requested_by": {"type": "string"}, "reason": {"type": "string"},
    }),
    "Replays": _object({"replays": _list(_ref("Replay"))}),
    "AlertmanagerAlert": _object({
        "status": {"enum": ["firing", "resolved"]},
        "labels": {**_TEXTS, "minProperties": 1},
        "annotations": _TEXTS,
        "startsAt": _INSTANT,
        "endsAt": _INSTANT,
        "generatorURL": {"type": "string"},
        "fingerprint": {"type": "string"},
    }, ("status", "labels")),
    "AlertmanagerWebhook": {
        **_object({
            "version": {"const": "4"}, "groupKey": {"type": "string"}, "truncatedAlerts": _COUNT,
            "alerts": {**_list(_ref("AlertmanagerAlert")), "maxItems": MOST_ALERTS},
        }, ("version", "alerts")),
        "description": "as Alertmanager's webhook_config sends it; what is not named here is not read",
    },
    "Published": _object({"published": _COUNT}),
    "NewAnnotation": _object({
        "time": {"anyOf": [_INSTANT, {"type": "number", "description": "epoch seconds or milliseconds"}]},
        "title": {"type": "string", "minLength": 1, "maxLength": MAX_TITLE},
        "kind": {"type": "string", "pattern": f"^{KIND_PATTERN}$", "description": "such as deploy"},
        "link": _nullable({"type": "string", "maxLength": MAX_LINK, "description": "a path or a web address"}),
    }, ("time", "title", "kind"), closed=True),
    "LineageEvent": {
        **_object({
            "eventType": {"enum": list(EVENT_TYPES)},
            "eventTime": _INSTANT,
            "producer": {"type": "string", "minLength": 1},
            "run": _object({"runId": {"type": "string", "format": "uuid"}, "facets": {"type": "object"}}, ("runId",)),
            "job": _object({
                "namespace": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1},
                "facets": {"type": "object"},
            }, ("namespace", "name")),
            "outputs": _list({"type": "object"}),
        }, ("eventTime", "producer", "run", "job")),
        "description": "a run event as OpenLineage's specification has it; what is not named here is taken as it says",
    },
    "Lineage": _object({
        "job_name": {"type": "string"}, "run_id": {"type": "string", "format": "uuid"},
        "status": {"enum": list(JOB_STATUSES)},
    }),
    "Annotated": _object({"annotation_id": {"type": "string", "pattern": "^[0-9a-f]{16}$"}}),
}  # fmt: skip


def _json(name: str) -> Schema:
    return {JSON: {"schema": _ref(name)}}


_INGEST_BODY: Final[Schema] = {
    "required": True,
    "content": {
        JSON: {"schema": {"anyOf": [_ref("NewEvent"), {**_list(_ref("NewEvent")), "minItems": 1}]}},
        NDJSON: {"schema": {"type": "string", "description": "one event a line"}},
    },
}
OPERATIONS: Final[dict[tuple[str, str], tuple[str, dict[int, str], Schema | None]]] = {
    ("/ingest", "post"): (
        "Take one event, or several with a result for each", {201: "Taken", 200: "Taken", 207: "Results"}, _INGEST_BODY,
    ),
    ("/events", "get"): ("Search events, newest first", {200: "Events"}, None),
    ("/events/{event_id}", "get"): ("One event with its payload and trace", {200: "EventDetail"}, None),
    ("/replay", "post"): (
        "Put events through again, or count them (dry_run)", {202: "Created", 200: "Preview"},
        {"required": True, "content": _json("NewReplay")},
    ),
    ("/replay", "get"): ("The newest replays", {200: "Replays"}, None),
    ("/replay/{replay_id}", "get"): ("One replay as it stands", {200: "Replay"}, None),
    ("/alerts", "post"): (
        "Take Alertmanager's webhook", {202: "Published"}, {"required": True, "content": _json("AlertmanagerWebhook")},
    ),
    ("/lineage", "post"): (
        "Take OpenLineage's run event", {201: "Lineage"}, {"required": True, "content": _json("LineageEvent")},
    ),
    ("/annotations", "post"): (
        "Put a mark on the charts", {201: "Annotated"}, {"required": True, "content": _json("NewAnnotation")},
    ),
    **{
        (f"/replay/{{replay_id}}/{action}", "post"): (
            f"{action.capitalize()} a replay", {200: "Replay"}, {"content": _json("Steering")},
        )
        for action in ("cancel", "pause", "resume")
    },
}  # fmt: skip
"""By path and method: a summary, the schema of each answer that is no error, the request's body."""
_ERRORS: Final = (400, 404, 409, 413, 415, 503)


def describe(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """The OpenAPI document."""
    described: dict[str, Any] = json.loads(app.get_openapi_json_schema(title=TITLE, version=VERSION))
    described["servers"] = [{"url": "/"}]
    described.setdefault("components", {})["schemas"] = SCHEMAS
    for (path, method), (summary, answers, body) in OPERATIONS.items():
        operation = described["paths"][path][method]
        operation["summary"] = summary
        operation["responses"] = {
            **{str(status): {"description": name, "content": _json(name)} for status, name in answers.items()},
            **{str(status): {"description": "Problem", "content": _json("Problem")} for status in _ERRORS},
        }
        if body is not None:
            operation["requestBody"] = body
    return described


def document(app: APIGatewayHttpResolver) -> Response[str]:
    """The answer that carries the document."""
    return Response(status_code=200, content_type=JSON, body=json.dumps(describe(app)))
