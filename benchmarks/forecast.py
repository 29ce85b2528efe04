"""How good the forecasts are: back-tested by rolling origin on real series and on growth whose truth is known.

Run: ``python -m benchmarks.forecast``. Real ones are CloudWatch's series in ``../shared/data/cloudwatch/`` (or the
files given), as hours: learnt up to an origin, judged on the two days after it. Made ones are disks and loads whose
future is known, as 30 days of hours, judged on the 30 days after. Errors are MASE (mean absolute error in parts of the
history's own mean change), printed beside those of naive forecasts (the last value; the same hour or day before) from
the same run, and the share of values inside the 80 % band. 1 when what is asserted below does not hold.
"""

from __future__ import annotations

import csv
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import mean

from dashboard.data.forecast import DAY, HOUR, NOMINAL, Forecast, forecast, reach

SERIES = Path(__file__).resolve().parents[2] / "shared/data/cloudwatch"
ORIGINS = (4, 6, 8, 10)
"""Days of real history learnt from."""
JUDGED_HOURS = 48
MADE_DAYS = 30
SEEDS = 6
NOW = 1_795_266_000.0
LEAST_COVERAGE, MOST_COVERAGE = 0.65, 0.97
"""Of the 80 % band over all made series; real ones change in ways that no past tells."""


@dataclass(frozen=True)
class Score:
    """Of one forecast: mean absolute errors, and the share of truth inside the band."""

    model: float
    naive: float
    seasonal: float
    scale: float
    coverage: float
    seconds: float


def real(path: Path) -> list[tuple[float, float]]:
    """A CSV of ``timestamp,value`` as hourly averages; hours without a value are left out."""
    hours: dict[float, list[float]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp()
            hours.setdefault(at // HOUR * HOUR, []).append(float(row["value"]))
    return [(at, mean(values)) for at, values in sorted(hours.items())]


def made(kind: str, draw: random.Random) -> Callable[[float], float]:
    """The value of a made series at a day since its beginning."""
    at = draw.uniform(8, 22)
    slope, noise = draw.uniform(0.4, 1.0), draw.uniform(0.2, 0.8)

    def value(day: float) -> float:
        rhythm = 4 * (1 - abs((day % 1) * 2 - 1))
        level = {
            "linear growth": 40 + slope * day,
            "disk that was cleaned": 45 + slope * day - (15 if day > at else 0),
            "growth that set in": 40 + slope * max(day - at, 0),
            "growth that stopped": 40 + slope * min(day, at),
            "flat with a rhythm": 50 + rhythm,
            "weekly rhythm": 50 + rhythm + (6 if int(day) % 7 < 5 else 0) + 0.2 * day,
        }[kind]
        return level + draw.gauss(0, noise)

    return value


KINDS = (
    "linear growth", "disk that was cleaned", "growth that set in", "growth that stopped", "flat with a rhythm",
    "weekly rhythm",
)  # fmt: skip


def judge(history: Sequence[tuple[float, float]], truth: dict[float, float], now: float) -> Score | None:
    """One forecast against what came: hours or days' peaks, as the forecast has them."""
    began = time.process_time()
    found = forecast(list(history), now)
    spent = time.process_time() - began
    if not isinstance(found, Forecast):
        return None
    past = [value for _, value in found.history]
    pairs = [(i, truth[at]) for i in range(len(found.middle)) if (at := found.start + i * found.step) in truth]
    period = 7 if found.step == DAY else 24
    return Score(
        model=mean(abs(found.middle[i] - value) for i, value in pairs),
        naive=mean(abs(past[-1] - value) for _, value in pairs),
        seasonal=mean(abs(past[-period + i % period] - value) for i, value in pairs),
        scale=mean(abs(b - a) for a, b in pairwise(past)),
        coverage=mean(found.low[i] <= value <= found.high[i] for i, value in pairs),
        seconds=spent,
    )


def real_scores(path: Path) -> Iterator[Score]:
    """The scores of a real series at each origin."""
    points = real(path)
    for days in ORIGINS:
        now = points[0][0] + days * DAY
        history = [point for point in points if point[0] < now]
        truth = {at + HOUR / 2: value for at, value in points if now <= at < now + JUDGED_HOURS * HOUR}
        if truth and (score := judge(history, truth, now)):
            yield score


def made_scores(kind: str) -> Iterator[tuple[Score, bool | None]]:
    """The scores of made series, and for those that grow whether the limit was met within the days said."""
    for seed in range(SEEDS):
        value = made(kind, random.Random(f"{kind}{seed}"))
        hours = [(NOW + i * HOUR, value((i * HOUR) / DAY + MADE_DAYS)) for i in range(-MADE_DAYS * 24, MADE_DAYS * 24)]
        history = [(at, held) for at, held in hours if at < NOW]
        after = [(at, held) for at, held in hours if at >= NOW]
        days = [after[i : i + 24] for i in range(0, len(after), 24)]
        truth = {day[0][0] + DAY / 2: max(held for _, held in day) for day in days}
        score = judge(history, truth, NOW)
        if score is not None:
            yield score, _met(history, truth) if "growth" in kind or "cleaned" in kind else None


def _met(history: Sequence[tuple[float, float]], truth: dict[float, float]) -> bool | None:
    """Whether a limit two weeks of growth away is met between the days that were said; None where it never is."""
    found = forecast(list(history), NOW)
    limit = sorted(truth.values())[len(truth) // 2]
    if not isinstance(found, Forecast) or limit <= max(value for _, value in found.history[-2:]):
        return None
    met = next((at - NOW) / DAY for at, value in sorted(truth.items()) if value >= limit)
    said = reach(found, limit, NOW)
    latest = said.latest if said.latest is not None else float("inf")
    return said.earliest is not None and said.earliest - 1 <= met <= latest + 1


def table(rows: dict[str, list[Score]], judged: str) -> Score:
    """Prints a table of averages; answers with the averages of all."""
    print(f"\n{judged}")
    print(f"{'':<34} {'MASE':>7} {'naive':>7} {'seasonal':>9} {'MAE':>13} {'in 80 % band':>13} {'CPU s':>6}")
    every = [score for scores in rows.values() for score in scores]
    for name, scores in [*rows.items(), ("all", every)]:
        errors = [mean(getattr(s, which) / s.scale for s in scores) for which in ("model", "naive", "seasonal")]
        print(
            f"{name:<34} {errors[0]:>7.2f} {errors[1]:>7.2f} {errors[2]:>9.2f} {mean(s.model for s in scores):>13,.2f} "
            f"{mean(s.coverage for s in scores):>13.0%} {mean(s.seconds for s in scores):>6.2f}"
        )
    return Score(*(mean(getattr(s, name) / (s.scale if name in ("model", "naive", "seasonal") else 1) for s in every)
                   for name in ("model", "naive", "seasonal", "scale", "coverage", "seconds")))  # fmt: skip


def main() -> int:
    """Prints both tables; 1 when a figure that must hold does not."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted(SERIES.glob("*.csv"))
    known = {path.stem: scores for path in paths if (scores := list(real_scores(path)))}
    grown = {kind: list(made_scores(kind)) for kind in KINDS}
    if known:
        table(known, f"CloudWatch series by hour, {JUDGED_HOURS} h ahead, {len(ORIGINS)} origins each")
    over = table({kind: [score for score, _ in scores] for kind, scores in grown.items()},
                 f"Made series by day's peak, 30 days ahead, {SEEDS} of each")  # fmt: skip
    told = [met for scores in grown.values() for _, met in scores if met is not None]
    print(f"\nlimits met between the days said, give or take a day: {sum(told)} of {len(told)} ({NOMINAL:.0%} nominal)")
    better = over.model < min(over.naive, over.seasonal)
    covered = LEAST_COVERAGE <= over.coverage <= MOST_COVERAGE
    print(f"made series: MASE {over.model:.2f}, below both naive ones: {'yes' if better else 'NO'}")
    print(f"made series: {over.coverage:.0%} in the {NOMINAL:.0%} band (must be {LEAST_COVERAGE:.0%} to "
          f"{MOST_COVERAGE:.0%}): {'yes' if covered else 'NO'}")  # fmt: skip
    return int(not (better and covered))


if __name__ == "__main__":
    sys.exit(main())
