"""Metrics that AWS already has: GetMetricData, driven by the catalogue's ``aws`` entries.

Each metric is asked for at its own period (bucket sizes once a day), only for periods that are over, and each
datapoint keeps its own time: reading it again gives the same sample.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from backend.collector.sources.base import Collected
from backend.contract.catalogue import AwsSource, Catalogue, Metric
from backend.contract.records import DEFAULT_ENVIRONMENT, DEFAULT_REGION, Sample, make_sample

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

QUERIES_PER_CALL: Final = 500
SETTLE_SECONDS: Final = 60
"""A period is asked for this long after its end."""
LOOK_BACK_PERIODS: Final = 3
"""AWS publishes late: bucket sizes come up to two days after the day they describe."""
DISCOVERY_SECONDS: Final = 3600
INDEX_DIMENSION: Final = "GlobalSecondaryIndexName"
"""DynamoDB counts a table's indexes apart from the table; here they belong to it."""
COMPLETE: Final = "Complete"


class Query(NamedTuple):
    """One CloudWatch series that is part of a line of ours: ``metric``, of the thing called ``group``."""

    metric: Metric
    group: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


class CloudWatchSource:
    """The source ``cloudwatch``.

    ``dimensions`` gives the values to read by dimension name (``{"FunctionName": ["data-collector"]}``); without it
    they are found through ListMetrics, once an hour.
    """

    name = "cloudwatch"

    def __init__(
        self,
        client: CloudWatchClient,
        catalogue: Catalogue,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        region: str = DEFAULT_REGION,
        dimensions: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._client = client
        self._metrics = [metric for metric in catalogue.values() if metric.aws]
        self._environment = environment
        self._region = region
        self._given = dimensions
        self._found: dict[str, list[Query]] = {}
        self._found_at = -math.inf
        self._read_until: dict[tuple[str, str], float] = {}
        self._asked_until: dict[int, float] = {}

    def collect(self, at: float, since: float | None) -> Collected:  # noqa: ARG002 - periods have their own times
        """The datapoints of every period that ended since the last time; nothing when none did."""
        collected = Collected([])
        by_period: dict[int, list[Metric]] = defaultdict(list)
        for metric in self._metrics:
            by_period[_aws(metric).period_seconds].append(metric)
        for period, metrics in by_period.items():
            end = (at - SETTLE_SECONDS) // period * period
            if end <= self._asked_until.get(period, -math.inf):
                continue
            try:
                queries = [query for metric in metrics for query in self._queries(metric, at)]
                samples, problems = self._read(queries, period, end)
            except (ClientError, BotoCoreError) as error:
                collected.problems.append(f"CloudWatch did not answer for {len(metrics)} metrics: {error}")
                continue
            self._asked_until[period] = end
            collected.samples.extend(samples)
            collected.problems.extend(problems)
        return collected

    # ------------------------------------------------------------------------------------------- questions
    def _queries(self, metric: Metric, at: float) -> list[Query]:
        aws = _aws(metric)
        if self._given is not None:
            extra = tuple(aws.extra.items())
            return [
                Query(metric, value, name, ((aws.dimension, value), *extra))
                for value in self._given.get(aws.dimension, ())
                for name in (aws.metric, *aws.plus)
            ]
        if at - self._found_at >= DISCOVERY_SECONDS:
            self._found, self._found_at = {}, at
        if metric.key not in self._found:
            self._found[metric.key] = [
                query for name in (aws.metric, *aws.plus) for query in self._discover(metric, name)
            ]
        return self._found[metric.key]

    def _discover(self, metric: Metric, name: str) -> Iterator[Query]:
        aws = _aws(metric)
        pages = self._client.get_paginator("list_metrics").paginate(Namespace=aws.namespace, MetricName=name)
        needed = {aws.dimension, *aws.extra}
        for page in pages:
            for entry in page["Metrics"]:
                dimensions = {d["Name"]: d["Value"] for d in entry["Dimensions"]}
                # Lambda also lists each function by version: only exact sets, so that nothing is counted twice.
                if set(dimensions) - {INDEX_DIMENSION} == needed and aws.extra.items() <= dimensions.items():
                    yield Query(metric, dimensions[aws.dimension], name, tuple(dimensions.items()))

    def _read(self, queries: Sequence[Query], period: int, end: float) -> tuple[list[Sample], list[str]]:
        start = end - LOOK_BACK_PERIODS * period
        values: dict[tuple[str, str, float], list[float]] = defaultdict(list)
        metrics, failed = {}, {}
        for begin in range(0, len(queries), QUERIES_PER_CALL):
            batch = {f"q{number}": query for number, query in enumerate(queries[begin : begin + QUERIES_PER_CALL])}
            status: dict[str, tuple[str, str]] = {}
            for result in self._results(batch, period, start, end):
                query = batch[result["Id"]]
                metrics[query.metric.key] = query.metric
                message = "; ".join(m.get("Value", "") for m in result.get("Messages", ()))
                status[result["Id"]] = (result.get("StatusCode", COMPLETE), message)
                for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                    values[query.metric.key, query.group, moment.timestamp()].append(value)
            for identity, query in batch.items():
                code, message = status.get(identity, ("missing", ""))
                if code != COMPLETE:
                    failed[query.metric.key, query.group] = f"{query.name} of {query.group}: {code} {message}".strip()
        samples = []
        for (key, group, moment), several in sorted(values.items()):
            # Part of a sum is not the sum: it is read again while it is in reach.
            if (key, group) in failed or moment <= self._read_until.get((key, group), -math.inf):
                continue
            samples.append(self._sample(metrics[key], group, moment, several))
        for sample in samples:
            self._read_until[sample.metric_type, sample.hostname] = sample.timestamp
        return samples, [f"CloudWatch gave no whole answer for {text}" for text in failed.values()]

    def _results(
        self, batch: Mapping[str, Query], period: int, start: float, end: float
    ) -> Iterator[Mapping[str, Any]]:
        questions: list[Any] = [
            {
                "Id": identity,
                "MetricStat": {
                    "Metric": {
                        "Namespace": _aws(query.metric).namespace,
                        "MetricName": query.name,
                        "Dimensions": [{"Name": name, "Value": value} for name, value in query.dimensions],
                    },
                    "Period": period,
                    "Stat": _aws(query.metric).statistic,
                },
            }
            for identity, query in batch.items()
        ]
        pages = self._client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=questions,
            StartTime=datetime.fromtimestamp(start, UTC),
            EndTime=datetime.fromtimestamp(end, UTC),
            ScanBy="TimestampAscending",
        )
        for page in pages:
            yield from page["MetricDataResults"]

    def _sample(self, metric: Metric, group: str, moment: float, values: Sequence[float]) -> Sample:
        return make_sample(
            timestamp=moment,
            metric_type=metric.key,
            value=max(values) if _aws(metric).statistic == "Maximum" else math.fsum(values),
            hostname=group,
            unit=metric.unit,
            region=self._region,
            environment=self._environment,
            labels={metric.group_by: group} if metric.group_by else {},
        )


def _aws(metric: Metric) -> AwsSource:
    if metric.aws is None:
        raise ValueError(f"{metric.key} has no aws entry")
    return metric.aws
