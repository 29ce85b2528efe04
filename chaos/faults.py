"""What a dependency does to a request while it is at fault, and how each service words its refusals. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Kind = Literal["refused", "slow", "throttled", "half", "wrong"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""``refused``: nobody listens. ``slow``: done, answered late. ``throttled``: the service's own refusal, nothing done.
``half``: every second request fails. ``wrong``: every answer is no answer of the service's."""

AWS: Final = ("dynamodb", "s3", "sqs", "sns", "cloudwatch", "athena")
SERVICES: Final = (*AWS, "redis", "slack", "pagerduty")
SLOW_SECONDS: Final = 3.0
HTML: Final = b"<!doctype html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n"

Act = Literal["pass", "late", "throttle", "fail", "cut", "html", "half_body", "redirect", "lie"]
"""What happens to one request. Done and told otherwise: ``late``, ``cut``, ``html``, ``half_body``. Not done:
``throttle``, ``fail``, ``redirect``, ``lie`` (a page of HTML with status 200)."""
NOT_DONE: Final[frozenset[Act]] = frozenset({"throttle", "fail", "redirect", "lie"})

_ACTS: Final[Mapping[Kind, tuple[Act, ...]]] = {
    "refused": ("cut",),
    "slow": ("late",),
    "throttled": ("throttle",),
    "half": ("pass", "fail", "pass", "cut"),
    "wrong": ("html", "half_body", "lie", "redirect"),
}


def act_of(kind: Kind | None, number: int) -> Act:
    """What becomes of request ``number`` (from 0) since the fault began; None: there is none."""
    if kind is None:
        return "pass"
    acts = _ACTS[kind]
    return acts[number % len(acts)]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the proxy's own."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def _json_error(name: str, message: str, status: int = 400, *, query: str = "") -> Answer:
    body = json.dumps({"__type": name, "message": message}).encode()
    # Services that once spoke the query protocol name the old code beside the new one.
    more = {"x-amzn-query-error": f"{query};Sender"} if query else {}
    return Answer(status, body, {"Content-Type": "application/x-amz-json-1.0", **more})


def _s3_error(status: int, code: str, message: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, text.encode(), {"Content-Type": "application/xml"})


def _query_error(status: int, code: str, message: str, kind: str) -> Answer:
    inner = f"<Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    text = f"<ErrorResponse>{inner}<RequestId>chaos</RequestId></ErrorResponse>"
    return Answer(status, text.encode(), {"Content-Type": "text/xml"})


_SLACK_TYPE: Final = {"Content-Type": "application/json; charset=utf-8"}
_THROTTLED: Final[Mapping[str, Answer]] = {
    "dynamodb": _json_error(
        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded.",
    ),
    "s3": _s3_error(503, "SlowDown", "Please reduce your request rate."),
    "sqs": _json_error("com.amazonaws.sqs#RequestThrottled", "Request is throttled.", query="RequestThrottled"),
    "sns": _query_error(429, "Throttled", "Rate exceeded", "Sender"),
    "cloudwatch": _json_error("com.amazonaws.cloudwatch#Throttling", "Rate exceeded", query="Throttling"),
    "athena": _json_error("TooManyRequestsException", "You have exceeded the limit for the number of queries."),
    "slack": Answer(429, b'{"ok":false,"error":"ratelimited"}', {**_SLACK_TYPE, "Retry-After": "2"}),
    "pagerduty": Answer(
        429, b'{"status":"throttle exceeded","message":"Too many requests"}',
        {"Content-Type": "application/json", "Retry-After": "2"},
    ),
}  # fmt: skip
_FAILED: Final[Mapping[str, Answer]] = {
    "dynamodb": _json_error("com.amazonaws.dynamodb.v20120810#InternalServerError", "Internal server error", 500),
    "s3": _s3_error(500, "InternalError", "We encountered an internal error. Please try again."),
    "sqs": _json_error("com.amazonaws.sqs#InternalFailure", "Internal failure", 500, query="InternalFailure"),
    "sns": _query_error(500, "InternalError", "Internal error", "Receiver"),
    "cloudwatch": _json_error("com.amazonaws.cloudwatch#InternalServiceFault", "Internal fault", 500),
    "athena": _json_error("InternalServerException", "Internal error", 500),
    "slack": Answer(500, b'{"ok":false,"error":"internal_error"}', _SLACK_TYPE),
    "pagerduty": Answer(500, b'{"status":"error","message":"Internal Server Error"}', _SLACK_TYPE),
}
_REDIRECT: Final = Answer(302, HTML, {"Content-Type": "text/html", "Location": "http://captive.invalid/login"})
_LIE: Final = Answer(200, HTML, {"Content-Type": "text/html"})


def answer_of(act: Act, service: str) -> Answer:
    """The proxy's own answer in place of the service's. Raises KeyError for an act that has none."""
    if act == "throttle":
        return _THROTTLED[service]
    if act == "fail":
        return _FAILED[service]
    return {"redirect": _REDIRECT, "lie": _LIE, "html": _LIE}[act]


REDIS_THROTTLED: Final = b"-ERR max number of clients reached\r\n"
REDIS_WRONG: Final = HTML
