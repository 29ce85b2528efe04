"""What a sample, an event and a view cost: requests, DynamoDB's units, bytes and CPU time of the real code.

Run: ``python -m benchmarks.scale`` prints them; ``--write`` puts them into ``backend/contract/units.toml``, which the
cost calculation (docs/cost.md) and the scale model (docs/scale.md) are made from. Handlers run in this process against
tables, bucket and queues on the embedded engine. Requests, units and bytes are counts and the same everywhere; CPU time
is this machine's. A function with 1,769 MB has one vCPU, so one with 512 MB gets 0.29 of it: CPU time counts as billed
time divided by that share, and each request to AWS as ``REQUEST_SECONDS`` of waiting, which is an assumption.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Final

from backend.aws import Clients
from backend.collector.build import s3_put
from backend.collector.core import encode, pack
from backend.collector.handler import Collector
from backend.collector.handler import logger as collector_logger
from backend.collector.sources.base import Collected
from backend.contract.catalogue import load_catalogue
from backend.contract.records import Sample, make_sample
from backend.contract.units import FILE, Units, load_units, written
from backend.events import processor_handler
from backend.events.api import build as build_api
from backend.local.engine import Engine
from backend.logs import make_logger
from backend.processor.handler import Processor
from backend.processor.merge_run import run_merge
from backend.processor.store import MetricsStore
from backend.settings import Settings
from benchmarks.ingest import order, prepared, request
from benchmarks.metering import Bill, Meter

HOSTS: Final = 10
HOST_METRICS: Final = ("cpu_utilization", "memory_usage", "disk_usage", "network_in", "network_out")
INTERVAL: Final = 300
HOURS: Final = 2
UNITS: Final = Path(__file__).parents[1] / "backend" / "contract" / FILE
EVENTS: Final = 200
BATCH: Final = 100
RECEIVED: Final = 10
"""Messages that an invocation of the event processor takes at most."""
AGENT_SECONDS: Final = 10
MERGED_OBJECTS: Final = 60
CATALOGUE: Final = load_catalogue()


class Fleet:
    """The reference load as a source: ``hosts`` with five metrics each."""

    name = "fleet"

    def __init__(self, hosts: int = HOSTS, first: int = 0, environment: str = "production") -> None:
        self._hosts = range(first, first + hosts)
        self._environment = environment

    def collect(self, at: float, since: float | None) -> Collected:
        """Every host's metrics at ``at``."""
        found = [self._sample(at, host, key) for host in self._hosts for key in HOST_METRICS]
        return Collected(found, 0, [])

    def _sample(self, at: float, host: int, key: str) -> Sample:
        value = 20 + (at // 300 * 7 + host * 13) % 75 + host / 7
        return make_sample(
            timestamp=at, metric_type=key, value=value, hostname=f"server-{host:03}", unit=CATALOGUE[key].unit,
            environment=self._environment,
        )  # fmt: skip


@dataclass
class Context:
    """Lambda's context, as far as handlers read it."""

    aws_request_id: str = "3f2c1a5e-0000-4000-8000-000000000000"
    function_name: str = "benchmark"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:benchmark"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Plenty."""
        return 100_000


class World:
    """Settings, watched clients and logs of one measurement."""

    def __init__(self, engine: Engine) -> None:
        self.settings: Settings = prepared(engine)
        self.clients = Clients("us-east-1", pool=32)
        self.meter = Meter(self.clients)
        self.log = StringIO()
        self.context: Any = Context()
        for handler in collector_logger.handlers:
            handler.setStream(self.log)  # type: ignore[attr-defined]

    def logger(self, name: str) -> Any:
        """A logger whose lines are counted."""
        return make_logger(f"benchmark-{name}", self.log)

    def logged(self) -> int:
        """Bytes logged since the last call."""
        size = len(self.log.getvalue().encode())
        self.log.seek(0)
        self.log.truncate()
        return size


def notification(bucket: str, key: str, size: int) -> dict[str, Any]:
    """The queue's event for one object of S3."""
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "2026-11-21T12:00:00.000Z",
              "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": size}}}  # fmt: skip
    return received([json.dumps({"Records": [record]})])


def received(bodies: Iterable[str]) -> dict[str, Any]:
    """Messages as Lambda hands them over."""
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "receiptHandle": "r",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def each(bill: Bill, number: int, log_bytes: float = 0.0) -> dict[str, float]:
    """A bill shared out over ``number`` things."""
    calls = {f"{name.replace('.', '_').lower()}": count / number for name, count in sorted(bill.calls.items())}
    return {
        "cpu_ms": round(bill.cpu_seconds / number * 1000, 3),
        "requests": round(sum(bill.calls.values()) / number, 4),
        "write_units": round(bill.write_units / number, 4),
        "read_units": round(bill.read_units / number, 4),
        "items": round(bill.items / number, 4),
        "item_bytes": round(bill.item_bytes / max(bill.items, 1), 1),
        "object_bytes": round(bill.object_bytes / number, 1),
        "cloudwatch_data": round(bill.data / number, 4),
        "log_bytes": round(log_bytes / number, 1),
        **{name: round(count, 4) for name, count in calls.items()},
    }


def collections(world: World) -> dict[str, dict[str, float]]:
    """Two hours of the reference load: collector, processor, and the merge of each minute after it."""
    now = int(time.time()) // 3600 * 3600 - HOURS * 3600
    keys: list[tuple[str, int]] = []
    put = s3_put(world.clients.s3, world.settings.bucket)

    def noted(outgoing: Any) -> None:
        put(outgoing)
        keys.append((outgoing.key, len(outgoing.body)))

    cloudwatch = world.clients.cloudwatch
    collector = Collector(
        [(Fleet(), INTERVAL)], noted, lambda: cloudwatch, CATALOGUE, environment="production", region="us-east-1"
    )
    clock = [float(now)]
    store = MetricsStore(world.clients.dynamodb, world.settings.table, clock=lambda: clock[0])
    processor = Processor(world.settings, world.clients, store, world.logger("processor"), lambda: clock[0])
    merge_store = MetricsStore(world.clients.dynamodb, world.settings.table, clock=lambda: clock[0])
    retention = world.settings.config.retention
    collected, processed, merged, idle = Bill(), Bill(), Bill(), Bill()
    collected_log, log_bytes, times = 0, 0, range(now, now + HOURS * 3600, INTERVAL)

    def merge(at: float) -> Bill:
        clock[0] = at
        with world.meter.counting() as bill:
            run_merge(merge_store, CATALOGUE, retention, at, None, "production")
        return bill

    merge(now)
    for at in times:
        clock[0] = at + 2.0
        with world.meter.counting() as bill:
            collector.run(at)
        add(collected, bill)
        key, size = keys[-1]
        collected_log += world.logged()
        with world.meter.counting() as bill:
            processor(notification(world.settings.bucket, key, size), world.context)
        add(processed, bill)
        log_bytes += world.logged()
        for minute in range(1, INTERVAL // 60 + 1):
            bill = merge(at + 60 * minute + 30)
            add(merged if bill.items > 1 else idle, bill)
    number = len(times)
    return {
        "collection": {"samples": float(HOSTS * len(HOST_METRICS)), "interval_seconds": float(INTERVAL),
                       **each(collected, number, collected_log)},
        "processing": {**each(processed, number, log_bytes)},
        "merging": each(sum_of(merged, idle), number * INTERVAL // 60),
    }  # fmt: skip


def fleets(world: World) -> dict[str, dict[str, float]]:
    """Agents at 10 s that flush each minute: objects of 1, 10 and 100 hosts, and the merge of a minute of many."""
    # After the collections, where the merge has come to.
    clock = [time.time() // 3600 * 3600 + 600.0]
    store = MetricsStore(world.clients.dynamodb, world.settings.table, clock=lambda: clock[0])
    processor = Processor(world.settings, world.clients, store, world.logger("fleet"), lambda: clock[0])
    put = s3_put(world.clients.s3, world.settings.bucket)

    def written_object(number: int, hosts: int, environment: str) -> tuple[Bill, int]:
        fleet = Fleet(hosts, number * hosts, environment)
        seconds = range(0, 60, AGENT_SECONDS)
        samples = [sample for second in seconds for sample in fleet.collect(clock[0] + second, None).samples]
        (outgoing,) = pack(map(encode, samples), spacing=float(AGENT_SECONDS))
        put(outgoing)
        world.logged()
        message = notification(world.settings.bucket, outgoing.key, len(outgoing.body))
        before = clock[0]
        clock[0] += 62.0
        with world.meter.counting() as bill:
            processor(message, world.context)
        clock[0] = before
        bill.object_bytes = len(outgoing.body)
        return bill, len(samples)

    found = {}
    written_object(0, 1, "warm")
    for hosts in (1, 10, 100):
        bill, samples = written_object(1, hosts, f"fleet-{hosts}")
        found[f"object_of_{hosts}"] = {"samples": float(samples), **each(bill, 1, world.logged())}
    return found | merges(world, store, clock, written_object)


def merges(
    world: World, store: MetricsStore, clock: list[float], write: Callable[[int, int, str], object]
) -> dict[str, dict[str, float]]:
    """What a minute of ``MERGED_OBJECTS`` objects adds to a merge, for each series in them: a run with them less one
    over as long without. Objects of one host and of ten."""
    retention = world.settings.config.retention

    def run(seconds: float) -> Bill:
        clock[0] += seconds
        with world.meter.counting() as bill:
            run_merge(store, CATALOGUE, retention, clock[0], None, "production")
        return bill

    write(0, 1, "merged")
    for _ in range(4):
        run(300.0)  # until nothing of what was written before is left to be merged
    found = {}
    for hosts in (1, 10):
        base = run(300.0)
        for number in range(MERGED_OBJECTS):
            write(number, hosts, "merged")
        whole = run(300.0)
        series = MERGED_OBJECTS * hosts * len(HOST_METRICS)
        found[f"merge_of_{hosts}"] = {
            "series": float(series),
            "cpu_ms": round((whole.cpu_seconds - base.cpu_seconds) * 1000 / series, 4),
            "read_units": round((whole.read_units - base.read_units) / series, 4),
            "write_units": round((whole.write_units - base.write_units) / series, 4),
            "requests": round((sum(whole.calls.values()) - sum(base.calls.values())) / series, 4),
        }
    return found


def events(world: World) -> dict[str, dict[str, float]]:
    """Events sent one by one and in batches, and their processing."""
    api = build_api(world.settings, world.clients, world.logger("api"))
    for number in range(5):
        api(request(json.dumps(order(10**6 + number)).encode()), world.context)
    world.logged()
    messages: list[str] = []
    with world.meter.counting() as single:
        for number in range(EVENTS):
            api(request(json.dumps(order(number)).encode()), world.context)
    single_log, messages = world.logged(), [*messages, *single.messages]
    body = b"\n".join(json.dumps(order(10_000 + number)).encode() for number in range(BATCH))
    with world.meter.counting() as batch:
        api(request(body, "application/x-ndjson"), world.context)
    batch_log = world.logged()
    handler = processor_handler.build(world.settings, world.clients, world.logger("events"))
    with world.meter.counting() as processed:
        for start in range(0, len(messages), RECEIVED):
            answer = handler(received(messages[start : start + RECEIVED]), world.context)
            assert not answer["batchItemFailures"], answer
    return {
        "event": {"payload_bytes": float(len(json.dumps(order(1)))), **each(single, EVENTS, single_log)},
        "event_in_batch": {"batch": float(BATCH), **each(batch, BATCH, batch_log)},
        "event_processing": {"batch": float(RECEIVED), **each(processed, len(messages), world.logged())},
    }


def views() -> dict[str, dict[str, float]]:
    """A refresh of Health and of Performance over the synthetic pipeline: queries, bytes read, CPU time, bytes sent."""
    from dashboard.data.request import ViewRequest
    from tests.dashboard import performance_desk

    found = {}
    start = time.time() // performance_desk.EVERY * performance_desk.EVERY
    clock = [start]
    table = performance_desk.table(start)
    services = performance_desk.services(table, lambda: clock[0], hot_refresh_seconds=5.0)
    for page in ("health", "performance", "errors", "capacity"):
        asked = ViewRequest(page, "production")
        services.view(asked)
        before, bytes_before, cpu, number = table.counts.queries, table.counts.bytes, time.process_time(), 10
        for _ in range(number):
            clock[0] += 10.0
            encoded = services.view(asked)
        queries, read = table.counts.queries - before, table.counts.bytes - bytes_before
        found[f"view_{page}"] = {
            "cpu_ms": round((time.process_time() - cpu) / number * 1000, 2),
            "queries": queries / number,
            "read_units": round(max(queries * 0.5, read / 8192) / number, 2),
            "sent_bytes": float(len(encoded.brotli)),
        }
    services.close()
    return found


def add(total: Bill, more: Bill) -> None:
    """Adds ``more`` to ``total``."""
    total.calls.update(more.calls)
    for name in ("write_units", "read_units", "items", "item_bytes", "object_bytes", "data", "cpu_seconds"):
        setattr(total, name, getattr(total, name) + getattr(more, name))


def sum_of(*bills: Bill) -> Bill:
    """All of them together."""
    total = Bill()
    for bill in bills:
        add(total, bill)
    return total


def measure() -> Units:
    """Everything, on an engine of its own."""
    with tempfile.TemporaryDirectory() as directory, Engine(log=Path(directory, "engine.log")) as engine:
        world = World(engine)
        figures = {**collections(world), **fleets(world), **events(world)}
    figures |= views()
    return Units(datetime.now(UTC).date().isoformat(), figures)


def main(arguments: list[str] | None = None) -> int:
    """Prints the units; 1 when a count differs from what is written down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put them into backend/contract/units.toml")
    options = parser.parse_args(arguments)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "benchmark")
    found = measure()
    for name, figures in found.figures.items():
        print(name, *(f"  {key:32} {value:,.10g}" for key, value in figures.items()), sep="\n")
    if options.write:
        UNITS.write_text(written(found), "utf-8")
        return 0
    return int(not alike(found, load_units()))


def alike(found: Units, known: Units) -> bool:
    """Whether counts are those written down; CPU time is the machine's. Says what differs."""
    good = True
    for name, figures in known.figures.items():
        for key in ("requests", "write_units", "items"):
            was, now = figures.get(key, 0.0), found.figures[name].get(key, 0.0)
            if abs(now - was) > 0.1 * max(was, 1.0):
                print(f"{name}.{key} is {now:g}, written down is {was:g}: run with --write and render the pages")
                good = False
    return good


if __name__ == "__main__":
    sys.exit(main())
