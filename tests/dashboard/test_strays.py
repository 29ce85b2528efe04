"""What nobody can answer is a plain 4xx, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.dashboard.guarded import Guarded

UPDATE = "/_dash-update-component"
CALL: dict[str, Any] = {
    "output": ".._pages_content.children..._pages_store.data..",
    "outputs": [{"id": "_pages_content", "property": "children"}, {"id": "_pages_store", "property": "data"}],
    "inputs": [
        {"id": "_pages_location", "property": "pathname", "value": "/errors"},
        {"id": "_pages_location", "property": "search", "value": "?from=now-6h"},
    ],
    "changedPropIds": ["_pages_location.pathname"],
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    made = Guarded()
    made.server.testing = False
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_traceback(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("path", ["a/b.js", "dash/nope.py", "dash/..%2f..%2fapp.py", "os/path.py", "dash/%00"])
def test_a_script_that_there_is_not_is_404(guarded: Guarded, path: str) -> None:
    assert guarded.client().get(f"/_dash-component-suites/{path}").status_code == 404


def test_a_page_is_turned(guarded: Guarded) -> None:
    answer: Any = guarded.client().post(UPDATE, json=CALL)
    assert answer.status_code == 200
    assert answer.json["response"]["_pages_store"]["data"]["title"] == "Errors · Pulseboard"


def changed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**deepcopy(CALL), **changes}.items() if value is not ...}


BODIES: dict[str, Any] = {
    "another object": {"x": 1},
    "empty": {},
    "a list": [],
    "a number": 1,
    "null": None,
    "a client's callback": changed(output="_pages_dummy.children"),
    "an unknown output": changed(output="a.b"),
    "a list as output": changed(output=[]),
    "no outputs": changed(outputs=...),
    "other outputs": changed(outputs=[{"id": "a", "property": "b"}]),
    "no inputs": changed(inputs=...),
    "a number as inputs": changed(inputs=3),
    "numbers among the inputs": changed(inputs=[1, 2]),
    "too few inputs": changed(inputs=CALL["inputs"][:1]),
    "an object as value": changed(inputs=[{**entry, "value": {}} for entry in CALL["inputs"]]),
    "another site": changed(inputs=[{**entry, "value": "https://evil.example/"} for entry in CALL["inputs"]]),
    "no address": changed(inputs=[{**entry, "value": ""} for entry in CALL["inputs"]]),
    "unexpected state": changed(state=[{"id": "a", "property": "b"}]),
    "odd changes": changed(changedPropIds=[{}]),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_call_is_400(guarded: Guarded, name: str) -> None:
    answer: Any = guarded.client().post(UPDATE, json=BODIES[name])
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "invalid")


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000], ids=["empty", "cut", "not text", "deep"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_body_that_is_not_json_is_400(guarded: Guarded, raw: bytes, kind: str) -> None:
    assert guarded.client().post(UPDATE, data=raw, content_type=kind).status_code == 400


@pytest.mark.parametrize("address", ["//", "/\u0000", "/nowhere", "/a b?c"])
def test_any_address_leads_to_a_page(guarded: Guarded, address: str) -> None:
    values = (address, "?%")
    inputs = [{**entry, "value": value} for entry, value in zip(CALL["inputs"], values, strict=True)]
    assert guarded.client().post(UPDATE, json=changed(inputs=inputs)).status_code == 200


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nope", "/api/v1/nope", "/api/v2/health"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_an_unknown_route_of_the_interface_says_so_as_json(guarded: Guarded, method: str, path: str) -> None:
    answer: Any = guarded.client().open(path, method=method)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "unknown_route")
    assert answer.json["error"]["message"].startswith(f"There is no {method} ")
