"""Where the gallery's questions are asked: in the background, each one once however many look, and few at a time."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import Final, Protocol

from backend.contract.errors import InvalidInput
from backend.contract.history import HistoryError
from backend.contract.questions import Answer, Asked
from dashboard.data.gallery import Reading
from dashboard.data.source import Progress, Source

logger = logging.getLogger(__name__)

AT_ONCE: Final = 2
"""Questions that Athena is asked at a time: most of a workgroup's slots stay free for the pages."""
MOST_OPEN: Final = 6
"""Questions that are being asked or wait for their turn; the next one is told to come again."""
MOST_HELD: Final = 64
MOST_ROWS_HELD: Final = 300_000
"""Rows of all held answers together: some 100 MB."""
RETRY_SECONDS: Final = 30.0
"""How long a failure that may pass is not tried again."""
LIMITS_SECONDS: Final = 3600.0
"""How long the workgroup is not asked for its limit again."""
BUSY: Final = "Other questions are being answered; ask again in a moment"


class Questions(Protocol):
    """What asks Athena: ``backend.history.questions.Questions``."""

    def answer(self, asked: Asked, stop: threading.Event) -> Answer:
        """The answer; ends soon once ``stop`` is set. Raises InvalidInput and HistoryError."""

    def limits(self) -> tuple[int | None, float]:
        """Bytes that one question may scan, None where there is no limit, and the price of so many, US dollars.

        Raises HistoryError.
        """


@dataclass(slots=True)
class _Flight:
    """One asking of a question; ``chosen_at`` is the newest choice that it answers, epoch s."""

    asked: Asked
    chosen_at: float
    started_at: float
    key: str = field(default_factory=lambda: f"ask-{uuid.uuid4().hex}")
    stop: threading.Event = field(default_factory=threading.Event)
    future: Future[Answer] = field(default_factory=Future)

    @property
    def open(self) -> bool:
        """Whether it is being asked, or waits for its turn."""
        return not self.future.done()


class GalleryDesk:
    """Asks questions and holds the newest answers. Thread-safe; ``dashboard.data.gallery.Gallery``."""

    def __init__(self, questions: Questions, clock: Callable[[], float]) -> None:
        self._questions = questions
        self._clock = clock
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="question")
        self._flights: OrderedDict[Asked, _Flight] = OrderedDict()
        self._limits: tuple[int | None, float] = (None, 0.0)
        self._limits_due = 0.0
        self._lock = threading.Lock()

    def ask(self, asked: Asked, since: float = 0.0, wait: float = 0.0) -> Reading:
        """As ``dashboard.data.gallery.Gallery.ask``."""
        flight = self._flight(asked, since)
        if flight is None:
            return Reading(asked, Source("history", "failed", error=BUSY))
        return _read(flight, wait)

    def limits(self) -> tuple[int | None, float]:
        """As ``dashboard.data.gallery.Gallery.limits``: as last read, in the background."""
        with self._lock:
            if self._clock() >= self._limits_due:
                self._limits_due = self._clock() + LIMITS_SECONDS
                self._pool.submit(self._read_limits)
        return self._limits

    def cancel(self, key: str) -> bool:
        """Stops the question of a reading's ``source.key``; False where none of that name is being asked."""
        with self._lock:
            flight = next((flight for flight in self._flights.values() if flight.key == key and flight.open), None)
        if flight is None:
            return False
        flight.stop.set()
        flight.future.cancel()  # where it still waits for its turn
        return True

    def close(self) -> None:
        """Stops all questions."""
        with self._lock:
            for flight in self._flights.values():
                flight.stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _flight(self, asked: Asked, since: float) -> _Flight | None:
        """The asking of a question, begun where there is none that serves; None where too many are open."""
        with self._lock:
            held = self._flights.get(asked)
            if held is not None and (held.open or (since <= held.chosen_at and not self._passed(held, since))):
                held.chosen_at = max(held.chosen_at, since)
                self._flights.move_to_end(asked)
                return held
            if sum(flight.open for flight in self._flights.values()) >= MOST_OPEN:
                return None
            made = _Flight(asked, max(since, held.chosen_at if held else 0.0), self._clock())
            self._flights[asked] = made
            self._flights.move_to_end(asked)
            self._drop()
            made.future = self._pool.submit(self._questions.answer, made.asked, made.stop)
            return made

    def _passed(self, flight: _Flight, since: float) -> bool:
        """Whether a failure may be over, for who asks without having chosen: a file has no *Ask again*."""
        error = _error(flight)
        passes = isinstance(error, HistoryError) and (error.transient or error.kind == "cancelled")
        return passes and not since and self._clock() - flight.started_at >= RETRY_SECONDS

    def _read_limits(self) -> None:
        try:
            self._limits = self._questions.limits()
        except HistoryError as error:
            logger.warning("the scan limit of questions is not known: %s", error)

    def _drop(self) -> None:
        """Forgets the answers that were looked at longest ago, down to what may be held."""
        rows = sum(map(_rows, self._flights.values()))
        for asked, flight in list(self._flights.items()):
            if len(self._flights) <= MOST_HELD and rows <= MOST_ROWS_HELD:
                return
            if not flight.open:
                rows -= _rows(flight)
                del self._flights[asked]


def _error(flight: _Flight) -> BaseException | None:
    """Why one that is over has no answer."""
    if flight.future.cancelled():
        return HistoryError("cancelled", "Cancelled before it was asked")
    return flight.future.exception()


def _rows(flight: _Flight) -> int:
    if flight.open or _error(flight) is not None:
        return 0
    return len(flight.future.result().rows)


def _read(flight: _Flight, seconds: float) -> Reading:
    """How far it is, after at most ``seconds``."""
    wait_for([flight.future], timeout=seconds)
    if flight.open:
        return Reading(flight.asked, Source("history", "running", key=flight.key, since=flight.started_at))
    error = _error(flight)
    if error is not None:
        return Reading(flight.asked, Source("history", _failed(error), error=_words(error), key=flight.key))
    answer = flight.future.result()
    cost = answer.cost
    source = Source(
        "history", "done", cost.scanned_bytes, cost.dollars, cost.reused, key=flight.key, since=flight.started_at
    )
    return Reading(flight.asked, source, answer.sql, answer)


def _failed(error: BaseException) -> Progress:
    return "cancelled" if isinstance(error, HistoryError) and error.kind == "cancelled" else "failed"


def _words(error: BaseException) -> str:
    if isinstance(error, HistoryError | InvalidInput):
        return str(error)
    logger.error("a question of the gallery failed", exc_info=error)
    return f"The question could not be asked ({type(error).__name__}); the dashboard's log says more"
