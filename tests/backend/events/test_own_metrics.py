"""What functions measure about themselves ends in the table, each number once, whoever else writes at that instant."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from backend.aws import Clients
from backend.contract.bucket import buckets
from backend.contract.rollup import gather
from backend.contract.tables import LIVE, METRIC_TYPE_INDEX, METRICS_TABLE, SEEN, partition
from backend.events.own_metrics import Measured, OwnMetrics
from backend.settings import Settings
from tests.loggers import fresh_logger
from tests.metrics_table import create_table

NOW = 1_795_259_223.25
MINUTE = 1_795_259_220


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield Clients("us-east-1", attempts=1)


def metrics_of(clients: Clients, stream: io.StringIO | None = None) -> OwnMetrics:
    logger = fresh_logger(stream)
    return OwnMetrics(clients.dynamodb, Settings(), "ingest-api", logger)


def rows(clients: Clients, index_key: str) -> list[dict[str, Any]]:
    answer = clients.dynamodb.query(
        TableName=METRICS_TABLE,
        IndexName=METRIC_TYPE_INDEX,
        KeyConditionExpression="metric_type = :key",
        ExpressionAttributeValues={":key": {"S": index_key}},
    )
    return answer["Items"]


def increase(clients: Clients, metric_type: str) -> dict[str, float | None]:
    found = rows(clients, partition(metric_type, LIVE, "production"))
    samples = gather((int(row["timestamp"]["N"]), row["data"]["S"]) for row in found)
    merged = buckets(Settings().catalogue[metric_type], samples, MINUTE, MINUTE + 60)[MINUTE]
    return {group: stats.increase for group, stats in merged.groups.items()}


def test_counts_of_all_writers_at_one_instant_add_up(clients: Clients) -> None:
    create_table(clients.dynamodb)
    writers = [metrics_of(clients), metrics_of(clients)]
    for number in range(3):
        for writer in writers:
            writer.write([Measured("events_ingested", 2, {"source": "shop"})], f"request-{number}", NOW)
    writers[0].write([Measured("events_ingested", 1, {"source": "till"})], "request-3", NOW)
    assert increase(clients, "events_ingested") == {"shop": 12, "till": 1}


def test_the_metric_counts_as_seen(clients: Clients) -> None:
    create_table(clients.dynamodb)
    metrics_of(clients).write([Measured("ingest_lag_seconds", 1.5, {"source": "shop"})], "request", NOW)
    assert [row["metric"]["S"] for row in rows(clients, SEEN)] == ["ingest_lag_seconds"]


def test_a_table_that_takes_nothing_is_logged_and_no_more(clients: Clients) -> None:
    stream = io.StringIO()
    metrics_of(clients, stream).write([Measured("events_ingested", 2, {"source": "shop"})], "request", NOW)
    assert json.loads(stream.getvalue())["message"] == "own metrics not written"
