"""From samples and merged buckets to points: rates, quantiles, groups combined. Pure.

A point list is ``[(epoch s, value), ...]`` ascending. Inside 24 hours a series keeps its own spacing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, Final, Literal

from backend.contract.bucket import Samples
from backend.contract.catalogue import Combine, Metric
from backend.contract.errors import InvalidInput
from backend.contract.rollup import Merged, Stats
from backend.contract.sketch import Sketch

Stat = Literal["avg", "min", "max", "sum", "last", "rate", "p50", "p95", "p99"]
Points = list[tuple[float, float]]
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
STATS: Final[Mapping[str, tuple[Stat, ...]]] = {
    "gauge": ("avg", "min", "max", "sum", "last"),
    "counter": ("rate", "sum", "last", "avg", "min", "max"),
    "histogram": ("p99", "p95", "p50", "avg", "min", "max", "sum"),
}
"""What can be asked of each kind; the first is the default."""
SHARED_TIMES: Final = 0.8
"""Series of a group that share at least this part of their times are combined at those times, else in buckets."""
CARRY_STEPS: Final = 2.5
"""How long a series' last value stands for it while others of its group go on."""


def stat_of(metric: Metric, text: str | None) -> Stat:
    """The statistic asked for, or the kind's default. Raises InvalidInput naming ``stat``."""
    allowed = STATS[metric.kind]
    if not text:
        return allowed[0]
    for stat in allowed:
        if stat == text:
            return stat
    raise InvalidInput("stat", text, f"does not fit the {metric.kind} {metric.key}; use one of {', '.join(allowed)}")


def spacing(times: Sequence[float]) -> float:
    """The median distance of ascending times; 60 s for fewer than two."""
    return median(b - a for a, b in pairwise(times)) if len(times) > 1 else 60.0


def live_groups(samples: Samples) -> dict[str, list[Mapping[float, Any]]]:
    """The series of each group."""
    groups: dict[str, list[Mapping[float, Any]]] = {}
    for (group, _series), values in sorted(samples.items()):
        groups.setdefault(group, []).append(values)
    return groups


def live_points(metric: Metric, series: Sequence[Mapping[float, Any]], stat: Stat) -> Points:
    """The line of one group (or of all groups' series together) from live samples."""
    if metric.kind == "histogram":
        return _histogram_points(series, stat)
    if metric.kind == "counter":
        if stat in ("rate", "sum"):
            return combine([_growth(metric, values, per_second=stat == "rate") for values in series], "sum")
        return combine([list(values.items()) for values in series], "sum")
    how: Combine = "sum" if stat == "sum" else metric.combine
    return combine([list(values.items()) for values in series], how)


def combine(lines: Sequence[Points], how: Combine) -> Points:
    """Several lines as one: at their shared times, or in buckets of their usual spacing where times differ."""
    lines = [line for line in lines if line]
    if len(lines) <= 1:
        return lines[0] if lines else []
    times = {t for line in lines for t, _ in line}
    longest = max(len(line) for line in lines)
    if longest / len(times) >= SHARED_TIMES:
        at: dict[float, list[float]] = {t: [] for t in sorted(times)}
        for line in lines:
            for t, value in line:
                at[t].append(value)
        return [(t, _combined(values, how)) for t, values in at.items()]
    return _in_buckets(lines, how)


def _in_buckets(lines: Sequence[Points], how: Combine) -> Points:
    step = max(median(spacing([t for t, _ in line]) for line in lines), 1.0)
    slots: dict[float, list[float]] = {}
    for line in lines:
        filled: dict[float, float] = {}
        for (t, value), (after, _) in zip(line, [*line[1:], (line[-1][0], 0.0)], strict=True):
            last = min(after - step, t + CARRY_STEPS * step)
            slot = t // step * step
            filled[slot] = value
            while (slot := slot + step) <= last:
                filled.setdefault(slot, value)
        for slot, value in filled.items():
            slots.setdefault(slot, []).append(value)
    return [(slot, _combined(values, how)) for slot, values in sorted(slots.items())]


def _growth(metric: Metric, values: Mapping[float, float], *, per_second: bool) -> Points:
    """A counter's growth per sample, or per second of the time between two samples; a fall is a reset to zero."""
    items = list(values.items())
    points: Points = []
    for (t0, v0), (t1, v1) in pairwise(items):
        grown = v1 if metric.temporality == "delta" or v1 < v0 else v1 - v0
        points.append((t1, grown / (t1 - t0) if per_second else grown))
    if metric.temporality == "delta" and items and not per_second:
        points.insert(0, items[0])
    return points


def _histogram_points(series: Sequence[Mapping[float, Any]], stat: Stat) -> Points:
    at: dict[float, list[Sequence[float]]] = {}
    for values in series:
        for t, packed in values.items():
            at.setdefault(t, []).append(packed)
    points: Points = []
    for t, packs in sorted(at.items()):
        value = _of_packs(packs, stat)
        if value is not None:
            points.append((t, value))
    return points


def sketch_of(packs: Iterable[Sequence[float]]) -> Sketch:
    """The merged sketch of packed histogram samples ``[sum, max, index, count, ...]``."""
    merged = Sketch()
    for pack in packs:
        merged.merge(Sketch.from_flat(pack[2:]))
    return merged


def _of_packs(packs: Sequence[Sequence[float]], stat: Stat) -> float | None:
    if stat == "max":
        return max(pack[1] for pack in packs)
    total = sum(pack[0] for pack in packs)
    if stat == "sum":
        return total
    sketch = sketch_of(packs)
    if stat == "avg":
        return total / sketch.count if sketch.count else None
    return sketch.quantile(QUANTILES.get(stat, 0.0))


def merged_points(
    metric: Metric, buckets: Mapping[float, Merged], pick: Callable[[Merged], Stats | None], stat: Stat
) -> Points:
    """The line of what ``pick`` takes out of each merged bucket."""
    points: Points = []
    for t, merged in buckets.items():
        stats = pick(merged)
        value = None if stats is None else stat_value(metric, stats, stat)
        if value is not None:
            points.append((t, value))
    return points


def stat_value(metric: Metric, stats: Stats, stat: Stat) -> float | None:
    """One statistic of a merged bucket; None where the bucket can't tell (a counter's first value has no rate)."""
    if stat in QUANTILES:
        return stats.sketch.quantile(QUANTILES[stat]) if stats.sketch else None
    if stat == "rate":
        return stats.increase / stats.span if stats.increase is not None and stats.span else None
    if stat == "sum":
        return stats.increase if metric.kind == "counter" else stats.average * stats.count
    return {"avg": stats.average, "min": stats.low, "max": stats.high, "last": stats.last}[stat]


def _combined(values: Sequence[float], how: Combine) -> float:
    if how == "sum":
        return sum(values)
    if how == "max":
        return max(values)
    if how == "min":
        return min(values)
    return sum(values) / len(values)
