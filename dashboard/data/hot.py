"""The hot store: columns of recent metrics in memory, so that a refresh reads only the tail and reads it once for all.

A column is one metric, environment and level. Its first use reads the range asked for; every later refresh queries
from the last closed bucket minus the lateness allowance. What arrives later than that is announced by the processor
in the LATE partition and read again. Samples and buckets are replaced whole, so a view under way sees one state.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import orjson

from backend.contract.bucket import LOOKBACK_SECONDS, Samples
from backend.contract.rollup import Merged, gather
from backend.contract.tables import (
    HOUR,
    LATE,
    LATENESS_ALLOWANCE_SECONDS,
    LEVEL_SECONDS,
    LIVE,
    MERGE_STATE,
    MINUTE,
    SEEN,
    partition,
)
from dashboard.data.flight import SingleFlight
from dashboard.data.reader import Row
from dashboard.data.ticks import same_tick

logger = logging.getLogger(__name__)

KEEP_SECONDS: Final = {LIVE: 6 * 3600, MINUTE: 50 * 3600, HOUR: 400 * 86400}
"""How far back a column stays in memory at most: of minutes a day and the one before it, 3 KB a minute and metric."""
LEAST_REFRESH: Final = {LIVE: 0.0, MINUTE: 20.0, HOUR: 120.0}
"""Merged levels change once a minute or an hour: asking more often reads the same again."""
LATE_OVERLAP_SECONDS: Final = 30
"""Late announcements are read again this long: an index shows new items a moment late."""
TROUBLE_SECONDS: Final = 60.0
"""A failed refresh that nobody asked for again is no news after this long."""
LATE_AT_START_SECONDS: Final = 3600
"""How far back a new process looks for announcements that the merge may not have worked through."""
MAX_PENDING: Final = 1000
MAX_COLUMNS: Final = 600


class Reader(Protocol):
    """What the hot store reads through."""

    def query(self, partition: str, start: float, end: float) -> list[Row]:
        """Rows of an index partition, ascending."""


class Wanted(NamedTuple):
    """One column and how far back it is needed, epoch s."""

    metric: str
    environment: str
    level: str
    start: float


class _Late(NamedTuple):
    """Minutes of one metric, ``first`` to ``last``, that samples were written to at ``at``, later than usual."""

    at: float
    environment: str
    metric: str
    first: float
    last: float


@dataclass(slots=True)
class Column:
    """One metric, environment and level, as far as it was read: [``covered_from``, ``covered_to``], epoch seconds.

    ``reopen_from`` lies before ``covered_to`` when something earlier has changed since it was read.
    """

    name: str
    level: str
    covered_from: float = float("inf")
    covered_to: float = 0.0
    reopen_from: float = float("inf")
    refreshed_at: float = 0.0
    tried_at: float = 0.0
    used_at: float = 0.0
    version: int = 0
    samples: Samples = field(default_factory=dict)
    merged: Mapping[float, Merged] = field(default_factory=dict)
    error: str | None = None

    def replace(self, rows: Iterable[Row], start: float, end: float, keep_from: float) -> None:
        """Puts what was read for [start, end] in place of what was there and forgets what is older than needed."""
        if self.level == LIVE:
            fresh = gather((int(row.timestamp), row.data) for row in rows)
            self.samples = _replaced(self.samples, fresh, start, end + LEVEL_SECONDS[LIVE], keep_from)
        else:
            kept = {t: m for t, m in self.merged.items() if t >= keep_from and not start <= t <= end}
            kept.update((row.timestamp, Merged.decode(row.data)) for row in rows)
            self.merged = dict(sorted(kept.items()))
        self.version += 1


class HotStore:
    """Columns by name, refreshed when asked for and older than ``refresh_seconds``; thread-safe.

    A read that fails keeps the last good column; its ``error`` says so and its age grows.
    """

    def __init__(
        self,
        reader: Reader,
        refresh_seconds: float,
        clock: Callable[[], float] = time.time,
        workers: int = 8,
    ) -> None:
        self._reader = reader
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._columns: dict[str, Column] = {}
        self._lock = threading.Lock()
        self._flight: SingleFlight[Column] = SingleFlight()
        self._seen_flight: SingleFlight[None] = SingleFlight()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="hot")
        self._seen: frozenset[tuple[str, str]] = frozenset()
        self._seen_at = 0.0
        self._late_until = clock() - LATE_AT_START_SECONDS
        self._late_at = 0.0
        self._late_known: Counter[Row] = Counter()
        self._late_lock = threading.Lock()
        self._pending: list[_Late] = []

    def columns(self, wanted: Iterable[Wanted]) -> dict[tuple[str, str], Column]:
        """The columns asked for by (metric, level), each at most ``refresh_seconds`` old where DynamoDB answers.

        Metrics never seen in their environment cost no query and give empty columns. Raises the reader's error only
        for a column that has never been read.
        """
        self.seen()
        asked = list(wanted)
        self._follow_late()
        futures = {(w.metric, w.level): self._pool.submit(self._column, w) for w in asked}
        return {key: future.result() for key, future in futures.items()}

    def closed(self, metric: str, environment: str, level: str, start: float, end: float) -> Column:
        """A column of a past range only, read once per call and kept by nobody but the caller.

        Raises the reader's error.
        """
        column = Column(partition(metric, level, environment), level)
        if (environment, metric) in self.seen():
            rows = self._reader.query(column.name, start, end)
            column.replace(rows, start, end, start - LEVEL_SECONDS[level])
        column.covered_from, column.covered_to = start, end
        return column

    def seen(self) -> frozenset[tuple[str, str]]:
        """All (environment, metric_type) that ever arrived."""
        now = self._clock()
        if not same_tick(self._seen_at, now, self._refresh_seconds):
            self._seen_flight.do("seen", lambda: self._read_seen(now))
        return self._seen

    def environments(self) -> tuple[str, ...]:
        """Every environment that ever sent a sample, sorted."""
        return tuple(sorted({environment for environment, _ in self.seen()}))

    def trouble(self) -> tuple[str, float] | None:
        """Why columns in use could not be refreshed just now, and the epoch second of the oldest of them."""
        now = self._clock()
        with self._lock:
            failing = [c for c in self._columns.values() if c.error is not None and now - c.tried_at < TROUBLE_SECONDS]
        if not failing:
            return None
        oldest = min(failing, key=lambda column: column.refreshed_at)
        return oldest.error or "", oldest.refreshed_at

    def unmerged(self, metric: str, environment: str) -> list[tuple[float, float]]:
        """First and last minute (epoch s) of what came late and has not been merged yet, as of the last refresh."""
        return [(p.first, p.last) for p in self._pending if p.metric == metric and p.environment == environment]

    def close(self) -> None:
        """Ends the worker threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _read_seen(self, now: float) -> None:
        if same_tick(self._seen_at, now, self._refresh_seconds):
            return
        try:
            rows = self._reader.query(SEEN, 0, now)
        except Exception:
            if not self._seen_at:
                raise
            logger.warning("can't read which metrics exist; keeping the last answer", exc_info=True)
        else:
            self._seen = frozenset((row.environment, row.metric) for row in rows)
        self._seen_at = now

    def _column(self, wanted: Wanted) -> Column:
        name = partition(wanted.metric, wanted.level, wanted.environment)
        if (wanted.environment, wanted.metric) not in self._seen:
            return Column(name, wanted.level)
        now = self._clock()
        with self._lock:
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = Column(name, wanted.level, used_at=now)
                self._forget_oldest()
            column.used_at = now
        return (
            column
            if self._fresh(column, wanted.start, now)
            else self._flight.do(name, lambda: self._refresh(column, wanted.start))
        )

    def _refresh(self, column: Column, start: float) -> Column:
        now = self._clock()
        if self._fresh(column, start, now):
            return column
        step = LEVEL_SECONDS[column.level]
        keep_from = (now - KEEP_SECONDS[column.level]) // step * step
        start = max(start // step * step, keep_from)
        column.tried_at = now
        with self._lock:
            changed, column.reopen_from = column.reopen_from, float("inf")
        try:
            if start < column.covered_from:
                self._read(column, start, min(column.covered_from, now + step), keep_from)
                column.covered_from = start
            if column.covered_to:
                tail = min(column.covered_to // step * step - step - LATENESS_ALLOWANCE_SECONDS, changed)
                self._read(column, max(tail // step * step, column.covered_from, keep_from), now + step, keep_from)
            column.covered_from = max(column.covered_from, keep_from)
            column.covered_to = column.refreshed_at = now
            column.error = None
        except Exception as error:
            with self._lock:
                column.reopen_from = min(column.reopen_from, changed)
            if not column.covered_to:
                raise
            column.error = f"{type(error).__name__}: {error}"
            logger.warning("can't refresh %s; keeping the last good data", column.name, exc_info=True)
        return column

    def _fresh(self, column: Column, start: float, now: float) -> bool:
        every = max(self._refresh_seconds, LEAST_REFRESH[column.level])
        reach = max(start, now - KEEP_SECONDS[column.level] + LEVEL_SECONDS[column.level])
        if column.error is not None and same_tick(column.tried_at, now, every):
            return True
        unchanged = column.reopen_from == float("inf")
        return unchanged and same_tick(column.refreshed_at, now, every) and reach >= column.covered_from

    def _read(self, column: Column, start: float, end: float, keep_from: float) -> None:
        column.replace(self._reader.query(column.name, start, end), start, end, keep_from)

    def _follow_late(self) -> None:
        """Makes columns read again what came late: live ones now, merged ones when the merge has been there."""
        now = self._clock()
        with self._lock:
            if same_tick(self._late_at, now, self._refresh_seconds):
                return
            self._late_at = now
        if not self._late_lock.acquire(blocking=False):
            return
        try:
            for late in self._new_late(now):
                self._reopen(late, (LIVE,))
                self._pending.append(late)
            self._reopen_merged()
        except Exception:
            logger.warning("can't read late arrivals; trying again at the next refresh", exc_info=True)
        finally:
            self._late_lock.release()

    def _new_late(self, now: float) -> list[_Late]:
        rows = self._reader.query(LATE, self._late_until - LATE_OVERLAP_SECONDS, now + LATE_OVERLAP_SECONDS)
        known, self._late_known = self._late_known, Counter(rows)
        self._late_until = now
        return [
            _Late(row.timestamp, environment, metric, first, last)
            for row in self._late_known - known
            for environment, metrics in orjson.loads(row.data).items()
            for metric, (first, last) in metrics.items()
        ]

    def _reopen_merged(self) -> None:
        if not self._pending:
            return
        rows = self._reader.query(MERGE_STATE, 0, 0)
        state: dict[str, Any] = orjson.loads(rows[0].data) if rows else {"late_until": 0, "waiting": []}
        waiting = {(environment, metric) for environment, metric, _first, _last in state["waiting"]}
        pending: list[_Late] = []
        for late in self._pending:
            if late.at < state["late_until"] and (late.environment, late.metric) not in waiting:
                self._reopen(late, (MINUTE, HOUR))
            else:
                pending.append(late)
        self._pending = pending[-MAX_PENDING:]

    def _reopen(self, late: _Late, levels: Iterable[str]) -> None:
        """Has the columns read again what changed; the merge computes a counter's next minutes again as well."""
        for level in levels:
            column = self._columns.get(partition(late.metric, level, late.environment))
            reach = late.last + LOOKBACK_SECONDS + LEVEL_SECONDS[level]
            if column is not None and reach >= column.covered_from:
                with self._lock:
                    column.reopen_from = min(column.reopen_from, late.first)

    def _forget_oldest(self) -> None:
        if len(self._columns) > MAX_COLUMNS:
            oldest = min(self._columns.values(), key=lambda c: c.used_at)
            del self._columns[oldest.name]


def _replaced(old: Samples, fresh: Samples, start: float, end: float, keep_from: float) -> Samples:
    """``old`` without [start, end) and without what is older than ``keep_from``, plus ``fresh``; times ascending."""
    result: dict[tuple[str, str], Mapping[float, Any]] = {}
    for key in old.keys() | fresh.keys():
        kept = {t: v for t, v in old.get(key, {}).items() if t >= keep_from and not start <= t < end}
        kept.update(fresh.get(key, {}))
        if kept:
            result[key] = dict(sorted(kept.items()))
    return result
