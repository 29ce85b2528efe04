"""What a month costs: measured amounts times the price list, and by name what was not measured. Pure.

An amount that nobody measured is listed as not included, never as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
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
