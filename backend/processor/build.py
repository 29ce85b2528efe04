"""Checked samples to items: raw ones, live ones per metric and minute, and which minutes came late. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, NamedTuple

from backend.contract.catalogue import Catalogue, Metric
from backend.contract.records import DEFAULT_ENVIRONMENT, Sample, group_and_series
from backend.contract.rollup import LiveSeries
from backend.contract.sketch import Sketch
from backend.contract.tables import LATENESS_ALLOWANCE_SECONDS, RAW_SPACING_SECONDS
from backend.processor.items import Item, live_items, raw_items
from backend.processor.part import ObjectPart
from backend.settings import Retention

OWN_HOST: Final = "log-processor"
"""Hostname of the samples that the processor writes about itself."""
WRITE_SECONDS: Final = 60
"""Writing an object takes no longer; a minute that the merge closes meanwhile is announced as late, too."""


class Bucket(NamedTuple):
    """The samples of one metric, environment and minute by (group, series): offsets and values."""

    metric: Metric
    environment: str
    minute: int
    series: dict[tuple[str, str], tuple[list[float], list[object]]]


def buckets_of(samples: Iterable[Sample], catalogue: Catalogue) -> list[Bucket]:
    """The samples by metric, environment and minute."""
    buckets: dict[tuple[str, str, int], Bucket] = {}
    for sample in samples:
        timestamp = sample.timestamp
        minute = int(timestamp // 60) * 60
        key = (sample.metric_type, sample.environment, minute)
        bucket = buckets.get(key)
        if bucket is None:
            bucket = buckets[key] = Bucket(catalogue[sample.metric_type], sample.environment, minute, {})
        name = group_and_series(sample, bucket.metric.group_by)
        series = bucket.series.get(name)
        if series is None:
            series = bucket.series[name] = ([], [])
        offset = timestamp - minute
        series[0].append(offset if offset.__class__ is int else round(offset, 3))
        series[1].append(sample.value if bucket.metric.kind != "histogram" else _observed(sample))
    return list(buckets.values())


def live(buckets: Iterable[Bucket], source: ObjectPart, now: float, retention: Retention) -> list[Item]:
    """The live items of the buckets."""
    expires = repr(int(now) + retention.live_seconds)
    items: list[Item] = []
    for bucket in buckets:
        series = [LiveSeries(*name, *_ascending(*columns)) for name, columns in bucket.series.items()]
        place = (bucket.metric.key, bucket.environment, bucket.minute)
        items += live_items(source.origin, place, series, expires)
    return items


def raw(
    samples: Sequence[Sample], source: ObjectPart, now: float, catalogue: Catalogue, retention: Retention
) -> list[Item]:
    """The raw items: samples of a series at least a minute apart, and on the live path none past its retention."""
    oldest = 0 if source.backfill else now - retention.raw_seconds
    kept = _spaced(samples, source.spacing_seconds, catalogue)
    return raw_items((sample for sample in kept if sample.timestamp >= oldest), int(now) + retention.raw_seconds)


def late_ranges(buckets: Iterable[Bucket], now: float) -> dict[str, dict[str, list[int]]]:
    """First and last minute that may be merged before these samples are written, by environment and metric."""
    ranges: dict[str, dict[str, list[int]]] = {}
    for bucket in buckets:
        minute = bucket.minute
        if minute + 60 < now + WRITE_SECONDS - LATENESS_ALLOWANCE_SECONDS:
            span = ranges.setdefault(bucket.environment, {}).setdefault(bucket.metric.key, [minute, minute])
            span[:] = min(span[0], minute), max(span[1], minute)
    return ranges


def own_buckets(
    samples: Sequence[Sample], written: int, source: ObjectPart, now: float, catalogue: Catalogue
) -> list[Bucket]:
    """The processor's samples about itself, per environment of the object.

    ``written`` items are shared out by samples. They arrive with the items they count: then none has failed.
    """
    timestamp = source.modified if source.modified is not None else now
    minute = int(timestamp // 60) * 60
    counts = Counter(sample.environment for sample in samples) or Counter({DEFAULT_ENVIRONMENT: 0})
    buckets: list[Bucket] = []
    for environment, count in counts.items():
        own = {
            "files_processed": int(source.start == 0),
            "metrics_processed": count,
            "successful_writes": round(written * count / len(samples)) if samples else 0,
            "failed_writes": 0,
        }
        for key, value in own.items():
            if key in catalogue:
                columns: tuple[list[float], list[object]] = ([round(timestamp - minute, 3)], [value])
                buckets.append(Bucket(catalogue[key], environment, minute, {("", OWN_HOST): columns}))
    return buckets


def failed_writes_item(
    source: ObjectPart, unwritten: int, now: float, catalogue: Catalogue, retention: Retention
) -> list[Item]:
    """The live item that says how many items of a part could not be written at ``now``."""
    minute = int(now // 60) * 60
    columns: tuple[list[float], list[object]] = ([round(now - minute, 3)], [unwritten])
    bucket = Bucket(catalogue["failed_writes"], DEFAULT_ENVIRONMENT, minute, {("", OWN_HOST): columns})
    return live([bucket], replace(source, key=f"{source.key}#failed"), now, retention)


def _observed(sample: Sample) -> list[float]:
    """``[sum, max, *flat sketch]`` of a histogram sample's observations."""
    pairs = [pair for pair in sample.observations or () if pair[1]] or [[sample.value, 1]]
    return [sum(v * n for v, n in pairs), max(v for v, _ in pairs), *Sketch.of(pairs).flat()]


def _ascending(offsets: list[float], values: list[object]) -> tuple[list[float], list[object]]:
    """The columns in order of time; of two samples of one series at one instant the later line wins."""
    if len(offsets) == 1 or all(a < b for a, b in pairwise(offsets)):
        return offsets, values
    columns = dict(zip(offsets, values, strict=True))
    order = sorted(columns)
    return order, [columns[offset] for offset in order]


def _spaced(samples: Sequence[Sample], spacing: float | None, catalogue: Catalogue) -> Iterable[Sample]:
    """The samples that get a raw item: those of a series at least a minute apart.

    With the producer's spacing known, a sample is kept when the one before it lay in another minute, whatever object
    that was in. Unknown, the samples of this object are kept when a minute has passed since the one kept before.
    """
    apart = RAW_SPACING_SECONDS
    if spacing is not None:
        if spacing >= apart:
            return samples
        return [s for s in samples if s.timestamp // apart != (s.timestamp - spacing) // apart]
    if len({sample.timestamp for sample in samples}) == 1:
        return samples
    kept: list[Sample] = []
    last: dict[tuple[str, ...], float] = {}
    for sample in sorted(samples, key=lambda s: s.timestamp):
        name = group_and_series(sample, catalogue[sample.metric_type].group_by)
        series = (sample.metric_type, sample.environment, *name)
        if sample.timestamp - last.get(series, -apart) >= apart:
            last[series] = sample.timestamp
            kept.append(sample)
    return kept
