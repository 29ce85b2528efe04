"""All job runs of the last days in memory, kept fresh: what the Jobs page filters without asking DynamoDB."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.jobs import JobRun
from dashboard.data.flight import SingleFlight
from dashboard.data.jobs_columns import Columns, empty, merged, since
from dashboard.data.jobs_query import run_key
from dashboard.data.ticks import same_tick

logger = logging.getLogger(__name__)

DAY: Final = 86_400.0
HELD_DAYS: Final = 30
MAX_RUNS: Final = 200_000
"""Runs held at most: about 35 MB for each 100,000 (benchmarks/jobs_grid.py measures it)."""
REFRESH_SECONDS: Final = 10.0
"""Heartbeats come every 15 seconds: oftener than this there is nothing new to see."""
MARGIN_SECONDS: Final = 300.0
"""Each refresh reads so far back again: starts are recorded a little later than they were."""
SWEEP_SECONDS: Final = 3_600.0
"""How often the last day is read again whole, and with it one of the older days in turn: a journal may bring runs that
ended hours or weeks ago."""
OPEN_DAYS: Final = 8
LONGEST_OPEN_DAYS: Final = 90
"""What goes on is read so far back once, behind the first look: a stream may run for months."""
OLD_SECONDS: Final = 300.0
"""How often runs that go on for more than ``OPEN_DAYS`` are looked at: one that lost its worker never ends."""
UNREADABLE: Final = (BotoCoreError, ClientError, TimeoutError)


class Runs(Protocol):
    """What the store reads through (``backend.jobs.reader.JobReader``)."""

    def runs(self, start: float, end: float) -> Iterator[list[JobRun]]: ...

    def started(self, now: float, days: int = OPEN_DAYS) -> list[JobRun]: ...

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[JobRun]: ...


@dataclass(frozen=True, slots=True)
class Held:
    """The runs as they stand. All that started from ``since`` on are there (epoch s), and those before it that go on.

    A run that was recorded late is there within the hour where it began in the last day, else when its day's turn has
    come.
    ``complete`` is whether ``since`` is as far back as it will go; ``cut`` whether the number of runs ended it before
    the days did. ``read_at`` is when it was last read. ``trouble`` says what could not be read since then.
    """

    columns: Columns
    since: float
    complete: bool
    cut: bool
    read_at: float
    version: int
    trouble: str = ""


class RunStore:
    """Reads once, then only what is new. Thread-safe; one refresh serves all viewers of a process."""

    def __init__(self, reader: Runs, clock: Callable[[], float], days: int = HELD_DAYS, most: int = MAX_RUNS) -> None:
        self._reader = reader
        self._clock = clock
        self._days = days
        self._most = most
        self._held: Held | None = None
        self._tried_at = 0.0
        self._swept_at = 0.0
        self._old_at = 0.0
        self._knows_old = False
        self._lock = threading.Lock()
        self._flight: SingleFlight[Held] = SingleFlight()
        self._filling: threading.Thread | None = None
        self._closed = threading.Event()

    def held(self) -> Held:
        """The runs, read anew where that is due. The first call reads the last day; older ones follow by themselves.

        Raises what the reader raised where nothing was ever read.
        """
        held, now = self._held, self._clock()
        if held is not None and same_tick(self._tried_at, now, REFRESH_SECONDS):
            return held
        held = self._flight.do("refresh", lambda: self._refresh(now))
        self._fill_behind()
        return held

    def fill(self) -> None:
        """Reads what goes on since long ago, then older days, newest first, until all are held. Ends early where
        something can't be read."""
        try:
            if not self._knows_old:
                self._put(self._reader.started(self._clock(), LONGEST_OPEN_DAYS), since_=None)
                self._knows_old = True
            while (held := self._held) is not None and not held.complete and not self._closed.is_set():
                start = max(held.since - DAY, self._clock() - self._days * DAY)
                self._put([run for page in self._reader.runs(start, held.since) for run in page], since_=start)
        except UNREADABLE as error:
            self._trouble(error)

    def close(self) -> None:
        """Ends the reading of older days after the day it is at."""
        self._closed.set()

    def _refresh(self, now: float) -> Held:
        held = self._held
        if held is not None and same_tick(self._tried_at, now, REFRESH_SECONDS):
            return held  # somebody else did it between the look and the flight
        sweep = held is None or now - self._swept_at >= SWEEP_SECONDS
        old = now - self._old_at >= OLD_SECONDS
        back = now - DAY if sweep else now
        if held is not None:
            # Nobody may have looked for days.
            back = max(min(back, held.read_at - MARGIN_SECONDS), now - self._days * DAY)
        asked: list[tuple[str, str]] = []
        try:
            fresh = [run for page in self._reader.runs(back, now + DAY) for run in page]
            going = self._reader.started(now, OPEN_DAYS)
            if held is not None:
                if sweep and held.complete:
                    fresh += self._older_day(now)
                asked = _gone(held.columns, going, -np.inf if old else now - OPEN_DAYS * DAY)
            ended = self._reader.get_many(asked)
            fresh += [*going, *ended]
        except UNREADABLE as error:
            self._tried_at = now
            if held is None:
                raise
            return self._trouble(error)
        self._tried_at = now
        self._swept_at = now if sweep else self._swept_at
        self._old_at = now if old else self._old_at
        expired = set(asked) - {(run.job_name, run.run_key) for run in ended}
        return self._put(fresh, since_=back if held is None else None, read_at=now, expired=expired)

    def _older_day(self, now: float) -> list[JobRun]:
        """One of the days before the last, another one each hour."""
        turn = 1 + int(now // SWEEP_SECONDS) % max(self._days - 1, 1)
        start = now - (turn + 1) * DAY
        return [run for page in self._reader.runs(start, start + DAY) for run in page]

    def _put(
        self,
        runs: Sequence[JobRun],
        since_: float | None,
        read_at: float | None = None,
        expired: Collection[tuple[str, str]] = (),
    ) -> Held:
        with self._lock:
            held = self._held or Held(empty(), self._clock(), False, False, 0.0, 0)
            oldest = self._clock() - self._days * DAY
            columns = merged(_without(held.columns, expired), runs)
            cut = held.cut or len(columns) > self._most
            trimmed = since(columns, min(oldest, held.since), self._most)
            reach = min(held.since, since_) if since_ is not None else held.since
            if cut and len(columns):
                reach = max(reach, float(columns.numbers["started_at"][max(len(columns) - self._most, 0)]))
            changed = trimmed is not held.columns
            self._held = replace(
                held,
                columns=trimmed,
                since=max(reach, oldest),
                complete=cut or held.complete or reach <= oldest + 1,
                cut=cut,
                read_at=held.read_at if read_at is None else read_at,
                version=held.version + changed,
                trouble="" if read_at is not None else held.trouble,
            )
            return self._held

    def _trouble(self, error: Exception) -> Held:
        logger.warning("job runs can't be read", exc_info=error)
        with self._lock:
            assert self._held is not None  # noqa: S101 - only asked for where something was read
            self._held = replace(self._held, trouble=f"Job runs can't be read now ({type(error).__name__})")
            return self._held

    def _fill_behind(self) -> None:
        with self._lock:
            held, filling = self._held, self._filling
            known = held is not None and held.complete and self._knows_old
            if held is None or known or self._closed.is_set() or (filling and filling.is_alive()):
                return
            self._filling = threading.Thread(target=self.fill, name="job-runs", daemon=True)
            self._filling.start()


def _gone(columns: Columns, going: Sequence[JobRun], start: float) -> list[tuple[str, str]]:
    """Keys of the runs that are held as going on, started at ``start`` or later, and were not found among those that
    do: they have ended, or have expired."""
    running = {(run.job_name, run.run_id) for run in going}
    rows = np.flatnonzero(columns.is_("status", "STARTED") & (columns.numbers["started_at"] >= start))
    return [
        _key(columns, int(row))
        for row in rows
        if (columns.text("job_name", int(row)), columns.run_ids[row]) not in running
    ]


def _without(columns: Columns, keys: Collection[tuple[str, str]]) -> Columns:
    """The columns without those of these runs that are held as going on."""
    gone = [row for row in np.flatnonzero(columns.is_("status", "STARTED")) if _key(columns, int(row)) in keys]
    return columns.taken(np.isin(np.arange(len(columns)), gone, invert=True)) if keys and gone else columns


def _key(columns: Columns, row: int) -> tuple[str, str]:
    return columns.text("job_name", row), run_key(columns, row)
