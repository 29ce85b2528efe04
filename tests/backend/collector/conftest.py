"""Endpoints on loopback that behave as badly as real ones."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend.collector.spool import Spool

Answer = Callable[[BaseHTTPRequestHandler], None]
FLINK = Path(__file__).parents[2] / "data" / "flink"


class Endpoint:
    """A server whose answer a test may change; ``stopping`` ends answers that would go on for ever."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    endpoint.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.name = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.name}/metrics"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


def send(body: bytes | str, status: int = 200, *, compressed: bool = False) -> Answer:
    data = body.encode() if isinstance(body, str) else body
    data = gzip.compress(data) if compressed else data

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        if compressed:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        handler.wfile.write(data)

    return answer


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Endpoint]]:
    """Starts an endpoint that gives an answer; all end with the test."""
    started: list[Endpoint] = []

    def start(answer: Answer) -> Endpoint:
        started.append(Endpoint(answer))
        return started[-1]

    yield start
    for endpoint in started:
        endpoint.stop()


@pytest.fixture
def open_spool() -> Iterator[Callable[[Path, int], Spool]]:
    """Opens spools; all are closed with the test."""
    opened: list[Spool] = []

    def start(folder: Path, max_bytes: int) -> Spool:
        opened.append(Spool(folder, max_bytes))
        return opened[-1]

    yield start
    for spool in opened:
        spool.close()


@pytest.fixture
def answer_with() -> Callable[..., Answer]:
    """The answer that sends a body."""
    return send


@pytest.fixture
def flink() -> Callable[[int, str], str]:
    """A recorded scrape: (epoch, "jobmanager" or "taskmanager") -> text."""

    def read(epoch: int, role: str) -> str:
        return gzip.decompress((FLINK / f"{epoch}-{role}.prom.gz").read_bytes()).decode()

    return read
