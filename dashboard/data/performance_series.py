"""Which series the Performance page reads, for which panel, and which of the URL's filters each can apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from backend.contract.catalogue import Catalogue
from backend.contract.ranges import TimeRange
from dashboard.data.points import Stat
from dashboard.data.request import ViewRequest
from dashboard.data.series import ALL, SeriesRequest

Lines = Literal["all", "each"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One series of a panel. ``lines``: all groups as one line called ``name``, or a line for each.

    ``drawn`` is False for what only tables and the cause are made of.
    """

    panel: str
    metric: str
    stat: Stat
    lines: Lines = "all"
    name: str = ""
    drawn: bool = True


LATENCY: Final = "latency_ms"
WORST: Final = "latency_p99_ms"
"""Quantiles that a source computed itself: only the worst of them can be told."""
OPERATOR_LATENCY: Final = "operator_latency_ms"
BUSY: Final = "busy_time_ms_per_second"
BACKPRESSURED: Final = "backpressured_time_ms_per_second"
IN: Final = "records_in"
OUT: Final = "records_out"
ERRORS: Final = "records_error"
LATE: Final = "late_records_dropped"
WORKER_CPU: Final = "cpu_usage_percentage"
SERVER_CPU: Final = "cpu_utilization"
TARGETS: Final = "up"
"""Tells by its targets whether a generator's samples are among what is shown."""
WORKERS: Final = "workers"
SERVERS: Final = "servers"

SERIES: Final = (
    Wanted("latency", LATENCY, "p50", name="p50"),
    Wanted("latency", LATENCY, "p95", name="p95"),
    Wanted("latency", LATENCY, "p99", name="p99"),
    Wanted("worst", "latency_p50_ms", "max", name="p50"),
    Wanted("worst", "latency_p95_ms", "max", name="p95"),
    Wanted("worst", WORST, "max", name="p99"),
    Wanted("regions", LATENCY, "p99", "each"),
    Wanted("throughput", IN, "rate", "each"),
    Wanted("throughput", OUT, "rate", "each"),
    Wanted("enrichment", "enrichment_latency_ms", "avg", name="enrichment latency"),
    Wanted("cache", "cache_hit_rate", "avg", name="cache hit rate"),
    Wanted("checkpoints", "checkpoint_duration_ms", "max", "each"),
    Wanted("cpu", WORKER_CPU, "avg", name=WORKERS),
    Wanted("cpu", SERVER_CPU, "avg", name=SERVERS),
    Wanted("memory", "memory_usage_percentage", "avg", name=WORKERS),
    Wanted("memory", "memory_usage", "avg", name=SERVERS),
    Wanted("gc", "gc_pause_time_ms", "max", "each"),
    Wanted("lag", "consumer_lag_records", "avg", name="all partitions"),
    Wanted("watermark", "watermark_lag_ms", "max", "each"),
    Wanted("operators", OPERATOR_LATENCY, "avg", "each", drawn=False),
    Wanted("operators", OPERATOR_LATENCY, "max", "each", drawn=False),
    Wanted("operators", BUSY, "avg", "each", drawn=False),
    Wanted("operators", BACKPRESSURED, "avg", "each", drawn=False),
    Wanted("operators", IN, "sum", "each", drawn=False),
    Wanted("operators", OUT, "sum", "each", drawn=False),
    Wanted("operators", ERRORS, "sum", "each", drawn=False),
    Wanted("operators", ERRORS, "rate", "each", drawn=False),
    Wanted("operators", LATE, "sum", "each", drawn=False),
    Wanted("operators", LATE, "rate", "each", drawn=False),
    Wanted("operators", TARGETS, "avg", "each", drawn=False),
)
"""In the order that lines lie in their panels."""

JUDGED_BY: Final[Mapping[str, str]] = {
    "latency": LATENCY,
    "regions": LATENCY,
    "throughput": IN,
    "enrichment": "enrichment_latency_ms",
    "cache": "cache_hit_rate",
    "checkpoints": "checkpoint_duration_ms",
    "cpu": WORKER_CPU,
    "memory": "memory_usage_percentage",
    "gc": "gc_pause_time_ms",
    "lag": "consumer_lag_records",
    "watermark": "watermark_lag_ms",
}
"""The charts, in the order the page shows them, and the metric whose thresholds each one has."""
DRILLED: Final[Mapping[str, tuple[tuple[str, Stat, str], ...]]] = {
    "op-latency": ((OPERATOR_LATENCY, "avg", "average"), (OPERATOR_LATENCY, "max", "highest")),
    "op-busy": ((BUSY, "avg", "busy"), (BACKPRESSURED, "avg", "backpressured")),
    "op-errors": ((ERRORS, "rate", "in error"), (LATE, "rate", "late, dropped")),
}
"""The charts of one operator: (metric, statistic, name) of each line."""
PERCENT_OF_SECOND: Final = 0.1
"""From ms of each second to per cent of the time."""

APPLIES: Final[Mapping[str, tuple[str, ...]]] = {
    "throughput": ("operator",),
    "worst": ("operator",),
    "watermark": ("operator",),
    "cpu": ("host",),
    "memory": ("host",),
    "gc": ("host",),
}
"""The filters that a panel's metrics can apply; all others say that they are not filtered."""


def requested(wanted: Wanted, catalogue: Catalogue, request: ViewRequest, over: TimeRange) -> SeriesRequest:
    """The question for one series over a range, with the filters that its panel can apply."""
    group: str | None = ALL if wanted.lines == "all" else None
    for name in APPLIES.get(wanted.panel, ()):
        chosen = request.host if name == "host" else request.operator
        if chosen is not None:
            group = chosen
    return SeriesRequest(catalogue[wanted.metric], request.environment, over, wanted.stat, group)


def not_applied(panel: str, request: ViewRequest) -> tuple[str, ...]:
    """The chosen filters that a panel can't apply."""
    chosen = {"host": request.host, "operator": request.operator}
    return tuple(name for name, value in chosen.items() if value and name not in APPLIES.get(panel, ()))
