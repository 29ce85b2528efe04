"""Gates between clients and a dependency: real listeners on loopback that pass requests on, or misbehave."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol

from backend.local.engine import HOST
from chaos.faults import NOT_DONE, SLOW_SECONDS, Act, Answer, Kind, act_of, answer_of

UPSTREAM_SECONDS: Final = 60.0
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length"})
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: a close that resets the connection."""


class Gate(Protocol):
    """What the proxy has one of for each dependency."""

    service: str

    def set(self, kind: Kind | None) -> None:
        """Behaves so from now on; None: passes everything on."""
        ...

    def counts(self) -> dict[str, int]:
        """Requests by what became of them, since the last ``set``."""
        ...

    def close(self) -> None:
        """Ends listener and connections."""
        ...


class Mood:
    """The fault that a gate has now, and what it did. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kind: Kind | None = None
        self._number = 0
        self._counts: Counter[str] = Counter()

    def set(self, kind: Kind | None) -> None:
        """A fault from now on, counted from nothing."""
        with self._lock:
            self._kind, self._number = kind, 0
            self._counts.clear()

    def next(self) -> Act:
        """What becomes of the request that asks."""
        with self._lock:
            act = act_of(self._kind, self._number)
            self._number += 1
            self._counts[act] += 1
            return act

    def count(self, what: str) -> None:
        """Counts what never became a request."""
        with self._lock:
            self._counts[what] += 1

    def counts(self) -> dict[str, int]:
        """By act."""
        with self._lock:
            return dict(self._counts)


class Connections:
    """A listener's open connections, so that they can be cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def add(self, connection: socket.socket) -> None:
        """One more."""
        with self._lock:
            self._open.add(connection)

    def drop(self, connection: socket.socket) -> None:
        """One less."""
        with self._lock:
            self._open.discard(connection)

    def cut_all(self) -> None:
        """Resets every one."""
        with self._lock:
            found = list(self._open)
        for connection in found:
            cut(connection)


def cut(connection: socket.socket) -> None:
    """Resets a connection: whoever waits on it learns at once that there will be no answer."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class HttpGate:
    """A gate for a service that speaks HTTP. ``upstream`` is the port on loopback where the service listens."""

    def __init__(self, service: str, port: int, upstream: int, slow_seconds: float = SLOW_SECONDS) -> None:
        self.service = service
        self.upstream = upstream
        self.slow_seconds = slow_seconds
        self.mood = Mood()
        self.connections = Connections()
        self._port = port
        self._server: _Server | None = None
        self._listen()

    @property
    def port(self) -> int:
        """Where it listens, unless it refuses."""
        return self._port

    def set(self, kind: Kind | None) -> None:
        """As the protocol says; ``refused`` closes the listener itself."""
        self.mood.set(kind)
        if kind == "refused":
            self.close()
        elif self._server is None:
            self._listen()

    def counts(self) -> dict[str, int]:
        """As the protocol says; nobody can count who was refused."""
        return self.mood.counts()

    def close(self) -> None:
        """As the protocol says."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        self.connections.cut_all()

    def _listen(self) -> None:
        self._server = _Server((HOST, self._port), self)
        self._port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], gate: HttpGate) -> None:
        self.gate = gate
        super().__init__(address, _Request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: connections break here all the time, on purpose."""


class _Request(BaseHTTPRequestHandler):
    """One client's connection, with one of its own to the service."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    _upstream: HTTPConnection | None = None

    def setup(self) -> None:
        super().setup()
        self.server.gate.connections.add(self.connection)

    def finish(self) -> None:
        self.server.gate.connections.drop(self.connection)
        if self._upstream is not None:
            self._upstream.close()
        with suppress(OSError):
            super().finish()

    def relay(self) -> None:
        """One request."""
        gate = self.server.gate
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        act = gate.mood.next()
        if act in NOT_DONE:
            self._send(answer_of(act, gate.service))
            return
        try:
            answer = self._ask(body)
        except (OSError, HTTPException):
            gate.mood.count("unreachable")
            self._cut()
            return
        if act == "late":
            time.sleep(gate.slow_seconds)
        if act == "cut":
            self._cut()
        elif act == "html":
            self._send(answer_of(act, gate.service))
        elif act == "half_body":
            self._send(Answer(answer.status, answer.body[: len(answer.body) // 2], answer.headers))
        else:
            self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = relay  # noqa: N815 - http.server's names

    def _ask(self, body: bytes) -> Answer:
        connection = self._connected()
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"{HOST}:{self.server.gate.upstream}")
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP | {"host", "expect"}:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response: HTTPResponse = connection.getresponse()
        content = response.read()
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP}
        if self.command == "HEAD":
            headers["Content-Length"] = response.getheader("Content-Length") or "0"
        return Answer(response.status, content, headers)

    def _connected(self) -> HTTPConnection:
        """The connection to the service; a new one where the service has ended the last one meanwhile."""
        known = self._upstream
        if known is not None and known.sock is not None and not select.select([known.sock], [], [], 0)[0]:
            return known
        if known is not None:
            known.close()
        self._upstream = HTTPConnection(HOST, self.server.gate.upstream, timeout=UPSTREAM_SECONDS)
        self._upstream.connect()
        self._upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._upstream

    def _cut(self) -> None:
        self.close_connection = True
        cut(self.connection)

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not (self.command == "HEAD" and "Content-Length" in answer.headers):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: requests are counted."""
