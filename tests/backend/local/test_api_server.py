"""The local API is API Gateway to the function and closed to everybody but programs of this machine."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from backend.local.api_server import BODY_BYTES, ApiServer, event_of, refusal
from backend.local.engine import HOST


class Function:
    """Answers with what it was given, and fails when it is told to."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        self.events.append(event)
        if event["rawPath"] == "/fail":
            raise RuntimeError("broken")
        left = context.get_remaining_time_in_millis()
        return {"statusCode": 207, "headers": {"x-left": str(left)}, "body": "grüße", "isBase64Encoded": False}


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def server(function: Function) -> Iterator[ApiServer]:
    with ApiServer(0, function) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(
    server: ApiServer, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Any:
    connection = HTTPConnection(HOST, server.port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_a_request_reaches_the_function_as_an_event_of_api_gateway(server: ApiServer, function: Function) -> None:
    body = json.dumps({"name": "Zoë"}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "traceparent": "00-aa-bb-01"}
    status, content, answered = ask(server, "POST", "/ingest?from=now-1h&tag=a&tag=b", body, headers)
    assert (status, content.decode()) == (207, "grüße")
    assert 0 < int(answered["x-left"]) <= 29_000
    (event,) = function.events
    assert (event["version"], event["rawPath"]) == ("2.0", "/ingest")
    assert event["requestContext"]["http"]["method"] == "POST"
    assert "authorizer" not in event["requestContext"]
    assert event["queryStringParameters"] == {"from": "now-1h", "tag": "a,b"}
    assert event["headers"]["traceparent"] == "00-aa-bb-01"
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert (event["body"], event["isBase64Encoded"]) == (body.decode(), False)


@pytest.mark.parametrize(
    ("content_type", "body"), [("application/x-ndjson", b'{"a":1}\n{"a":2}'), ("application/json", b"\xff\xfe")]
)
def test_what_is_no_text_to_api_gateway_arrives_in_base64(content_type: str, body: bytes) -> None:
    event = event_of("POST", "/ingest", [("Content-Type", content_type)], body, 1_795_000_000.0)
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body


def test_a_path_arrives_decoded_and_a_repeated_header_joined() -> None:
    event = event_of("GET", "/events/a%2Fb", [("X-A", "1"), ("x-a", "2")], b"", 1_795_000_000.0)
    assert event["rawPath"] == "/events/a/b"
    assert event["headers"]["x-a"] == "1,2"
    assert "body" not in event
    assert "queryStringParameters" not in event


@pytest.mark.parametrize("host", ["evil.example:8051", "127.0.0.1:9999", "127.0.0.1", "", "127.0.0.1.nip.io:8051"])
def test_other_host_names_are_not_answered(host: str) -> None:
    assert refusal(host, None, None, 8051) == "this API answers as 127.0.0.1:8051 only"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8050"])
def test_pages_of_other_origins_are_refused_before_the_function_sees_them(
    server: ApiServer, function: Function, origin: str
) -> None:
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    status, content, _ = ask(server, "POST", "/ingest", b"{}", headers)
    assert (status, json.loads(content)["error"]["code"]) == (403, "forbidden")
    assert function.events == []


@pytest.mark.parametrize(("site", "taken"), [("cross-site", False), ("same-site", False), ("none", True)])
def test_pages_of_other_sites_are_refused_where_the_browser_says_so(site: str, taken: bool) -> None:
    assert (refusal("localhost:8051", None, site, 8051) is None) == taken


def test_its_own_origin_is_taken() -> None:
    assert refusal("localhost:8051", "http://localhost:8051", "same-origin", 8051) is None


def test_a_failing_function_is_a_500_and_the_connection_lives(server: ApiServer) -> None:
    connection = HTTPConnection(HOST, server.port, timeout=10)
    for path, expected in (("/fail", 500), ("/events", 207)):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == expected
    connection.close()


def test_a_body_that_api_gateway_would_not_let_through_is_refused_unread(server: ApiServer, function: Function) -> None:
    with socket.create_connection((HOST, server.port), timeout=10) as client:
        head = f"POST /ingest HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: {BODY_BYTES + 1}\r\n\r\n"
        client.sendall(head.encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert function.events == []


@pytest.mark.parametrize("header", ["Content-Length: -1", "Content-Length: x", "Transfer-Encoding: chunked"])
def test_a_body_without_its_length_is_refused(server: ApiServer, function: Function, header: str) -> None:
    with socket.create_connection((HOST, server.port), timeout=10) as client:
        client.sendall(f"POST /ingest HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{header}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert function.events == []


def test_it_listens_on_loopback_only(server: ApiServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
