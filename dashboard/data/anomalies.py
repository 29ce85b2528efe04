"""Marks of what was unusual in a series: detectors that are kept going between looks. No look ever waits for one.

Of a range of a day the first look has its past read in the background, a few days before the range, so that its rhythm
is known; from then on only buckets that have closed since are read, once for all viewers. Of a longer range the very
lines that are shown are judged, for they hold history, which the hot tables do not.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final, Literal, NamedTuple

from backend.contract.anomaly import Anomaly, Detector
from backend.contract.ranges import TimeRange, level_for
from backend.contract.rollup import OTHER
from backend.contract.tables import HOUR, LATENESS_ALLOWANCE_SECONDS, MINUTE
from dashboard.data.points import Points, Stat
from dashboard.data.ranged import SeriesSource
from dashboard.data.ranged_merge import MINUTES_UP_TO
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest

logger = logging.getLogger(__name__)

DAY: Final = 86400.0
FINE: Final = 300.0
"""Seconds of the buckets of ranges that DynamoDB is read for in minutes."""
QUARTER, WHOLE = 900.0, 3600.0
"""Seconds of the buckets of longer ones, and of those whose lines are hours."""
WARM_UP: Final = 4 * DAY
"""Read before the range. A rhythm of the day takes a day for the level, one to be learned, one to be tried."""
HORIZON: Final = 12 * DAY
"""How far back one reading goes that is then kept up to date; what is older is looked at once, as it was."""
OVERLAP: Final = 2 * 3600.0
"""What was read is asked for again, for samples that come late."""
SLICE: Final = DAY
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
    """What one watch is kept for. ``days``: of a past range, its first and last day; None where it moves on.
    ``shown``: how far apart the points of the lines lie that are judged, seconds; None where they are read for it."""

    metric: str
    environment: str
    stat: Stat
    group: str | None
    step: float
    days: tuple[float, float] | None
    shown: float | None = None


@dataclass(slots=True)
class _Line:
    detector: Detector = field(default_factory=Detector)
    fed_to: float = -inf
    marks: list[Mark] = field(default_factory=list)


@dataclass(slots=True)
class _Watch:
    """One series request's detectors. Only the reading thread touches ``lines``; looks see ``marks`` and ``state``.

    ``since`` is where its lines begin, epoch s; ``until`` where a past range ends.
    """

    request: SeriesRequest
    step: float
    since: float
    until: float | None
    lines: dict[str, _Line] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    state: State = "learning"
    read_to: float = -inf
    tried_at: float = -inf
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

    def found(self, answers: Sequence[SeriesAnswer], now: float) -> tuple[Noticed, ...]:
        """What was unusual in the range of each answer that is shown, ascending; empty while its past is being read.

        Never computes: what has come since is judged in the background and is in a later answer.
        """
        return tuple(self._noticed(answer, now) for answer in answers)

    def close(self) -> None:
        """Ends the reading thread."""
        self._closing.set()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _noticed(self, answer: SeriesAnswer, now: float) -> Noticed:
        span = answer.request.range
        long = span.seconds > MINUTES_UP_TO
        if long and answer.step_seconds > WHOLE:
            # Too far apart for a detector.
            return Noticed((), None)
        watch = self._shown(answer, now) if long else self._watch(answer.request, now)
        return Noticed(tuple(mark for mark in watch.marks if span.start <= mark.at <= span.end), watch.state)

    def _shown(self, answer: SeriesAnswer, now: float) -> _Watch:
        """The watch of lines that are shown, with what closed since, or came before them, on its way to be judged."""
        request, span = answer.request, answer.request.range
        step = max(WHOLE if level_for(span.seconds) == HOUR else QUARTER, answer.step_seconds)
        until = None if span.live else span.end
        key = _Key(
            request.metric.key, request.environment, request.stat, request.group, step,
            None if until is None else (span.start, span.end), answer.step_seconds,
        )  # fmt: skip
        begins = min((points[0][0] for _, points in answer.lines if points), default=inf)
        with self._lock:
            watch = self._watches.get(key)
            if watch is None or watch.request.metric != request.metric:
                watch = self._watches[key] = _Watch(request, step, begins, until)
            elif begins < watch.since and not watch.reading:
                # History has come: what was learned without it is learned again, and until then stays.
                watch = self._watches[key] = replace(
                    watch, since=begins, lines={}, state="learning", read_to=-inf, tried_at=-inf
                )
            due = self._due(key, watch, now)
        if due:
            self._start(watch, lambda: self._read(watch, lambda closed: self._judge(watch, answer.lines, closed)))
        return watch

    def _due(self, key: _Key, watch: _Watch, now: float) -> bool:
        """Whether something closed that nobody has begun to take in yet; called with the lock held."""
        self._watches.move_to_end(key)
        self._forget()
        due = not watch.reading and watch.read_to < watch.closed(now) and now - watch.tried_at >= RETRY_SECONDS
        watch.reading = watch.reading or due
        return due

    def _watch(self, request: SeriesRequest, now: float) -> _Watch:
        """The request's watch, with a reading on its way where a bucket has closed since the last."""
        since = (request.range.start - WARM_UP) // DAY * DAY
        recent = since >= now - HORIZON
        until = None if recent else -(-request.range.end // DAY) * DAY
        key = _Key(
            request.metric.key, request.environment, request.stat, request.group, FINE,
            None if until is None else (since, until),
        )  # fmt: skip
        with self._lock:
            watch = self._watches.get(key)
            if watch is None or watch.since > since or watch.request.metric != request.metric:
                watch = self._watches[key] = _Watch(request, FINE, since, until)
            due = self._due(key, watch, now)
        if due:
            self._start(watch, lambda: self._read(watch, lambda closed: self._feed(watch, closed)))
        return watch

    def _start(self, watch: _Watch, job: Callable[[], None]) -> None:
        if self._submit is not None:
            self._submit(job)
        elif self._pool is not None and not self._closing.is_set():
            self._pool.submit(self._politely, watch, job)

    def _politely(self, watch: _Watch, job: Callable[[], None]) -> None:
        if watch.state != "learning" or not self._closing.wait(PAUSE_SECONDS):
            job()

    def _forget(self) -> None:
        """Drops what was not looked at for longest; a new watch counts as one line until it is read."""
        lines = sum(max(len(watch.lines), 1) for watch in self._watches.values())
        while lines > MAX_LINES and len(self._watches) > 1:
            _, oldest = self._watches.popitem(last=False)
            lines -= max(len(oldest.lines), 1)

    def _read(self, watch: _Watch, feed: Callable[[float], None]) -> None:
        with self._one_at_a_time:
            watch.tried_at = now = self._clock()
            try:
                feed(watch.closed(now))
            except Exception:
                logger.warning("can't look for anomalies in %s; trying again", watch.request.metric.key, exc_info=True)
            finally:
                watch.reading = False

    def _feed(self, watch: _Watch, closed: float) -> None:
        start = max(watch.since, watch.read_to - OVERLAP)
        while start < closed and not self._closing.is_set():
            end = min(start + SLICE, closed)
            request = replace(watch.request, range=TimeRange(start, end - 1.0, live=False), finest=MINUTE)
            _take_in(watch, self._series.answer(request).lines, closed)
            start = end
        watch.lines = {name: line for name, line in watch.lines.items() if line.fed_to >= closed - HORIZON}
        self._done(watch, closed)

    def _judge(self, watch: _Watch, lines: Sequence[tuple[str, Points]], closed: float) -> None:
        """Takes in what the lines that are shown hold besides what was judged already."""
        names = {name for name, _ in lines}
        watch.lines = {name: line for name, line in watch.lines.items() if name in names}
        _take_in(watch, lines, closed)
        self._done(watch, closed)

    @staticmethod
    def _done(watch: _Watch, closed: float) -> None:
        watch.marks = tuple(sorted((m for line in watch.lines.values() for m in line.marks), key=lambda m: m.at))
        ready = any(line.detector.ready for line in watch.lines.values())
        watch.state = "ready" if ready else "not_enough" if watch.lines else "no_data"
        watch.read_to = closed


def _take_in(watch: _Watch, lines: Sequence[tuple[str, Points]], closed: float) -> None:
    for name, points in lines:
        if name != OTHER and (name in watch.lines or len(watch.lines) < LINES_A_SERIES):
            line = watch.lines.setdefault(name, _Line())
            newer = points[bisect_right(points, line.fed_to, key=lambda point: point[0]) :]
            _advance(line, name, bucketed(newer, watch.step, watch.request.stat, closed))


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
