"""Real inputs by the real way: Flink scrapes and a CloudWatch series, from the command line to ``/api/v1/series``."""

from __future__ import annotations

import csv
import gzip
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from dashboard.app import create_server
from pulseboard.cli import cli
from tests.local_stack import LocalStack

pytestmark = pytest.mark.e2e
DATA = Path(__file__).parents[1] / "data"
EPOCHS = sorted({int(path.name.split("-")[0]) for path in (DATA / "flink").glob("*.prom.gz")})
STEP = 15
CPU = DATA / "cloudwatch" / "ec2_cpu_utilization_5f5533.csv"

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """GET on the dashboard's API, with the engine as AWS; the environment is the command line's as well."""
    for name, value in {**stack.environment, "PULSEBOARD_HOT_REFRESH_SECONDS": "0.2"}.items():
        monkeypatch.setenv(name, value)
    server = create_server({**stack.environment, "PULSEBOARD_HOT_REFRESH_SECONDS": "0.2"})
    client: FlaskClient = server.test_client()

    def get(path: str, **query: object) -> dict[str, Any]:
        answer: dict[str, Any] = client.get(path, query_string={k.rstrip("_"): v for k, v in query.items()}).json
        return answer

    return get


@pytest.fixture
def scrapes() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A loopback server and the texts it serves by path."""
    served: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(served[self.path.strip("/")])

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", served
    server.shutdown()
    server.server_close()


def text_of(epoch: int, part: str) -> str:
    return gzip.decompress((DATA / "flink" / f"{epoch}-{part}.prom.gz").read_bytes()).decode()


def values(text: str, name: str, label: str) -> dict[str, float]:
    """A scrape's values of one metric, summed over subtasks, by one label; read without the product's parser."""
    found: dict[str, float] = {}
    for labels, number in re.findall(rf"^{name}{{(.*?)}} (\S+)$", text, re.MULTILINE):
        key = re.search(rf'(?:^|,){label}="(.*?)"', labels)
        assert key is not None
        found[key[1]] = found.get(key[1], 0.0) + float(number)
    return found


def command(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def eventually(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 40.0) -> Any:
    deadline = time.monotonic() + seconds
    while not good(answer := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def lines(answer: Mapping[str, Any]) -> dict[str, dict[float, float]]:
    return {line["name"]: dict(map(tuple, line["points"])) for line in answer.get("series", [])}


def test_flink_shows_with_the_numbers_of_its_scrapes(ask: Ask, scrapes: tuple[str, dict[str, bytes]]) -> None:
    url, served = scrapes
    shift = int(time.time()) - EPOCHS[-1] - STEP
    for epoch in EPOCHS:
        for part in ("jobmanager", "taskmanager"):
            served[part] = text_of(epoch, part).encode()
        command(
            *("collect", "--source", "prometheus", "--mapping", "flink", "--environment", "flink"),
            *("--url", f"{url}/jobmanager", "--url", f"{url}/taskmanager", "--at", str(epoch + shift)),
        )

    def series(metric: str, **query: object) -> dict[str, dict[float, float]]:
        start, end = EPOCHS[0] + shift - 1, EPOCHS[-1] + shift + 1
        return lines(ask("/api/v1/series", metric=metric, environment="flink", from_=start, to=end, **query))

    complete = lambda found: bool(found) and all(len(points) == len(EPOCHS) for points in found.values())  # noqa: E731
    counters = eventually(lambda: series("records_in", stat="last"), complete)
    expected = {e: values(text_of(e, "taskmanager"), _IN, "operator_name") for e in EPOCHS}
    assert counters == {name: {e + shift: expected[e][name] for e in EPOCHS} for name in expected[EPOCHS[0]]}
    rates = series("records_in")
    for before, after in pairwise(EPOCHS):
        for name, points in rates.items():
            grown = (expected[after][name] - expected[before][name]) / (after - before)
            assert points[after + shift] == pytest.approx(grown)

    last = EPOCHS[-1]
    job, task = text_of(last, "jobmanager"), text_of(last, "taskmanager")
    for metric, name in _OF_THE_JOB.items():
        shown = eventually(lambda m=metric: series(m, stat="last"), complete)
        assert shown["orders_enrichment"][last + shift] == values(job, name, "job_name")["orders_enrichment"], metric
    assert series("checkpoint_failures_total", stat="sum")["orders_enrichment"] == {
        e + shift: 0.0 for e in EPOCHS[1:]
    }, "the counter stands at 1 from the start: no increase"
    worst = max(
        float(number)
        for labels, number in re.findall(rf"^{_LATENCY}{{(.*?)}} (\S+)$", task, re.MULTILINE)
        if 'quantile="0.99"' in labels
    )
    assert max(points[last + shift] for points in series("latency_p99_ms").values()) == worst
    (cpu,) = [float(n) for n in re.findall(r"^flink_jobmanager_Status_JVM_CPU_Load{.*?} (\S+)$", job, re.MULTILINE)]
    assert series("cpu_usage_percentage")["127_0_0_1/jobmanager"][last + shift] == pytest.approx(100 * cpu)
    assert series("task_slots_total")["all"][last + shift] == 4
    assert all(point > 0 for line in series("watermark_lag_ms").values() for point in line.values())

    verdict = ask("/api/v1/health", environment="flink")
    assert verdict["status"] == "healthy", verdict
    states = {signal["name"]: signal["state"] for signal in verdict["signals"]}
    assert states["window_completeness"] == states["checkpoint_failures_total"] == "healthy"
    assert states["dlq_records"] == "not_connected"


_IN = "flink_taskmanager_job_task_operator_numRecordsIn"
_LATENCY = "flink_taskmanager_job_task_latency_source_id_operator_id_operator_subtask_index_latency"
_OF_THE_JOB = {
    "checkpoints_completed_total": "flink_jobmanager_job_numberOfCompletedCheckpoints",
    "checkpoint_failures_total": "flink_jobmanager_job_numberOfFailedCheckpoints",
    "checkpoint_duration_ms": "flink_jobmanager_job_lastCheckpointDuration",
    "checkpoint_size_bytes": "flink_jobmanager_job_lastCheckpointSize",
}


def test_this_machines_own_metrics_arrive(ask: Ask) -> None:
    command("collect", "--source", "host", "--environment", "this-machine")
    query = {"metric": "memory_usage", "environment": "this-machine"}
    shown = eventually(lambda: lines(ask("/api/v1/series", **query)), bool)
    (points,) = shown.values()
    assert all(0 < value <= 100 for value in points.values())


def test_a_cloudwatch_series_of_2014_is_imported_and_the_same_of_the_last_14_days(
    ask: Ask, stack: LocalStack, tmp_path: Path
) -> None:
    rows = [(datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp(), float(v)) for t, v in _rows()]
    shift = int((time.time() - rows[-1][0]) // 300 * 300)
    original, shifted = tmp_path / "original.csv", tmp_path / "shifted.csv"
    original.write_text("".join(CPU.read_text("utf-8").splitlines(keepends=True)[: 3 * 288]), "utf-8")
    shifted.write_text("timestamp,value\n" + "".join(f"{int(t + shift)},{v}\n" for t, v in rows), "utf-8")
    common = ("--metric", "cpu_utilization", "--environment", "imported")
    command("ingest", "metrics", str(original), "--host", "ec2-2014", *common)
    command("ingest", "metrics", str(shifted), "--host", "ec2-now", *common)

    def series(host: str, start: float, end: float) -> dict[float, float]:
        query = {"metric": "cpu_utilization", "environment": "imported", "host": host}
        return lines(ask("/api/v1/series", **query, from_=start, to=end)).get(host, {})

    day = rows[0][0] + 86400
    expected = {t: v for t, v in rows if day <= t <= day + 86400}
    assert eventually(lambda: series("ec2-2014", day, day + 86400), lambda p: len(p) == len(expected)) == expected
    hours: dict[float, list[float]] = {}
    for t, v in rows:
        hours.setdefault((t + shift) // 3600 * 3600, []).append(v)
    expected = {t: pytest.approx(sum(v) / len(v)) for t, v in hours.items() if t >= rows[0][0] + shift}
    everything = lambda: series("ec2-now", rows[0][0] + shift, time.time())  # noqa: E731
    assert eventually(everything, lambda p: len(p) == len(expected)) == expected


def _rows() -> Iterator[tuple[str, str]]:
    with CPU.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row["timestamp"], row["value"]
