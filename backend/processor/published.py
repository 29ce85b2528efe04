"""What goes to CloudWatch: the catalogue's published metrics, without dimensions, within the API's limits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from backend.contract.catalogue import Catalogue, Metric
from backend.contract.records import Sample

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

VALUES_LIMIT: Final = 150
"""Different values that one datum takes."""
DATA_LIMIT: Final = 500
"""Data of one PutMetricData request: CloudWatch takes 1,000 and 1 MB, which full value arrays reach sooner."""
OLDEST_SECONDS: Final = 14 * 86400
"""CloudWatch refuses older data."""


def percentile(metric: Metric) -> bool:
    """Whether CloudWatch is asked for a percentile of it, which needs the values and not only their statistics."""
    asked = [place.statistic for place in (metric.alarm, metric.widget) if place is not None]
    return any(statistic.startswith("p") for statistic in asked)


class Published:
    """Values by (CloudWatch name, minute): ``{value: how often}``. Objects of one invocation are added up."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, int], dict[float, float]] = {}
        self._whole: set[str] = set()

    def add(self, metric: Metric, minute: int, values: Iterable[tuple[float, float]]) -> None:
        """Counts ``(value, count)`` pairs of a metric that has a CloudWatch name."""
        name = metric.cloudwatch
        assert name is not None  # noqa: S101 - the catalogue's `published` has only named ones
        if percentile(metric):
            self._whole.add(name)
        self._count(name, minute, values)

    def update(self, other: Published) -> None:
        """Adds what another one holds."""
        self._whole |= other._whole
        for (name, minute), values in other.values.items():
            self._count(name, minute, values.items())

    def data(self, now: float) -> Iterator[MetricDatumTypeDef]:
        """The data to put; what is older than CloudWatch takes is left out."""
        for (name, minute), values in self.values.items():
            if minute < now - OLDEST_SECONDS:
                continue
            datum: dict[str, Any] = {"MetricName": name, "Timestamp": datetime.fromtimestamp(minute, UTC)}
            if len(values) > VALUES_LIMIT and name not in self._whole:
                yield {**datum, "StatisticValues": _statistics(values)}  # type: ignore[typeddict-item]
                continue
            for part in _parts(values):
                yield {**datum, "Values": list(part), "Counts": list(part.values())}  # type: ignore[typeddict-item]

    def _count(self, name: str, minute: int, values: Iterable[tuple[float, float]]) -> None:
        counts = self.values.setdefault((name, minute), {})
        for value, count in values:
            counts[value] = counts.get(value, 0) + count


def publish(published: Published, samples: Iterable[Sample], catalogue: Catalogue) -> None:
    """Adds the gauges, delta counters and histograms among the samples that the catalogue publishes.

    A gauge whose series add up (lag by partition) is published as the sum of an instant, as its alarm means it.
    Cumulative counters wait for the merge, which knows their increases.
    """
    metrics = {metric.key: metric for metric in catalogue.published if not metric.cumulative}
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    sums: dict[tuple[str, float], float] = {}
    for sample in samples:
        metric = metrics.get(sample.metric_type)
        if metric is None:
            continue
        if metric.kind == "gauge" and metric.combine == "sum":
            instant = (metric.key, sample.timestamp)
            sums[instant] = sums.get(instant, 0.0) + sample.value
            continue
        pairs = found.setdefault((metric.key, _minute(sample.timestamp)), [])
        if metric.kind == "histogram":
            pairs += [(pair[0], pair[1]) for pair in sample.observations or [(sample.value, 1)] if pair[1]]
        else:
            pairs.append((sample.value, 1))
    for (name, timestamp), total in sums.items():
        found.setdefault((name, _minute(timestamp)), []).append((total, 1))
    for (name, minute), pairs in found.items():
        published.add(metrics[name], minute, pairs)


def _minute(timestamp: float) -> int:
    return int(timestamp // 60) * 60


def _parts(values: Mapping[float, float]) -> Iterator[dict[float, float]]:
    items = iter(values.items())
    while part := dict(pair for pair, _ in zip(items, range(VALUES_LIMIT), strict=False)):
        yield part


def _statistics(values: Mapping[float, float]) -> dict[str, float]:
    return {
        "SampleCount": sum(values.values()),
        "Sum": sum(value * count for value, count in values.items()),
        "Minimum": min(values),
        "Maximum": max(values),
    }
