"""Past days from Athena, read in the background: pages look at how far a reading is and never wait for it.

A question is read once, whoever asks it, and its answer is held: it changes only when the ledger or late objects say
that something else lies there now. Failures are remembered for a while, and tried again at the next look after it.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

from backend.contract.errors import InvalidInput
from backend.contract.history import HistoryAnswer, HistoryError, HistoryPlan, HistoryQuestion
from dashboard.data.source import Progress

logger = logging.getLogger(__name__)

WORKERS: Final = 2
MOST_OPEN: Final = 12
"""Readings under way or waiting; the next one is told to come again, so that addresses can't order without end."""
MOST_HELD: Final = 64
MOST_ROWS: Final = 300_000
"""Rows of all held answers together: some 100 MB."""
CHECK_SECONDS: Final = 60.0
"""How often a held answer that is looked at is compared with what the ledger says now."""
RETRY_SECONDS: Final = 30.0
"""How long a failure that may pass is not tried again; twice as long after each one that follows."""
LONGEST_RETRY_SECONDS: Final = 600.0
WATCHED_SECONDS: Final = 400.0
"""What was looked at since is watched: longer than any page's pace. It is not dropped, or its next look would ask
Athena again."""
WATCHED_TIMES: Final = 2
"""So many times the bounds may be watched; more is refused."""
BUSY: Final = "Other ranges are being read; look again in a moment"
FULL: Final = "As many ranges are looked at as there is memory for; look again in some minutes"


class Reader(Protocol):
    """What asks Athena: ``backend.history.reading.HistoryReader``. Both raise HistoryError and InvalidInput."""

    def plan(self, question: HistoryQuestion) -> HistoryPlan:
        """What Athena would be asked."""

    def answer(self, plan: HistoryPlan, stop: threading.Event) -> HistoryAnswer:
        """The answer; ends soon once ``stop`` is set."""


@dataclass(frozen=True, slots=True)
class Look:
    """How far a reading is. ``answer`` is the newest there is, also while a newer one is read. Times are epoch s.

    ``read_at`` tells answers apart. ``trouble``: why the answer, though there, could not be read again.
    """

    state: Progress
    key: str = ""
    answer: HistoryAnswer | None = None
    read_at: float = 0.0
    since: float | None = None
    error: str = ""
    trouble: str = ""


@dataclass(slots=True)
class _Reading:
    question: HistoryQuestion
    key: str = field(default_factory=lambda: f"read-{uuid.uuid4().hex}")
    state: Progress = "running"
    busy: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    started_at: float = 0.0
    answer: HistoryAnswer | None = None
    plan_key: str = ""
    settled: bool = False
    read_at: float = 0.0
    due_at: float = 0.0
    """When a look may begin it again; never by itself."""
    failures: int = 0
    error: str = ""
    looked_at: float = 0.0
    wanted_again: bool = False
    """Somebody tried again before the cancelled reading had ended."""


class History:
    """Readings by question. Thread-safe; ``clock`` gives epoch seconds."""

    def __init__(self, reader: Reader, clock: Callable[[], float], reuse_seconds: float) -> None:
        self._reader = reader
        self._clock = clock
        self._reuse_seconds = reuse_seconds
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="history")
        self._readings: OrderedDict[HistoryQuestion, _Reading] = OrderedDict()
        self._lock = threading.Lock()
        self.ended = 0
        """How many readings have ended, in whatever way."""

    def look(self, question: HistoryQuestion) -> Look:
        """How far the question is; begins to read it where nobody has, and where it is time to look again."""
        now = self._clock()
        with self._lock:
            reading = self._readings.get(question)
            due = reading is None or (not reading.busy and now >= reading.due_at)
            if due and sum(held.busy for held in self._readings.values()) >= MOST_OPEN:
                return Look("failed", error=BUSY) if reading is None else _seen(reading)
            if reading is None:
                if self._full(now):
                    return Look("failed", error=FULL)
                reading = self._readings[question] = _Reading(question)
            reading.looked_at = now
            self._readings.move_to_end(question)
            if due:
                self._begin(reading, now)
            return _seen(reading)

    def state(self, key: str) -> Look | None:
        """How far the reading of a key is; begins nothing. None where none of that key is known."""
        with self._lock:
            reading = self._named(key)
            return None if reading is None else _seen(reading)

    def busy(self) -> bool:
        """Whether any reading is under way or waits for its turn."""
        with self._lock:
            return any(reading.busy for reading in self._readings.values())

    def cancel(self, key: str) -> bool:
        """Stops a reading for everybody who waits for it; False where none of that key is under way."""
        with self._lock:
            reading = self._named(key)
            if reading is None or not reading.busy:
                return False
            reading.stop.set()
            reading.wanted_again = False
            if reading.answer is None:
                reading.state, reading.error = "cancelled", ""
            return True

    def retry(self, key: str) -> bool:
        """Lets the next look begin a failed or cancelled reading again; False where none of that key is known."""
        with self._lock:
            reading = self._named(key)
            if reading is None:
                return False
            reading.due_at = 0.0
            if reading.busy and reading.stop.is_set():
                reading.wanted_again = True
                reading.state = "running" if reading.answer is None else reading.state
            return True

    def close(self) -> None:
        """Stops all readings."""
        with self._lock:
            for reading in self._readings.values():
                reading.stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _named(self, key: str) -> _Reading | None:
        return next((reading for reading in self._readings.values() if reading.key == key), None)

    def _begin(self, reading: _Reading, now: float) -> None:
        reading.busy, reading.stop, reading.started_at = True, threading.Event(), now
        if reading.answer is None:
            reading.state = "running"
        self._pool.submit(self._read, reading)
        self._forget()

    def _read(self, reading: _Reading) -> None:
        try:
            if reading.stop.is_set():
                raise HistoryError("cancelled", "Cancelled before it was asked")
            plan = self._reader.plan(reading.question)
            answer = None if self._still_good(reading, plan) else self._reader.answer(plan, reading.stop)
        except Exception as error:  # noqa: BLE001 - whatever it is, the page says it and stays
            self._failed(reading, error)
        else:
            with self._lock:
                now = self._clock()
                if answer is not None:
                    reading.answer, reading.read_at = answer, now
                reading.plan_key, reading.settled = plan.key, plan.settled
                reading.state, reading.error, reading.failures = "done", "", 0
                reading.due_at, reading.busy = now + CHECK_SECONDS, False
                self.ended += 1
                self._forget()

    def _still_good(self, reading: _Reading, plan: HistoryPlan) -> bool:
        """Whether Athena would answer the same: objects of days that are not compacted yet come without notice."""
        if reading.answer is None or reading.plan_key != plan.key:
            return False
        return plan.settled or self._clock() - reading.read_at < self._reuse_seconds

    def _failed(self, reading: _Reading, error: Exception) -> None:
        known = isinstance(error, HistoryError)
        if not isinstance(error, HistoryError | InvalidInput):
            logger.error("history could not be read", exc_info=error)
        text = str(error) if isinstance(error, HistoryError | InvalidInput) else _unknown(error)
        with self._lock:
            reading.busy = False
            self.ended += 1
            if known and error.kind == "cancelled":  # type: ignore[attr-defined]
                if reading.wanted_again:
                    # The next look begins it; its page still waits.
                    reading.wanted_again, reading.due_at = False, 0.0
                    return
                # Whoever cancelled meant it: only a retry begins it again.
                reading.state = "done" if reading.answer is not None else "cancelled"
                reading.error, reading.due_at = "", float("inf")
                return
            reading.failures += 1
            wait = RETRY_SECONDS * 2.0 ** (reading.failures - 1)
            transient = known and error.transient  # type: ignore[attr-defined]
            reading.due_at = self._clock() + min(wait if transient else LONGEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
            reading.state = "done" if reading.answer is not None else "failed"
            reading.error = text

    def _forget(self) -> None:
        """Drops what was looked at longest ago and is not watched, down to what may be held."""
        rows, now = sum(_rows(reading) for reading in self._readings.values()), self._clock()
        for question, reading in list(self._readings.items())[:-1]:
            if len(self._readings) <= MOST_HELD and rows <= MOST_ROWS:
                return
            if not reading.busy and not _watched(reading, now):
                rows -= _rows(reading)
                del self._readings[question]

    def _full(self, now: float) -> bool:
        watched = [reading for reading in self._readings.values() if _watched(reading, now)]
        rows = sum(map(_rows, watched))
        return len(watched) >= WATCHED_TIMES * MOST_HELD or rows >= WATCHED_TIMES * MOST_ROWS


def _watched(reading: _Reading, now: float) -> bool:
    return now - reading.looked_at < WATCHED_SECONDS


def _rows(reading: _Reading) -> int:
    return reading.answer.rows if reading.answer is not None else 0


def _seen(reading: _Reading) -> Look:
    running = reading.busy and reading.state == "running"
    return Look(
        reading.state,
        reading.key,
        reading.answer,
        reading.read_at,
        reading.started_at if running else None,
        reading.error if reading.state == "failed" else "",
        reading.error if reading.state == "done" else "",
    )


def _unknown(error: Exception) -> str:
    return f"History could not be read ({type(error).__name__}); the dashboard's log says more"
