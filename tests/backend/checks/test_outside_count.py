"""The examples of outside counters that the documentation shows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from backend.checks.daily import external_count
from backend.local.package import code_entries


def test_a_count_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = b'{"count": 12}'
            self.send_response(200 if "production" in self.path else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("OUTSIDE_COUNT_URL", f"http://127.0.0.1:{server.server_port}/orders")
        try:
            count = external_count("examples.outside_count:from_http")
            assert count(3600.0, 7200.0, "production") == 12
            with pytest.raises(requests.HTTPError):
                count(3600.0, 7200.0, "staging")
        finally:
            server.shutdown()
            thread.join()
    assert asked[0] == "/orders?from=3600&to=7200&environment=production"


def test_a_count_from_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "orders.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE orders (received_at REAL, environment TEXT)")
        rows = [(3600.0, "production"), (7199.9, "production"), (7200.0, "production"), (3700.0, "staging")]
        connection.executemany("INSERT INTO orders VALUES (?, ?)", rows)
    monkeypatch.setenv("OUTSIDE_COUNT_DATABASE", str(path))
    assert external_count("examples.outside_count:from_sql")(3600.0, 7200.0, "production") == 2


def test_the_counter_goes_along_with_the_functions() -> None:
    entries = code_entries('[checks]\nexternal_count = "examples.outside_count:from_http"\n')
    assert "examples/outside_count.py" in entries
