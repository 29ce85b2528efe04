"""What the events' functions measure about themselves, written straight to ``InfraMetrics`` as live items.

They don't travel through S3: a count that waits for an object, a notification and a queue would come after the event
it counts, and cost more than it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.records import Sample, make_sample
from backend.processor.build import buckets_of, live
from backend.processor.items import Item, seen_item
from backend.processor.part import ObjectPart
from backend.processor.store import MetricsStore, WriteThrottled
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WRITER: Final = "writer"
"""Label that tells containers apart: samples of one series at one instant would replace each other."""


class Measured(NamedTuple):
    """One number: a metric of the catalogue, its value (of a delta counter the increase) and its labels."""

    metric_type: str
    value: float
    labels: Mapping[str, str]


class OwnMetrics:
    """Writes live items of metrics that a function measured itself; thread-safe.

    ``hostname`` names the function. A failure is logged and costs nothing but the numbers.
    """

    def __init__(self, dynamodb: DynamoDBClient, settings: Settings, hostname: str, logger: Logger) -> None:
        self._store = MetricsStore(dynamodb, settings.table)
        self._settings = settings
        self._hostname = hostname
        self._logger = logger
        self._writer = secrets.token_hex(4)
        self._lock = Lock()
        self._last = 0.0

    def write(self, measured: Iterable[Measured], origin: str, now: float) -> None:
        """Writes what was measured at ``now`` (epoch s) in one batch where 25 items hold it.

        ``origin`` makes the items' ids: the same origin within a minute overwrites what it wrote.
        """
        items = self.items(measured, origin, now)
        try:
            self._store.write(items, attempts=0)
        except (WriteThrottled, ClientError, BotoCoreError) as error:
            fields = {"error_type": type(error).__name__, "error_message": str(error), "items": len(items)}
            self._logger.warning("own metrics not written", extra=fields)

    def items(self, measured: Iterable[Measured], origin: str, now: float) -> list[Item]:
        """The items that ``write`` writes: one a metric, and what says that the metric was seen."""
        settings = self._settings
        samples = [self._sample(entry, self._instant(now)) for entry in measured]
        buckets = buckets_of(samples, settings.catalogue)
        part = ObjectPart(f"{self._hostname}/{self._writer}/{origin}")
        written = live(buckets, part, now, settings.config.retention)
        seen = {(bucket.environment, bucket.metric.key) for bucket in buckets}
        return written + [seen_item(environment, metric, int(now)) for environment, metric in sorted(seen)]

    def _sample(self, entry: Measured, at: float) -> Sample:
        return make_sample(
            timestamp=at,
            metric_type=entry.metric_type,
            value=entry.value,
            hostname=self._hostname,
            unit=self._settings.catalogue[entry.metric_type].unit,
            region=self._settings.region,
            environment=self._settings.config.environment,
            labels={**entry.labels, WRITER: self._writer},
        )

    def _instant(self, now: float) -> float:
        """``now`` in whole milliseconds, later than any handed out before: live items tell no finer times apart."""
        with self._lock:
            self._last = max(round(now, 3), round(self._last + 0.001, 3))
            return self._last
