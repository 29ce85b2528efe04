"""What keeps an answer from coming, in one line that says what to do; and what an answer costs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backend.contract.history import Cost, HistoryError
from backend.history.athena import Athena, billed
from backend.history.errors import MOST_TEXT, query_error
from backend.history.queries import query_of
from backend.history.statements import statement
from backend.settings import Settings

ASKED = statement(query_of("anything", "SELECT 1 AS one"), {})


class Refusing(BaseHTTPRequestHandler):
    """Refuses every request with the server's code."""

    def do_POST(self) -> None:
        body = json.dumps({"__type": self.server.code, "Message": "User: x is not authorized"}).encode()  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def failure(stop: threading.Event | None = None) -> HistoryError:
    with pytest.raises(HistoryError) as caught:
        Athena(Settings(), None, poll_seconds=0.01, backoff_seconds=0.01).run(ASKED, stop)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return caught.value


def test_missing_rights_are_said_with_who_lacks_them(refusing: ThreadingHTTPServer) -> None:
    refusing.code = "AccessDeniedException"  # type: ignore[attr-defined]

    error = failure()

    assert (error.kind, error.transient) == ("denied", False)
    assert "User: x is not authorized" in str(error)
    assert "pulseboard doctor" in str(error)


def test_throttling_that_does_not_end_may_pass(refusing: ThreadingHTTPServer) -> None:
    refusing.code = "ThrottlingException"  # type: ignore[attr-defined]

    assert (failure().kind, failure().transient) == ("throttled", True)


def test_athena_that_is_away_may_come_back(refusing: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", "http://127.0.0.1:1")

    error = failure()

    assert (error.kind, error.transient) == ("unreachable", True)
    assert "AWS_ENDPOINT_URL_ATHENA" in str(error)


def test_what_was_cancelled_before_is_never_asked(refusing: ThreadingHTTPServer) -> None:
    stop = threading.Event()
    stop.set()

    assert failure(stop).kind == "cancelled"


@pytest.mark.parametrize(
    ("reason", "kind", "said"),
    [
        ("Query cancelled! : Bytes scanned limit was exceeded", "limit", "HistoryScanLimitBytes"),
        (
            "HIVE_CURSOR_ERROR: Failed to read file s3://b/metrics/year=2026/month=11/day=03/metrics-1.json: bad row",
            "data",
            "s3://b/metrics/year=2026/month=11/day=03/metrics-1.json can't be read",
        ),
        ("HIVE_BAD_DATA: Malformed Parquet file. Corrupt footer [s3://b/history/a.parquet]", "data", "a.parquet can't"),
        (
            "HIVE_CURSOR_ERROR: Slow Down (Service: Amazon S3; Status Code: 503) s3://b/a.json",
            "throttled",
            "in a minute",
        ),
        ("HIVE_CANNOT_OPEN_SPLIT: Error opening s3://b/a.parquet: Access Denied", "denied", "pulseboard doctor"),
        ("Unable to verify/create output bucket results", "results", "result bucket"),
        ("TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.a.b' does not exist", "missing", "docs/deploy.md"),
        ("Insufficient permissions to execute the query", "denied", "pulseboard doctor"),
        ("GENERIC_INTERNAL_ERROR: " + "x\n" * 500, "failed", "..."),
    ],
)
def test_athenas_reasons_become_one_line_with_a_remedy(reason: str, kind: str, said: str) -> None:
    error = query_error(reason, "query-1")

    assert (error.kind, error.query_id) == (kind, "query-1")
    assert said in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 2 * MOST_TEXT


def test_a_statement_costs_ten_megabytes_at_least_and_a_repeated_answer_nothing() -> None:
    assert billed(0, 5.0, reused=False) == billed(10_000_000, 5.0, reused=False) == 0.00005
    assert billed(2_000_000_000_000, 5.0, reused=False) == 10.0
    assert billed(2_000_000_000_000, 5.0, reused=True) == 0.0


def test_costs_of_statements_side_by_side_add_up_but_their_time() -> None:
    one, two = Cost(1, 10, 0.1, 2.0), Cost(1, 20, 0.2, 3.0, reused=True)

    both = Cost().plus(one).plus(two)

    assert (both.statements, both.scanned_bytes, both.seconds, both.reused) == (2, 30, 3.0, False)
    assert both.dollars == pytest.approx(0.3)
