"""`pulseboard agent` as a process: it collects, sends, and ends cleanly on SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from backend.contract.errors import InvalidInput
from pulseboard.cli import cli

WAIT_SECONDS = 30.0


@pytest.fixture
def bucket() -> Iterator[tuple[str, dict[str, bytes]]]:
    """As much of S3 as a PUT needs: (endpoint, objects by key)."""
    objects: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            objects[unquote(self.path)] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("x-amz-request-id", "AGENT")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", objects
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_collects_until_sigterm_and_leaves_nothing_behind(
    bucket: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    endpoint, objects = bucket
    config = tmp_path / "pulseboard.toml"
    config.write_text('[[collect]]\nsource = "synthetic"\ninterval_seconds = 1\n')
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "S3_BUCKET": "metrics-bucket",
        "REGION": "us-east-1",
        "PULSEBOARD_CONFIG": str(config),
        "PULSEBOARD_SPOOL": str(tmp_path / "spool"),
    }
    command = [sys.executable, "-c", "from pulseboard.cli import main; main()", "agent", "--flush-seconds", "0.2"]
    agent = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while len(objects) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        agent.send_signal(signal.SIGTERM)
        _, said = agent.communicate(timeout=WAIT_SECONDS)
    finally:
        agent.kill()
        agent.wait()
    assert agent.returncode == 0
    assert "0 left in the spool" in said
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]
    assert len(objects) >= 2
    assert all(path.startswith("/metrics-bucket/metrics/year=") for path in objects)
    hosts = [r["hostname"] for body in objects.values() for line in body.splitlines() if (r := json.loads(line))]
    assert "server-001" in hosts


@pytest.mark.parametrize(("option", "number"), [("--interval", "0"), ("--flush-seconds", "-1")])
def test_a_pace_that_makes_no_sense_is_refused(option: str, number: str) -> None:
    result = CliRunner().invoke(cli, ["agent", "--source", "synthetic", option, number])
    assert isinstance(result.exception, InvalidInput)
    assert str(result.exception).startswith(option.removeprefix("--"))
