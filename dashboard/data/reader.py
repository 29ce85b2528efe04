"""Reads one index partition of InfraMetrics: the only place where the dashboard talks to DynamoDB for metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from backend.contract.tables import DATA, ENVIRONMENT, EXPIRES_AT, METRIC_TYPE, METRIC_TYPE_INDEX, TIMESTAMP

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Row(NamedTuple):
    """One item: its timestamp (epoch s), its ``data`` text, and two attributes that bookkeeping items carry."""

    timestamp: float
    data: str
    environment: str
    metric: str


@dataclass(slots=True)
class ReadCounts:
    """What reading has cost since the start; ``bytes`` counts the items' data as DynamoDB returned it."""

    queries: int = 0
    pages: int = 0
    items: int = 0
    bytes: int = 0
    failures: int = 0


class MetricsReader:
    """Queries ``metric_type-timestamp-index``; expired items are skipped because TTL deletes late."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self.counts = ReadCounts()

    def query(self, partition: str, start: float, end: float) -> list[Row]:
        """The rows of ``partition`` with start <= timestamp <= end, ascending.

        Raises botocore's ClientError or BotoCoreError when DynamoDB can't be read.
        """
        self.counts.queries += 1
        try:
            rows = list(self._rows(partition, start, end))
        except Exception:
            self.counts.failures += 1
            raise
        self.counts.items += len(rows)
        self.counts.bytes += sum(len(row.data) for row in rows)
        return rows

    def _rows(self, partition: str, start: float, end: float) -> Iterator[Row]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": METRIC_TYPE_INDEX,
            "KeyConditionExpression": "#p = :p AND #t BETWEEN :a AND :b",
            "ProjectionExpression": "#t, #d, #x, #e, #m",
            "ExpressionAttributeNames": {
                "#p": METRIC_TYPE,
                "#t": TIMESTAMP,
                "#d": DATA,
                "#x": EXPIRES_AT,
                "#e": ENVIRONMENT,
                "#m": "metric",
            },
            "ExpressionAttributeValues": {
                ":p": {"S": partition},
                ":a": {"N": _number(start)},
                ":b": {"N": _number(end)},
            },
        }
        now = self._clock()
        while True:
            answer = self._client.query(**request)
            self.counts.pages += 1
            for item in answer["Items"]:
                if float(item.get(EXPIRES_AT, {}).get("N", "inf")) > now:
                    yield Row(
                        float(item[TIMESTAMP]["N"]),
                        item.get(DATA, {}).get("S", ""),
                        item.get(ENVIRONMENT, {}).get("S", ""),
                        item.get("metric", {}).get("S", ""),
                    )
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
