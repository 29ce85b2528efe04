"""What the items of the three levels hold, and how values combine: the processor writes it, the dashboard reads it.

A *live* item keeps one object's samples of one metric and minute as they came, per series. A *merged* item (1m, 1h)
keeps ``Stats`` per group: the 20 worst groups, the rest as ``other``, everything as ``all``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

import orjson

from backend.contract.catalogue import Combine
from backend.contract.sketch import Sketch

WORST_GROUPS: Final = 20
OTHER: Final = "other"


class LiveSeries(NamedTuple):
    """One series' samples inside one minute.

    ``offsets`` are seconds from the item's minute, ascending. ``values[i]`` is the sample's value; for a histogram
    it is ``[sum, max, index, count, index, count, ...]`` (the observations' sum and maximum, then the flat sketch).
    """

    group: str
    series: str
    offsets: list[float]
    values: list[Any]


def encode_live(series: Iterable[LiveSeries]) -> str:
    """The ``data`` attribute of a live item."""
    return orjson.dumps([tuple(entry) for entry in series]).decode()


def decode_live(data: str) -> list[LiveSeries]:
    """The series of a live item's ``data``."""
    return [LiveSeries(*entry) for entry in orjson.loads(data)]


@dataclass(slots=True)
class Stats:
    """One group over one bucket of time.

    ``average`` is weighted by sample; for a counter the five numbers describe the counter as the source gave it,
    ``increase`` what it grew by (resets taken out) and ``span`` the seconds over which it grew, so that
    rate = increase / span. For a histogram they describe the observations, and ``sketch`` holds their distribution.
    """

    count: float
    average: float
    low: float
    high: float
    last: float
    increase: float | None = None
    span: float | None = None
    sketch: Sketch | None = None

    def encode(self) -> list[Any]:
        """A JSON-ready list; the optional tail is cut where it is empty."""
        row: list[Any] = [self.count, self.average, self.low, self.high, self.last]
        if self.increase is not None:
            row += [self.increase, self.span]
        if self.sketch is not None:
            row.append(self.sketch.flat())
        return row

    @classmethod
    def decode(cls, row: Sequence[Any]) -> Stats:
        """The Stats that ``encode`` gave."""
        rest = list(row[5:])
        sketch = Sketch.from_flat(rest.pop()) if rest and isinstance(rest[-1], list) else None
        increase, span = (rest[0], rest[1]) if rest else (None, None)
        return cls(row[0], row[1], row[2], row[3], row[4], increase, span, sketch)


@dataclass(slots=True)
class Merged:
    """One merged bucket of a metric. ``bands`` is a sketch of the groups' averages, kept beyond 20 groups.

    ``worst`` belongs to buckets longer than a minute: the worst minute's level (``bucket.level_of``), so that a short
    incident does not vanish in an hour's average.
    """

    groups: dict[str, Stats]
    total: Stats
    group_count: int
    bands: Sketch | None = field(default=None)
    worst: float | None = None

    def encode(self) -> str:
        """The ``data`` attribute of a 1m or 1h item."""
        record: dict[str, Any] = {
            "n": self.group_count,
            "all": self.total.encode(),
            "g": [[name, *stats.encode()] for name, stats in self.groups.items()],
        }
        if self.bands is not None:
            record["b"] = self.bands.flat()
        if self.worst is not None:
            record["w"] = self.worst
        return orjson.dumps(record).decode()

    @classmethod
    def decode(cls, data: str) -> Merged:
        """The Merged that ``encode`` gave."""
        record = orjson.loads(data)
        return cls(
            groups={row[0]: Stats.decode(row[1:]) for row in record["g"]},
            total=Stats.decode(record["all"]),
            group_count=record["n"],
            bands=Sketch.from_flat(record["b"]) if "b" in record else None,
            worst=record.get("w"),
        )


def in_parallel(stats: Sequence[Stats], how: Combine) -> Stats:
    """Several series over the same time as one: subtasks of an operator, partitions of a topic, hosts of a fleet.

    ``how`` applies to gauges; increases always add up, sketches always merge, a span is the longest one.
    """
    if len(stats) == 1:
        return stats[0]
    increases = [s.increase for s in stats if s.increase is not None]
    merged = Stats(
        count=sum(s.count for s in stats),
        average=_combine([s.average for s in stats], [s.count for s in stats], how),
        low=min(s.low for s in stats) if how == "avg" else _combine([s.low for s in stats], None, how),
        high=max(s.high for s in stats) if how == "avg" else _combine([s.high for s in stats], None, how),
        last=_combine([s.last for s in stats], None, how),
    )
    if increases:
        merged.increase = sum(increases)
        merged.span = max(s.span or 0.0 for s in stats)
    merged.sketch = _merged_sketch(stats)
    return merged


def in_sequence(stats: Sequence[Stats]) -> Stats:
    """Consecutive buckets of one group, oldest first, as one longer bucket."""
    if len(stats) == 1:
        return stats[0]
    increases = [s.increase for s in stats if s.increase is not None]
    merged = Stats(
        count=sum(s.count for s in stats),
        average=_combine([s.average for s in stats], [s.count for s in stats], "avg"),
        low=min(s.low for s in stats),
        high=max(s.high for s in stats),
        last=stats[-1].last,
    )
    if increases:
        merged.increase = sum(increases)
        merged.span = sum(s.span or 0.0 for s in stats)
    merged.sketch = _merged_sketch(stats)
    return merged


def increase(values: Sequence[float]) -> float:
    """What a cumulative counter grew by over its samples; a fall is a reset to zero (Prometheus ``increase``)."""
    return sum(b - a if b >= a else b for a, b in pairwise(values))


def gather(items: Iterable[tuple[int, str]]) -> Mapping[tuple[str, str], dict[float, Any]]:
    """The samples of many live items by (group, series): ``{timestamp: value}``, each timestamp once.

    ``items`` are (minute, data) pairs in any order; the same sample in two objects counts once.
    """
    series: dict[tuple[str, str], dict[float, Any]] = {}
    for minute, data in items:
        for entry in orjson.loads(data):
            samples = series.setdefault((entry[0], entry[1]), {})
            for offset, value in zip(entry[2], entry[3], strict=True):
                samples[minute + offset] = value
    return series


def _combine(values: Sequence[float], weights: Sequence[float] | None, how: Combine) -> float:
    if how == "sum":
        return sum(values)
    if how == "max":
        return max(values)
    if how == "min":
        return min(values)
    if weights is None or not (total := sum(weights)):
        return sum(values) / len(values)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total


def _merged_sketch(stats: Iterable[Stats]) -> Sketch | None:
    merged: Sketch | None = None
    for s in stats:
        if s.sketch is not None:
            merged = merged or Sketch()
            merged.merge(s.sketch)
    return merged
