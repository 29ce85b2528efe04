"""Forecasts of every limited resource, made in the background once an hour and shared by all views; within the hour
again where history has come, or other days lie in it.

A look never waits for them: it gets the last ones, or none yet. What is fitted is bounded whatever the fleet: of each
metric the few groups nearest to their limit, all together, and the fleet's 95th percentile.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from backend.contract.catalogue import Catalogue
from backend.contract.ranges import TimeRange
from backend.contract.tables import HOUR as HOURS
from dashboard.data.bands import QUANTILES, Bands
from dashboard.data.capacity_costs import Amounts, amounts, cost_requests
from dashboard.data.forecast import DAY, HOUR, Forecast, Shortage, forecast
from dashboard.data.limits import FLEET, WATCHED, Prospect, Watched, limit_of, pressing, usual_spacing
from dashboard.data.points import Points
from dashboard.data.ranged import OFF, RangedAnswers
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest
from dashboard.data.source import LIVE, Source

logger = logging.getLogger(__name__)

HISTORY_DAYS: Final = 30
"""What forecasts are made from: long enough for the week's rhythm, hot as hours."""
MOST_OUTLOOKS: Final = 32
AGAIN_SECONDS: Final = 30.0
"""How soon after a failure, or where history is not there yet, the next look tries again."""
CHECK_SECONDS: Final = 600.0
"""How soon a look has it seen whether other days lie in history now. Nothing is fitted again where none do."""
PAUSE_SECONDS: Final = 2.0
"""Before anything is read: the page that asked reads its own range, and what it waits for comes first."""
PATIENCE_SECONDS: Final = 30.0
"""For how long beyond that the histories of pages come first."""
LOOK_SECONDS: Final = 0.25
LONGEST_WAIT: Final = 180
"""Seconds for which history is waited for, in the background."""


class Ranged(Protocol):
    """Where lines of any range are read: ``dashboard.data.ranged.RangedSeries``."""

    def read(self, requests: Sequence[SeriesRequest], now: float) -> RangedAnswers:
        """The answers in the order of the requests."""

    def bands(self, request: SeriesRequest, now: float) -> Bands | None:
        """How the groups of a fleet spread, of a request that was read; None where lines show each of them."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """As of the hour that ended at ``at``, epoch s. ``amounts`` is what a month uses, for its cost.

    ``error`` in one line why there is none; ``source`` says whether the history that it takes is in it.
    """

    at: float = 0.0
    prospects: tuple[Prospect, ...] = ()
    amounts: Amounts = field(default_factory=Amounts)
    source: Source = LIVE
    error: str = ""


@dataclass(slots=True)
class _Slot:
    outlook: Outlook | None = None
    key: tuple[float, frozenset[str]] = (0.0, frozenset())
    waiting: bool = False
    failed: bool = False
    tried_at: float = 0.0
    made_from: object = None
    """What tells whether it would be made of something else now."""

    @property
    def again_seconds(self) -> float:
        """How long what was made is not looked after."""
        source = LIVE if self.outlook is None else self.outlook.source
        late = self.failed or (source.state != "done" and source.error != OFF)
        return AGAIN_SECONDS if late else CHECK_SECONDS


_Place = tuple[str, str | None]


class ForecastService:
    """Outlooks by environment and host; thread-safe, one thread of its own.

    ``pause`` is how many seconds it lets pass before it begins; while ``busy``, a page's own history is being read.
    """

    def __init__(
        self,
        ranged: Ranged,
        seen: Callable[[], frozenset[tuple[str, str]]],
        catalogue: Catalogue,
        clock: Callable[[], float],
        pause: float = PAUSE_SECONDS,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ranged = ranged
        self._seen = seen
        self._catalogue = catalogue
        self._clock = clock
        self._pause = pause
        self._busy = busy
        self._slots: OrderedDict[_Place, _Slot] = OrderedDict()
        self._working = False
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="forecast")

    def outlook(self, environment: str, host: str | None = None) -> tuple[Outlook | None, bool]:
        """The last outlook, None before the first one is there, and whether a newer one is being made. Never waits.

        Raises the reader's error where it was never read which metrics there are.
        """
        now = self._clock()
        connected = frozenset(name for place, name in self._seen() if place == environment)
        key = now // HOUR * HOUR, connected
        with self._lock:
            # A host's outlook takes what is not its own from that of the whole environment.
            for place in dict.fromkeys([(environment, host), (environment, None)]):
                self._want(place, key, now)
            while len(self._slots) > MOST_OUTLOOKS:
                self._slots.popitem(last=False)
            if not self._working and not self._closing.is_set() and self._next() is not None:
                self._working = True
                self._pool.submit(self._work)
            slot = self._slots[environment, host]
            return slot.outlook, slot.waiting

    def _want(self, place: _Place, key: tuple[float, frozenset[str]], now: float) -> None:
        """Has an outlook made where none was for this hour and these metrics, or what it is made of may be another."""
        slot = self._slots.setdefault(place, _Slot())
        self._slots.move_to_end(place)
        due = slot.key != key or now - slot.tried_at >= slot.again_seconds
        if due and not slot.waiting:
            slot.waiting, slot.key, slot.tried_at = True, key, now

    def _next(self) -> _Place | None:
        """What is made next: whole environments first. Nobody waits any more for what was dropped."""
        waiting = (place for place, slot in self._slots.items() if slot.waiting)
        return min(waiting, key=lambda place: place[1] is not None, default=None)

    def _work(self) -> None:
        self._closing.wait(self._pause)
        for _ in range(round(PATIENCE_SECONDS / LOOK_SECONDS)):
            if not self._busy() or self._closing.wait(LOOK_SECONDS):
                break
        while True:
            with self._lock:
                place = None if self._closing.is_set() else self._next()
                self._working = place is not None
                if place is None:
                    return
                slot, base = self._slots[place], self._slots.get((place[0], None))
                whole = None if place[1] is None or base is None else base.outlook
            self._make(slot, *place, whole)

    def close(self) -> None:
        """Ends the thread; what it is fitting is given up after the line it is at."""
        self._closing.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _make(self, slot: _Slot, environment: str, host: str | None, whole: Outlook | None) -> None:
        try:
            made = self._outlook(slot, environment, host, whole or Outlook())
        except Exception as error:
            logger.warning("can't make forecasts for %s; trying again", environment, exc_info=True)
            made, slot.made_from = Outlook(error=f"{type(error).__name__}: {error}"), None
        with self._lock:
            slot.failed = bool(made.error)
            if not slot.failed or slot.outlook is None or slot.outlook.error:
                slot.outlook = made
            slot.waiting = False

    def _outlook(self, slot: _Slot, environment: str, host: str | None, whole: Outlook) -> Outlook:
        """``whole`` is the environment's own, which a host's shares."""
        connected, now = slot.key[1], slot.tried_at
        if host is not None and whole.error:
            return whole
        end = now // HOUR * HOUR
        wanted = TimeRange(end - HISTORY_DAYS * DAY, end, live=False)
        limited = limit_requests(self._catalogue, connected, environment, wanted, host)
        priced = cost_requests(self._catalogue, connected, environment, wanted) if host is None else []
        if not (limited or priced):
            return replace(whole, at=end, prospects=_shared(whole))
        found = self._read([*limited, *priced], now)
        made_from = (found.source.state, _extent(found), whole)
        if slot.outlook is not None and slot.outlook.at == end and slot.made_from == made_from:
            return slot.outlook
        slot.made_from = made_from
        by_key: dict[str, list[SeriesAnswer]] = {}
        for answer in found.answers[: len(limited)]:
            by_key.setdefault(answer.request.metric.key, []).append(answer)
        prospects = tuple(self._prospects(by_key, end, now))
        if host is not None:
            return replace(whole, at=end, prospects=(*prospects, *_shared(whole)), source=found.source)
        used = amounts(found.answers[len(limited) :], self._catalogue, connected, end)
        return Outlook(end, prospects, used, found.source)

    def _read(self, requests: Sequence[SeriesRequest], now: float) -> RangedAnswers:
        """The answers, waiting for history where it is asked for: nobody waits for this thread."""
        found = self._ranged.read(requests, now)
        for _ in range(LONGEST_WAIT):
            if found.source.state != "running" or self._closing.wait(1.0):
                break
            found = self._ranged.read(requests, now)
        return found

    def _prospects(self, answers: Mapping[str, Sequence[SeriesAnswer]], end: float, now: float) -> Iterator[Prospect]:
        for watched in WATCHED:
            for name, points in self._lines(watched, answers.get(watched.key, ()), now):
                if points and not self._closing.is_set():
                    metric = self._catalogue[watched.key]
                    made = _forecast(points, end, falls=limit_of(metric).falls)
                    yield Prospect(metric, name, points[-1], made, usual_spacing(points))

    def _lines(self, watched: Watched, answers: Sequence[SeriesAnswer], now: float) -> Iterator[tuple[str, Points]]:
        """The lines of a metric that are worth a forecast. All hosts together are left out where there is one host."""
        several = not any(answer.request.group is None and len(answer.lines) < 2 for answer in answers)
        for answer in answers:
            lines = dict(answer.lines)
            if answer.request.group is not None:
                yield from answer.lines if several else ()
                continue
            chosen = pressing(answer.lines, limit_of(answer.request.metric))
            yield from ((name, lines[name]) for name in chosen)
            if watched.per_host and (bands := self._ranged.bands(answer.request, now)) is not None:
                yield FLEET, bands.lines[QUANTILES.index(0.95)]


def _extent(found: RangedAnswers) -> list[tuple[str, str, str, int, Points]]:
    """Which lines there are, how many hours each has, and its ends: other than before once days come to history."""
    return [
        (answer.request.metric.key, answer.request.stat, name, len(points), [*points[:1], *points[-1:]])
        for answer in found.answers
        for name, points in answer.lines
    ]


def _shared(whole: Outlook) -> tuple[Prospect, ...]:
    """What does not follow the host filter."""
    own = {watched.key for watched in WATCHED if watched.per_host}
    return tuple(prospect for prospect in whole.prospects if prospect.metric.key not in own)


def limit_requests(
    catalogue: Catalogue, connected: frozenset[str], environment: str, wanted: TimeRange, host: str | None
) -> list[SeriesRequest]:
    """What forecasts are made from, at the level of hours; of one host only what is its own."""
    asked = []
    for watched in WATCHED:
        if watched.key in connected and (watched.per_host or host is None):
            groups = [host if watched.grouped else ALL]
            if watched.per_host and host is None:
                groups.append(ALL)
            metric = catalogue[watched.key]
            asked += [SeriesRequest(metric, environment, wanted, "avg", group, HOURS, settled=True) for group in groups]
    return asked


def _forecast(points: Points, end: float, *, falls: bool) -> Forecast | Shortage | None:
    """None, and a line in the log, where the model can't be fitted to what is there."""
    try:
        return forecast(points, end, falls=falls)
    except (ValueError, ArithmeticError) as error:
        logger.warning("no forecast of %d points: %s", len(points), error)
        return None
