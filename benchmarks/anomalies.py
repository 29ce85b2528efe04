"""Anomaly marks against a windowed 3-sigma rule, both scored as the Numenta Anomaly Benchmark scores.

    python -m benchmarks.anomalies [FOLDER [WINDOWS]]

FOLDER holds ``timestamp,value`` files (UTC), WINDOWS the labelled windows by file name relative to it; without them the
six series in ``../shared/data/cloudwatch``. NAB's own corpus fits: ``NAB/data NAB/labels/combined_windows.json``.

NAB lets each detector choose the threshold that scores best over its corpus. Neither side does so here: the detector
decides with the constants it has in the product, and the rule at three standard deviations. Both are treated alike:
what is out of the ordinary belongs to an episode, and only its begin is an alarm (``Episodes``).
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from backend.contract.anomaly import Episodes, find
from benchmarks.nab import Scored, Window, normalised, score
from benchmarks.processor import shared

AHEAD = 15.0
"""Points of NAB's score that the detector is to be above the rule, on the six series."""
FALSE_ALARMS = 1.0
"""Per week and series, at most."""
SIGMAS = 3.0
RULE_SECONDS = 86400.0
RULE_POINTS = 10
Points = Sequence[tuple[float, float]]
NAMES = "detector", "3 sigma"


def three_sigma(points: Iterable[tuple[float, float]]) -> list[float]:
    """Times at which a value begins to lie more than three standard deviations from the mean of the day before it."""
    held: deque[tuple[float, float]] = deque()
    total = squares = 0.0
    episodes = Episodes()
    alarms = []
    for at, value in points:
        while held and held[0][0] < at - RULE_SECONDS:
            old = held.popleft()[1]
            total, squares = total - old, squares - old * old
        if len(held) >= RULE_POINTS:
            mean = total / len(held)
            deviation = max(squares / len(held) - mean * mean, 0.0) ** 0.5
            beyond = abs(value - mean) / (SIGMAS * deviation) if deviation else 0.0
            if beyond > 1 and episodes.begins(at, beyond):
                alarms.append(at)
        held.append((at, value))
        total, squares = total + value, squares + value * value
    return alarms


def load(folder: Path, windows: Path) -> dict[str, tuple[Points, list[Window]]]:
    """Points and labelled windows of every series that WINDOWS names."""
    labelled = json.loads(windows.read_text())
    series: dict[str, tuple[Points, list[Window]]] = {}
    for name, spans in labelled.items():
        with (folder / name).open(newline="") as file:
            points = [(_epoch(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
        series[name] = points, [(_epoch(first), _epoch(last)) for first, last in spans]
    return series


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def measure(series: Mapping[str, tuple[Points, list[Window]]]) -> tuple[dict[str, dict[str, Scored]], float]:
    """Each side's result by series, and the detector's CPU seconds per point."""
    sides: dict[str, Callable[[Points], list[float]]] = {
        NAMES[0]: lambda points: [anomaly.at for anomaly in find(points)],
        NAMES[1]: three_sigma,
    }
    results: dict[str, dict[str, Scored]] = {}
    spent = 0.0
    for side, alarms in sides.items():
        results[side] = {}
        for name, (points, windows) in series.items():
            began = time.process_time()
            found = alarms(points)
            spent += time.process_time() - began if side == NAMES[0] else 0.0
            results[side][name] = score([at for at, _ in points], set(found), windows)
    return results, spent / sum(len(points) for points, _ in series.values())


def report(results: Mapping[str, Mapping[str, Scored]]) -> None:
    """A line per series, then a line per side."""
    mine, rule = (results[name] for name in NAMES)
    print(f"{'':44} windows found        false alarms")
    print(f"{'series':44} {NAMES[0]:>8} {NAMES[1]:>8}   {NAMES[0]:>8} {NAMES[1]:>8}   weeks")
    for name, ours in mine.items():
        other = rule[name]
        found = f"{ours.found}/{ours.windows}", f"{other.found}/{other.windows}"
        print(
            f"{name[-44:]:44} {found[0]:>8} {found[1]:>8}   "
            f"{ours.false_alarms:8} {other.false_alarms:8}   {ours.weeks:5.1f}"
        )
    print(
        f"\n{'':10} {'NAB score':>10} {'precision':>10} {'recall':>8} {'false alarms a week, series':>28} {'worst':>7}"
    )
    for side, by_series in results.items():
        scores = list(by_series.values())
        hits, misses = (sum(getattr(s, name) for s in scores) for name in ("true_alarms", "false_alarms"))
        windows = sum(s.windows for s in scores)
        rate = misses / sum(s.weeks for s in scores)
        print(
            f"{side:10} {normalised(scores):10.1f} {hits / max(hits + misses, 1):10.0%} "
            f"{sum(s.found for s in scores) / max(windows, 1):8.0%} {rate:28.2f} {worst(scores):7.2f}"
        )


def worst(scores: Iterable[Scored]) -> float:
    """The most false alarms a week of any series; a series shorter than a week may give one."""
    return max(s.false_alarms / max(s.weeks, 1.0) for s in scores)


def missed(results: Mapping[str, Mapping[str, Scored]]) -> list[str]:
    """What the figures fall short of, a sentence each."""
    mine, rule = (list(results[name].values()) for name in NAMES)
    problems = []
    ahead = normalised(mine) - normalised(rule)
    if ahead < AHEAD:
        problems.append(f"the score is {ahead:.1f} points above the 3-sigma rule; at least {AHEAD:.0f} are wanted")
    if worst(mine) > FALSE_ALARMS:
        problems.append(f"a series has {worst(mine):.2f} false alarms a week; at most {FALSE_ALARMS:.0f} is wanted")
    return problems


def main(args: Sequence[str] = ()) -> int:
    """Prints the figures; 1 when one is missed."""
    folder = Path(args[0]) if args else shared() / "data" / "cloudwatch"
    windows = Path(args[1]) if len(args) > 1 else folder / "windows.json"
    if not windows.exists():
        print(f"nothing was scored: there is no {windows}; name a folder with series and their windows.json")
        return 0
    results, seconds = measure(load(folder, windows))
    print("NAB: standard profile, first 15 % of each series not scored; Lavin and Ahmad, 2015 (benchmarks/nab.py)")
    print("3 sigma: mean and standard deviation of the day before; episodes as the detector's\n")
    report(results)
    print(f"\n{seconds * 1e6:.0f} µs of CPU a point")
    problems = missed(results)
    for problem in problems:
        print(f"MISSED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
