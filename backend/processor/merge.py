"""Live items to merged minutes and hours: what the scheduled merge computes. Pure.

The statistics themselves are ``backend.contract.bucket``'s, shared with readers that are ahead of the merge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final, NamedTuple

import orjson

from backend.contract.bucket import LOOKBACK_SECONDS, Samples, buckets, longer
from backend.contract.catalogue import Metric
from backend.contract.rollup import Merged, gather
from backend.processor.items import Row

SeriesName = tuple[str, str]
"""(group, series)."""
Read = Callable[[int, int], Iterable[Row]]
"""The live rows of one metric from one minute to another, both inclusive."""
_REACHES: Final = (60, 300, LOOKBACK_SECONDS)
"""How far back a counter's previous samples are looked for, step by step: mostly the minute before has them all."""


class MergedMinute(NamedTuple):
    """One computed minute; ``kept_until`` is when the first of the live items behind it expires (epoch s)."""

    minute: int
    merged: Merged
    kept_until: int


class Before:
    """The last sample of each series of a counter before a minute, at most ``LOOKBACK_SECONDS`` old.

    Earlier rows are read only as far back as series of the minute are still missing.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._last: dict[SeriesName, tuple[float, float]] = {}
        self._from: int | None = None
        self._reach = 0

    def of(self, minute: int, names: Iterable[SeriesName]) -> Mapping[SeriesName, tuple[float, float]]:
        """The samples before ``minute``; call it with ascending minutes, each followed by ``add``."""
        if self._from is None:
            self._from = minute
        missing = [name for name in names if name not in self._last]
        for reach in _REACHES:
            if not missing or self._from - self._reach <= minute - LOOKBACK_SECONDS:
                break
            if reach > self._reach:
                self._look_back(self._from - reach, self._from - self._reach - 60)
                self._reach = reach
                missing = [name for name in missing if name not in self._last]
        return self._last

    def add(self, samples: Samples) -> None:
        """The samples of the minute that was asked for are before the next one."""
        for name, values in samples.items():
            at = max(values)
            self._last[name] = (at, values[at])

    def _look_back(self, first: int, last: int) -> None:
        found: dict[SeriesName, tuple[float, float]] = {}
        for row in self._read(first, last):
            for group, series, offsets, values in orjson.loads(row.data):
                at = row.timestamp + offsets[-1]
                if (group, series) not in found or at >= found[group, series][0]:
                    found[group, series] = (at, values[-1])
        for name, sample in found.items():
            self._last.setdefault(name, sample)


def merge_minute(
    metric: Metric, minute: int, before: Mapping[SeriesName, tuple[float, Any]], samples: Samples
) -> Merged:
    """One minute of one metric; ``before`` holds the last sample before it per series of a counter."""
    if metric.kind == "counter":
        samples = {
            name: {before[name][0]: before[name][1], **values} if name in before else values
            for name, values in samples.items()
        }
    return buckets(metric, samples, minute, minute + 60)[minute]


def merged_minutes(metric: Metric, rows: Iterable[Row], read: Read) -> Iterator[MergedMinute]:
    """The minutes of live ``rows`` (ascending), one at a time in memory; ``read`` reads what lies before them."""
    before = Before(read)
    for minute, group in groupby(rows, key=lambda row: row.timestamp):
        kept_until = [2**53]
        samples = gather(_watched(group, kept_until))
        if not samples:
            continue
        previous = before.of(minute, samples) if metric.kind == "counter" else {}
        merged = merge_minute(metric, minute, previous, samples)
        if metric.kind == "counter":
            before.add(samples)
        yield MergedMinute(minute, merged, kept_until[0])


def merge_hour(metric: Metric, minutes: Mapping[int, Merged]) -> Merged:
    """An hour from its minutes; needs at least one."""
    return longer(metric, [minutes[minute] for minute in sorted(minutes)])


def _watched(rows: Iterable[Row], kept_until: list[int]) -> Iterator[tuple[int, str]]:
    """(minute, data) of the rows, noting the earliest expiry."""
    for row in rows:
        kept_until[0] = min(kept_until[0], row.expires_at or kept_until[0])
        yield row.timestamp, row.data
