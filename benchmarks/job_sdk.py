"""What recording costs a job: on its own thread, and in requests to AWS.

*Thread*: setting ``run.records`` and ``run.progress`` while heartbeats are sent as fast as they go, against the same
without a run (an attribute of a plain object). *Requests*: reads and writes of starts and ends counted, without a
batch and with one. *Wall*: a start with its end on the embedded engine, against the same requests made bare.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.aws import Clients
from backend.jobs.journal import Journal
from backend.jobs.sdk import job
from backend.jobs.tracker import Tracker
from backend.local.engine import Engine
from backend.settings import Settings
from tests.template_resources import JOB_TABLES, create_tables

CALLS = 200_000
CALL_LIMIT_MS = 1.0
ROUNDS = 30
WALL_LIMIT = 3.0
READS = {"GetItem", "Query"}
Call = tuple[str, dict[str, Any]]


class Plain:
    """What a job would set without recording."""

    records = 0
    progress = 0.0


def setting(target: Any) -> list[float]:
    """Milliseconds of each setting of records and progress, the shortest first."""
    times: list[float] = []
    for number in range(CALLS):
        before = time.perf_counter()
        target.records = number
        target.progress = number / CALLS
        times.append((time.perf_counter() - before) * 1000)
    return sorted(times)


def thread_cost(tracker: Tracker) -> bool:
    """The job's thread while its heartbeats are sent without a pause."""
    plain = setting(Plain())
    with job("bench-thread", batch="a", tracker=tracker) as run:
        times = setting(run)
        good = run.recorded and times[-CALLS // 1000] < CALL_LIMIT_MS
    mean, base = statistics.fmean(times), statistics.fmean(plain)
    print(
        f"  records and progress set: {mean:.5f} ms on average, {times[-CALLS // 1000]:.5f} ms at the 99.9th "
        f"percentile (at most {CALL_LIMIT_MS} ms), {times[-1]:.2f} ms the longest of {CALLS:,};"
    )
    print(f"    a plain object's: {base:.5f}, {plain[-CALLS // 1000]:.5f}, {plain[-1]:.2f} ms; {mean / base:.1f}x")
    return good


def counted(clients: Clients) -> list[Call]:
    """The calls to DynamoDB from now on, as they are made."""
    calls: list[Call] = []

    def note(model: Any, params: dict[str, Any], **_: Any) -> None:
        calls.append((model.name, params))

    clients.dynamodb.meta.events.register("before-call", note)
    return calls


def requests(calls: list[Call], tracker: Tracker) -> bool:
    """Reads and writes of a start and of an end."""
    good = True
    for name, batch in (("without a batch", ""), ("with a batch", "a")):
        calls.clear()
        recorded = job(f"bench-{name}", batch=batch, tracker=tracker)
        with recorded:
            start = Counter("read" if call in READS else "write" for call, _ in calls)
            calls.clear()
        end = Counter("read" if call in READS else "write" for call, _ in calls)
        good &= start["write"] == end["write"] == 1
        print(
            f"  {name}: start {start['write']} write and {start['read']} read, end {end['write']} write and "
            f"{end['read']} reads (1 write each)"
        )
    return good


def milliseconds(run: Callable[[], object]) -> float:
    """What a run takes."""
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


def wall(tracker: Tracker, clients: Clients, settings: Settings) -> bool:
    """A start with its end, against the three requests it makes, made bare."""
    table = settings.job_runs_table
    numbers = iter(range(10**9))

    def ours() -> None:
        with job("bench-wall", tracker=tracker):
            pass

    def bare() -> None:
        item = {"job_name": {"S": "bench-bare"}, "run_key": {"S": f"{next(numbers):09}"}}
        clients.dynamodb.get_item(TableName=table, Key=item, ConsistentRead=True)
        clients.dynamodb.put_item(TableName=table, Item=item)
        clients.dynamodb.put_item(TableName=table, Item=item)

    ours()
    bare()
    pairs = [(milliseconds(bare), milliseconds(ours)) for _ in range(ROUNDS)]
    base, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"  start and end on the engine: {whole:.1f} ms; the same three requests made bare {base:.1f} ms: "
        f"{whole / base:.2f}x (at most {WALL_LIMIT}x)"
    )
    return whole / base <= WALL_LIMIT


def main() -> None:
    """Prints the figures; the exit code is 1 where one does not hold."""
    print(f"job SDK on the embedded engine (medians of {ROUNDS} turns)")
    with tempfile.TemporaryDirectory() as directory, Engine(log=Path(directory, "engine.log")) as engine:
        os.environ.update(engine.environment())
        clients, settings = Clients("us-east-1"), Settings()
        create_tables(clients.dynamodb, JOB_TABLES)
        eager = Tracker(clients, settings, Journal(Path(directory, "eager")), beat_seconds=0.0)
        good = [thread_cost(eager)]
        eager.close()
        tracker = Tracker(clients, settings, Journal(Path(directory, "journal")))
        good.append(requests(counted(clients), tracker))
        good.append(wall(tracker, clients, settings))
        tracker.close()
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
