"""Anomalies of one series, found while it comes in: what departs from the series' own recent past. Pure.

No training run, no look-ahead, constant memory and time per point, any unit and spacing up to an hour. A value is
judged by three measures, each against how far the series usually strays (``anomaly_tail``): its distance from what is
expected at this time (``anomaly_season``), that distance's average over an hour, and its distance from the values just
before. How it works, with reasons and figures: docs/adr/0025.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from backend.contract.anomaly_season import DAY, HOUR, Expected, Season
from backend.contract.anomaly_tail import APART_SECONDS, Tail

Kind = Literal["value", "sustained", "jump"]
WARM_BLOCKS: Final = 24
"""Hours with values, over at least a day, before anything is said: the whole day has been seen once."""
SUSTAINED_SECONDS: Final = HOUR
SUSTAINED_POINTS: Final = 6
"""The average runs over an hour, or over six points where an hour has fewer."""
RECENT_POINTS: Final = 12
FEWEST_RECENT: Final = 3
LEAST: Final = 0.005
"""A constant series is taken to vary by half a percent: less is not to be seen on a chart."""
GREATEST_SCORE: Final = 100.0
GREATER, GREATER_APART_SECONDS = 2.0, HOUR
"""What is twice as far out as the episode before it needs an hour's calm only: a trifle hides no incident."""
SET_BACK_POINTS: Final = 10
"""So many points in a row that lie before what is known: the clock was set back, or one point lay in the future."""
SPACING_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The point at which an episode was noticed.

    ``low`` to ``high`` would have been ordinary around ``expected``; nothing below zero is, where no value ever was.
    ``score``: how far it went, 1 at the band's edge, at most 100. ``kind``: "value" is beyond what its time of day
    makes likely; "sustained" not by itself, but an hour's average is (the band is the average's); "jump" is far from
    the values just before.
    """

    at: float
    value: float
    expected: float
    low: float
    high: float
    score: float
    kind: Kind = "value"


class Episodes:
    """Which points out of the ordinary begin an episode; only those are worth a mark."""

    __slots__ = ("_last", "_worst")

    def __init__(self) -> None:
        self._last = -math.inf
        self._worst = 0.0

    def begins(self, at: float, score: float) -> bool:
        """Whether a point out of the ordinary, ``score`` far out, begins an episode or belongs to the one before."""
        calm = at - self._last
        begins = calm > APART_SECONDS or (calm > GREATER_APART_SECONDS and score > GREATER * self._worst)
        self._last = at
        self._worst = score if begins else max(self._worst, score)
        return begins


class _Measure:
    """One measure of a value: how far it is above or below, and how far it was in the hour so far."""

    __slots__ = ("_bottom", "_top", "above", "below", "kind")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.above, self.below = Tail(), Tail()
        self._top = self._bottom = -math.inf

    def beyond(self, up: float, down: float, least: float) -> tuple[Tail, float] | None:
        """The direction in which it is out of the ordinary, and how far; None within."""
        if self.above.beyond(up, least):
            return self.above, up
        return (self.below, down) if self.below.beyond(down, least) else None

    def take(self, up: float, down: float) -> None:
        self._top = max(self._top, up)
        self._bottom = max(self._bottom, down)

    def close(self, at: float) -> None:
        if self._top > -math.inf:
            self.above.add(at, self._top)
            self.below.add(at, self._bottom)
        self._top = self._bottom = -math.inf


class Detector:
    """Watches one series; ``update`` with each point as it comes. Not thread-safe."""

    __slots__ = ("_average", "_block", "_departures", "_earlier", "_episodes", "_first", "_last", "_last_earlier",
                 "_measures", "_negative", "_recent", "_season", "_spacing")  # fmt: skip

    def __init__(self) -> None:
        self._season = Season()
        self._measures = (_Measure("value"), _Measure("sustained"), _Measure("jump"))
        self._recent: deque[float] = deque(maxlen=RECENT_POINTS)
        self._departures: deque[float] = deque(maxlen=RECENT_POINTS)
        self._average = self._spacing = 0.0
        self._first = math.nan
        self._last = self._last_earlier = -math.inf
        self._block = math.nan
        self._episodes = Episodes()
        self._earlier = 0
        self._negative = False

    @property
    def ready(self) -> bool:
        """Whether it has seen enough to say something: a day, and 24 hours with values."""
        return self._last - self._first >= DAY and len(self._measures[0].above) >= WARM_BLOCKS

    def update(self, at: float, value: float) -> Anomaly | None:
        """Takes the value at ``at`` (epoch s); the anomaly where it begins an episode, else None.

        An episode lasts until nothing was out of the ordinary for twelve hours: by then a new level is the usual one.
        Something twice as bad begins another one after an hour.
        What is no finite number is left out, so is a point that is not newer than the last one, unless the clock turns
        out to have been set back.
        """
        if not (math.isfinite(at) and math.isfinite(value)) or not self._in_order(at):
            return None
        self._keep_time(at)
        expected = self._season.expected(at)
        found = None if expected is None else self._judge(at, value, expected)
        self._season.add(at, value)
        self._negative = self._negative or value < 0
        return found if found is None or self._negative else replace(found, low=max(found.low, 0.0))

    def _in_order(self, at: float) -> bool:
        if at > self._last:
            self._earlier = 0
            return True
        self._earlier = self._earlier + 1 if at > self._last_earlier else 1
        self._last_earlier = at
        if self._earlier < SET_BACK_POINTS:
            return False
        self._restart()
        return True

    def _restart(self) -> None:
        self._earlier = 0
        self._first, self._block = math.nan, math.nan
        self._last = self._last_earlier = -math.inf
        self._episodes = Episodes()
        self._season.restart()
        self._forget_recent()

    def _forget_recent(self) -> None:
        self._recent.clear()
        self._departures.clear()
        self._average = 0.0

    def _keep_time(self, at: float) -> None:
        if math.isnan(self._first):
            self._first = at
        else:
            gap = at - self._last
            if gap > APART_SECONDS:
                self._forget_recent()
            usual = self._spacing or gap
            self._spacing = usual + SPACING_SHARE * (min(gap, 4 * usual) - usual)
        self._last = at
        block = at // HOUR
        if block != self._block:
            for measure in self._measures:
                measure.close(at)
            self._block = block

    def _judge(self, at: float, value: float, expected: Expected) -> Anomaly | None:
        up, down = value - expected.most, expected.least - value
        departure = max(up, 0.0) - max(down, 0.0)
        self._average += self._share() * (departure - self._average)
        jump = self._jump(value, value - expected.middle)
        distances = ((up, down), (self._average, -self._average), (jump, -jump))
        ready, least = self.ready, LEAST * abs(expected.middle)
        worst: Anomaly | None = None
        for measure, (above, below) in zip(self._measures, distances, strict=True):
            if ready and (beyond := measure.beyond(above, below, least)) is not None:
                tail, height = beyond
                score = _score(height, tail.limit(least))
                if worst is None or score > worst.score:
                    worst = _anomaly(at, value, expected, measure, jump, least, score)
                tail.exceeded(at, height)
            measure.take(above, below)
        if worst is None:
            return None
        return worst if self._episodes.begins(at, worst.score) else None

    def _share(self) -> float:
        """How much of the average the newest point makes up."""
        if not self._spacing:
            return 1.0
        return 1 - math.exp(-self._spacing / max(SUSTAINED_SECONDS, SUSTAINED_POINTS * self._spacing))

    def _jump(self, value: float, departure: float) -> float:
        """How far the value is from those just before; what its rhythm explains is no jump."""
        if len(self._recent) < FEWEST_RECENT:
            jump = 0.0
        else:
            half = len(self._recent) // 2
            bare = value - sorted(self._recent)[half]
            unexplained = departure - sorted(self._departures)[half]
            jump = min(bare, unexplained, key=abs) if bare * unexplained > 0 else 0.0
        self._recent.append(value)
        self._departures.append(departure)
        return jump


def _anomaly(
    at: float, value: float, expected: Expected, measure: _Measure, jump: float, least: float, score: float
) -> Anomaly:
    low, high = measure.below.limit(least), measure.above.limit(least)
    if measure.kind == "jump":
        middle = value - jump
        return Anomaly(at, value, middle, middle - low, middle + high, score, "jump")
    return Anomaly(at, value, expected.middle, expected.least - low, expected.most + high, score, measure.kind)


def _score(height: float, limit: float) -> float:
    return min(height / limit, GREATEST_SCORE) if limit > 0 else GREATEST_SCORE


def find(points: Iterable[tuple[float, float]]) -> list[Anomaly]:
    """The anomalies of (epoch s, value) points, ascending: what a detector would have said as they came."""
    detector = Detector()
    found = (detector.update(at, value) for at, value in points)
    return [anomaly for anomaly in found if anomaly is not None]
