"""DynamoDB's units by item size, as AWS's pages count them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws

from backend.aws import Clients
from backend.processor.store import MetricsStore
from benchmarks.metering import Meter, item_bytes
from tests.metrics_table import create_table


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"name": {"S": "text"}}, 8),
        ({"n": {"N": "-1234.5"}}, 5),
        ({"b": {"BOOL": True}}, 2),
        ({"l": {"L": [{"S": "ab"}, {"N": "1"}]}}, 1 + 3 + 1 + 2 + 1 + 2),
        ({"m": {"M": {"k": {"S": "v"}}}}, 1 + 3 + 1 + 1 + 1),
    ],
)
def test_an_item_is_as_large_as_its_names_and_values(item: dict[str, Any], size: int) -> None:
    assert item_bytes(item) == size


@mock_aws
def test_a_write_counts_for_the_table_and_for_each_index_and_a_query_by_what_it_read() -> None:
    create_table(boto3.client("dynamodb", region_name="us-east-1"))
    clients = Clients("us-east-1")
    meter, store = Meter(clients), MetricsStore(clients.dynamodb, "InfraMetrics")
    item = {"metric_id": {"S": "a"}, "timestamp": {"N": "1"}, "metric_type": {"S": "m"}, "data": {"S": "x" * 1500}}
    with meter.counting() as bill:
        store.write([item, {"metric_id": {"S": "b"}, "timestamp": {"N": "1"}, "metric_type": {"S": "m"}}])
    assert (bill.items, bill.write_units) == (2, 2 * 2 + 2 * 1)
    with meter.counting() as bill:
        clients.dynamodb.get_item(
            TableName="InfraMetrics", Key={name: item[name] for name in ("metric_id", "timestamp")}, ConsistentRead=True
        )
    assert (dict(bill.calls), bill.read_units) == ({"dynamodb.GetItem": 1}, 1.0)
