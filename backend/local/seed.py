"""A day of history for the demo, made in seconds.

What is written is what the product would have written: the synthetic source's samples as objects under ``metrics/``,
and the items that the processor's and the merge's own cores give for them. What did NOT happen is the journey: bucket
notifications are off meanwhile, so these objects pass neither SQS nor the Lambda functions; the cores run here, on a
table in memory, and their results go straight to ``InfraMetrics``. From the first live object on everything takes the
real way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from backend.collector.core import CONTENT_TYPE, Outgoing, encode, pack
from backend.collector.sources.synthetic import SyntheticSource
from backend.contract.tables import EXPIRES_AT
from backend.local.memory import MemoryStore
from backend.processor.core import ObjectPart, process
from backend.processor.items import Item
from backend.processor.merge_run import run_merge
from backend.processor.store import MetricsStore
from backend.settings import Settings

SPAN_SECONDS: Final = 24 * 3600
COARSE_SECONDS: Final = 300
FINE_SECONDS: Final = 60
FINE_SPAN_SECONDS: Final = 3600
"""The last hour has a sample each minute, the rest of the day one each five minutes."""
_WRITERS: Final = 4
_CHUNK: Final = 250


class SeedObject(NamedTuple):
    """One object of history: when it was collected (epoch s), how far after the one before, and the object itself."""

    at: int
    spacing: int
    packed: Outgoing


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was written, and how long it took."""

    objects: int
    samples: int
    items: int
    seconds: float


def seed(client: Callable[[str], Any], settings: Settings, source: SyntheticSource, now: float) -> Seeded:
    """Writes the day before ``now`` (epoch s) to the bucket and the table of ``settings``."""
    began = time.monotonic()
    objects = list(history(source, now, left_out(settings)))
    s3 = client("s3")
    with without_notifications(s3, settings.bucket), _writers() as pool:
        puts = [pool.submit(_put, s3, settings.bucket, entry) for entry in objects]
        items, samples = items_of(objects, settings, now)
        table = MetricsStore(client("dynamodb"), settings.table)
        writes = [pool.submit(table.write, items[i : i + _CHUNK]) for i in range(0, len(items), _CHUNK)]
        for done in puts + writes:
            done.result()
    return Seeded(len(objects), samples, len(items), time.monotonic() - began)


def instants(now: float) -> Iterator[tuple[int, int]]:
    """(time, spacing) of every object, ascending, the last one within a minute before ``now``."""
    end = int(now) // FINE_SECONDS * FINE_SECONDS
    fine = (end - FINE_SPAN_SECONDS) // COARSE_SECONDS * COARSE_SECONDS
    for at in range(fine - SPAN_SECONDS + FINE_SPAN_SECONDS, fine + 1, COARSE_SECONDS):
        yield at, COARSE_SECONDS
    for at in range(fine + FINE_SECONDS, end + 1, FINE_SECONDS):
        yield at, FINE_SECONDS


def left_out(settings: Settings) -> frozenset[str]:
    """Metrics that the live synthetic source leaves to something else: invented ones of the past would not fit."""
    return frozenset(
        name for entry in settings.config.collect if entry.source == "synthetic" for name in entry.leave_out
    )


def history(source: SyntheticSource, now: float, leave_out: frozenset[str] = frozenset()) -> Iterator[SeedObject]:
    """The day's objects as the collector packs them, oldest first."""
    for at, spacing in instants(now):
        samples = [entry for entry in source.collect(at, at - spacing).samples if entry.metric_type not in leave_out]
        for packed in pack(map(encode, samples), identity=f"seed {at}", spacing=spacing):
            yield SeedObject(at, spacing, packed)


def items_of(objects: Sequence[SeedObject], settings: Settings, now: float) -> tuple[list[Item], int]:
    """The items that processor and merge give for the objects, less those already expired; and the samples' number.

    Each object is processed as of its own time, so expiry and lateness are as they would have been.
    """
    store = MemoryStore()
    samples = 0
    for entry in objects:
        result = process(
            entry.packed.body,
            ObjectPart(entry.packed.key, spacing_seconds=entry.spacing, modified=entry.at),
            now=entry.at,
            catalogue=settings.catalogue,
            limits=settings.config.limits,
            retention=settings.config.retention,
        )
        samples += result.stored
        store.write(result.items)
    run_merge(store, settings.catalogue, replace(settings.config.retention, live_seconds=SPAN_SECONDS + 3600), now)
    return [item for item in store.written.values() if _expires(item) > now], samples


@contextmanager
def without_notifications(s3: Any, bucket: str) -> Iterator[None]:
    """The bucket's notifications are off inside the block."""
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    configuration.pop("ResponseMetadata", None)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        yield
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


@contextmanager
def _writers() -> Iterator[ThreadPoolExecutor]:
    """Threads for the writes; when the block fails or is interrupted, what has not begun is dropped."""
    pool = ThreadPoolExecutor(_WRITERS)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _expires(item: Item) -> float:
    return float(item[EXPIRES_AT]["N"]) if EXPIRES_AT in item else float("inf")


def _put(s3: Any, bucket: str, entry: SeedObject) -> None:
    packed = entry.packed
    s3.put_object(
        Bucket=bucket, Key=packed.key, Body=packed.body, ContentType=CONTENT_TYPE, Metadata=dict(packed.metadata)
    )
