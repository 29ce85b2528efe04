"""The merge of one metric in one environment: writes its minutes and the hours they close."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from backend.contract.catalogue import Metric
from backend.contract.rollup import Merged
from backend.contract.tables import HOUR, HOUR_RETENTION_SECONDS, LIVE, MINUTE, partition
from backend.processor.items import Item, Row, merged_item
from backend.processor.merge import MergedMinute, merge_hour, merged_minutes
from backend.processor.published import Published
from backend.processor.store import MetricsStore


@dataclass(slots=True)
class MergeReport:
    """What a run did. ``recomputed`` of the ``minutes`` came late; ``skipped`` ones would have lost samples.

    ``complete`` is False when time ran out: the next run goes on. ``failed`` names partitions with their error.
    """

    minutes: int = 0
    hours: int = 0
    items: int = 0
    recomputed: int = 0
    skipped: int = 0
    complete: bool = True
    failed: dict[str, str] = field(default_factory=dict)
    published: Published = field(default_factory=Published)


class _Kept(NamedTuple):
    """A stored or just computed minute: how long it is kept itself, and how long what it came from is."""

    merged: Merged
    expires_at: int
    kept_until: int


class PartitionMerge:
    """Works through one (metric, environment) during one run at time ``now``.

    ``minute_seconds`` is the retention of its minutes. ``out_of_time`` is asked after each minute.
    """

    def __init__(
        self,
        store: MetricsStore,
        metric: Metric,
        environment: str,
        *,
        now: int,
        minute_seconds: int,
        publish: bool,
        out_of_time: Callable[[], bool],
        report: MergeReport,
    ) -> None:
        self._store = store
        self._metric = metric
        self._live, self._minutes, self._hours = (partition(metric.key, x, environment) for x in (LIVE, MINUTE, HOUR))
        self._now = now
        self._expires = now + minute_seconds
        self._publish = publish
        self._out_of_time = out_of_time
        self._report = report
        self._written: dict[int, _Kept] = {}

    def due(self, start: int, end: int, *, first_run: bool) -> int:
        """Merges the minutes from ``start`` up to ``end`` for the first time; returns where it stopped.

        Only a first run looks at what an earlier life of the merge has left in the minutes and hours.
        """
        open_hour = start // 3600 * 3600
        reached, closed = end, set[int]()
        for hour, minutes in self._by_hour(start, end - 60):
            computed, stopped = self._compute(minutes)
            reached = stopped or end
            known = not first_run and hour >= start
            self._flush(hour, computed, closed_until=reached, known=known)
            closed.add(hour)
            if self._publish:
                self._publish_increases(computed)
            if stopped:
                break
        if open_hour not in closed and start > open_hour and open_hour + 3600 <= reached:
            self._flush(open_hour, [], closed_until=reached, known=False)
        return reached

    def late(self, first: int, last: int, closed_until: int) -> int | None:
        """Computes the minutes from ``first`` to ``last`` again and the closed hours they belong to.

        Returns the minute to go on from, or None when all is done.
        """
        for hour, minutes in self._by_hour(first, last):
            computed, stopped = self._compute(minutes)
            self._report.recomputed += self._flush(hour, computed, closed_until=closed_until, known=False)
            if stopped:
                return stopped if stopped <= last else None
        return None

    def _by_hour(self, first: int, last: int) -> Iterable[tuple[int, Iterable[MergedMinute]]]:
        def read(a: int, b: int) -> Iterable[Row]:
            return self._store.query(self._live, a, b)

        return groupby(merged_minutes(self._metric, read(first, last), read), key=lambda m: m.minute // 3600 * 3600)

    def _compute(self, minutes: Iterable[MergedMinute]) -> tuple[list[MergedMinute], int | None]:
        """The minutes of one hour, and where to go on when time ran out after one of them."""
        computed: list[MergedMinute] = []
        for minute in minutes:
            computed.append(minute)
            if self._out_of_time():
                return computed, minute.minute + 60
        return computed, None

    def _flush(self, hour: int, computed: list[MergedMinute], *, closed_until: int, known: bool) -> int:
        """Writes the minutes, and the hour if it ended before ``closed_until``; returns how many minutes.

        Unless the hour is ``known`` to be untouched, what is stored of it is read: it completes the hour, and a minute
        is left as it is when some of the live items it was computed from have expired, for computing it again from the
        rest would lose samples.
        """
        stored = {} if known else self._stored(hour)
        fresh = {
            m.minute: _Kept(m.merged, self._expires, m.kept_until) for m in computed if self._may(stored.get(m.minute))
        }
        self._report.skipped += len(computed) - len(fresh)
        items = [
            merged_item(self._minutes, minute, k.merged.encode(), k.expires_at, k.kept_until)
            for minute, k in fresh.items()
        ]
        minutes = {**stored, **fresh}
        if minutes and hour + 3600 <= closed_until and (fresh or not computed):
            items += self._hour_items(hour, minutes, known=known)
        self._report.minutes += len(fresh)
        self._report.items += self._store.write(items)
        self._written.update(fresh)
        return len(fresh)

    def _hour_items(self, hour: int, minutes: dict[int, _Kept], *, known: bool) -> list[Item]:
        if not known:
            for row in self._store.query(self._hours, hour, hour):
                if row.kept_until <= self._now:
                    return []
        merged = merge_hour(self._metric, {minute: kept.merged for minute, kept in minutes.items()})
        kept_until = min(kept.expires_at for kept in minutes.values())
        self._report.hours += 1
        return [merged_item(self._hours, hour, merged.encode(), self._now + HOUR_RETENTION_SECONDS, kept_until)]

    def _stored(self, hour: int) -> dict[int, _Kept]:
        """The hour's minutes as stored; those this run wrote are known better than the index may show them yet."""
        rows = self._store.query(self._minutes, hour, hour + 3540)
        stored = {row.timestamp: _Kept(Merged.decode(row.data), row.expires_at, row.kept_until) for row in rows}
        stored.update((m, kept) for m, kept in self._written.items() if hour <= m < hour + 3600)
        return stored

    def _may(self, stored: _Kept | None) -> bool:
        """Whether a minute may be written over: everything behind the stored one must still be there."""
        return stored is None or stored.kept_until > self._now

    def _publish_increases(self, computed: Iterable[MergedMinute]) -> None:
        for minute in computed:
            if minute.merged.total.increase is not None:
                self._report.published.add(self._metric, minute.minute, [(minute.merged.total.increase, 1)])
