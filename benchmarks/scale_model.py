"""Where the product breaks first when the load grows, by AWS's public limits and the measured units.

Pure: demands are reckoned from ``backend/contract/units.toml``, limits are the constants below, each with the page of
AWS that names it. ``python -m benchmarks.scale_page`` prints what it finds and renders it into ``docs/scale.md``.

Two steps. ``demands`` says how much of each limit a load uses; the largest share is what breaks first. ``simulate``
plays a surge second by second: a queue, functions that become more by AWS's ramp, a table that saves up to five minutes
of what it did not use. What neither knows stands in docs/scale.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Final

from backend.contract.bill import FULL_CORE_MB, POLLS_A_MINUTE, REQUEST_MS
from backend.contract.costs import MONTH_SECONDS, charge
from backend.contract.units import Units
from backend.settings_prices import Prices

PARTITION_WRITES: Final = 1000.0
PARTITION_READS: Final = 3000.0
"""Units a second of one partition; a key whose sort key only grows is never split
(AWS: "Best practices for designing and using partition keys effectively in DynamoDB")."""
TABLE_WRITES: Final = 40_000.0
"""Of a table on demand, until it is raised (AWS: "Quotas in Amazon DynamoDB")."""
NEW_TABLE_WRITES: Final = 4000.0
"""Of a table that was never busier; it doubles within half an hour (AWS: "DynamoDB on-demand capacity mode")."""
BURST_SECONDS: Final = 300.0
LAMBDA_CONCURRENCY: Final = 1000.0
"""Of an account in a region, until it is raised (AWS: "Lambda quotas")."""
QUEUE_RAMP: Final = 300.0 / 60
"""More functions a second that read a queue (AWS: "Configuring scaling behavior for SQS event source mappings")."""
QUEUE_START: Final = 5.0
IN_FLIGHT: Final = 120_000.0
"""Messages of a queue that were received and not deleted (AWS: "Amazon SQS message quotas")."""
PREFIX_PUTS: Final = 3500.0
PREFIX_GETS: Final = 5500.0
"""Requests a second of one prefix (AWS: "Best practices design patterns: optimizing Amazon S3 performance")."""
PUT_METRIC_DATA: Final = 500.0
"""Calls a second (AWS: "CloudWatch service quotas")."""
API_REQUESTS: Final = 10_000.0
"""A second, of all APIs of an account in a region (AWS: "Amazon API Gateway quotas")."""
MERGE_SECONDS: Final = 60.0
"""A merge that takes longer than its schedule falls behind for good."""
COMMIT_MS: Final = 25.0
"""A version of an aggregate: a read and a transaction, one after the other; assumed."""
HOST_METRICS: Final = 5
PUBLISHED: Final = 9
LIVE_BYTES: Final = 60.0
"""Of one series in a live item besides its values."""
VALUE_BYTES: Final = 9.0
EVENT_INDEX_WRITES: Final = 3.0
"""Units of one event in one day index: put, and taken out and put again when it is processed."""


@dataclass(frozen=True)
class Load:
    """What arrives: hosts that send every ``spacing`` seconds, events a second, pages open, each refreshed a minute."""

    hosts: float = 10.0
    spacing: float = 300.0
    events: float = 0.0
    pages: float = 5.0
    types: float = 5.0
    """Event types and sources that share the events evenly."""

    def times(self, factor: float) -> Load:
        """``factor`` as many hosts, events and pages."""
        return replace(self, hosts=self.hosts * factor, events=self.events * factor)


@dataclass(frozen=True)
class Settings:
    """What can be turned, with the names that the product gives it."""

    hosts_an_object: float = 10.0
    flush_seconds: float = 60.0
    processor_concurrency: float = 10.0
    event_concurrency: float = 10.0
    processor_mb: float = 256.0
    merge_mb: float = 256.0
    event_mb: float = 512.0
    shards: float = 8.0
    api_requests: float = 200.0
    events_a_request: float = 1.0
    windows: float = 5.0
    """Aggregates that are counted at once: by default one an event type."""


@dataclass(frozen=True)
class Demand:
    """How much of a limit is used; ``moved_by`` is what changes it, ``page`` where AWS says the limit."""

    what: str
    used: float
    limit: float
    unit: str
    moved_by: str
    page: str

    @property
    def share(self) -> float:
        """1 is the limit."""
        return self.used / self.limit


REFERENCE: Final = Load(hosts=10, spacing=300, events=0)
TARGET: Final = Load(hosts=10_000, spacing=10, events=1000)
TUNED: Final = Settings(
    hosts_an_object=100, processor_concurrency=100, event_concurrency=200, processor_mb=1769, merge_mb=1769,
    event_mb=1769, shards=32, api_requests=2000, events_a_request=10, windows=500,
)  # fmt: skip


def billed(cpu_ms: float, requests: float, memory_mb: float) -> float:
    """Seconds of an invocation, as in the cost calculation."""
    return (cpu_ms * max(FULL_CORE_MB / memory_mb, 1.0) + requests * REQUEST_MS) / 1000


@dataclass(frozen=True)
class Flow:
    """What a second of the load becomes on its way."""

    objects: float
    processor_seconds: float
    raw_writes: float
    live_writes: float
    live_units: float
    table_writes: float
    merge_seconds: float
    event_seconds: float
    ingest_seconds: float
    requests: float


def flow(load: Load, settings: Settings, units: Units) -> Flow:
    """Objects, function time and write units a second."""
    flush = max(settings.flush_seconds, load.spacing)
    hosts = min(settings.hosts_an_object, load.hosts)
    objects = load.hosts / hosts / flush
    values = max(flush / load.spacing, 1.0)
    cpu, calls = _object(units, hosts)
    series = LIVE_BYTES + values * VALUE_BYTES
    live_units = max(math.ceil(hosts * series / 1024), 1.0)
    raw = load.hosts / max(load.spacing, 60.0)
    table = 2 * (raw * HOST_METRICS + objects * (HOST_METRICS * live_units + 4))
    merging = units.of("merging", "cpu_ms"), units.of("merging", "requests")
    each = units.figures[_merged(settings)]
    added = load.hosts * HOST_METRICS
    merge = billed(merging[0] + added * each["cpu_ms"], merging[1] + added * each["requests"], settings.merge_mb)
    single = settings.events_a_request <= 1
    ingest = units.figures["event" if single else "event_in_batch"]
    worked = units.figures["event_processing"]
    return Flow(
        objects, objects * billed(cpu, calls, settings.processor_mb), raw, objects, live_units, table, merge,
        load.events * billed(worked["cpu_ms"], worked["requests"], settings.event_mb),
        load.events * billed(ingest["cpu_ms"], ingest["requests"], settings.event_mb),
        load.events / settings.events_a_request,
    )  # fmt: skip


def _merged(settings: Settings) -> str:
    """What was measured of merging objects of such a size."""
    return "merge_of_1" if settings.hosts_an_object < 10 else "merge_of_10"


def _object(units: Units, hosts: float) -> tuple[float, float]:
    """CPU time and requests of processing an object of ``hosts``: a line through what was measured."""
    small, large = units.figures["object_of_1"], units.figures["object_of_100"]
    share = (hosts - 1) / 99
    return tuple(small[name] + share * (large[name] - small[name]) for name in ("cpu_ms", "requests"))  # type: ignore[return-value]


def demands(load: Load, settings: Settings, units: Units) -> list[Demand]:
    """Every limit that the load uses, the fullest first."""
    f = flow(load, settings, units)
    events = units.of("event", "write_units") + units.of("event_processing", "write_units")
    functions = f.processor_seconds + f.event_seconds + f.ingest_seconds + 8
    index = "Best practices for designing and using partition keys effectively in DynamoDB"
    found = [
        Demand("log-processor, at once", f.processor_seconds, settings.processor_concurrency, "functions",
               "`ProcessorConcurrency`, hosts an object, memory", "set in the template"),
        Demand("metrics-merge, a minute", f.merge_seconds, MERGE_SECONDS, "s",
               "its memory, hosts an object; then a merge for each part of the metrics", "set in the template"),
        Demand("`<type>@live#env` of the index, writes", f.live_writes * f.live_units, PARTITION_WRITES, "units/s",
               "hosts an object, `flush_seconds`, one environment a fleet", index),
        Demand("`<type>` of the index (raw items), writes", f.raw_writes, PARTITION_WRITES, "units/s",
               "none: one item a series and minute", index),
        Demand("InfraMetrics, writes", f.table_writes, TABLE_WRITES, "units/s", "quota, hosts an object",
               "Quotas in Amazon DynamoDB"),
        Demand("`@live` of a metric, read by a merge", load.hosts * units.of(_merged(settings), "read_units"),
               PARTITION_READS * MERGE_SECONDS, "units/min", "hosts an object", index),
        Demand("S3 `metrics/`, puts", f.objects, PREFIX_PUTS, "requests/s", "hosts an object, `flush_seconds`",
               "Optimizing Amazon S3 performance"),
        Demand("S3 `metrics/`, gets", f.objects, PREFIX_GETS, "requests/s", "hosts an object, `flush_seconds`",
               "Optimizing Amazon S3 performance"),
        Demand("CloudWatch PutMetricData", f.objects + load.events / 10, PUT_METRIC_DATA, "calls/s",
               "objects of one invocation (the queue's batch)", "CloudWatch service quotas"),
        Demand("all functions, at once", functions, LAMBDA_CONCURRENCY, "functions", "quota", "Lambda quotas"),
    ]  # fmt: skip
    if load.events:
        found += _of_events(load, settings, f, events, index)
    return sorted(found, key=lambda demand: -demand.share)


def _of_events(load: Load, settings: Settings, f: Flow, writes: float, index: str) -> list[Demand]:
    day = load.events / load.types / settings.shards * EVENT_INDEX_WRITES
    return [
        Demand("the API's own throttle", f.requests, settings.api_requests, "requests/s",
               "`ApiRequestsPerSecond`, events a request", "set in the template"),
        Demand("API Gateway", f.requests, API_REQUESTS, "requests/s", "quota", "Amazon API Gateway quotas"),
        Demand("event-processor, at once", f.event_seconds, settings.event_concurrency, "functions",
               "`EventProcessorConcurrency`, memory", "set in the template"),
        Demand("an aggregate's versions", load.events / settings.windows / 10, 1000 / COMMIT_MS, "commits/s",
               "windows of the aggregate plug-in, messages a batch", "one version after the other"),
        Demand("`type_day#shard` of the index, writes", day, PARTITION_WRITES, "units/s",
               "`events.shards`, event types", index),
        Demand("tables of events, writes", load.events * writes / 2, TABLE_WRITES, "units/s",
               "quota (half of them go to PipelineEvents)", "Quotas in Amazon DynamoDB"),
        Demand("S3 `events/source=`, puts", load.events / load.types, PREFIX_PUTS, "requests/s", "sources",
               "Optimizing Amazon S3 performance"),
        Demand("messages in flight", f.event_seconds * 10, IN_FLIGHT, "messages", "`EventProcessorConcurrency`",
               "Amazon SQS message quotas"),
    ]  # fmt: skip


def breaking_point(load: Load, settings: Settings, units: Units) -> tuple[float, Demand]:
    """How many times ``load`` is what the first limit bears, and that limit."""
    low, high = 0.0, 1.0
    while demands(load.times(high), settings, units)[0].share < 1 and high < 1e9:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if demands(load.times(middle), settings, units)[0].share < 1:
            low = middle
        else:
            high = middle
    return low, demands(load.times(high), settings, units)[0]


@dataclass(frozen=True)
class Surge:
    """What became of a surge: the most that waited, how long the oldest waited, when all was worked off (s)."""

    most_waiting: float
    longest_wait: float
    done_after: float


def simulate(
    rate: float, surge: float, seconds: float, settings: tuple[float, float, float], horizon: int = 7200
) -> Surge:
    """A queue under ``rate`` messages a second, ``surge`` times as many for ``seconds``.

    ``settings``: functions at most, messages a second of one of them, and write units of a message. The hottest key of
    the table gives 1,000 units a second and what it saved, five minutes of it at most.
    """
    most, speed, units = settings
    functions, waiting, saved, longest, peak = QUEUE_START, 0.0, BURST_SECONDS * PARTITION_WRITES, 0.0, 0.0
    for second in range(horizon):
        waiting += rate * (surge if second < seconds else 1.0)
        busy = waiting > functions * speed
        functions = min(functions + QUEUE_RAMP, most) if busy else max(functions - QUEUE_RAMP, QUEUE_START)
        functions = min(functions, most)
        done = min(waiting, functions * speed, (saved + PARTITION_WRITES) / units)
        saved = min(saved + PARTITION_WRITES - done * units, BURST_SECONDS * PARTITION_WRITES)
        waiting -= done
        peak = max(peak, waiting)
        longest = max(longest, waiting / max(done, 1e-9))
        if second >= seconds and waiting <= rate:
            return Surge(peak, longest, second - seconds + 1)
    return Surge(peak, longest, math.inf)


def dollars(load: Load, settings: Settings, units: Units, prices: Prices) -> list[tuple[str, float]]:
    """A month at list prices by service; without hosting, alarms and checks, which do not grow with the load."""
    f = flow(load, settings, units)
    events = load.events * MONTH_SECONDS
    single = "event" if settings.events_a_request <= 1 else "event_in_batch"
    writes = f.table_writes * MONTH_SECONDS + events * (
        units.of(single, "write_units") + units.of("event_processing", "write_units")
    )
    reads = (load.hosts * HOST_METRICS * units.of(_merged(settings), "read_units") / 60) * MONTH_SECONDS
    reads += load.pages / 60 * units.of("view_performance", "read_units") * MONTH_SECONDS
    gb_seconds = MONTH_SECONDS * (
        f.processor_seconds * settings.processor_mb + (f.event_seconds + f.ingest_seconds) * settings.event_mb
        + f.merge_seconds / 60 * settings.merge_mb
    ) / 1024  # fmt: skip
    invocations = f.objects * MONTH_SECONDS + f.requests * MONTH_SECONDS + events / 10
    logged = invocations * 1000 + events * 600
    amounts = [
        ("write_units", writes), ("read_units", reads), ("lambda_requests", invocations),
        ("lambda_gb_seconds", gb_seconds), ("puts", f.objects * MONTH_SECONDS + events),
        ("gets", f.objects * MONTH_SECONDS + events),
        ("bucket_bytes", load.hosts / load.spacing * HOST_METRICS * 213 * MONTH_SECONDS + 3 * events * 710),
        ("queue_requests", 3 * (f.objects * MONTH_SECONDS + events / 10) + 2 * POLLS_A_MINUTE * 43200),
        ("api_requests", f.requests * MONTH_SECONDS), ("custom_metrics", PUBLISHED),
        ("cloudwatch_requests", (f.objects + load.events / 10) * MONTH_SECONDS), ("log_bytes", logged),
        ("table_bytes", f.raw_writes * HOST_METRICS * MONTH_SECONDS * 610 + 3 * events * 1800),
        ("backup_bytes", f.raw_writes * HOST_METRICS * MONTH_SECONDS * 305 + 3 * events * 700),
    ]  # fmt: skip
    listed = {name: value for name, value in asdict(prices).items() if isinstance(value, float)}
    found: dict[str, float] = {}
    for line in charge(amounts, listed):
        found[line.item.service] = found.get(line.item.service, 0.0) + line.dollars
    return sorted(found.items(), key=lambda entry: -entry[1])
