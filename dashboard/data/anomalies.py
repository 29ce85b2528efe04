"""Marks of what was unusual in a series: detectors that are kept going between looks. No look ever waits for one.

The first look at a series has its past read in the background, a few days before the range, so that its rhythm is
known; from then on only buckets that have closed since are read, once for all viewers.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from backend.contract.anomaly import Anomaly, Detector
from backend.contract.ranges import TimeRange
from backend.contract.rollup import OTHER
from backend.contract.tables import HOUR, LATENESS_ALLOWANCE_SECONDS, MINUTE
from dashboard.data.points import Points, Stat
from dashboard.data.ranged import SeriesSource
from dashboard.data.series import ALL, SeriesRequest

logger = logging.getLogger(__name__)

DAY: Final = 86400.0
FINE, COARSE = 300.0, 3600.0
"""Seconds of the buckets that detectors run on, for ranges up to ``FINE_RANGE`` and for longer ones."""
FINE_RANGE: Final = 7 * DAY
WARM_UP: Final = {FINE: 4 * DAY, COARSE: 14 * DAY}
"""Read before the range. A rhythm of the day takes a day for the level, one to be learned, one to be tried."""
HORIZON: Final = {FINE: 12 * DAY, COARSE: 120 * DAY}
"""How far back one reading goes that is then kept up to date; what is older is looked at once, as it was."""
OVERLAP: Final = {FINE: 2 * 3600.0, COARSE: 2 * 3600.0}
"""What was read is asked for again, for samples that come late."""
LEVEL: Final = {FINE: MINUTE, COARSE: HOUR}
SLICE: Final = {FINE: DAY, COARSE: 120 * DAY}
"""What is read at once: the minutes of many days would be held in memory all together, though each is needed once."""
MAX_LINES: Final = 600
"""Detectors kept, 60 KB each: the series of some ten pages with ten hosts."""
LINES_A_SERIES: Final = 40
MARKS_A_LINE: Final = 200
RETRY_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 1.0
"""Before a series' past is read, which takes a second or two of CPU: the page that asked for it comes first."""

State = Literal["ready", "learning", "not_enough", "no_data"]
"""``learning``: its past is being read; ``not_enough``: less than a day of it is there; ``no_data``: none."""


@dataclass(frozen=True, slots=True)
class Mark(Anomaly):
    """An anomaly with the name of its line; "all" where a metric has one line only."""

    line: str = ALL


class Noticed(NamedTuple):
    """What was unusual in a line, and whether nothing in it means that all was usual; None: nobody looks."""

    marks: tuple[Anomaly, ...]
    state: State | None


class _Key(NamedTuple):
    """What one watch is kept for. ``days``: of a past range, its first and last day; None where it moves on."""

    metric: str
    environment: str
    stat: Stat
    group: str | None
    step: float
    days: tuple[float, float] | None


@dataclass(slots=True)
class _Line:
    detector: Detector = field(default_factory=Detector)
    fed_to: float = float("-inf")
    marks: list[Mark] = field(default_factory=list)


@dataclass(slots=True)
class _Watch:
    """One series request's detectors. Only the reading thread touches ``lines``; looks see ``marks`` and ``state``."""

    request: SeriesRequest
    step: float
    since: float
    until: float | None
    lines: dict[str, _Line] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    state: State = "learning"
    read_to: float = float("-inf")
    tried_at: float = float("-inf")
    reading: bool = False

    def closed(self, now: float) -> float:
        """The end of the newest bucket that is not filling any more."""
        end = now - LATENESS_ALLOWANCE_SECONDS
        return (end if self.until is None else min(end, self.until)) // self.step * self.step


class AnomalyService:
    """Anomalies inside the ranges of series requests; thread-safe.

    ``submit`` runs a reading some time later, one after the other: by default in a thread of its own.
    """

    def __init__(
        self,
        series: SeriesSource,
        clock: Callable[[], float],
        submit: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._series = series
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="anomalies") if submit is None else None
        self._submit = submit
        self._closing = threading.Event()
        self._watches: OrderedDict[_Key, _Watch] = OrderedDict()
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def found(self, requests: Sequence[SeriesRequest], now: float) -> tuple[tuple[Mark, ...], ...]:
        """What was unusual in each request's range, ascending; empty while its past is being read.

        Never reads: what has come since is read in the background and is in a later answer.
        """
        return tuple(self._inside(self._watch(request, now), request.range) for request in requests)

    def state(self, request: SeriesRequest, now: float) -> State:
        """Whether an empty answer means that nothing was unusual, or that nobody can tell yet."""
        return self._watch(request, now).state

    def close(self) -> None:
        """Ends the reading thread."""
        self._closing.set()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _inside(watch: _Watch, span: TimeRange) -> tuple[Mark, ...]:
        return tuple(mark for mark in watch.marks if span.start <= mark.at <= span.end)

    def _watch(self, request: SeriesRequest, now: float) -> _Watch:
        """The request's watch, with a reading on its way where a bucket has closed since the last."""
        step = FINE if request.range.seconds <= FINE_RANGE else COARSE
        since = (request.range.start - WARM_UP[step]) // DAY * DAY
        recent = since >= now - HORIZON[step]
        until = None if recent else -(-request.range.end // DAY) * DAY
        key = _Key(
            request.metric.key, request.environment, request.stat, request.group, step,
            None if until is None else (since, until),
        )  # fmt: skip
        with self._lock:
            watch = self._watches.get(key)
            if watch is None or watch.since > since or watch.request.metric != request.metric:
                watch = self._watches[key] = _Watch(request, step, since, until)
            self._watches.move_to_end(key)
            self._forget()
            due = not watch.reading and watch.read_to < watch.closed(now) and now - watch.tried_at >= RETRY_SECONDS
            watch.reading = watch.reading or due
        if due:
            self._start(watch)
        return watch

    def _start(self, watch: _Watch) -> None:
        if self._submit is not None:
            self._submit(lambda: self._read(watch))
        elif self._pool is not None and not self._closing.is_set():
            self._pool.submit(self._read_politely, watch)

    def _read_politely(self, watch: _Watch) -> None:
        if watch.state != "learning" or not self._closing.wait(PAUSE_SECONDS):
            self._read(watch)

    def _forget(self) -> None:
        """Drops what was not looked at for longest; a new watch counts as one line until it is read."""
        lines = sum(max(len(watch.lines), 1) for watch in self._watches.values())
        while lines > MAX_LINES and len(self._watches) > 1:
            _, oldest = self._watches.popitem(last=False)
            lines -= max(len(oldest.lines), 1)

    def _read(self, watch: _Watch) -> None:
        with self._one_at_a_time:
            watch.tried_at = now = self._clock()
            try:
                self._feed(watch, watch.closed(now))
            except Exception:
                logger.warning("can't look for anomalies in %s; trying again", watch.request.metric.key, exc_info=True)
            finally:
                watch.reading = False

    def _feed(self, watch: _Watch, closed: float) -> None:
        start = max(watch.since, watch.read_to - OVERLAP[watch.step])
        while start < closed and not self._closing.is_set():
            end = min(start + SLICE[watch.step], closed)
            request = replace(watch.request, range=TimeRange(start, end - 1.0, live=False), finest=LEVEL[watch.step])
            for name, points in self._series.answer(request).lines:
                if name != OTHER and (name in watch.lines or len(watch.lines) < LINES_A_SERIES):
                    line = watch.lines.setdefault(name, _Line())
                    _advance(line, name, bucketed(points, watch.step, watch.request.stat, closed))
            start = end
        watch.lines = {name: line for name, line in watch.lines.items() if line.fed_to >= closed - HORIZON[watch.step]}
        watch.marks = tuple(sorted((m for line in watch.lines.values() for m in line.marks), key=lambda m: m.at))
        ready = any(line.detector.ready for line in watch.lines.values())
        watch.state = "ready" if ready else "not_enough" if watch.lines else "no_data"
        watch.read_to = closed


def _advance(line: _Line, name: str, points: Points) -> None:
    for at, value in points:
        if at <= line.fed_to:
            continue
        found = line.detector.update(at, value)
        line.fed_to = at
        if found is not None:
            mark = Mark(found.at, found.value, found.expected, found.low, found.high, found.score, found.kind, name)
            line.marks = [*line.marks, mark][-MARKS_A_LINE:]


def bucketed(points: Points, step: float, stat: Stat, closed: float) -> Points:
    """Points as buckets of ``step`` seconds that end by ``closed``, at their begin.

    A bucket is its points' average; of maxima and percentiles, which must not be averaged, the greatest.
    """
    slots: dict[float, list[float]] = {}
    for at, value in points:
        slot = at // step * step
        if slot + step <= closed:
            slots.setdefault(slot, []).append(value)
    return [(slot, _as_one(values, stat)) for slot, values in sorted(slots.items())]


def _as_one(values: Sequence[float], stat: Stat) -> float:
    if stat == "min":
        return min(values)
    if stat == "last":
        return values[-1]
    if stat in ("max", "p50", "p95", "p99"):
        return max(values)
    return sum(values) / len(values)
