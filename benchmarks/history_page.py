"""A page over the last 7 days, of which DynamoDB holds one: how soon its shell and hot lines are there, how soon
history is, and what a second viewer costs; and which partitions 30 days scan that begin before a year's end.

    python -m benchmarks.history_page

S3, Glue and the Athena endpoint are those of the embedded engine, each a process of its own as in the demo, with the
reference load (ten servers, five metrics, each five minutes) of 32 days, every closed one compacted by the function's
own code. What is hot is in memory.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import orjson
from flask_caching.backends import SimpleCache

from backend.aws import Clients
from backend.collector.sources.synthetic import HOST_METRICS, SyntheticSource
from backend.contract.history import HistoryQuestion, MetricWanted
from backend.contract.tables import METRICS_PREFIX, WORKGROUP
from backend.history.athena import Athena
from backend.history.compaction import Compaction
from backend.history.days import DAY_SECONDS, day_path, day_start
from backend.history.handler import run_statements
from backend.history.ledger import Ledger
from backend.history.listing import Bucket
from backend.history.reading import HistoryReader, Places
from backend.local.child import Child
from backend.local.deploy import deploy
from backend.local.engine import HOST, Engine, free_port
from backend.local.seed import without_notifications
from backend.settings import Settings, load_settings
from dashboard.data.history import History
from dashboard.data.request import parse_view_request
from dashboard.pages.capacity import PAGE
from dashboard.services import Services, build_services
from tests.memory_table import MemoryTable

NOW = datetime(2026, 1, 16, 13, tzinfo=UTC).timestamp()
FIRST = date(2025, 12, 15)
TODAY = date(2026, 1, 16)
EVERY_SECONDS = 300
FIRST_VIEW_SECONDS = 1.0
HISTORY_SECONDS = 2.0
LOOK_SECONDS = 0.05


class Clock:
    """The time of the page: goes on with the process's own."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> float:
        return NOW + time.monotonic() - self._began


def load(s3: Any, settings: Settings, table: MemoryTable) -> None:
    """The reference load: an object a day, and the last day in the table as well."""
    source = SyntheticSource(settings.catalogue)
    wanted = set(HOST_METRICS)
    with without_notifications(s3, settings.bucket):
        for number in range((TODAY - FIRST).days + 1):
            day = FIRST + timedelta(days=number)
            lines = []
            for at in range(day_start(day), min(day_start(day) + DAY_SECONDS, int(NOW) + 1), EVERY_SECONDS):
                samples = [sample for sample in source.collect(at, at).samples if sample.metric_type in wanted]
                lines += [orjson.dumps(sample.as_json()) for sample in samples]
                if at >= NOW - DAY_SECONDS:
                    table.put_samples(samples, at, f"metrics/metrics-{at}.json")
            s3.put_object(
                Bucket=settings.bucket, Key=f"{METRICS_PREFIX}{day_path(day)}metrics-all.json", Body=b"\n".join(lines)
            )
    table.merge("production", NOW - DAY_SECONDS, NOW - 180)


def compact(s3: Any, settings: Settings) -> int:
    """Every closed day as Parquet; how many."""
    statements = run_statements(settings, lambda: NOW, poll_seconds=0.05)(NOW)
    bucket = Bucket(s3, settings.bucket)
    compaction = Compaction(Ledger(s3, settings.bucket), bucket, statements, lambda: NOW)
    return sum(compaction.compact(day).result == "compacted" for day in compaction.plan())


def connected(settings: Settings, table: MemoryTable, clock: Callable[[], float]) -> tuple[Services, HistoryReader]:
    """The dashboard's services, as it wires them."""
    services = build_services(settings, table, (PAGE,), "bench", SimpleCache(), clock)  # type: ignore[arg-type]
    clients = Clients(settings.region)
    places = Places(clients.s3, clients.dynamodb, settings, clock)
    reader = HistoryReader(Athena(settings, clients.s3), places, settings)
    services.history = History(reader, clock, settings.config.history.reread_seconds)
    services.ranged.connect(services.history, settings.catalogue, services.hot.seen)
    return services, reader


def look(services: Services) -> dict[str, Any]:
    """What a viewer of the last 7 days gets."""
    request = parse_view_request("capacity", {"from": "now-7d"}, "production", services.now(), PAGE.parameters)
    view: dict[str, Any] = orjson.loads(services.view(request).raw)
    return view


def queries(athena: Any) -> int:
    """How many queries were ever asked."""
    pages = athena.get_paginator("list_query_executions").paginate(WorkGroup=WORKGROUP)
    return sum(len(page["QueryExecutionIds"]) for page in pages)


@contextmanager
def endpoint(directory: Path) -> Iterator[str]:
    """The URL of an Athena endpoint in a process of its own, once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "backend.local.athena", "--port", str(port)]
    with Child("athena", command, os.environ, directory / "athena.log"):
        url = f"http://{HOST}:{port}"
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{url}/_ready", timeout=5):
                break
            time.sleep(LOOK_SECONDS)
        yield url


def page(services: Services, athena: Any) -> bool:
    """Whether the first view waits for nobody, and history and a second viewer are as they have to be."""
    began = time.perf_counter()
    view = look(services)
    first = time.perf_counter() - began
    drawn = sum(bool(traces) for traces in view["charts"].values())
    state = view["source"]["state"]
    while view["source"]["state"] == "running":
        time.sleep(LOOK_SECONDS)
        view = look(services)
    there = time.perf_counter() - began
    asked = queries(athena)
    source = look(services)["source"]
    again = queries(athena) - asked
    good = state == "running" and drawn > 0 and first <= FIRST_VIEW_SECONDS
    print(f"  load average {os.getloadavg()[0]:.1f}")
    print(f"  first view: {first:.2f} s, {drawn} charts with hot lines, history {state}")
    print(f"    at most {FIRST_VIEW_SECONDS} s: {'ok' if good else 'MISSED'}")
    whole = source["state"] == "done" and source["kind"] == "both" and there <= HISTORY_SECONDS
    print(
        f"  history: {source['state']} after {there:.2f} s, {source['days']}, {source.get('bytes', 0):,} bytes scanned,"
    )
    print(f"    ${source.get('dollars', 0):.6f}; within {HISTORY_SECONDS:g} s: {'ok' if whole else 'MISSED'}")
    print(f"  second viewer: {again} Athena queries, must be 0: {'ok' if not again else 'MISSED'}")
    return good and whole and not again


def pruning(reader: HistoryReader) -> bool:
    """Whether a range across the year's end scans what its two halves do, and no other day."""

    def scanned(first: date, end: date) -> int:
        metrics = tuple(MetricWanted(metric, by_group=True) for metric in sorted(HOST_METRICS))
        question = HistoryQuestion("production", metrics, day_start(first), day_start(end), 7200)
        return reader.answer(reader.plan(question), threading.Event()).cost.scanned_bytes

    year = date(2026, 1, 1)
    start, end = date(2025, 12, 17), date(2026, 1, 16)
    before, after, whole, every = scanned(start, year), scanned(year, end), scanned(start, end), scanned(FIRST, end)
    good = before > 0 and after > 0 and whole == before + after < every
    print(f"  {start} to {end}: {whole:,} bytes; {before:,} in 2025 and {after:,} in 2026, {every:,} from {FIRST} on")
    print(f"    only the partitions of the range: {'ok' if good else 'MISSED'}")
    return good


def main() -> None:
    """Prints the figures; the exit code is 1 where one does not hold."""
    # The page's forecasts are made in the background; what they say of an end in their middle is no news here.
    logging.disable(logging.CRITICAL)
    print(f"history: a page over 7 days of 30, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as directory, Engine(log=Path(directory, "engine.log")) as engine:
        os.environ.update(engine.environment())
        outputs = deploy(engine.client, parameters={"MergeSchedule": "rate(1 day)", "ChecksEnabled": "DISABLED"})
        with endpoint(Path(directory)) as url:
            os.environ["AWS_ENDPOINT_URL_ATHENA"] = url
            settings, s3, table = load_settings({**os.environ, **outputs}), engine.client("s3"), MemoryTable()
            load(s3, settings, table)
            print(f"  {compact(s3, settings)} days compacted")
            services, reader = connected(settings, table, Clock())
            try:
                good = [page(services, boto3.client("athena")), pruning(reader)]
            finally:
                services.close()
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
