"""The continuous collector: each source at its own pace, every object on disk before it is sent, in order, once.

What has been collected but not yet written (``flush_seconds`` at most) is the only thing a SIGKILL can lose.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from backend.collector.core import MAX_BYTES, Line, Outgoing, encode, pack
from backend.collector.sources.base import Source
from backend.collector.spool import Spool, SpoolFull
from backend.contract.catalogue import Catalogue
from backend.contract.records import Sample, make_sample

FLUSH_SECONDS: Final = 5.0
FIRST_RETRY_SECONDS: Final = 0.5
LONGEST_RETRY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
log = logging.getLogger("pulseboard.agent")


@dataclass(slots=True)
class Scheduled:
    """A source and how often it is read; ``since`` is its last collection, ``kept`` the last one of each tier."""

    source: Source
    interval: float
    since: float | None = None
    kept: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Buffer:
    lines: list[Line] = field(default_factory=list)
    size: int = 0
    begun: float = 0.0


@dataclass(frozen=True, slots=True)
class Status:
    """How the agent is doing; times are epoch s."""

    spooled_objects: int
    spooled_bytes: int
    uploaded: int
    failures: int
    paused: int
    last_upload: float | None


class Agent:
    """Collects until told to stop. ``put_object`` raises when an object did not arrive; it is tried again for ever."""

    def __init__(
        self,
        sources: Sequence[Scheduled],
        put_object: Callable[[Outgoing], None],
        spool: Spool,
        catalogue: Catalogue,
        *,
        environment: str,
        region: str,
        clock: Callable[[], float] = time.time,
        flush_seconds: float = FLUSH_SECONDS,
        flush_bytes: int = MAX_BYTES,
        first_retry: float = FIRST_RETRY_SECONDS,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._sources = list(sources)
        self._put = put_object
        self._spool = spool
        self._catalogue = catalogue
        self._environment = environment
        self._region = region
        self._clock = clock
        self._flush_seconds = flush_seconds
        self._flush_bytes = flush_bytes
        self._first_retry = first_retry
        self._stop_seconds = stop_seconds
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._buffers: dict[float, _Buffer] = {}
        self._unspooled: deque[Outgoing] = deque()
        self._news = threading.Event()
        self._uploaded = self._failures = self._unreported = self._paused = 0
        self._last_upload: float | None = None

    # -------------------------------------------------------------------------------------------- running
    def run(self, stop: threading.Event) -> None:
        """Collects and uploads until ``stop`` is set, then flushes; what S3 does not take in time stays spooled."""
        done = threading.Event()
        collectors = [threading.Thread(target=self._collect_until, args=(s, stop), daemon=True) for s in self._sources]
        uploader = threading.Thread(target=self._upload_until, args=(done,), daemon=True)
        for thread in (*collectors, uploader):
            thread.start()
        while not stop.wait(min(0.25, self._flush_seconds)):
            self.flush(only_due=True)
        deadline = time.monotonic() + self._stop_seconds
        for thread in collectors:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.flush()
        while self._spool.count and time.monotonic() < deadline:
            done.wait(0.02)
        done.set()
        self._news.set()
        uploader.join(self._stop_seconds)
        if self._spool.count:
            log.warning("%d objects stay in %s and are sent by the next run", self._spool.count, self._spool.folder)

    def _collect_until(self, scheduled: Scheduled, stop: threading.Event) -> None:
        interval = scheduled.interval
        last = 0.0
        while not stop.is_set():
            # The grid of whole intervals: a late round skips to the newest point instead of hurrying after.
            due = self._clock() // interval * interval
            if due > last:
                last = due
                self.collect(scheduled, due)
            stop.wait(max(0.001, due + interval - self._clock()))

    def _upload_until(self, done: threading.Event) -> None:
        failed = 0
        while not done.is_set():
            try:
                arrived = self.upload()
            except Exception:
                log.exception("the spool can't be read")
                arrived = False
            if arrived:
                failed = 0
                self._news.wait(1)
                self._news.clear()
            else:
                pause = min(LONGEST_RETRY_SECONDS, self._first_retry * 2.0**failed)
                failed = min(failed + 1, 16)
                done.wait(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter

    # ---------------------------------------------------------------------------------------------- steps
    def collect(self, scheduled: Scheduled, at: float) -> None:
        """Reads one source at ``at`` into the buffer.

        While the spool is full nothing is read: counters go on counting at their source and delta counters cover
        the pause at the next collection, which dropping finished samples would not give.
        """
        if self._unspooled or self._spool.bytes >= self._spool.max_bytes - self._flush_bytes:
            with self._lock:
                self._paused += 1
            log.error("%s not collected, the spool is full: %d bytes wait", scheduled.source.name, self._spool.bytes)
            return
        try:
            collected = scheduled.source.collect(at, scheduled.since)
        except Exception:
            log.exception("%s could not be collected", scheduled.source.name)
            return
        scheduled.since = at
        for problem in collected.problems:
            log.warning("%s: %s", scheduled.source.name, problem)
        lines = [encode(sample) for sample in self._due(scheduled, collected.samples, at)]
        with self._lock:
            buffer = self._buffers.setdefault(scheduled.interval, _Buffer())
            if not buffer.lines:
                buffer.begun = self._clock()
            buffer.lines += lines
            buffer.size += sum(len(line.text) for line in lines)

    def _due(self, scheduled: Scheduled, samples: Sequence[Sample], at: float) -> list[Sample]:
        """Samples whose tier is due. Deltas and histograms always are: what they counted would be lost."""
        due = set()
        for tier in self._catalogue.tiers.values():
            last = scheduled.kept.get(tier.number)
            if last is None or at - last >= max(tier.resolution_seconds, scheduled.interval) - 0.001:
                scheduled.kept[tier.number] = at
                due.add(tier.number)
        kept = []
        for sample in samples:
            metric = self._catalogue.get(sample.metric_type)
            if metric is None or metric.tier in due or metric.temporality == "delta" or metric.kind == "histogram":
                kept.append(sample)
        return kept

    def flush(self, *, only_due: bool = False) -> None:
        """Writes the buffers to the spool; ``only_due`` those that are old or large enough."""
        with self._flushing:
            for interval in list(self._buffers):
                self._take(interval, only_due)
            while self._unspooled:
                try:
                    self._spool.add(self._unspooled[0])
                except (SpoolFull, OSError) as error:
                    log.error("%d objects wait in memory: %s", len(self._unspooled), error)
                    break
                self._unspooled.popleft()
        self._news.set()

    def _take(self, interval: float, only_due: bool) -> None:
        """Moves a buffer that is due to the objects that go to the spool."""
        with self._lock:
            buffer = self._buffers[interval]
            young = self._clock() - buffer.begun < self._flush_seconds and buffer.size < self._flush_bytes
            if not buffer.lines or (only_due and young):
                return
            self._buffers[interval] = _Buffer()
            lines = buffer.lines + self._own_samples()
        self._unspooled += pack(lines, spacing=interval, max_bytes=self._flush_bytes)

    def _own_samples(self) -> list[Line]:
        """Upload failures since the last time, as a sample of their own."""
        failures, self._unreported = self._unreported, 0  # under the lock of the caller
        if not failures:
            return []
        metric = self._catalogue["s3_upload_failures"]
        sample = make_sample(
            timestamp=round(self._clock(), 3),
            metric_type=metric.key,
            value=failures,
            unit=metric.unit,
            hostname=socket.gethostname(),
            environment=self._environment,
            region=self._region,
        )
        return [encode(sample)]

    def upload(self) -> bool:
        """Sends what waits, oldest first, until an object does not arrive; False when that happened."""
        for entry in self._spool.pending():
            try:
                self._put(self._spool.read(entry))
                self._spool.remove(entry)
            except Exception as error:  # noqa: BLE001 - whatever it was, the object stays and is tried again
                with self._lock:
                    self._failures += 1
                    self._unreported += 1
                log.warning("upload of %s failed, %d objects wait: %s", entry.key, self._spool.count, error)
                return False
            self._uploaded += 1
            self._last_upload = self._clock()
        return True

    def status(self) -> Status:
        """A snapshot."""
        return Status(
            self._spool.count, self._spool.bytes, self._uploaded, self._failures, self._paused, self._last_upload
        )
