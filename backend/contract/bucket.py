"""From samples to merged buckets, and from buckets to longer ones. Pure.

The scheduled merge stores what this computes; readers compute the same for minutes the merge has not reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from backend.contract.catalogue import Metric
from backend.contract.rollup import OTHER, WORST_GROUPS, Merged, Stats, in_parallel, in_sequence, increase
from backend.contract.sketch import Sketch

Samples = Mapping[tuple[str, str], Mapping[float, Any]]
"""(group, series) -> {epoch s: value}, as ``rollup.gather`` gives it; times in any order."""
MINUTE_SECONDS: Final = 60
LOOKBACK_SECONDS: Final = 2700
"""How far before a bucket a counter's previous sample may lie: three of the longest intervals (15 min), as silence is
judged. An older one is a new beginning."""


def buckets(metric: Metric, samples: Samples, start: float, end: float, step: int = 60) -> dict[float, Merged]:
    """The merged buckets of ``step`` seconds that have samples in [start, end), ascending.

    ``samples`` should reach ``LOOKBACK_SECONDS`` before ``start``: a counter's first sample without a predecessor
    is no increase. Linear in the number of samples.
    """
    found: dict[int, dict[str, list[Stats]]] = {}
    for (group, _series), values in samples.items():
        for bucket, stats in _series_buckets(metric, values, start, end, step):
            found.setdefault(bucket, {}).setdefault(group, []).append(stats)
    return {bucket: _merged(metric, found[bucket]) for bucket in sorted(found)}


def longer(metric: Metric, parts: Sequence[Merged]) -> Merged:
    """Consecutive buckets, oldest first, as one: an hour from its minutes."""
    groups: dict[str, list[Stats]] = {}
    for part in parts:
        for name, stats in part.groups.items():
            groups.setdefault(name, []).append(stats)
    joined = {name: in_sequence(stats) for name, stats in groups.items()}
    bands = [part.bands for part in parts if part.bands is not None]
    return Merged(
        groups=_worst(metric, joined),
        total=in_sequence([part.total for part in parts]),
        group_count=max(part.group_count for part in parts),
        bands=_sum(bands) if bands else None,
        worst=_worst_level(metric, parts),
    )


def level_of(metric: Metric, stats: Stats, window: float = MINUTE_SECONDS) -> float | None:
    """What a bucket is judged by: growth of a counter over ``window`` s, p99 of a histogram, newest value of a gauge.

    Of a counter that reports less often than ``window`` it is the even share.
    """
    if metric.kind != "counter":
        return stats.sketch.quantile(0.99) if stats.sketch is not None else stats.last
    if stats.increase is None or not stats.span or stats.span <= window:
        return stats.increase
    return stats.increase * window / stats.span


def _worst_level(metric: Metric, parts: Sequence[Merged]) -> float | None:
    levels = [part.worst if part.worst is not None else level_of(metric, part.total) for part in parts]
    known = [level for level in levels if level is not None]
    if not known:
        return None
    return min(known) if metric.direction == "lower_is_worse" else max(known)


def badness(metric: Metric, stats: Stats) -> float:
    """What groups are ranked by, larger is worse: growth of a counter, p99 of a histogram, average of a gauge."""
    if metric.kind == "counter":
        value = stats.increase or 0.0
    elif stats.sketch is not None:
        value = stats.sketch.quantile(0.99) or 0.0
    else:
        value = stats.average
    return -value if metric.direction == "lower_is_worse" else value


def _series_buckets(
    metric: Metric, values: Mapping[float, Any], start: float, end: float, step: int
) -> Iterator[tuple[int, Stats]]:
    """One series' buckets; ``previous`` carries the sample before, for counters."""
    previous: tuple[float, float] | None = None
    inside: list[tuple[float, Any]] = []
    current: int | None = None
    for t in sorted(values):
        bucket = int(t // step * step)
        if bucket != current:
            if inside and current is not None:
                yield current, _stats(metric, inside, previous)
                previous = inside[-1]
            inside, current = [], bucket
        if t < start:
            previous = (t, values[t])
        elif t < end:
            inside.append((t, values[t]))
    if inside and current is not None:
        yield current, _stats(metric, inside, previous)


def _stats(metric: Metric, inside: Sequence[tuple[float, Any]], previous: tuple[float, Any] | None) -> Stats:
    if metric.kind == "histogram":
        return _histogram(inside)
    numbers = [value for _, value in inside]
    stats = Stats(len(numbers), sum(numbers) / len(numbers), min(numbers), max(numbers), numbers[-1])
    if metric.kind == "counter":
        near = previous is not None and inside[0][0] - previous[0] <= LOOKBACK_SECONDS
        chain = [previous, *inside] if previous is not None and near else list(inside)
        stats.increase = sum(numbers) if metric.temporality == "delta" else increase([v for _, v in chain])
        stats.span = chain[-1][0] - chain[0][0]
        if metric.temporality == "delta" and chain[0] is inside[0]:
            # The first value covers as long a time as the others, only nobody saw where it began.
            stats.span *= len(inside) / max(len(inside) - 1, 1)
    return stats


def _histogram(inside: Sequence[tuple[float, Any]]) -> Stats:
    """Statistics of the observations of packed samples ``[sum, max, index, count, ...]``."""
    sketch = Sketch()
    for _, pack in inside:
        sketch.merge(Sketch.from_flat(pack[2:]))
    count = sketch.count
    average = sum(pack[0] for _, pack in inside) / count if count else 0.0
    last = inside[-1][1]
    last_count = sum(last[3::2])
    return Stats(
        count=count,
        average=average,
        low=sketch.quantile(0.0) or 0.0,
        high=max(pack[1] for _, pack in inside),
        last=last[0] / last_count if last_count else 0.0,
        sketch=sketch,
    )


def _merged(metric: Metric, groups: Mapping[str, list[Stats]]) -> Merged:
    combined = {name: in_parallel(stats, metric.across) for name, stats in sorted(groups.items())}
    total = in_parallel([stats for series in groups.values() for stats in series], metric.across)
    bands = None
    if len(combined) > WORST_GROUPS:
        bands = Sketch()
        for stats in combined.values():
            bands.add(stats.average)
    return Merged(_worst(metric, combined), total, len(combined), bands)


def _worst(metric: Metric, groups: Mapping[str, Stats]) -> dict[str, Stats]:
    """The 20 worst groups by name and the rest as "other"; all of them where there are no more than 20."""
    if len(groups) <= WORST_GROUPS + (OTHER in groups):
        return dict(groups)
    named = sorted((n for n in groups if n != OTHER), key=lambda n: badness(metric, groups[n]), reverse=True)
    rest = [groups[name] for name in named[WORST_GROUPS:]]
    if OTHER in groups:
        rest.append(groups[OTHER])
    return {**{name: groups[name] for name in sorted(named[:WORST_GROUPS])}, OTHER: in_parallel(rest, metric.across)}


def _sum(sketches: Iterable[Sketch]) -> Sketch:
    merged = Sketch()
    for sketch in sketches:
        merged.merge(sketch)
    return merged
