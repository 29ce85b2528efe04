"""What AWS asks for, US dollars in us-east-1 on demand, with the date of the list. Users set their region's."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date

from backend.contract.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Prices:
    """``as_of`` is the date of the list (ISO); each price's name says of what and how much, GB are 1e9 bytes.

    Allowances that AWS gives free of charge are not in it: they are the whole account's. Sources, one page a service:
    https://aws.amazon.com/<service>/pricing/ with lambda, dynamodb, s3, sqs, sns, cloudwatch, api-gateway, athena,
    step-functions, secrets-manager, fargate, elasticloadbalancing and vpc for the service.
    """

    as_of: str = "2026-11-01"
    athena_terabyte: float = 5.0
    """A terabyte (1e12 bytes) scanned; a query counts as at least 10 MB."""
    lambda_million_requests: float = 0.20
    lambda_gb_second: float = 0.0000166667
    """On x86."""
    dynamodb_million_writes: float = 0.625
    """Write request units of 1 KB; a row in an index is one more."""
    dynamodb_million_reads: float = 0.125
    """Read request units of 4 KB; an eventually consistent read takes half of one."""
    dynamodb_gb_month: float = 0.25
    dynamodb_backup_gb_month: float = 0.20
    """Of point-in-time recovery."""
    s3_gb_month: float = 0.023
    s3_thousand_puts: float = 0.005
    s3_thousand_gets: float = 0.0004
    sqs_million_requests: float = 0.40
    sns_million_requests: float = 0.50
    cloudwatch_metric_month: float = 0.30
    cloudwatch_alarm_month: float = 0.10
    cloudwatch_logs_gb: float = 0.50
    """Taken in."""
    cloudwatch_thousand_requests: float = 0.01
    """PutMetricData calls, or metrics asked for with GetMetricData."""
    cloudwatch_logs_gb_month: float = 0.03
    """Kept."""
    cloudwatch_composite_alarm_month: float = 0.50
    cloudwatch_dashboard_month: float = 3.00
    api_million_requests: float = 1.00
    """Of an HTTP API."""
    step_functions_thousand_transitions: float = 0.025
    """Of a standard workflow."""
    secret_month: float = 0.40
    fargate_vcpu_hour: float = 0.04048
    """On x86 with Linux."""
    fargate_gb_hour: float = 0.004445
    balancer_hour: float = 0.0225
    """Of an Application Load Balancer."""
    balancer_unit_hour: float = 0.008
    public_address_hour: float = 0.005
    """Of a public IPv4 address, also a load balancer's."""


def check_prices(prices: Prices) -> None:
    """Raises InvalidInput naming the price that is below zero, or the date that is none."""
    try:
        date.fromisoformat(prices.as_of)
    except ValueError:
        raise InvalidInput("prices.as_of", prices.as_of, "must be a date such as 2026-11-01") from None
    for entry in fields(prices):
        value = getattr(prices, entry.name)
        if isinstance(value, float) and value < 0:
            raise InvalidInput(f"prices.{entry.name}", value, "must be 0 or more US dollars")
