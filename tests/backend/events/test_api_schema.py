"""Whatever a program makes of the served description: no answer is a server's error, and every one is as described."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi.schemas import OpenApiSchema

from backend.events.api import Handle, build
from backend.events.api_openapi import OPERATIONS
from backend.local.api_server import event_of
from tests.backend.events.ingest_world import World, running_world

EXAMPLES = 12
"""Requests an operation and mode."""

CHECKED = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]
SEARCHES = ("/events", "/replay")
REFUSED = CHECKS.get_one("negative_data_rejection")
"""Not of a batch: what is wrong in it is refused by entry."""


def wsgi(api: Handle) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The API as a WSGI application: requests become events of API Gateway."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        names = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        headers = [*names.items(), ("content-type", environ.get("CONTENT_TYPE", ""))]
        path = quote(environ["PATH_INFO"].encode("latin-1"))
        target = f"{path}?{environ.get('QUERY_STRING', '')}"
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = api(event_of(environ["REQUEST_METHOD"], target, headers, body, time.time()), None)
        status = HTTPStatus(answer["statusCode"])
        start_response(f"{status.value} {status.phrase}", list(answer["headers"].items()))
        return [answer["body"].encode()]

    return app


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One world for all requests: what one of them stores the next one finds."""
    with running_world() as made:
        yield made


@pytest.fixture(scope="module")
def served(world: World) -> OpenApiSchema:
    """The description as the API serves it."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", wsgi(build(world.settings, world.clients())))
    # A batch with too many entries is refused as such, whatever else is wrong with it.
    refusing = schema.config.checks.negative_data_rejection
    refusing.expected_statuses = [*refusing.expected_statuses, "413"]
    return schema


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [
        *((path, method, GenerationMode.POSITIVE) for path, method in OPERATIONS),
        # Any text may stand in a path: wrong can be bodies and queries only.
        *(
            (path, method, GenerationMode.NEGATIVE)
            for path, method in OPERATIONS
            if method == "post" or "{" not in path
        ),
    ],
)
def test_every_answer_is_as_described_and_none_a_servers_error(
    served: OpenApiSchema, path: str, method: str, mode: GenerationMode
) -> None:
    requests = served[path][method].as_strategy(generation_mode=mode)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(requests)
    def answered(case: Case) -> None:
        case.call_and_validate(checks=CHECKED if path == "/ingest" else [*CHECKED, REFUSED])

    answered()
