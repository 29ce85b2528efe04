"""A month of a deployment, reckoned before it runs: from measured units (``units.toml``) and the stack's own schedules.

Pure. Each part can be left out; a part names the parameter of ``infra/template.yaml`` that switches it. What is taken
for granted rather than measured stands in ``ASSUMED`` with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from backend.contract.costs import ALLOWANCES, MONTH_SECONDS, CostLine, charge
from backend.contract.units import Units

MINUTES: Final = MONTH_SECONDS / 60
HOURS: Final = MONTH_SECONDS / 3600
FULL_CORE_MB: Final = 1769.0
"""Memory at which a function has one vCPU, and its share in proportion (AWS: "Configure Lambda function memory")."""
POLLS_A_MINUTE: Final = 5 * 3
"""Of a queue that a function reads: five long polls of 20 s, which a set maximum of concurrency keeps from becoming two
(AWS: "Configuring scaling behavior for SQS event source mappings")."""
ITEM_OVERHEAD: Final = 100.0
"""Bytes that DynamoDB adds to each stored item and index row (AWS: "Amazon DynamoDB pricing")."""
REQUEST_MS: Final = 10.0
PLATFORM_LOG_BYTES: Final = 450.0
SCHEDULED_LOG_BYTES: Final = 400.0
SCHEDULED_MS: Final = 300.0
CHECK_READS: Final = 10.0
HISTORY_BYTES: Final = 20e6
TRANSITIONS: Final = 12.0
BALANCER_UNITS: Final = 0.1
ADDRESSES: Final = 2.0
ASSUMED: Final[Mapping[str, tuple[float, str]]] = {
    "REQUEST_MS": (REQUEST_MS, "ms that a function waits for each request to AWS inside the region"),
    "PLATFORM_LOG_BYTES": (PLATFORM_LOG_BYTES, "bytes that Lambda itself logs for an invocation: START, END, REPORT"),
    "SCHEDULED_LOG_BYTES": (SCHEDULED_LOG_BYTES, "bytes of the line that a scheduled function writes"),
    "SCHEDULED_MS": (SCHEDULED_MS, "ms billed for a sweep or a check, which were not measured"),
    "CHECK_READS": (CHECK_READS, "read units of a check"),
    "HISTORY_BYTES": (
        HISTORY_BYTES,
        "bytes that Athena bills a day: two statements of compaction, 10 MB each at least",
    ),
    "TRANSITIONS": (TRANSITIONS, "state transitions of an execution that has to wait once for the processor"),
    "BALANCER_UNITS": (BALANCER_UNITS, "capacity units of a load balancer with a handful of viewers"),
    "ADDRESSES": (ADDRESSES, "public addresses of a load balancer in two zones"),
}
CORE: Final = "core"
"""What the target of 2 US dollars a month is about."""
TARGET: Final = 2.0
FREE_METRICS: Final = 10
FREE_ALARMS: Final = 10
OWN_METRICS: Final = 4
"""That the processor publishes about itself."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What the template says: schedules as runs a month by function, memory by function in MB, what is watched.

    ``checks`` are runs a month of the scheduled checks but the canary; ``queries`` what they ask CloudWatch a month.
    """

    memory: Mapping[str, float]
    checks: float
    queries: float
    canaries: float
    alarms: int
    composite_alarms: int
    metrics: int
    dashboards: int
    task_vcpu: float
    task_gb: float
    tasks: int
    secrets: int = 2


@dataclass(frozen=True, slots=True)
class Load:
    """The reference load, and what is added to it a month: ``events`` sent one by one, ``pages`` open all the time."""

    interval_seconds: float = 300.0
    events: float = 0.0
    pages: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the bill with its amounts by item; ``switch`` is the parameter that it goes with, "" for none."""

    key: str
    title: str
    switch: str
    amounts: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Bill:
    """Parts with their priced lines; ``dollars`` of a part by its key."""

    parts: tuple[tuple[Part, tuple[CostLine, ...]], ...]
    dollars: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Of all parts."""
        return sum(self.dollars.values())


def parts(stack: Stack, units: Units, load: Load = Load()) -> tuple[Part, ...]:
    """Every part there is, the core first."""
    return (
        _core(stack, units, load), _idle(stack), _alerts(stack), _checks(stack), _ratios(stack), _canary(stack, units),
        _orchestration(stack, load), _history(stack), _hosting(stack), _events(stack, units, load.events),
        _viewers(units, load.pages),
    )  # fmt: skip


def bill(chosen: Iterable[Part], prices: Mapping[str, float], *, free: bool) -> Bill:
    """``chosen`` parts at ``prices`` by field of the list; ``free`` takes off what AWS always gives, in their order."""
    left = dict(ALLOWANCES) if free else None
    priced = tuple((part, tuple(charge(part.amounts, prices, left))) for part in chosen)
    return Bill(priced, {part.key: sum(line.dollars for line in lines) for part, lines in priced})


def billed_ms(units: Units, thing: str, memory_mb: float, things: float = 1.0) -> float:
    """Milliseconds billed for an invocation that does ``things``: CPU time at the memory's share, and waiting."""
    cpu = units.of(thing, "cpu_ms") * max(FULL_CORE_MB / memory_mb, 1.0)
    return math.ceil(things * (cpu + units.of(thing, "requests") * REQUEST_MS))


def _compute(runs: float, milliseconds: float, memory_mb: float) -> float:
    """GB-s; AWS counts a GB of memory as 1,024 MB."""
    return runs * milliseconds / 1000 * memory_mb / 1024


def _core(stack: Stack, units: Units, load: Load) -> Part:
    runs, memory = MONTH_SECONDS / load.interval_seconds, stack.memory
    compute = (
        _compute(runs, billed_ms(units, "collection", memory["data-collector"]), memory["data-collector"])
        + _compute(runs, billed_ms(units, "processing", memory["log-processor"]), memory["log-processor"])
        + _compute(MINUTES, billed_ms(units, "merging", memory["metrics-merge"]), memory["metrics-merge"])
    )
    logged = runs * sum(units.of(thing, "log_bytes") + PLATFORM_LOG_BYTES for thing in ("collection", "processing"))
    logged += MINUTES * (SCHEDULED_LOG_BYTES + PLATFORM_LOG_BYTES)
    stored = runs * units.of("collection", "samples") * (units.of("processing", "item_bytes") + ITEM_OVERHEAD)
    published = units.of("processing", "cloudwatch_data")
    written = runs * units.of("processing", "write_units") + MINUTES * units.of("merging", "write_units")
    return Part(
        CORE, "Collector, S3, queue, processor, merge, tables, ten metrics, ten alarms", "CollectorEnabled",
        (
            ("write_units", written),
            ("read_units", MINUTES * units.of("merging", "read_units")),
            ("table_bytes", 2 * stored),
            ("backup_bytes", stored),
            ("lambda_requests", 2 * runs + MINUTES),
            ("lambda_gb_seconds", compute),
            ("puts", runs * units.of("collection", "requests")),
            ("gets", runs * units.of("processing", "s3_getobject")),
            ("bucket_bytes", runs * units.of("collection", "object_bytes")),
            ("queue_requests", MINUTES * POLLS_A_MINUTE + 3 * runs),
            ("custom_metrics", min(published, FREE_METRICS)),
            ("alarms", min(stack.alarms, FREE_ALARMS)),
            ("cloudwatch_requests", runs * units.of("processing", "cloudwatch_putmetricdata")),
            ("log_bytes", logged),
            ("log_stored_bytes", logged),
        ),
    )  # fmt: skip


def _swept(runs: float, memory_mb: float) -> list[tuple[str, float]]:
    """A function that a schedule starts ``runs`` times a month and that was not measured."""
    logged = runs * (SCHEDULED_LOG_BYTES + PLATFORM_LOG_BYTES)
    return [
        ("lambda_requests", runs), ("lambda_gb_seconds", _compute(runs, SCHEDULED_MS, memory_mb)),
        ("log_bytes", logged), ("log_stored_bytes", logged),
    ]  # fmt: skip


def _idle(stack: Stack) -> Part:
    polls = [("queue_requests", 2 * MINUTES * POLLS_A_MINUTE), ("read_units", MINUTES)]
    sweep = _swept(MINUTES, stack.memory["replay-runner"])
    return Part("idle", "Events and replays, while nothing is sent", "", (*polls, *sweep))


def _alerts(stack: Stack) -> Part:
    return Part(
        "alerts", "Alerts: consumer, the other metrics and alarms, dashboard, secrets",
        "AlertEmail, SlackTokenSecretArn, PagerDutyKeySecretArn, CompositeAlarm",
        (
            ("queue_requests", MINUTES * POLLS_A_MINUTE),
            *_swept(MINUTES, stack.memory["alert-consumer"]),
            ("custom_metrics", max(stack.metrics + OWN_METRICS - FREE_METRICS, 0)),
            ("alarms", max(stack.alarms - FREE_ALARMS, 0)),
            ("composite_alarms", stack.composite_alarms),
            ("dashboards", stack.dashboards),
            ("secrets", stack.secrets),
        ),
    )  # fmt: skip


def _checks(stack: Stack) -> Part:
    runs = stack.checks - MINUTES
    amounts = (*_swept(runs, stack.memory["pipeline-checks"]), ("read_units", runs * CHECK_READS))
    return Part("checks", "Checks but the canary and the ratios", "ChecksEnabled", amounts)


def _ratios(stack: Stack) -> Part:
    """The check that runs each minute and asks CloudWatch for numbers, which bills each of them."""
    return Part(
        "ratios", "Ratios and burn rates, from CloudWatch's numbers", "ChecksEnabled",
        (
            ("cloudwatch_reads", stack.queries),
            ("cloudwatch_requests", MINUTES),
            *_swept(MINUTES, stack.memory["pipeline-checks"]),
            ("read_units", MINUTES * CHECK_READS),
        ),
    )  # fmt: skip


def _canary(stack: Stack, units: Units) -> Part:
    """An event a minute from end to end, and the check that sends it."""
    amounts = dict(_events(stack, units, stack.canaries).amounts)
    for key, amount in _swept(stack.canaries, stack.memory["pipeline-checks"]):
        amounts[key] += amount
    return Part("canary", "The canary, an event a minute", "ChecksEnabled", tuple(amounts.items()))


def _orchestration(stack: Stack, load: Load) -> Part:
    executions = MONTH_SECONDS / load.interval_seconds
    steps = 6
    return Part(
        "orchestration", "The state machine instead of the rule", "Collection",
        (("transitions", executions * TRANSITIONS), *_swept(executions * steps, stack.memory["pipeline-steps"])),
    )  # fmt: skip


def _history(stack: Stack) -> Part:
    days = MONTH_SECONDS / 86400
    amounts = (
        ("scanned_bytes", days * HISTORY_BYTES),
        ("puts", days * 50),
        *_swept(days, stack.memory["history-compactor"]),
    )
    return Part("history", "History: the nightly compaction", "CompactionSchedule", amounts)


def _hosting(stack: Stack) -> Part:
    return Part(
        "hosting", "The dashboard on Fargate behind a load balancer", "DashboardImage",
        (
            ("vcpu_hours", HOURS * stack.tasks * stack.task_vcpu),
            ("memory_gb_hours", HOURS * stack.tasks * stack.task_gb),
            ("balancer_hours", HOURS),
            ("balancer_units", HOURS * BALANCER_UNITS),
            ("address_hours", HOURS * ADDRESSES),
        ),
    )  # fmt: skip


def _events(stack: Stack, units: Units, number: float) -> Part:
    """``number`` events a month, each in a request of its own, processed one by one."""
    api, worker = stack.memory["ingest-api"], stack.memory["event-processor"]
    logged = number * (
        units.of("event", "log_bytes") + units.of("event_processing", "log_bytes") + 2 * PLATFORM_LOG_BYTES
    )
    compute = _compute(number, billed_ms(units, "event", api), api)
    compute += _compute(number, billed_ms(units, "event_processing", worker), worker)
    return Part(
        "events", "Events, each in a request of its own", "",
        (
            ("write_units", number * (units.of("event", "write_units") + units.of("event_processing", "write_units"))),
            ("read_units", number * units.of("event_processing", "read_units")),
            ("lambda_requests", 2 * number),
            ("lambda_gb_seconds", compute),
            ("puts", number * units.of("event", "s3_putobject")),
            ("gets", number * units.of("event_processing", "s3_getobject")),
            ("bucket_bytes", 3 * number * units.of("event", "object_bytes")),
            ("queue_requests", 3 * number),
            ("api_requests", number),
            ("log_bytes", logged),
            ("log_stored_bytes", logged),
        ),
    )  # fmt: skip


def _viewers(units: Units, pages: float) -> Part:
    """``pages`` open all month, refreshed each minute; who looks at the same costs nothing more."""
    return Part(
        "viewers", "Pages open all month, each another view", "",
        (("read_units", pages * MINUTES * units.of("view_performance", "read_units")),),
    )  # fmt: skip
