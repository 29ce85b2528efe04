"""Merged buckets up to the newest sample: what the scheduled merge has stored, continued from the finer level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from backend.contract.bucket import LOOKBACK_SECONDS, buckets, longer
from backend.contract.catalogue import Metric
from backend.contract.rollup import Merged
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
        self, metrics: Sequence[Metric], environment: str, level: str, start: float, now: float
    ) -> BucketsByMetric:
        """The buckets of ``level`` (1m or 1h) from ``start`` to the newest sample, by metric."""
        if level == MINUTE:
            return self.minutes(metrics, environment, start, now)
        stored = self._columns(metrics, environment, HOUR, start)
        result: BucketsByMetric = {}
        step = LEVEL_SECONDS[HOUR]
        after = {m.key: max(stored[m.key].merged, default=start // step * step - step) + step for m in metrics}
        reach = now // step * step - 3 * step
        finer = self.minutes(metrics, environment, max(min(after.values(), default=now), reach), now)
        for metric in metrics:
            hours: dict[float, list[Merged]] = {}
            for minute, bucket in finer[metric.key].items():
                if minute >= after[metric.key]:
                    hours.setdefault(minute // step * step, []).append(bucket)
            tail = {hour: longer(metric, parts) for hour, parts in hours.items()}
            result[metric.key] = _from(start - step, {**stored[metric.key].merged, **tail})
        return result

    def minutes(self, metrics: Sequence[Metric], environment: str, start: float, now: float) -> BucketsByMetric:
        """The 1-minute buckets from ``start`` to the newest sample, by metric."""
        stored = self._columns(metrics, environment, MINUTE, start)
        newest = {m.key: max(stored[m.key].merged, default=None) for m in metrics}
        live = self._live(metrics, environment, {key: start if t is None else t for key, t in newest.items()}, now)
        result: BucketsByMetric = {}
        for metric in metrics:
            last = newest[metric.key]
            after = last + LEVEL_SECONDS[MINUTE] if last is not None else start
            tail = buckets(metric, live[metric.key].samples, after, now + LEVEL_SECONDS[LIVE])
            result[metric.key] = _from(start, {**stored[metric.key].merged, **tail})
        return result

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


def _from(start: float, merged: Mapping[float, Merged]) -> Mapping[float, Merged]:
    return {t: bucket for t, bucket in merged.items() if t > start - 1}
