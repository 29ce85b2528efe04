"""InfraMetrics in moto: the table and its index as the template makes them."""

from __future__ import annotations

from typing import Any

from backend.contract.tables import METRIC_TYPE_INDEX, METRICS_TABLE


def create_table(client: Any, name: str = METRICS_TABLE) -> None:
    """InfraMetrics with its index."""
    keys = [{"AttributeName": "metric_id", "KeyType": "HASH"}, {"AttributeName": "timestamp", "KeyType": "RANGE"}]
    index_keys = [{"AttributeName": "metric_type", "KeyType": "HASH"}, keys[1]]
    client.create_table(
        TableName=name,
        KeySchema=keys,
        AttributeDefinitions=[
            {"AttributeName": "metric_id", "AttributeType": "S"},
            {"AttributeName": "timestamp", "AttributeType": "N"},
            {"AttributeName": "metric_type", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {"IndexName": METRIC_TYPE_INDEX, "KeySchema": index_keys, "Projection": {"ProjectionType": "ALL"}}
        ],
    )
