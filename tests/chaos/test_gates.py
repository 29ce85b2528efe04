"""The proxy on real sockets: what passes is untouched, and what does not fails as it says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from chaos.gates import HttpGate
from chaos.redis_gate import RedisGate

ANSWER = b'{"Items": [1, 2, 3]}'


class Service(BaseHTTPRequestHandler):
    """Counts what it does, and echoes the body's length."""

    protocol_version = "HTTP/1.1"
    done: ClassVar[list[bytes]] = []

    def do_PUT(self) -> None:
        self.done.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("ETag", '"abc"')
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def gate() -> Iterator[HttpGate]:
    Service.done = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        made = HttpGate("dynamodb", 0, server.server_address[1], slow_seconds=0.0)
        yield made
        made.close()
        server.shutdown()


def put(gate: HttpGate, body: bytes = b"x" * 70_000) -> tuple[int, bytes, str | None]:
    connection = HTTPConnection("127.0.0.1", gate.port, timeout=5)
    connection.request("PUT", "/key", body, {"Expect": "100-continue"})
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer.getheader("ETag")
    connection.close()
    return found


def test_without_a_fault_bodies_and_headers_pass_untouched(gate: HttpGate) -> None:
    assert put(gate) == (200, ANSWER, '"abc"')
    assert Service.done == [b"x" * 70_000]


def test_a_throttled_request_is_not_done(gate: HttpGate) -> None:
    gate.set("throttled")
    status, body, _ = put(gate)
    assert status == 400
    assert b"ProvisionedThroughputExceededException" in body
    assert Service.done == []


def test_half_of_the_requests_pass_and_one_in_four_is_done_without_an_answer(gate: HttpGate) -> None:
    gate.set("half")
    assert put(gate)[0] == 200
    assert put(gate)[0] == 500
    assert put(gate)[0] == 200
    with pytest.raises((ConnectionResetError, RemoteDisconnected)):
        put(gate)
    assert len(Service.done) == 3


def test_wrong_answers_are_done_and_not_done_in_turn(gate: HttpGate) -> None:
    gate.set("wrong")
    answers = [put(gate) for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 302]
    assert answers[1][1] == ANSWER[: len(ANSWER) // 2]
    assert len(Service.done) == 2


def test_a_gate_that_refuses_is_closed_and_opens_again_at_the_same_port(gate: HttpGate) -> None:
    port = gate.port
    gate.set("refused")
    with pytest.raises(ConnectionRefusedError):
        put(gate)
    gate.set(None)
    assert gate.port == port
    assert put(gate)[0] == 200
    assert gate.counts() == {"pass": 1}


def test_the_gate_of_redis_passes_bytes_on_and_refuses_in_its_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as redis:
        gate = RedisGate(0, redis.getsockname()[1])
        with socket.create_connection(("127.0.0.1", gate.port), timeout=5) as client:
            server, _ = redis.accept()
            client.sendall(b"PING\r\n")
            assert server.recv(100) == b"PING\r\n"
            server.sendall(b"+PONG\r\n")
            assert client.recv(100) == b"+PONG\r\n"
            gate.set("throttled")
            client.sendall(b"PING\r\n")
            assert client.recv(100).startswith(b"-ERR max number of clients")
            assert client.recv(100) == b""
            server.close()
        gate.close()
