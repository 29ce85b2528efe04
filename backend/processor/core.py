"""One metrics object to DynamoDB items: what is kept, what is quarantined and why. Pure.

Every line is accounted for: ``samples = stored + merged + quarantined``. Ids derive from the sample or from the
object's key, so the same object delivered again gives the same items.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from backend.contract.catalogue import Catalogue
from backend.contract.errors import InvalidInput
from backend.contract.records import OLDEST_TIMESTAMP, Sample, parse_sample
from backend.history.days import SKEW_SECONDS, closed_at, day_of_key, day_start
from backend.processor.build import buckets_of, late_ranges, live, own_buckets, raw
from backend.processor.items import Item, closed_day_item, late_item, seen_item
from backend.processor.part import ObjectPart
from backend.processor.published import Published, publish
from backend.processor.reading import Entry, Quarantined, Unreadable, cut_text, read
from backend.settings import Limits, Retention

__all__ = ["ObjectPart", "Processed", "Quarantined", "process"]

KEY_BYTES: Final = 2048
SORT_KEY_TEXT: Final = 512
"""Longest environment: it is part of an index key, which takes 1,024 bytes with the metric's name."""


@dataclass(slots=True)
class Processed:
    """What one object part gives. ``items`` are ready for BatchWriteItem, the LATE item (if any) last.

    ``samples`` counts all lines, ``merged`` those that a later line with the same key replaced.
    """

    items: list[Item] = field(default_factory=list)
    samples: int = 0
    stored: int = 0
    merged: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    late: bool = False
    published: Published = field(default_factory=Published)

    @property
    def failed_percent(self) -> float:
        """Share of lines that were quarantined."""
        return 100 * len(self.quarantined) / self.samples if self.samples else 0.0

    def refuse(self, refused: Sequence[Quarantined]) -> None:
        """Adds lines that were refused before they were read."""
        self.samples += len(refused)
        self.quarantined += refused


def process(
    body: bytes,
    source: ObjectPart,
    *,
    now: float,
    catalogue: Catalogue,
    limits: Limits,
    retention: Retention,
    published_environment: str | None = None,
) -> Processed:
    """The items of one object part at time ``now`` (epoch seconds); bad lines are quarantined, good ones kept.

    CloudWatch's metrics have no dimensions, so only ``published_environment`` goes there (None: all).
    """
    result = Processed()
    samples = _checked(
        result, read(body, source.format, source.first_line), source, _Check(now, catalogue, limits, source)
    )
    whole_now = int(now)
    buckets = buckets_of(samples, catalogue)
    stored = raw(samples, source, now, catalogue, retention) + live(buckets, source, now, retention)
    own = own_buckets(samples, len(stored), source, now, catalogue)
    result.seen = {(bucket.environment, bucket.metric.key) for bucket in buckets + own}
    result.items = stored + live(own, source, now, retention)
    result.items += [seen_item(environment, metric, whole_now) for environment, metric in sorted(result.seen)]
    result.items += _closed_day(source, now)
    if ranges := late_ranges(buckets, now):
        result.late = True
        result.items.append(late_item(source.origin, ranges, whole_now))
    if not source.backfill:
        shown = [s for s in samples if published_environment in (None, s.environment)]
        publish(result.published, shown, catalogue)
    return result


def _closed_day(source: ObjectPart, now: float) -> list[Item]:
    """What history has to know of an object whose day may be compacted: once an object, and nothing before that."""
    day = day_of_key(source.key) if source.start == 0 else None
    if day is None or now < closed_at(day) - SKEW_SECONDS:
        return []
    return [closed_day_item(source.key, day_start(day), int(now))]


def _checked(
    result: Processed, entries: Iterable[Entry | Unreadable], source: ObjectPart, check: _Check
) -> list[Sample]:
    """The good samples, each key once (the last line wins); counts and quarantine go to ``result``."""
    samples: dict[tuple[str, float, str], Sample] = {}
    for entry in entries:
        result.samples += 1
        if isinstance(entry, Unreadable):
            bad = Quarantined(entry.reason, source.key, entry.line, cut_text(entry.text), entry.message)
            result.quarantined.append(bad)
            continue
        try:
            sample = parse_sample(entry.record)
            check(sample)
        except InvalidInput as error:
            text = cut_text(entry.text or orjson.dumps(entry.record))
            result.quarantined.append(Quarantined(error.code, source.key, entry.line, text, str(error)))
            continue
        # An id does not tell environments apart; their live items do.
        samples[sample.metric_id, sample.timestamp, sample.environment] = sample
    result.stored = len(samples)
    result.merged = result.samples - result.stored - len(result.quarantined)
    return list(samples.values())


class _Check:
    """What a well-formed sample must still meet: a known metric, a believable time, keys that DynamoDB takes."""

    def __init__(self, now: float, catalogue: Catalogue, limits: Limits, source: ObjectPart) -> None:
        self._catalogue = catalogue
        self._newest = now + limits.future_seconds
        self._now = now
        self._backfill = source.backfill
        self._oldest: dict[str, float] = {}

    def __call__(self, sample: Sample) -> None:
        oldest = self._oldest.get(sample.metric_type)
        if oldest is None:
            oldest = self._oldest[sample.metric_type] = self._oldest_of(sample.metric_type)
        if not oldest <= sample.timestamp <= self._newest:
            raise self._wrong_time(sample.timestamp, oldest)
        if len(sample.metric_id) > KEY_BYTES // 4 and len(sample.metric_id.encode()) > KEY_BYTES:
            raise InvalidInput("metric_id", sample.metric_id, f"must be at most {KEY_BYTES} bytes", "out_of_range")
        if len(sample.environment) > SORT_KEY_TEXT // 4 and len(sample.environment.encode()) > SORT_KEY_TEXT:
            raise InvalidInput(
                "environment", sample.environment, f"must be at most {SORT_KEY_TEXT} bytes", "out_of_range"
            )
        if "" in sample.labels:
            raise InvalidInput("labels", "", "has a label without a name; name it", "wrong_type")

    def _oldest_of(self, metric_type: str) -> float:
        if metric_type not in self._catalogue:
            remedy = "is not in the catalogue; see docs/metrics.md"
            raise InvalidInput("metric_type", metric_type, remedy, "unknown_metric")
        if self._backfill:
            return OLDEST_TIMESTAMP
        return self._now - self._catalogue.tier_of(metric_type).retention_days * 86400

    def _wrong_time(self, timestamp: float, oldest: float) -> InvalidInput:
        if timestamp > self._newest:
            remedy = "lies in the future; check the producer's clock, and that it counts seconds"
            return InvalidInput("timestamp", timestamp, remedy, "future")
        if oldest == OLDEST_TIMESTAMP:
            return InvalidInput("timestamp", timestamp, "lies before the year 2000", "out_of_range")
        remedy = "is older than the metric is kept; use `pulseboard ingest metrics` for history"
        return InvalidInput("timestamp", timestamp, remedy, "expired")
