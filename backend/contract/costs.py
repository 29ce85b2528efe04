"""What a month costs: measured amounts times the price list, and by name what was not measured. Pure.

An amount that nobody measured is listed as not included, never as zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

MONTH_SECONDS: Final = 30 * 86400.0
FUNCTION_GB: Final = 0.512
"""Memory of the largest of the stack's functions: CloudWatch does not say how much each of them has."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the estimate. ``price`` names the field of the price list, which is for ``per`` of ``unit``."""

    key: str
    service: str
    title: str
    unit: str
    price: str
    per: float = 1.0
    made: str = ""
    """How the amount comes from what is measured, where it is not the measured number itself."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """``amount`` a month in the item's unit, ``price`` in US dollars for ``item.per`` of it."""

    item: Item
    amount: float
    price: float
    dollars: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Lines, the most expensive first; ``total`` is their sum and nothing else. ``as_of``: the price list's date."""

    lines: tuple[CostLine, ...]
    total: float
    missing: tuple[str, ...]
    as_of: str


MILLION: Final = 1e6
GB: Final = 1e9
ITEMS: Final = (
    Item("write_units", "DynamoDB", "Writes", "units", "dynamodb_million_writes", MILLION),
    Item("lambda_requests", "Lambda", "Invocations", "invocations", "lambda_million_requests", MILLION),
    Item(
        "lambda_gb_seconds", "Lambda", "Compute", "GB-s", "lambda_gb_second",
        made=f"at most: each as long as the longest of its hour, with {1000 * FUNCTION_GB:.0f} MB",
    ),
    Item("bucket_bytes", "S3", "Storage", "bytes", "s3_gb_month", GB),
    Item("objects_put", "S3", "Metric objects written", "requests", "s3_thousand_puts", 1e3),
    Item("objects_read", "S3", "Metric objects read", "requests", "s3_thousand_gets", 1e3),
    Item("alert_messages", "SNS", "Alerts told", "messages", "sns_million_requests", MILLION),
    Item(
        "custom_metrics", "CloudWatch", "Custom metrics", "metrics", "cloudwatch_metric_month",
        made="those of the catalogue that have arrived here",
    ),
    Item(
        "alarms", "CloudWatch", "Alarms", "alarms", "cloudwatch_alarm_month", made="as many as the catalogue has",
    ),
)  # fmt: skip
OTHER_ITEMS: Final = (
    Item("read_units", "DynamoDB", "Reads", "units", "dynamodb_million_reads", MILLION),
    Item("table_bytes", "DynamoDB", "Storage", "bytes", "dynamodb_gb_month", GB),
    Item("backup_bytes", "DynamoDB", "Point-in-time recovery", "bytes", "dynamodb_backup_gb_month", GB),
    Item("puts", "S3", "Writes", "requests", "s3_thousand_puts", 1e3),
    Item("gets", "S3", "Reads", "requests", "s3_thousand_gets", 1e3),
    Item("queue_requests", "SQS", "Requests", "requests", "sqs_million_requests", MILLION),
    Item("cloudwatch_requests", "CloudWatch", "PutMetricData", "requests", "cloudwatch_thousand_requests", 1e3),
    Item("cloudwatch_reads", "CloudWatch", "GetMetricData", "metrics", "cloudwatch_thousand_requests", 1e3),
    Item("composite_alarms", "CloudWatch", "Composite alarms", "alarms", "cloudwatch_composite_alarm_month"),
    Item("dashboards", "CloudWatch", "Dashboards", "dashboards", "cloudwatch_dashboard_month"),
    Item("log_bytes", "CloudWatch", "Logs taken in", "bytes", "cloudwatch_logs_gb", GB),
    Item("log_stored_bytes", "CloudWatch", "Logs kept", "bytes", "cloudwatch_logs_gb_month", GB),
    Item("api_requests", "API Gateway", "Requests", "requests", "api_million_requests", MILLION),
    Item("transitions", "Step Functions", "Transitions", "transitions", "step_functions_thousand_transitions", 1e3),
    Item("scanned_bytes", "Athena", "Scanned", "bytes", "athena_terabyte", 1e12),
    Item("secrets", "Secrets Manager", "Secrets", "secrets", "secret_month"),
    Item("vcpu_hours", "Fargate", "vCPU", "hours", "fargate_vcpu_hour"),
    Item("memory_gb_hours", "Fargate", "Memory", "GB-hours", "fargate_gb_hour"),
    Item("balancer_hours", "Load balancer", "Hours", "hours", "balancer_hour"),
    Item("balancer_units", "Load balancer", "Capacity units", "unit-hours", "balancer_unit_hour"),
    Item("address_hours", "VPC", "Public IPv4 addresses", "hours", "public_address_hour"),
)
"""What the calculation of a deployment has besides (``backend.contract.bill``)."""
EVERY_ITEM: Final = {item.key: item for item in (*ITEMS, *OTHER_ITEMS)}
ALLOWANCES: Final[Mapping[str, float]] = {
    "lambda_requests": 1e6, "lambda_gb_seconds": 400e3, "queue_requests": 1e6, "alert_messages": 1e6,
    "table_bytes": 25e9, "custom_metrics": 10, "alarms": 10, "dashboards": 3, "cloudwatch_requests": 1e6,
    "log_bytes": 5e9, "transitions": 4000,
}  # fmt: skip
"""What AWS gives each account every month without an end date (AWS: "AWS Free Tier", always free)."""
NEVER_MEASURED: Final = (
    "DynamoDB reads, storage and backups",
    "SQS requests, most of them polls of empty queues",
    "CloudWatch logs and requests",
    "requests to the API",
    "Athena's scans, which each answer names",
    "Step Functions' transitions",
    "the dashboard's own host",
)
"""What an estimate can't hold, because nothing that Pulseboard reads tells it."""


def a_month(total: float, seconds: float) -> float:
    """What was counted in ``seconds``, at the same pace for 30 days. Raises ValueError for no time at all."""
    if seconds <= 0:
        raise ValueError("an amount needs the time it was counted in")
    return total * MONTH_SECONDS / seconds


def estimate(amounts: Mapping[str, float | None], prices: Mapping[str, float], as_of: str) -> Estimate:
    """The estimate of ``amounts`` a month by item key; None or absent: not measured. ``prices`` by field of the list.

    Raises KeyError for an item whose price the list lacks.
    """
    lines = [
        CostLine(item, amount, prices[item.price], amount / item.per * prices[item.price])
        for item in ITEMS
        if (amount := amounts.get(item.key)) is not None
    ]
    missing = [f"{item.service}: {item.title.lower()}" for item in ITEMS if amounts.get(item.key) is None]
    ranked = sorted(lines, key=lambda line: -line.dollars)
    return Estimate(tuple(ranked), sum(line.dollars for line in lines), (*missing, *NEVER_MEASURED), as_of)


def charge(
    amounts: Iterable[tuple[str, float]], prices: Mapping[str, float], left: dict[str, float] | None = None
) -> list[CostLine]:
    """A line for each (item key, amount a month). ``left`` are allowances, used up in this order; None: list prices.

    Raises KeyError for an item or a price that is not known.
    """
    lines = []
    for key, amount in amounts:
        item = EVERY_ITEM[key]
        free = min(amount, left.get(key, 0.0)) if left is not None else 0.0
        if left is not None and free:
            left[key] -= free
        price = prices[item.price]
        lines.append(CostLine(item, amount, price, (amount - free) / item.per * price))
    return lines


def gb_seconds(
    invocations: Mapping[str, Mapping[float, float]], milliseconds: Mapping[str, Mapping[float, float]]
) -> float | None:
    """Gigabyte-seconds at most, from invocations and longest durations by function and time.

    None where nothing was invoked, and where a duration is missing: a part is no most.
    """
    asked = [(name, t, number) for name, times in invocations.items() for t, number in times.items() if number]
    if not asked or any(t not in milliseconds.get(name, {}) for name, t, _ in asked):
        return None
    return sum(number * milliseconds[name][t] / 1000 * FUNCTION_GB for name, t, number in asked)
