"""The canary: found in time or missing, through an API that may answer anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from backend.checks.canary import WAITING, Canary, Sent, event_at, judge, send
from backend.contract.checks import CANARY_SOURCE
from backend.contract.events import EventError, EventRecord
from tests.backend.events.index_world import record

NOW = 1_795_259_220.0
OLD = Canary("a" * 64, NOW - 60)
NEXT = Sent(Canary("b" * 64, NOW))


def seen(**changes: object) -> dict[str, EventRecord]:
    event = record(1, event_id=OLD.event_id, received_at=NOW - 60, status="processed", processed_at=NOW - 59.5)
    return {OLD.event_id: replace(event, **changes)}  # type: ignore[arg-type]


def test_one_that_went_all_the_way_passes_with_how_long_it_took() -> None:
    result = judge([OLD], seen(), NEXT, NOW, 30)
    assert (result.status, result.value) == ("passed", 500)
    assert result.details[WAITING] == [{"event_id": "b" * 64, "sent_at": NOW}]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({}, "not in the index"),
        (seen(status="received", processed_at=None), "indexed 60 s ago, and not processed"),
        (
            seen(status="failed", processed_at=None, error=EventError("timeout", "m", "payments", NOW)),
            "failed in payments: timeout",
        ),
        (seen(processed_at=NOW - 20), "it took 40 s"),
    ],
)
def test_one_that_is_missing_or_late_has_failed(found: dict[str, EventRecord], why: str) -> None:
    result = judge([OLD], found, NEXT, NOW, 30)
    assert result.status == "failed"
    assert why in result.sentence


def test_one_that_is_not_due_yet_is_waited_for() -> None:
    result = judge([Canary(OLD.event_id, NOW - 20)], {}, NEXT, NOW, 30)
    assert result.status == "unknown"
    assert len(result.details[WAITING]) == 2


def test_a_missing_one_is_looked_for_until_it_is_too_old() -> None:
    assert len(judge([OLD], {}, NEXT, NOW, 30).details[WAITING]) == 2
    assert len(judge([Canary(OLD.event_id, NOW - 1000)], {}, NEXT, NOW, 30).details[WAITING]) == 1


def test_an_api_that_does_not_take_it_has_failed() -> None:
    result = judge([OLD], seen(), Sent(None, "the API answered 500"), NOW, 30)
    assert (result.status, result.findings[0].sentence) == ("failed", "the API answered 500")


@contextmanager
def api(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A server on loopback; what it was sent."""
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            got.append((self.headers.get("Authorization", ""), self.rfile.read(length)))
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(status: int, body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_it_is_signed_and_the_same_event_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with api(says(201, b'{"event_id": "e", "status": "stored"}')) as (url, got):
        assert send(url, "eu-west-1", NOW + 5) == Sent(Canary("e", NOW + 5))
    ((authorization, body),) = got
    assert "eu-west-1/execute-api/aws4_request" in authorization
    assert json.loads(body) == event_at(NOW)
    assert event_at(NOW)["source"] == CANARY_SOURCE


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (says(503, b"busy"), "the API answered 503"),
        (says(200, b"not json"), "the API answered without an event id"),
        (says(201, b"[]"), "the API answered without an event id"),
        (lambda handler: handler.connection.close(), "the API did not answer (ConnectionError)"),
    ],
)
def test_whatever_else_the_api_says_is_a_problem_in_a_sentence(
    answer: Callable[[BaseHTTPRequestHandler], None], problem: str
) -> None:
    with api(answer) as (url, _):
        assert send(url, "us-east-1", NOW) == Sent(None, problem)
