"""Puts metrics to CloudWatch. Its being down costs those data points and nothing else: the samples are stored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.catalogue import CLOUDWATCH_NAMESPACE
from backend.processor.published import DATA_LIMIT

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef


def counts(values: dict[str, int], now: float) -> list[MetricDatumTypeDef]:
    """Data of plain counts at ``now``, by CloudWatch name."""
    at = datetime.fromtimestamp(now, UTC)
    return [
        {"MetricName": name, "Timestamp": at, "Value": float(value), "Unit": "Count"} for name, value in values.items()
    ]


def put_data(client: CloudWatchClient, data: Iterable[MetricDatumTypeDef], logger: Logger) -> int:
    """Puts the data, in as few requests as the API allows; returns how many could not be put."""
    waiting, lost = list(data), 0
    for index in range(0, len(waiting), DATA_LIMIT):
        part = waiting[index : index + DATA_LIMIT]
        try:
            client.put_metric_data(Namespace=CLOUDWATCH_NAMESPACE, MetricData=part)
        except (BotoCoreError, ClientError) as error:
            lost += len(part)
            logger.error(
                "CloudWatch metrics not put",
                extra={"data": len(part), "error_type": type(error).__name__, "error_message": str(error)},
            )
    return lost
