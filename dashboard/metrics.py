"""``/metrics``: what the dashboard did since it started, in Prometheus' text format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric

    from dashboard.services import Services


class _ServicesCollector(Collector):
    """Reads the services' own counts at scrape time: one place where things are counted."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterable[Metric]:
        reads, views = self._services.reader.counts, self._services.views.counts
        answers = self._services.answers.counts
        yield _counter("dynamodb_queries", "Queries sent to DynamoDB", reads.queries)
        yield _counter("dynamodb_query_pages", "Pages of answers from DynamoDB", reads.pages)
        yield _counter("dynamodb_items", "Items read from DynamoDB", reads.items)
        yield _counter("dynamodb_bytes", "Bytes of item data read from DynamoDB", reads.bytes)
        yield _counter("dynamodb_failures", "Queries to DynamoDB that failed", reads.failures)
        yield _counter("views_served", "Views answered, unchanged ones among them", views.served + answers.served)
        yield _counter("views_unchanged", "Views answered with 304", views.unchanged + answers.unchanged)
        yield _counter("views_made", "Views put together and encoded", views.made + answers.made)
        yield _counter("views_failed", "Views that could not be made", views.failed + answers.failed)
        if (shared := self._services.shared_views) is not None:
            yield _counter("redis_hits", "Views that another dashboard had made", shared.counts.hits)
            yield _counter("redis_failures", "Reads and writes of views that Redis refused", shared.counts.failures)
            up = GaugeMetricFamily("pulseboard_redis_up", "1 while views are shared, 0 while each keeps its own")
            up.add_metric([], 0 if shared.trouble else 1)
            yield up
        build = GaugeMetricFamily("pulseboard_build", "The running build", labels=["build"])
        build.add_metric([self._services.build_id], 1)
        yield build


def exposition(services: Services) -> bytes:
    """The text of ``/metrics``."""
    registry = CollectorRegistry()
    registry.register(_ServicesCollector(services))
    return generate_latest(registry)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"pulseboard_{name}", text, value=value)
