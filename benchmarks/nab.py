"""The Numenta Anomaly Benchmark's scoring: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms" (2015).

Written after the rules of https://github.com/numenta/NAB (``nab/sweeper.py``, ``nab/runner.py``), standard profile.
A detection's worth falls from 1 at a window's start to 0 at its end along a sigmoid; only the best one of a window
counts; a window without one costs ``FN``; a detection outside costs up to ``FP``, less right after a window. The first
15 % of a series, at most 750 points, are not scored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TP, FP, FN = 1.0, 0.11, 1.0
"""Weights of NAB's standard profile."""
PROBATION = 0.15
PROBATION_POINTS = 5000
Window = tuple[float, float]


def sigmoid(position: float) -> float:
    """NAB's scaled sigmoid: -1 is a window's first point, 0 its right edge, above 3 far behind it."""
    return -1.0 if position > 3.0 else 2 / (1 + math.exp(5 * position)) - 1


@dataclass(frozen=True, slots=True)
class Scored:
    """One series: its raw ``score``, what the perfect and the silent detector get, and the counts behind it."""

    score: float
    perfect: float
    silent: float
    windows: int
    found: int
    true_alarms: int
    false_alarms: int
    weeks: float
    """Length of what was scored."""


def probation(points: int) -> int:
    """How many first points are not scored."""
    return int(min(math.floor(PROBATION * points), PROBATION * PROBATION_POINTS))


def score(times: Sequence[float], alarms: set[float], windows: Sequence[Window]) -> Scored:
    """Scores the ``alarms`` (times of points) of one series; ``windows`` are (first, last) times of points."""
    skipped = probation(len(times))
    index: dict[float, int] = {}
    for i, at in enumerate(times):
        index.setdefault(at, i)
    spans = [(index[first], index[last]) for first, last in sorted(windows)]
    best: dict[int, float] = {n: -FN for n, (_, last) in enumerate(spans) if last >= skipped}
    outside, hits, misses = 0.0, 0, 0
    for i, at in enumerate(times):
        if i < skipped or at not in alarms:
            continue
        inside = next((n for n, (first, last) in enumerate(spans) if first <= i <= last), None)
        if inside is not None:
            first, last = spans[inside]
            worth = TP * sigmoid(-(last - i + 1) / (last - first + 1)) / sigmoid(-1.0)
            best[inside] = max(best[inside], worth)
            hits += 1
        else:
            before = [span for span in spans if span[1] < i]
            outside += FP * (sigmoid((i - before[-1][1]) / (before[-1][1] - before[-1][0])) if before else -1.0)
            misses += 1
    return Scored(
        score=sum(best.values()) + outside,
        perfect=TP * len(spans),
        silent=-FN * len(best),
        windows=len(best),
        found=sum(1 for worth in best.values() if worth > -FN),
        true_alarms=hits,
        false_alarms=misses,
        weeks=(times[-1] - times[skipped]) / (7 * 86400),
    )


def normalised(results: Sequence[Scored]) -> float:
    """NAB's score of a whole set: 0 is the detector that says nothing, 100 the perfect one; NaN without windows."""
    silent, perfect, reached = (sum(getattr(r, name) for r in results) for name in ("silent", "perfect", "score"))
    if perfect == silent:
        return math.nan
    return float(100 * (reached - silent) / (perfect - silent))
