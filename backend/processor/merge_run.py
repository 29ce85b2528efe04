"""One run of the scheduled merge: what is due since the last run, then what came late.

A run may be stopped or repeated at any point: it computes from live items and writes by key.
"""

from __future__ import annotations

import time
from typing import Final

import orjson

from backend.contract.bucket import LOOKBACK_SECONDS
from backend.contract.catalogue import Catalogue
from backend.contract.tables import LATE, LATENESS_ALLOWANCE_SECONDS, MERGE_STATE, MINUTE, partition
from backend.processor.items import LATE_SECONDS, state_item
from backend.processor.merge_partition import MergeReport, PartitionMerge
from backend.processor.merge_state import STATE_ID, MergeState, Range
from backend.processor.store import MetricsStore
from backend.settings import Retention

__all__ = ["MergeReport", "run_merge"]

LATE_OVERLAP_SECONDS: Final = 300
"""LATE records are looked for from this long before the last look: a slow write shows up afterwards."""
DAMAGED: Final = (ValueError, KeyError, TypeError, IndexError)
"""What reading a damaged item raises; it stops its own metric only."""
Pair = tuple[str, str]
"""(environment, metric_type)."""


def run_merge(
    store: MetricsStore,
    catalogue: Catalogue,
    retention: Retention,
    now: float,
    deadline: float | None = None,
    published_environment: str | None = None,
) -> MergeReport:
    """Merges what is due at ``now`` (epoch s) and stops at ``deadline`` (of ``time.monotonic``), keeping its place.

    Increases of ``published_environment`` (None: all) are in the report for CloudWatch.

    Raises WriteThrottled and botocore's errors when the table can't be read or written; nothing is lost by that.
    """
    return _Run(store, catalogue, retention, int(now), deadline, published_environment).run()


class _Run:
    def __init__(
        self,
        store: MetricsStore,
        catalogue: Catalogue,
        retention: Retention,
        now: int,
        deadline: float | None,
        published_environment: str | None,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._retention = retention
        self._now = now
        self._deadline = deadline
        self._report = MergeReport()
        self._published = {metric.key for metric in catalogue.published if metric.cumulative}
        self._published_environment = published_environment
        self._work: dict[Pair, PartitionMerge] = {}

    def run(self) -> MergeReport:
        state = self._load_state()
        self._take_late(state)
        first_run = state.merged_until is None
        end = (self._now - LATENESS_ALLOWANCE_SECONDS) // 60 * 60
        starts = self._starts(state)
        reached = {
            pair: self._due(pair, start, end, first_run=first_run)
            for pair, start in sorted(starts.items(), key=lambda entry: entry[1])
        }
        state.advance({_name(pair): until for pair, until in reached.items()}, end)
        state.waiting = [left for r in state.waiting if (left := self._late(r, starts, reached)) is not None]
        self._report.complete = not (state.behind or state.waiting)
        self._store.write([state_item(STATE_ID, state.encode())])
        return self._report

    def _load_state(self) -> MergeState:
        rows = self._store.query(MERGE_STATE, 0, 0)
        return MergeState.decode(next((row.data for row in rows), None))

    def _take_late(self, state: MergeState) -> None:
        """Moves new LATE records into the state's waiting ranges."""
        since = (state.late_until or self._now - LATE_SECONDS) - LATE_OVERLAP_SECONDS
        done, recent = set(state.late_done), []
        found: list[Range] = []
        for row in self._store.query(LATE, since, self._now + LATE_OVERLAP_SECONDS):
            if row.timestamp >= self._now - LATE_OVERLAP_SECONDS:
                recent.append(_seal(row.metric_id, row.timestamp))
            if _seal(row.metric_id, row.timestamp) not in done:
                ranges = orjson.loads(row.data).items()
                found += [Range(e, m, *span) for e, metrics in ranges for m, span in metrics.items()]
        state.wait_for(found)
        state.late_until = self._now
        state.late_done = recent

    def _starts(self, state: MergeState) -> dict[Pair, int]:
        """Where each metric that ever arrived goes on; at first, as far back as live items are kept."""
        oldest = (self._now - self._retention.live_seconds) // 60 * 60
        starts: dict[Pair, int] = {}
        for environment, metric_type in self._store.seen():
            if metric_type in self._catalogue:
                until = state.until(_name((environment, metric_type)))
                starts[environment, metric_type] = oldest if until is None else until
        return starts

    def _due(self, pair: Pair, start: int, end: int, *, first_run: bool) -> int:
        if start >= end or self._out_of_time():
            return start
        try:
            return self._partition(pair).due(start, end, first_run=first_run)
        except DAMAGED as error:
            self._report.failed[_name(pair)] = f"{type(error).__name__}: {error}"
            return start

    def _late(self, late: Range, starts: dict[Pair, int], reached: dict[Pair, int]) -> Range | None:
        """Works on minutes that came late; returns what is left of them.

        What this run merged for the first time has the late samples in it already. A counter's next minutes start
        from the late samples, so they are computed again too.
        """
        pair = (late.environment, late.metric_type)
        if pair not in starts:
            return None
        carry = LOOKBACK_SECONDS if self._catalogue[late.metric_type].kind == "counter" else 0
        last = min(late.last + carry, starts[pair] - 60)
        if late.first > last:
            return None
        if self._out_of_time():
            return late
        try:
            rest = self._partition(pair).late(late.first, last, reached[pair])
        except DAMAGED as error:
            self._report.failed[_name(pair)] = f"{type(error).__name__}: {error}"
            return None
        return late._replace(first=rest, last=max(rest, late.last)) if rest is not None else None

    def _partition(self, pair: Pair) -> PartitionMerge:
        if pair not in self._work:
            environment, metric_type = pair
            self._work[pair] = PartitionMerge(
                self._store,
                self._catalogue[metric_type],
                environment,
                now=self._now,
                minute_seconds=self._catalogue.tier_of(metric_type).retention_days * 86400,
                publish=metric_type in self._published and self._published_environment in (None, environment),
                out_of_time=self._out_of_time,
                report=self._report,
            )
        return self._work[pair]

    def _out_of_time(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline


def _name(pair: Pair) -> str:
    environment, metric_type = pair
    return partition(metric_type, MINUTE, environment)


def _seal(metric_id: str, timestamp: int) -> str:
    """Tells LATE records apart in little space."""
    return f"{metric_id[:13]}{timestamp}"
