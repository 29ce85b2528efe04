"""Calls of the API as API Gateway makes them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from backend.events.api import Handle

AWS_EVENTS = Path(__file__).parents[2] / "data" / "aws-events"
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """Status, decoded body and headers of an answer."""

    status: int
    body: Any
    headers: dict[str, str]


def gateway_event(
    method: str,
    path: str,
    body: bytes | None = None,
    query: str = "",
    headers: dict[str, str] | None = None,
    template: str = "apiGatewayProxyV2IamEvent.json",
) -> dict[str, Any]:
    """An event of API Gateway v2 made from a recorded one; NDJSON arrives in base64."""
    event: dict[str, Any] = json.loads((AWS_EVENTS / template).read_text("utf-8"))
    headers = {"content-type": JSON} | (headers or {})
    text = headers["content-type"].startswith(JSON) or body is None
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    event |= {"rawPath": path, "rawQueryString": query, "queryStringParameters": joined, "headers": headers}
    event |= {"body": body.decode("utf-8", "surrogatepass") if body is not None and text else None}
    event["isBase64Encoded"] = not text
    if body is not None and not text:
        event["body"] = base64.b64encode(body).decode()
    event["requestContext"]["http"] |= {"method": method, "path": path}
    return event


def call(api: Handle, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    """The answer to a request; a ``body`` that is no bytes is sent as JSON."""
    sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    answer = api(gateway_event(method, path, sent, **more), None)
    assert answer["isBase64Encoded"] is False
    return Answer(answer["statusCode"], json.loads(answer["body"]), answer["headers"])
