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
from backend.contract.rollup import OTHER, Merged, Stats
from backend.contract.sketch import Sketch

Stat = Literal["avg", "min", "max", "sum", "last", "rate", "p50", "p95", "p99"]
Points = list[tuple[float, float]]
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
STATS: Final[Mapping[str, tuple[Stat, ...]]] = {
    "gauge": ("avg", "min", "max", "sum", "last"),
    "counter": ("rate", "sum", "last", "avg", "min", "max"),
    "histogram": ("p99", "p95", "p50", "avg", "min", "max", "sum"),
}
"""What can be asked of each kind; the first is the default.

``sum`` is what a counter grew by and what a histogram's observations add up to in each point's time; of a gauge, its
groups added up (each combined as the catalogue says), at one instant or on average over a bucket.
"""
SHARED_TIMES: Final = 0.8
"""Series are combined at their own times when at least this part is shared with the longest, else in buckets."""
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
        if stat == "sum":
            return _added([_growth(metric, values, per_second=False) for values in series])
        if stat == "rate":
            return combine([_growth(metric, values, per_second=True) for values in series], "sum")
    how = metric.across
    if how == "avg" and stat in ("min", "max"):
        how = "min" if stat == "min" else "max"
    return combine([list(values.items()) for values in series], how)


def combine(lines: Sequence[Points], how: Combine) -> Points:
    """Several lines as one: at their shared times, or in buckets of their usual spacing where times differ."""
    lines = [line for line in lines if line]
    if len(lines) <= 1:
        return lines[0] if lines else []
    if _share_times(lines):
        times = {t for line in lines for t, _ in line}
        at: dict[float, list[float]] = {t: [] for t in sorted(times)}
        for line in lines:
            for t, value in line:
                at[t].append(value)
        return [(t, _combined(values, how)) for t, values in at.items()]
    return _in_buckets(lines, how)


def _share_times(lines: Sequence[Sequence[tuple[float, Any]]]) -> bool:
    longest = max(lines, key=len)
    known = {t for t, _ in longest}
    others = [t in known for line in lines if line is not longest for t, _ in line]
    return not others or sum(others) / len(others) >= SHARED_TIMES


def _usual_step(lines: Sequence[Sequence[tuple[float, Any]]]) -> float:
    return max(median(spacing([t for t, _ in line]) for line in lines), 1.0)


def _added(lines: Sequence[Points]) -> Points:
    """Amounts of several lines added up, at their shared times or per usual step; each amount counts once."""
    lines = [line for line in lines if line]
    if not lines:
        return []
    step = None if _share_times(lines) else _usual_step(lines)
    slots: dict[float, float] = {}
    for line in lines:
        for t, value in line:
            slot = t if step is None else t // step * step
            slots[slot] = slots.get(slot, 0.0) + value
    return sorted(slots.items())


def _in_buckets(lines: Sequence[Points], how: Combine) -> Points:
    step = _usual_step(lines)
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
    lines = [list(values.items()) for values in series if values]
    if not lines:
        return []
    step = None if _share_times(lines) else _usual_step(lines)
    at: dict[float, list[Sequence[float]]] = {}
    for line in lines:
        for t, packed in line:
            at.setdefault(t if step is None else t // step * step, []).append(packed)
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
        totals = {"counter": stats.increase, "histogram": stats.average * stats.count, "gauge": stats.average}
        return totals[metric.kind]
    return {"avg": stats.average, "min": stats.low, "max": stats.high, "last": stats.last}[stat]


def sum_of_groups(metric: Metric, merged: Merged) -> float:
    """A gauge's groups added up; those that a bucket does not keep apart count with their combined value each."""
    if metric.combine == "sum":
        return merged.total.average
    named = [stats.average for name, stats in merged.groups.items() if name != OTHER]
    rest = merged.groups.get(OTHER)
    return sum(named) + (rest.average * (merged.group_count - len(named)) if rest else 0.0)


def _combined(values: Sequence[float], how: Combine) -> float:
    if how == "sum":
        return sum(values)
    if how == "max":
        return max(values)
    if how == "min":
        return min(values)
    return sum(values) / len(values)
