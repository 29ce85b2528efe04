"""AWS's own metrics: against moto, and against stubbed answers for paging, partial results and throttling."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from backend.collector.sources.base import Collected
from backend.collector.sources.cloudwatch import CloudWatchSource
from backend.contract.catalogue import Catalogue, load_catalogue

CATALOGUE = load_catalogue()
START = datetime(2026, 11, 16, 12, tzinfo=UTC)
AT = START.timestamp() + 300 + 90


def only(*keys: str) -> Catalogue:
    return Catalogue({key: CATALOGUE[key] for key in keys}, dict(CATALOGUE.tiers))


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("cloudwatch", "us-east-1")


def put(client: Any, namespace: str, name: str, value: float, when: datetime = START, **dimensions: str) -> None:
    client.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Value": value,
                "Timestamp": when,
                "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
            }
        ],
    )


def found(collected: Collected) -> list[tuple[str, str, float, float]]:
    return [(s.metric_type, s.hostname, s.timestamp, s.value) for s in collected.samples]


def test_it_finds_functions_and_reads_the_period_that_ended(cloudwatch: Any) -> None:
    put(cloudwatch, "AWS/Lambda", "Invocations", 3, FunctionName="log-processor")
    put(cloudwatch, "AWS/Lambda", "Invocations", 4, START + timedelta(seconds=60), FunctionName="log-processor")
    put(cloudwatch, "AWS/Lambda", "Invocations", 9, FunctionName="log-processor", Resource="log-processor:1")
    put(cloudwatch, "AWS/Lambda", "Duration", 120, FunctionName="log-processor")
    put(cloudwatch, "AWS/Lambda", "Duration", 80, FunctionName="log-processor")
    source = CloudWatchSource(cloudwatch, CATALOGUE, environment="test")
    got = source.collect(AT, None)
    assert got.problems == []
    assert found(got) == [
        ("lambda_duration_ms", "log-processor", START.timestamp(), 120),
        ("lambda_invocations", "log-processor", START.timestamp(), 7),
    ]
    assert [s.labels for s in got.samples] == [{"function": "log-processor"}] * 2
    assert {s.environment for s in got.samples} == {"test"}


def test_what_is_a_sum_of_two_metrics_and_of_the_tables_indexes_is_one_sample(cloudwatch: Any) -> None:
    put(cloudwatch, "AWS/DynamoDB", "WriteThrottleEvents", 2, TableName="InfraMetrics")
    put(cloudwatch, "AWS/DynamoDB", "ReadThrottleEvents", 3, TableName="InfraMetrics")
    put(cloudwatch, "AWS/DynamoDB", "WriteThrottleEvents", 5, TableName="InfraMetrics", GlobalSecondaryIndexName="i")
    source = CloudWatchSource(cloudwatch, only("dynamodb_throttled_requests"))
    assert found(source.collect(AT, None)) == [("dynamodb_throttled_requests", "InfraMetrics", START.timestamp(), 10)]


def test_a_period_is_read_once_and_the_next_when_it_is_over(cloudwatch: Any) -> None:
    put(cloudwatch, "AWS/Lambda", "Errors", 1, FunctionName="f")
    source = CloudWatchSource(cloudwatch, only("lambda_errors"))
    assert len(source.collect(AT, None).samples) == 1
    assert source.collect(AT + 60, AT).samples == []
    put(cloudwatch, "AWS/Lambda", "Errors", 2, START + timedelta(seconds=300), FunctionName="f")
    assert [s.value for s in source.collect(AT + 300, AT + 60).samples] == [2]


def test_bucket_sizes_are_asked_for_once_a_day_and_looked_back_for() -> None:
    client = boto3.client("cloudwatch", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    midnight = datetime(2026, 11, 14, tzinfo=UTC)
    expected = {"MetricDataQueries": ANY, "ScanBy": ANY, "StartTime": ANY, "EndTime": ANY}
    with Stubber(client) as stub:
        answer = {"MetricDataResults": [result("q0", [midnight], [4.5e9])]}
        stub.add_response("get_metric_data", answer, expected)
        source = CloudWatchSource(client, only("s3_bucket_bytes"), dimensions={"BucketName": ["b"]})
        assert found(source.collect(AT, None)) == [("s3_bucket_bytes", "b", midnight.timestamp(), 4.5e9)]
        for later in range(1, 20):
            assert source.collect(AT + 300 * later, None).samples == []
        stub.assert_no_pending_responses()


def result(identity: str, times: list[datetime], values: list[float], status: str = "Complete") -> dict[str, Any]:
    return {"Id": identity, "Label": "x", "Timestamps": times, "Values": values, "StatusCode": status}


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client(
        "cloudwatch", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
        config=boto3.session.Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


ASKED = {"MetricDataQueries": ANY, "ScanBy": ANY, "StartTime": ANY, "EndTime": ANY}


def test_an_answer_in_pages_is_read_to_its_end(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    stub.add_response("list_metrics", {"Metrics": [lambda_metric("a")], "NextToken": "1"}, ANY_LIST)
    stub.add_response("list_metrics", {"Metrics": [lambda_metric("b")]}, {**ANY_LIST, "NextToken": "1"})
    earlier = START - timedelta(seconds=300)
    stub.add_response(
        "get_metric_data",
        {"MetricDataResults": [result("q0", [earlier], [1], "PartialData")], "NextToken": "2"},
        ASKED,
    )
    stub.add_response(
        "get_metric_data",
        {"MetricDataResults": [result("q0", [START], [2]), result("q1", [START], [3])]},
        {**ASKED, "NextToken": "2"},
    )
    got = CloudWatchSource(client, only("lambda_errors")).collect(AT, None)
    assert [(group, at - START.timestamp(), value) for _, group, at, value in found(got)] == [
        ("a", -300, 1), ("a", 0, 2), ("b", 0, 3),
    ]  # fmt: skip
    assert got.problems == []


ANY_LIST = {"Namespace": "AWS/Lambda", "MetricName": "Errors"}


def lambda_metric(name: str) -> dict[str, Any]:
    return {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": [{"Name": "FunctionName", "Value": name}]}


def test_more_than_500_series_are_asked_for_in_batches(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    names = [f"f{n}" for n in range(501)]
    for size in (500, 1):
        answer = {"MetricDataResults": [result(f"q{n}", [START], [1]) for n in range(size)]}
        stub.add_response("get_metric_data", answer, ASKED)
    source = CloudWatchSource(client, only("lambda_errors"), dimensions={"FunctionName": names})
    assert len(source.collect(AT, None).samples) == 501


def test_part_of_a_sum_is_not_given_as_the_sum_and_is_read_again(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    catalogue, tables = only("dynamodb_throttled_requests"), {"TableName": ["good", "bad"]}
    whole = [result(f"q{n}", [START], [1]) for n in (0, 1)]
    broken = [result("q2", [START], [1]), result("q3", [], [], "InternalError")]
    stub.add_response("get_metric_data", {"MetricDataResults": whole + broken}, ASKED)
    stub.add_response(
        "get_metric_data",
        {"MetricDataResults": [*whole, result("q2", [START], [1]), result("q3", [START], [4])]},
        ASKED,
    )
    source = CloudWatchSource(client, catalogue, dimensions=tables)
    first = source.collect(AT, None)
    assert [(s.hostname, s.value) for s in first.samples] == [("good", 2)]
    assert first.problems == ["CloudWatch gave no whole answer for ReadThrottleEvents of bad: InternalError"]
    assert [(s.hostname, s.value) for s in source.collect(AT + 300, AT).samples] == [("bad", 5)]


def test_throttling_is_a_problem_and_asked_again_next_time(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    stub.add_client_error("get_metric_data", "Throttling", "Rate exceeded", 400)
    stub.add_response("get_metric_data", {"MetricDataResults": [result("q0", [START], [6])]}, ASKED)
    source = CloudWatchSource(client, only("lambda_errors"), dimensions={"FunctionName": ["f"]})
    refused = source.collect(AT, None)
    assert refused.samples == []
    assert "Throttling" in refused.problems[0]
    assert [s.value for s in source.collect(AT + 60, AT).samples] == [6]
