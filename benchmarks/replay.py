"""Replays on the embedded engine: how fast they send, how well they keep a rate, what they need of memory, and that
ten thousand events are processed exactly once although the replay was paused, resumed, cancelled and started again.

*Sending* is the time until SQS has answered the last part, checkpoints and all (``measured_rate`` of the replay's
record); the counts on the events and the steps of their traces follow, and the whole time has them in it.
Memory is the peak of a process of its own that freezes a selection and sends it, with SQS and the counting stubbed and
everything else on the engine.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.event_items import event_item
from backend.contract.event_query import parse_query
from backend.contract.events import Event, EventRecord
from backend.contract.replays import FINISHED, Replay, ReplayRequest
from backend.contract.tables import AGGREGATES_TABLE
from backend.events.delivery import delivery_of
from backend.events.ingest import Ingest
from backend.events.investigation import Investigation
from backend.local.deploy import deploy
from backend.local.engine import Engine
from backend.logs import make_logger
from backend.replay.handler import build
from backend.replay.service import ReplayService
from backend.settings import Config, ReplayLimits, Settings, load_settings
from tests.template_resources import create_event_queues, create_event_tables

EVENTS = 10_000
WANTED_RATE = 1_000
LIMITS = ((200.0, 2_000), (500.0, 5_000))
TOLERANCE = 0.05
SIZES = (1_000, 10_000, 100_000)
BYTES_PER_EVENT = 200
"""Flat means: a selection a hundred times as large costs less than this for each further event."""
DRAIN_SECONDS = 900


class Context:
    """The part of Lambda's context that the runner reads."""

    def get_remaining_time_in_millis(self) -> int:
        """As on AWS at the start."""
        return 900_000


def record(number: int, now: float) -> EventRecord:
    """An event of the last minutes."""
    name = hashlib.sha256(str(number).encode()).hexdigest()
    key = f"events/source=shop-web/year=2026/month=11/day=21/{name}.json"
    at = now - 600 + number / 1_000
    return EventRecord(
        name, f"order-{number % 500}", "order_placed", "shop-web", "processed", at, at, f"correlation-{number % 3000}",
        key, name, 500,
    )  # fmt: skip


def services(settings: Settings) -> tuple[Clients, Investigation, ReplayService]:
    """What a caller of the API has."""
    clients = Clients(settings.region, pool=32)
    investigation = Investigation(clients.dynamodb, clients.s3, settings)
    audit = AuditLog(clients.dynamodb, settings)
    return (
        clients,
        investigation,
        ReplayService(clients.dynamodb, clients.sqs, clients.s3, investigation, audit, settings),
    )


def bare(engine: Engine) -> Settings:
    """Tables, queues and the bucket without any function; this process is pointed at them."""
    os.environ.update(engine.environment())
    urls = create_event_queues(engine.client("sqs"))
    create_event_tables(engine.client("dynamodb"))
    engine.client("s3").create_bucket(Bucket=Settings().bucket)
    limits = ReplayLimits(max_replays=1_000, slice_seconds=3_600)
    return replace(Settings(), config=Config(replay=limits), **urls)


def seed(clients: Clients, settings: Settings, count: int) -> None:
    """Events in the index."""
    now = time.time()

    def put(first: int) -> None:
        items = [event_item(record(number, now), 2_000_000_000, 8) for number in range(first, first + 25)]
        requests: Any = {settings.events_table: [{"PutRequest": {"Item": item}} for item in items]}
        clients.dynamodb.batch_write_item(RequestItems=requests)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(0, count, 25)))


def sending() -> bool:
    """Unlimited and limited replays; whether the figures hold."""
    with Engine() as engine:
        settings = bare(engine)
        clients, _, service = services(settings)
        seed(clients, settings, EVENTS)
        function = build(settings, clients, make_logger("bench-replay", io.StringIO()))
        held = True

        def run(rate: float | None, count: int) -> tuple[Replay, float, float]:
            selection = parse_query({"event_type": "order_placed", "source": "shop-web", "from": "now-1d"}, time.time())
            selection = replace(selection, event_type=None)
            request = ReplayRequest(selection, "benchmark", "event-processor", rate, count, confirm=count)
            began = time.perf_counter()
            replay = service.create(request, "benchmark")
            created = time.perf_counter()
            function({"Records": [{"body": json.dumps({"replay_id": replay.replay_id})}]}, Context())  # type: ignore[arg-type]
            return service.get(replay.replay_id), created - began, time.perf_counter() - created

        replay, freezing, running = run(None, EVENTS)
        rate = replay.measured_rate or 0.0
        held &= rate >= WANTED_RATE and replay.sent == EVENTS
        print(f"{'events':>8} {'limit/s':>8} {'sent':>8} {'sending/s':>10} {'freezing s':>11} {'whole s':>8}")
        print(f"{EVENTS:8,} {'none':>8} {replay.sent:8,} {rate:10,.0f} {freezing:11.1f} {running:8.1f}")
        for limit, count in LIMITS:
            replay, freezing, running = run(limit, count)
            rate = replay.measured_rate or 0.0
            held &= abs(rate / limit - 1) <= TOLERANCE
            print(f"{count:8,} {limit:8,.0f} {replay.sent:8,} {rate:10,.1f} {freezing:11.1f} {running:8.1f}")
        print(f"wanted: at least {WANTED_RATE:,}/s without a limit, within {TOLERANCE:.0%} of a limit")
        return held


class Stub:
    """SQS that takes everything, and DynamoDB without the counting; the rest goes to the engine."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def send_message_batch(self, **request: Any) -> Any:
        """Everything is sent."""
        return {"Successful": [{"Id": entry["Id"], "MessageId": str(uuid.uuid4())} for entry in request["Entries"]]}

    def transact_write_items(self, **request: Any) -> Any:
        """Counts are not written, replays are."""
        if "Update" in request["TransactItems"][0]:
            return {}
        return self._client.transact_write_items(**request)

    def batch_write_item(self, **_: Any) -> Any:
        """Steps of traces are not written."""
        return {}


class Streamed:
    """An investigation of so many events that holds a page at a time, as the real one does."""

    def __init__(self, count: int) -> None:
        self._count = count

    def pages(self, _: Any) -> Iterator[list[EventRecord]]:
        """Lists of a thousand."""
        now = time.time()
        for first in range(0, self._count, 1_000):
            yield [record(number, now) for number in range(first, min(first + 1_000, self._count))]


def peak(count: int) -> None:
    """In a process of its own: freezes and sends a selection and prints the peak of memory in bytes."""
    settings = load_settings(os.environ)
    clients: Any = Clients(settings.region)
    clients.sqs, clients.dynamodb = Stub(clients.sqs), Stub(clients.dynamodb)
    audit = AuditLog(clients.dynamodb, settings)
    service = ReplayService(clients.dynamodb, clients.sqs, clients.s3, Streamed(count), audit, settings)
    selection = parse_query({"from": "now-1h"}, time.time())
    replay = service.create(ReplayRequest(selection, "benchmark", "event-processor", None, confirm=count), "benchmark")
    function = build(settings, clients, make_logger("bench-memory", io.StringIO()))
    function({"Records": [{"body": json.dumps({"replay_id": replay.replay_id})}]}, Context())  # type: ignore[arg-type]
    assert service.get(replay.replay_id).sent == count
    # Not ru_maxrss, which begins with what the parent had.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(int(line.split()[1]) * 1024)


def memory() -> bool:
    """Peaks by size and their slope; whether it is flat."""
    with Engine() as engine:
        settings = bare(engine)
        urls = {name.upper(): getattr(settings, name) for name in ("event_queue_url", "replay_queue_url")}
        environment = {"PATH": os.environ["PATH"], "LOG_LEVEL": "WARNING", **engine.environment(), **urls}
        peaks = {}
        for count in SIZES:
            command = [sys.executable, "-m", "benchmarks.replay", "--peak", str(count)]
            done = subprocess.run(
                command, env=environment, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
            )
            peaks[count] = int(done.stdout.split()[-1])
            print(f"{count:8,} events selected and sent: peak {peaks[count] / 1e6:6.1f} MB")
    slope = (peaks[SIZES[-1]] - peaks[SIZES[0]]) / (SIZES[-1] - SIZES[0])
    print(f"slope: {slope:.0f} bytes for each further event (below {BYTES_PER_EVENT} wanted)")
    return slope < BYTES_PER_EVENT


def eventually(look: Callable[[], Any], seconds: float) -> Any:
    """The first true answer of ``look``; its last answer when the time is up."""
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


def exactly_once() -> bool:
    """Ten thousand events through the stack's own functions; whether each was counted once."""
    with Engine() as engine:
        outputs = deploy(engine.client)
        os.environ.update({**engine.environment(), **outputs})
        settings = load_settings(os.environ)
        clients, investigation, service = services(settings)
        began = time.perf_counter()
        quiet = clients.sqs.create_queue(QueueName="quiet")["QueueUrl"]
        ingest = Ingest(replace(settings, event_queue_url=quiet), clients, make_logger("bench-ingest", io.StringIO()))
        delivery = delivery_of({"headers": {}, "requestContext": {"requestId": "bench"}}, time.time())
        hour = time.time() // 3600 * 3600 - 7200
        events = [
            Event("shop-web", "order_placed", f"order-{number % 500}", hour + number / 3, number)
            for number in range(EVENTS)
        ]
        for first in range(0, EVENTS, 100):
            outcomes = ingest.take_all(events[first : first + 100], delivery)
            assert {outcome.status for outcome in outcomes} == {"stored"}, outcomes
        print(f"{EVENTS:,} events ingested and never processed ({time.perf_counter() - began:.0f} s)")
        selection = parse_query({"event_type": "order_placed", "from": "now-1h"}, time.time() + 1)

        def start(rate: float) -> str:
            request = ReplayRequest(selection, "benchmark", "event-processor", rate, confirm=EVENTS)
            return service.create(request, "benchmark").replay_id

        def sent(replay_id: str, at_least: int) -> bool:
            return bool(eventually(lambda: service.get(replay_id).sent >= at_least, DRAIN_SECONDS))

        first = start(300.0)
        sent(first, EVENTS * 15 // 100)
        service.pause(first, "benchmark")
        eventually(lambda: service.get(first).status == "paused", 60)
        paused = service.get(first).sent
        service.resume(first, "benchmark")
        sent(first, EVENTS * 4 // 10)
        service.cancel(first, "benchmark")
        eventually(lambda: service.get(first).status in FINISHED, 60)
        cancelled = service.get(first)
        second = start(500.0)
        eventually(lambda: service.get(second).status in FINISHED, DRAIN_SECONDS)
        whole = service.get(second)
        print(f"first replay paused at {paused:,}, resumed, {cancelled.status} at {cancelled.sent:,}; ", end="")
        print(f"second {whole.status} with {whole.sent:,} of {whole.matched:,}")

        def statuses() -> Counter[str]:
            return Counter(event.status for page in investigation.pages(selection) for event in page)

        def drained() -> bool:
            names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            answer = clients.sqs.get_queue_attributes(QueueUrl=settings.event_queue_url, AttributeNames=names)
            return not any(int(answer["Attributes"][name]) for name in names)

        # Reading all events takes the engine seconds, which the functions would miss.
        eventually(drained, DRAIN_SECONDS)
        eventually(lambda: statuses() == {"processed": EVENTS}, 60)
        newest: dict[str, tuple[int, int]] = {}
        for page in clients.dynamodb.get_paginator("scan").paginate(TableName=AGGREGATES_TABLE):
            for item in page["Items"]:
                window, version = item["name_window"]["S"], (int(item["version"]["N"]), int(item["events"]["N"]))
                newest[window] = max(newest.get(window, version), version)
        counted = sum(events for _, events in newest.values())
        print(
            f"{dict(statuses())}; {cancelled.sent + whole.sent:,} messages, {counted:,} events in the aggregates ",
            end="",
        )
        print(f"({time.perf_counter() - began:.0f} s)")
        return counted == EVENTS and statuses() == {"processed": EVENTS} and whole.sent == EVENTS


def main() -> None:
    """Prints the figures; ends in 1 when one of them does not hold."""
    held = [sending(), memory(), exactly_once()]
    if not all(held):
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        peak(int(sys.argv[2]))
    else:
        main()
