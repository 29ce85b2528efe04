"""Merged buckets up to the newest sample: what the scheduled merge has stored, continued from the finer level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from backend.contract.bucket import LOOKBACK_SECONDS, buckets, longer
from backend.contract.catalogue import Metric
from backend.contract.rollup import WORST_GROUPS, Merged
from backend.contract.tables import HOUR, LEVEL_SECONDS, LIVE, MINUTE
from dashboard.data.hot import KEEP_SECONDS, Column, HotStore, Wanted

TAIL_SECONDS: Final = 600
"""How far the merge usually lags at most: allowance, schedule and a slow run."""
BucketsByMetric = dict[str, Mapping[float, Merged]]


class Levels:
    """Reads merged levels through the hot store."""

    def __init__(self, hot: HotStore) -> None:
        self._hot = hot

    def merged(
        self,
        metrics: Sequence[Metric],
        environment: str,
        level: str,
        start: float,
        now: float,
        *,
        settled: bool = False,
    ) -> BucketsByMetric:
        """The buckets of ``level`` (1m or 1h) from ``start`` to the newest sample, by metric.

        ``settled``: fleets end with what the merge has closed, their samples are not read.
        """
        if level == MINUTE:
            return self.minutes(metrics, environment, start, now, settled=settled)
        stored = self._columns(metrics, environment, HOUR, start)
        result: BucketsByMetric = {}
        step = LEVEL_SECONDS[HOUR]
        after = {m.key: max(stored[m.key].merged, default=start // step * step - step) + step for m in metrics}
        reach = now // step * step - 3 * step
        finer = self.minutes(metrics, environment, max(min(after.values(), default=now), reach), now, settled=settled)
        for metric in metrics:
            hours: dict[float, list[Merged]] = {}
            for minute, bucket in finer[metric.key].items():
                if minute >= after[metric.key]:
                    hours.setdefault(minute // step * step, []).append(bucket)
            tail = {hour: longer(metric, parts) for hour, parts in hours.items()}
            joined = {**self.with_late(metric, environment, HOUR, stored[metric.key].merged, start, now), **tail}
            result[metric.key] = _from(start - step, joined)
        return result

    def minutes(
        self, metrics: Sequence[Metric], environment: str, start: float, now: float, *, settled: bool = False
    ) -> BucketsByMetric:
        """The 1-minute buckets from ``start`` to the newest sample, by metric; ``settled`` as ``merged`` has it."""
        stored = self._columns(metrics, environment, MINUTE, start)
        newest = {m.key: max(stored[m.key].merged, default=None) for m in metrics}
        open_ended = [m for m in metrics if not (settled and _is_fleet(stored[m.key].merged))]
        live = self._live(open_ended, environment, {key: start if t is None else t for key, t in newest.items()}, now)
        result: BucketsByMetric = {}
        for metric in metrics:
            last = newest[metric.key]
            after = last + LEVEL_SECONDS[MINUTE] if last is not None else start
            samples = live[metric.key].samples if metric.key in live else {}
            tail = buckets(metric, samples, after, now + LEVEL_SECONDS[LIVE])
            joined = {**self.with_late(metric, environment, MINUTE, stored[metric.key].merged, start, now), **tail}
            result[metric.key] = _from(start, joined)
        return result

    def with_late(
        self, metric: Metric, environment: str, level: str, stored: Mapping[float, Merged], start: float, end: float
    ) -> Mapping[float, Merged]:
        """``stored``, with what came late and the merge has not reached yet computed here from live items.

        So an import is whole on the first look. Fleets are left to the merge: their live items cost too much.
        """
        spans = [(max(a, start), min(b, end)) for a, b in self._hot.unmerged(metric.key, environment)]
        spans = [(a, b) for a, b in spans if a <= b]
        if not spans or _is_fleet(stored):
            return stored
        step = LEVEL_SECONDS[level]
        first = min(a for a, _ in spans) // step * step
        last = max(b for _, b in spans) // step * step + step
        samples = self._hot.closed(metric.key, environment, LIVE, first - LOOKBACK_SECONDS, last).samples
        minutes: dict[float, Merged] = {}
        for a, b in spans:
            minutes.update(buckets(metric, samples, a // 60 * 60, b // 60 * 60 + 60))
        if level == MINUTE:
            return dict(sorted({**stored, **minutes}.items()))
        known = self._hot.closed(metric.key, environment, MINUTE, first, last).merged
        hours: dict[float, list[Merged]] = {}
        for minute, bucket in sorted({**known, **minutes}.items()):
            hours.setdefault(minute // step * step, []).append(bucket)
        touched = {minute // step * step for minute in minutes}
        return dict(sorted({**stored, **{h: longer(metric, hours[h]) for h in touched}}.items()))

    def _live(
        self, metrics: Sequence[Metric], environment: str, merged_to: Mapping[str, float], now: float
    ) -> dict[str, Column]:
        """Live columns that reach back far enough to continue each metric's merged buckets."""
        wanted = []
        for metric in metrics:
            reach = min(max(merged_to[metric.key], now - KEEP_SECONDS[LIVE]), now - TAIL_SECONDS)
            wanted.append(Wanted(metric.key, environment, LIVE, reach - LOOKBACK_SECONDS))
        return {metric: column for (metric, _level), column in self._hot.columns(wanted).items()}

    def _columns(self, metrics: Iterable[Metric], environment: str, level: str, start: float) -> dict[str, Column]:
        columns = self._hot.columns(Wanted(metric.key, environment, level, start) for metric in metrics)
        return {metric: column for (metric, _level), column in columns.items()}


def _is_fleet(merged: Mapping[float, Merged]) -> bool:
    """Whether the newest bucket has more groups than it keeps apart."""
    return bool(merged) and merged[max(merged)].group_count > WORST_GROUPS


def _from(start: float, merged: Mapping[float, Merged]) -> Mapping[float, Merged]:
    return {t: merged[t] for t in sorted(merged) if t > start - 1}
