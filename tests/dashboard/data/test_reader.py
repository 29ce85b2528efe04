"""Reading one index partition from DynamoDB: all pages, in order, without what has expired."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from backend.aws import Clients
from backend.contract.tables import METRIC_TYPE_INDEX
from dashboard.data.reader import MetricsReader
from tests.dashboard.data.feeding import NOW, Clock


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        clients = Clients("us-east-1")
        clients.dynamodb.create_table(
            TableName="InfraMetrics",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "metric_id", "KeyType": "HASH"},
                {"AttributeName": "timestamp", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "metric_id", "AttributeType": "S"},
                {"AttributeName": "timestamp", "AttributeType": "N"},
                {"AttributeName": "metric_type", "AttributeType": "S"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": METRIC_TYPE_INDEX,
                    "KeySchema": [
                        {"AttributeName": "metric_type", "KeyType": "HASH"},
                        {"AttributeName": "timestamp", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        yield clients


def write(clients: Clients, timestamp: str, *, name: str = "p", expires: float | None = None, data: str = "x") -> None:
    item = {
        "metric_id": {"S": f"{name}{timestamp}{data[:9]}"},
        "timestamp": {"N": timestamp},
        "metric_type": {"S": name},
    }
    item["data"] = {"S": data}
    if expires is not None:
        item["expires_at"] = {"N": str(int(expires))}
    clients.dynamodb.put_item(TableName="InfraMetrics", Item=item)  # type: ignore[arg-type]


@pytest.fixture
def reader(clients: Clients) -> MetricsReader:
    return MetricsReader(clients.dynamodb, "InfraMetrics", Clock())


def test_rows_of_the_range_come_in_order_ends_included(clients: Clients, reader: MetricsReader) -> None:
    for timestamp in ("300", "100", "200.5", "99", "301"):
        write(clients, timestamp)
    write(clients, "150", name="other")
    assert [row.timestamp for row in reader.query("p", 100, 300)] == [100, 200.5, 300]
    assert [row.timestamp for row in reader.query("p", 200.5, 200.5)] == [200.5]
    assert reader.query("nothing", 0, 1e10) == []


def test_what_has_expired_is_not_read_though_it_is_still_there(clients: Clients, reader: MetricsReader) -> None:
    write(clients, "1", expires=NOW - 1)
    write(clients, "2", expires=NOW)
    write(clients, "3", expires=NOW + 1)
    write(clients, "4")
    assert [row.timestamp for row in reader.query("p", 0, 10)] == [3, 4]


def test_all_pages_are_read_and_counted(clients: Clients, reader: MetricsReader) -> None:
    for n in range(8):
        write(clients, str(n), data=str(n) * 300_000)
    rows = reader.query("p", 0, 10)
    assert [row.timestamp for row in rows] == list(range(8))
    assert reader.counts.pages > 1
    assert (reader.counts.queries, reader.counts.items, reader.counts.bytes) == (1, 8, 2_400_000)


def test_bookkeeping_attributes_come_along(clients: Clients, reader: MetricsReader) -> None:
    clients.dynamodb.put_item(
        TableName="InfraMetrics",
        Item={
            "metric_id": {"S": "seen"},
            "timestamp": {"N": "0"},
            "metric_type": {"S": "@seen"},
            "environment": {"S": "production"},
            "metric": {"S": "up"},
        },
    )
    (row,) = reader.query("@seen", 0, NOW)
    assert (row.environment, row.metric, row.data) == ("production", "up", "")


def test_a_failure_is_counted_and_raised(clients: Clients) -> None:
    reader = MetricsReader(clients.dynamodb, "Nowhere", Clock())
    with pytest.raises(ClientError):
        reader.query("p", 0, 1)
    assert (reader.counts.queries, reader.counts.failures, reader.counts.items) == (1, 1, 0)
