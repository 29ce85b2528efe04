"""What CloudWatch knows of the stack's own functions, tables and bucket: GetMetricData, a batch of queries a call.

Each query is billed, so what is asked every minute is little: the counts of errors, and maxima that are configured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient

FUNCTIONS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "data-collector": 60,
        "log-processor": 120,
        "metrics-merge": 120,
        "ingest-api": 29,
        "event-processor": 60,
        "replay-runner": 900,
        "alert-consumer": 60,
        "pipeline-checks": 300,
        "history-compactor": 900,
        "pipeline-steps": 60,
    }
)
"""The stack's functions and their time-outs in seconds, as the template has them."""
QUERIES_PER_CALL: Final = 500
MINUTE: Final = 60
DAY: Final = 86400
BUCKET_DAYS: Final = 3
"""Bucket sizes come up to two days after the day that they describe."""
DESCRIBED_SECONDS: Final = 3600.0


class Query(NamedTuple):
    """One CloudWatch series and what it is called here."""

    name: str
    namespace: str
    metric: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TableLimits:
    """A table's indexes, and the on-demand maxima in units a second; None where there is none."""

    indexes: tuple[str, ...]
    most_writes: int | None
    most_reads: int | None


class AwsMetrics:
    """Reads CloudWatch. Its calls raise botocore's errors when AWS does not answer."""

    def __init__(self, cloudwatch: CloudWatchClient, dynamodb: DynamoDBClient, settings: Settings) -> None:
        self._cloudwatch = cloudwatch
        self._dynamodb = dynamodb
        self._bucket = settings.bucket
        self._tables = (
            settings.table, settings.events_table, settings.gate_table, settings.aggregates_table,
            settings.replays_table, settings.tokens_table, settings.job_runs_table, settings.datasets_table,
            settings.alerts_table,
        )  # fmt: skip
        self._limits: dict[str, TableLimits] = {}
        self._described_at = float("-inf")

    def invocations(self, start: float, end: float) -> dict[str, tuple[float, float]]:
        """Function to invocations and errors from ``start`` to ``end`` (epoch s, whole minutes)."""
        queries = [
            Query(f"{function}/{metric}", "AWS/Lambda", metric, "Sum", (("FunctionName", function),))
            for function in FUNCTIONS
            for metric in ("Invocations", "Errors")
        ]
        sums = {name: sum(values) for name, values in self.read(queries, start, end).items()}
        return {
            function: (sums[f"{function}/Invocations"], sums.get(f"{function}/Errors", 0.0))
            for function in FUNCTIONS
            if f"{function}/Invocations" in sums
        }

    def durations(self, start: float, end: float) -> dict[str, float]:
        """Function to its longest run in milliseconds; those that did not run are left out."""
        queries = [Query(f, "AWS/Lambda", "Duration", "Maximum", (("FunctionName", f),)) for f in FUNCTIONS]
        return {name: max(values) for name, values in self.read(queries, start, end).items()}

    def throttles(self, start: float, end: float, now: float) -> dict[str, float]:
        """Table to throttled reads and writes, those of its indexes too; without tables that CloudWatch has none of."""
        queries = [
            Query(table, "AWS/DynamoDB", metric, "Sum", dimensions)
            for table, limits in self._described(now).items()
            for dimensions in _dimensions(table, limits.indexes)
            for metric in ("WriteThrottleEvents", "ReadThrottleEvents")
        ]
        return {name: sum(values) for name, values in self.read(queries, start, end).items()}

    def capacity(self, start: float, end: float, now: float) -> dict[str, float]:
        """Table to percent used of its on-demand maximum, in its busiest minute; tables without one are left out."""
        limits = {
            (table, metric): limit
            for table, entry in self._described(now).items()
            for metric, limit in (
                ("ConsumedWriteCapacityUnits", entry.most_writes),
                ("ConsumedReadCapacityUnits", entry.most_reads),
            )
            if limit
        }
        queries = [
            Query(f"{table}/{metric}", "AWS/DynamoDB", metric, "Sum", (("TableName", table),))
            for table, metric in limits
        ]
        read = self.read(queries, start, end)
        used: dict[str, float] = {}
        for (table, metric), limit in limits.items():
            if values := read.get(f"{table}/{metric}"):
                used[table] = max(used.get(table, 0.0), 100 * max(values) / MINUTE / limit)
        return used

    def bucket_bytes(self, now: float) -> float | None:
        """The bucket's newest known size; None where CloudWatch has none yet."""
        dimensions = (("BucketName", self._bucket), ("StorageType", "StandardStorage"))
        query = Query("bytes", "AWS/S3", "BucketSizeBytes", "Average", dimensions)
        end = now // DAY * DAY + DAY
        values = self.read([query], end - (BUCKET_DAYS + 1) * DAY, end, DAY).get("bytes")
        return values[-1] if values else None

    def read(self, queries: Sequence[Query], start: float, end: float, period: int = MINUTE) -> dict[str, list[float]]:
        """Name to the values of all its queries, oldest first; names without any are left out."""
        found: dict[str, list[float]] = {}
        for first in range(0, len(queries), QUERIES_PER_CALL):
            part = {f"q{index}": query for index, query in enumerate(queries[first : first + QUERIES_PER_CALL])}
            pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[_question(identity, query, period) for identity, query in part.items()],
                StartTime=datetime.fromtimestamp(start, UTC),
                EndTime=datetime.fromtimestamp(end, UTC),
                ScanBy="TimestampAscending",
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    _answered(result["StatusCode"])
                    if result["Values"]:
                        found.setdefault(part[result["Id"]].name, []).extend(result["Values"])
        return found

    def _described(self, now: float) -> Mapping[str, TableLimits]:
        """The tables' indexes and maxima, asked for once an hour."""
        if now - self._described_at >= DESCRIBED_SECONDS:
            self._limits = {table: self._describe(table) for table in self._tables}
            self._described_at = now
        return self._limits

    def _describe(self, table: str) -> TableLimits:
        described: Any = self._dynamodb.describe_table(TableName=table)["Table"]
        most = described.get("OnDemandThroughput", {})
        writes, reads = (most.get(name, -1) for name in ("MaxWriteRequestUnits", "MaxReadRequestUnits"))
        indexes = tuple(index["IndexName"] for index in described.get("GlobalSecondaryIndexes", ()))
        return TableLimits(indexes, writes if writes > 0 else None, reads if reads > 0 else None)


def _dimensions(table: str, indexes: Sequence[str]) -> list[tuple[tuple[str, str], ...]]:
    """The sets of dimensions under which DynamoDB counts a table and its indexes."""
    own = (("TableName", table),)
    return [own, *((*own, ("GlobalSecondaryIndexName", index)) for index in indexes)]


def _answered(status: str) -> None:
    """What CloudWatch failed to look up comes without values, as what has none does."""
    if status not in ("Complete", "PartialData"):
        raise ClientError({"Error": {"Code": status, "Message": "a metric could not be read"}}, "GetMetricData")


def _question(identity: str, query: Query, period: int) -> Any:
    return {
        "Id": identity,
        "MetricStat": {
            "Metric": {
                "Namespace": query.namespace,
                "MetricName": query.metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in query.dimensions],
            },
            "Period": period,
            "Stat": query.statistic,
        },
    }
