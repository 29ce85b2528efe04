"""What the stand-ins share: HTTP on loopback, answers in JSON, a page to look at, and misbehaving on demand."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from backend.contract.errors import InvalidInput
from backend.local.api_server import refusal
from backend.local.engine import HOST
from backend.local.peers.mood import Behaviour, Mood, parse_mood

MISBEHAVE: Final = "/misbehave"
BODY_BYTES: Final = 2_000_000
HOLD_SECONDS: Final = 30.0
GARBAGE: Final = b"<html><h1>It works!</h1></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. ``body`` is JSON unless ``content_type`` says otherwise."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One POST, its path without the query."""

    path: str
    headers: dict[str, str]
    body: bytes


def as_json(status: int, value: Any, **headers: str) -> Answer:
    """An answer in JSON; ``retry_after`` becomes ``Retry-After``."""
    named = {name.replace("_", "-").title(): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), headers=named)


class Peer(ThreadingHTTPServer, ABC):
    """A stand-in. Listens as soon as it is made, answers within ``with`` or by ``serve_forever``.

    Subclasses give ``take`` (what the real service does), ``refuse`` (how it says 429, 500, invalid_auth) and ``show``
    (what people and tests look at, by path).
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        self.mood = Mood()
        self.closing = threading.Event()
        self.lock = threading.RLock()
        super().__init__((HOST, port), _Request)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://{HOST}:{self.port}"

    @abstractmethod
    def take(self, asked: Asked) -> Answer:
        """What the real service would do and answer."""

    @abstractmethod
    def refuse(self, behaviour: Behaviour) -> Answer:
        """How the real service says 429, 500 or invalid_auth."""

    @abstractmethod
    def show(self, path: str) -> Answer | None:
        """The page (``/``) and the JSON for tests; None for a path that is neither."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    """One connection."""

    server: Peer
    protocol_version = "HTTP/1.1"
    timeout = HOLD_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """What people and tests look at."""
        path = self.path.partition("?")[0]
        if self._forbidden(self.headers.get("Host", ""), None, None):
            return
        shown = self.server.show(path)
        self._send(shown or as_json(404, {"error": {"code": "not_found", "message": f"{path[:100]} is not known"}}))

    def do_POST(self) -> None:
        """What the real service would be asked, and how to behave."""
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site")
        if self._forbidden(self.headers.get("Host", ""), origin, site):
            return
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > BODY_BYTES:
            self.close_connection = True
            self._send(as_json(413, {"error": {"code": "too_large", "message": f"at most {BODY_BYTES} bytes"}}))
            return
        names = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path.partition("?")[0], names, self.rfile.read(int(length)))
        if asked.path == MISBEHAVE:
            self._send(self._misbehave(asked.body))
        else:
            self._meet(asked)

    def _meet(self, asked: Asked) -> None:
        behaviour = self.server.mood.next()
        if behaviour.mode in ("429", "500", "invalid_auth"):
            self._send(self.server.refuse(behaviour))
        elif behaviour.mode == "garbage":
            self._send(Answer(200, GARBAGE, "text/html"))
        elif behaviour.mode == "timeout":
            self.server.closing.wait(HOLD_SECONDS)
            self.close_connection = True
        else:
            with self.server.lock:
                answer = self.server.take(asked)
            if behaviour.mode == "drop":
                self.close_connection = True
            else:
                self._send(answer)

    def _misbehave(self, body: bytes) -> Answer:
        try:
            self.server.mood.set(**parse_mood(json.loads(body)))
        except InvalidInput as problem:
            return as_json(400, {"error": {"code": "invalid", "message": str(problem), "field": problem.field}})
        except ValueError:
            return as_json(400, {"error": {"code": "invalid", "message": "body: is not JSON", "field": "body"}})
        return as_json(200, {"ok": True})

    def _forbidden(self, host: str, origin: str | None, site: str | None) -> bool:
        why = refusal(host, origin, site, self.server.port)
        if why:
            self.close_connection = True
            self._send(as_json(403, {"error": {"code": "forbidden", "message": why}}))
        return why is not None

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": answer.content_type, "Cache-Control": "no-store", **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def version_string(self) -> str:
        """The header Server, without versions."""
        return "pulseboard stand-in"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: what came is on the page."""
