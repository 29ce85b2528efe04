"""What a series is expected to be at a time: its level, and its rhythm of the day or week where it has one. Pure."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

HOUR: Final = 3600.0
DAY: Final = 86400.0
CELL_SECONDS: Final = 900.0
"""Time is cut into quarter hours; of each only the median counts, so that spikes don't become expected."""
CELL_VALUES: Final = 128
DAYS, WEEKS = 7, 4
"""How many days and weeks a rhythm's median is taken over: half of them must change before it does."""
TRIAL_SECONDS: Final = DAY
JUDGED_SECONDS: Final = 7 * DAY
"""A rhythm's errors are compared over a week: less would forget the last weekend."""
BETTER: Final = 0.9
"""A rhythm is used where its error is smaller than the level's alone, by more than chance would make it."""


class Expected(NamedTuple):
    """The ``middle`` of what is expected; anything from ``least`` to ``most`` agrees with it as well."""

    middle: float
    least: float
    most: float


def median(values: Sequence[float]) -> float:
    """The median; the mean of the two in the middle of an even number."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


class Rhythm:
    """How far from its day's level a series usually is at each of ``slots`` times of a day or week.

    A slot's value is the median over the last ``kept`` rounds. ``ratio`` compares its errors with those of a forecast
    without it.
    """

    __slots__ = ("_held", "_kept", "_level_error", "_middle", "_next", "_open", "_own_error", "_pending", "_seconds",
                 "_tried")  # fmt: skip

    def __init__(self, slots: int, seconds: float, kept: int) -> None:
        self._seconds, self._kept = seconds, kept
        self._held = array("d", [math.nan]) * (slots * kept)
        self._middle = array("d", [math.nan]) * slots
        self._next = bytearray(slots)
        self._open: int | None = None
        self._pending: list[float] = []
        self._own_error = self._level_error = self._tried = 0.0

    @property
    def ratio(self) -> float:
        """Its mean error as a part of that of the level alone; infinite until it was tried for a day."""
        if self._tried < TRIAL_SECONDS or not self._level_error:
            return math.inf
        return self._own_error / self._level_error

    def usual(self, at: float) -> Expected | None:
        """The deviation expected at ``at``; a rhythm may come one slot early or late. None where never seen."""
        slot = self._slot(at)
        middle = self._middle[slot]
        if math.isnan(middle):
            return None
        near = (self._middle[slot - 1], middle, self._middle[(slot + 1) % len(self._middle)])
        known = [value for value in near if not math.isnan(value)]
        return Expected(middle, min(known), max(known))

    def add(self, at: float, deviation: float, elapsed: float) -> None:
        """Takes the deviation of a cell; ``elapsed`` seconds since the one before."""
        slot = self._slot(at)
        if self._open is not None and slot != self._open:
            self._keep(self._open)
        self._open = slot
        self._pending.append(deviation)
        expected = self._middle[slot]
        if not math.isnan(expected):
            share = elapsed / JUDGED_SECONDS
            self._own_error += share * (abs(deviation - expected) - self._own_error)
            self._level_error += share * (abs(deviation) - self._level_error)
            self._tried = min(self._tried + elapsed, TRIAL_SECONDS)

    def _slot(self, at: float) -> int:
        return int(at // self._seconds) % len(self._middle)

    def _keep(self, slot: int) -> None:
        first = slot * self._kept
        self._held[first + self._next[slot]] = median(self._pending)
        self._next[slot] = (self._next[slot] + 1) % self._kept
        self._middle[slot] = median([v for v in self._held[first : first + self._kept] if not math.isnan(v)])
        self._pending.clear()


class Season:
    """The level (the last day's median) and the rhythms on top of it; a day long enough to hold every hour once."""

    __slots__ = ("_cell", "_expected", "_level", "_past", "_rhythms", "_since", "_values")

    def __init__(self) -> None:
        self._rhythms = (Rhythm(96, CELL_SECONDS, DAYS), Rhythm(168, HOUR, WEEKS))
        self._past: deque[tuple[float, float]] = deque()
        self._values: list[float] = []
        self._cell: float | None = None
        self._since = math.inf
        self._level: float | None = None
        self._expected: tuple[float, Expected | None] = (math.nan, None)

    def expected(self, at: float) -> Expected | None:
        """What is expected at ``at``; None before the first quarter hour is over."""
        cell = at // CELL_SECONDS
        if self._expected[0] != cell:
            self._expected = cell, self._forecast(at)
        return self._expected[1]

    def add(self, at: float, value: float) -> None:
        """Takes a value; times never go backward without ``restart``."""
        cell = at // CELL_SECONDS
        if cell != self._cell:
            if self._cell is not None:
                self._close(self._cell * CELL_SECONDS)
            self._cell = cell
        if len(self._values) < CELL_VALUES:
            self._values.append(value)

    def restart(self) -> None:
        """Time begins anew: the level is learned again, rhythms are kept."""
        self._past.clear()
        self._values.clear()
        self._cell, self._level, self._since = None, None, math.inf
        self._expected = math.nan, None

    def _forecast(self, at: float) -> Expected | None:
        if self._level is None:
            return None
        best, ratio = None, BETTER
        for rhythm in self._rhythms:
            if rhythm.ratio < ratio and (usual := rhythm.usual(at)) is not None:
                best, ratio = usual, rhythm.ratio
        if best is None:
            return Expected(self._level, self._level, self._level)
        return Expected(self._level + best.middle, self._level + best.least, self._level + best.most)

    def _close(self, at: float) -> None:
        middle = median(self._values)
        self._values.clear()
        if self._level is None:
            self._since = at
        elif at - self._since >= DAY:
            elapsed = min(at - self._past[-1][0], DAY)
            for rhythm in self._rhythms:
                rhythm.add(at, middle - self._level, elapsed)
        self._past.append((at, middle))
        while self._past[0][0] <= at - DAY:
            self._past.popleft()
        self._level = median([value for _, value in self._past])
