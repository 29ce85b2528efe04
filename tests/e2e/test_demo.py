"""`pulseboard demo` as a user runs it: ready, fed by the real path, gone without a trace, and again at once."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.local.deploy import ENVIRONMENT_OF_OUTPUT
from backend.local.engine import HOST, free_port, port_is_free

pytestmark = pytest.mark.e2e

COMMAND = [sys.executable, "-c", "from pulseboard.cli import main; main()"]
READY_SECONDS = 180


@dataclass
class Demo:
    """A running demo and what it has printed so far."""

    process: subprocess.Popen[str]
    url: str
    directory: Path
    lines: list[str] = field(default_factory=list)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)

    def api(self, path: str, body: Any = None) -> Any:
        """An answer of the ingest API; with a body it is posted."""
        url, content = self.environment()["PULSEBOARD_API_URL"] + path, None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, content.encode() if content else None, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def says(self, words: str, seconds: float = 60.0) -> str:
        """The next line with these words."""
        assert self.process.stdout is not None
        killer = threading.Timer(seconds, self.process.kill)
        killer.start()
        line = next((line for line in self.process.stdout if words in line), "")
        killer.cancel()
        assert line, f"never said: {words}"
        return line

    def environment(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.directory / "state.json").read_text())
        return found

    def group(self) -> set[int]:
        """The demo and every process below it, whatever group those put themselves in."""
        parents = {pid: parent for pid, parent, _ in processes()}
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found


def processes() -> Iterator[tuple[int, int, str]]:
    """(pid, parent, state) of every process."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        yield int(stat.parent.name), int(parent), state


def running(pids: set[int]) -> set[int]:
    return {pid for pid, _, state in processes() if pid in pids and state != "Z"}


def eventually(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


@contextmanager
def demo(directory: Path, port: int, until: str = "Pulseboard is ready") -> Iterator[Demo]:
    """Starts the demo and waits for its ready line, or another one; ends it by SIGTERM if the test has not."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULSEBOARD_"))}
    environ |= {"PULSEBOARD_PORT": str(port), "PULSEBOARD_DEMO_DIRECTORY": str(directory), "PYTHONUNBUFFERED": "1"}
    environ |= {"PULSEBOARD_DEMO_DAYS": "2"}
    # A real account's settings in the caller's environment must not matter.
    environ |= {"AWS_PROFILE": "no-such-profile", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    process = subprocess.Popen(
        [*COMMAND, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ, process_group=0
    )
    started = Demo(process, f"http://{HOST}:{port}", directory)
    try:
        assert process.stdout is not None
        killer = threading.Timer(READY_SECONDS, process.kill)
        killer.start()
        for line in process.stdout:
            started.lines.append(line.rstrip())
            if line.startswith(until):
                break
        killer.cancel()
        yield started
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def test_it_runs_leaves_nothing_behind_and_runs_again_at_once(tmp_path: Path) -> None:
    port, directory = free_port(), tmp_path / "demo"
    with demo(directory, port) as first:
        assert first.lines[-1] == f"Pulseboard is ready at http://127.0.0.1:{port}", first.lines
        count = re.search(r"InfraMetrics holds ([\d,]+) items", "\n".join(first.lines))
        assert count is not None
        assert 10_000 < int(count[1].replace(",", "")) < 30_000
        seeded = re.search(r"hour of synthetic orders: (\d+) events", "\n".join(first.lines))
        assert seeded is not None
        assert int(seeded[1]) > 200
        assert first.get("/readyz")["status"] == "ready"
        # History was seeded: half a day ago there are points.
        series = first.get("/api/v1/series?metric=cpu_utilization&from=now-13h&to=now-11h")
        assert all(line["points"] for line in series["series"])
        assert len(series["series"]) >= 10
        # What is live took the real way: from the agent through S3, SQS and Lambda.
        began = time.time()
        assert eventually(lambda: newest(first) > began, 60), tail(directory)
        assert set(ENVIRONMENT_OF_OUTPUT.values()) <= set(first.environment())
        takes_orders(first, began)
        assert "Seeded 2 closed days" in first.says("closed days of synthetic history")
        puts_a_broken_order_through_after_the_fix(first)
        group = first.group()
        assert len(group) >= 5
        temporary = {Path(f"/proc/{pid}/cwd").resolve() for pid in group}
        engine = next(path for path in temporary if "pulseboard-engine-" in str(path))
        first.process.send_signal(signal.SIGINT)
        output = first.process.communicate(timeout=15)[0]
        assert first.process.returncode == 0
        assert output.splitlines()[-1:] == ["Stopped"]
    assert running(group) == set()
    assert port_is_free(port)
    assert not engine.exists()
    assert not (directory / "state.json").exists()
    with demo(directory, port, until="Engine is up") as second:
        assert second.lines[-1].startswith("Engine is up"), second.lines
        group = second.group()
        assert len(group) >= 2
        second.process.kill()
        second.process.wait()
        # Killed without a chance to clean up: its engine notices by itself, as every child does.
        assert eventually(lambda: not running(group))


def takes_orders(running_demo: Demo, began: float) -> None:
    """History is there, and the stream goes on through the API, the queue and the processor."""
    hour_ago = running_demo.api("/events?from=now-50m&to=now-10m&limit=10")
    assert len(hour_ago["events"]) == 10

    def processed() -> bool:
        page = running_demo.api(f"/events?status=processed&from={int(began * 1000)}&limit=10")
        return any(entry["source"] in ("shop-web", "shop-app", "pos") for entry in page["events"])

    assert eventually(processed, 60), tail(running_demo.directory)


def puts_a_broken_order_through_after_the_fix(running_demo: Demo) -> None:
    """The walk that the demo is for: a renamed field, the dead letters, the alias, the replay."""
    at, payload = datetime.now(UTC).isoformat(), {"order_id": "TEST-1", "cust_id": "C-1", "amount": 1, "items": []}
    order = {"source": "test", "event_type": "order_placed", "entity_id": "TEST-1", "occurred_at": at}
    event_id = running_demo.api("/ingest", {**order, "payload": payload})["event_id"]

    def event() -> Any:
        return running_demo.api(f"/events/{event_id}")

    assert eventually(lambda: (event()["error"] or {}).get("dead_lettered"), 60), tail(running_demo.directory)
    assert event()["error"]["error_type"] == "parse_error"
    config = running_demo.directory / "pulseboard.toml"
    right = config.read_text()
    config.write_text(right.replace("[events.types.order_placed]", "[events.types.order_placed"))
    assert "was not taken" in running_demo.says("pulseboard.toml")
    fix = '[events.types.order_placed]\naliases = { customer_id = ["cust_id"] }'
    config.write_text(right.replace("[events.types.order_placed]", fix))
    assert "has changed" in running_demo.says("pulseboard.toml")
    replay = {"selection": {"event_ids": [event_id]}, "reason": "cust_id is known now"}
    assert running_demo.api("/replay", replay)["matched"] == 1
    assert eventually(lambda: event()["status"] == "processed", 60), (event(), tail(running_demo.directory))
    assert event()["replay_count"] == 1


def newest(running_demo: Demo) -> float:
    series = running_demo.get("/api/v1/series?metric=cpu_utilization&from=now-5m&to=now")["series"]
    return max((line["points"][-1][0] for line in series if line["points"]), default=0.0)


def tail(directory: Path) -> str:
    return "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in sorted((directory / "logs").iterdir()))


def test_a_taken_port_is_one_line_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        environ = {**os.environ, "PULSEBOARD_PORT": str(taken.getsockname()[1])}
        done = subprocess.run(
            [*COMMAND, "demo", "--directory", str(tmp_path / "demo")],
            check=False,
            capture_output=True,
            text=True,
            env=environ,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is taken" in done.stderr
    assert not (tmp_path / "demo").exists()
