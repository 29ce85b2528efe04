"""What CloudWatch knows of the stack: counted over tables with their indexes, against maxima that are configured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from backend.aws import Clients
from backend.checks.aws_metrics import AwsMetrics
from backend.settings import Settings

NOW = 1_795_259_220.0
END = NOW // 60 * 60


class Described:
    """DynamoDB that only describes: PipelineEvents has an index, and Alerts a maximum."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def describe_table(self, TableName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.asked.append(TableName)
        known: dict[str, Any] = {
            "PipelineEvents": {"GlobalSecondaryIndexes": [{"IndexName": "by-type"}]},
            "Alerts": {"OnDemandThroughput": {"MaxWriteRequestUnits": 10, "MaxReadRequestUnits": -1}},
        }
        return {"Table": known.get(TableName, {})}


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield Clients("us-east-1", attempts=1)


def put(clients: Clients, namespace: str, name: str, value: float, at: float, **dimensions: str) -> None:
    datum: Any = {
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
        "Timestamp": at,
        "Value": value,
    }
    clients.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])


def aws(clients: Clients, described: Described) -> AwsMetrics:
    return AwsMetrics(clients.cloudwatch, described, Settings())  # type: ignore[arg-type]


def test_throttles_of_a_table_and_its_indexes_are_one_number_and_no_count_is_no_zero(clients: Clients) -> None:
    table, index = {"TableName": "PipelineEvents"}, {"GlobalSecondaryIndexName": "by-type"}
    put(clients, "AWS/DynamoDB", "WriteThrottleEvents", 3, END - 120, **table)
    put(clients, "AWS/DynamoDB", "ReadThrottleEvents", 4, END - 60, **table, **index)
    put(clients, "AWS/DynamoDB", "ReadThrottleEvents", 99, END + 60, **table)
    assert aws(clients, Described()).throttles(END - 300, END, NOW) == {"PipelineEvents": 7}


def test_capacity_is_in_percent_of_a_configured_maximum_and_unknown_without_one(clients: Clients) -> None:
    for table in ("PipelineEvents", "Alerts"):
        put(clients, "AWS/DynamoDB", "ConsumedWriteCapacityUnits", 540, END - 60, TableName=table)
    assert aws(clients, Described()).capacity(END - 60, END, NOW) == {"Alerts": pytest.approx(90)}


def test_tables_are_described_once_an_hour(clients: Clients) -> None:
    described = Described()
    metrics = aws(clients, described)
    for at in (NOW, NOW + 3599, NOW + 3600):
        metrics.throttles(END - 300, END, at)
    assert described.asked.count("Alerts") == 2


def test_durations_are_the_longest_and_the_buckets_size_the_newest(clients: Clients) -> None:
    for value, at in ((100.0, END - 120), (900.0, END - 60)):
        put(clients, "AWS/Lambda", "Duration", value, at, FunctionName="ingest-api")
    metrics = aws(clients, Described())
    assert metrics.durations(END - 300, END) == {"ingest-api": 900}
    assert metrics.bucket_bytes(NOW) is None
    for value, days in ((1e9, 2), (2e9, 1)):
        size = {"BucketName": Settings().bucket, "StorageType": "StandardStorage"}
        put(clients, "AWS/S3", "BucketSizeBytes", value, NOW // 86400 * 86400 - days * 86400, **size)
    assert metrics.bucket_bytes(NOW) == 2e9


def test_a_count_that_cloudwatch_failed_to_read_is_no_zero() -> None:
    class Broken:
        def get_paginator(self, _: str) -> Broken:
            return self

        def paginate(self, **_: Any) -> list[dict[str, Any]]:
            return [{"MetricDataResults": [{"Id": "q0", "StatusCode": "InternalError", "Values": []}]}]

    cloudwatch: Any = Broken()
    with pytest.raises(ClientError, match="InternalError"):
        AwsMetrics(cloudwatch, cloudwatch, Settings()).invocations(END - 300, END)
