"""Metrics of ``InfraMetrics`` as the checks read them: merged minutes and hours, continued from what is finer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from backend.contract.bucket import LOOKBACK_SECONDS, Samples, buckets, longer
from backend.contract.rollup import Merged, gather
from backend.contract.tables import HOUR, LIVE, MINUTE, partition
from backend.processor.items import Row
from backend.processor.store import MetricsStore
from backend.settings import Settings

MINUTE_SECONDS: Final = 60
HOUR_SECONDS: Final = 3600
FINE_HOURS: Final = 3
"""Hours that are computed from minutes where the merge has not stored them yet; earlier ones it has."""
KEPT_SECONDS: Final = 900.0
"""What was read once is read again only after this long, but for its newest part: late samples change the past."""
OVERLAP_SECONDS: Final = 600


class Levels:
    """Reads the environment's metrics. Its calls raise botocore's errors when DynamoDB does not answer."""

    def __init__(self, store: MetricsStore, settings: Settings) -> None:
        self._store = store
        self._catalogue = settings.catalogue
        self._environment = settings.config.environment
        self._kept: dict[str, tuple[float, float, dict[float, Merged]]] = {}

    def samples(self, metric: str, start: float, end: float) -> Samples:
        """The live samples by (group, series) from ``start`` to ``end`` (epoch s), as far as they are kept."""
        name = partition(metric, LIVE, self._environment)
        rows = self._rows(name, start // MINUTE_SECONDS * MINUTE_SECONDS, end)
        found = gather((row.timestamp, row.data) for row in rows)
        return {key: {t: v for t, v in values.items() if start <= t < end} for key, values in found.items()}

    def minutes(self, metric: str, start: float, now: float) -> dict[float, Merged]:
        """The merged minutes from ``start`` to ``now``, ascending; the last one may still be filling."""
        stored = self._stored(metric, MINUTE, start, now)
        after = max(stored, default=start // MINUTE_SECONDS * MINUTE_SECONDS - MINUTE_SECONDS) + MINUTE_SECONDS
        samples = self.samples(metric, after - LOOKBACK_SECONDS, now)
        return stored | buckets(self._catalogue[metric], samples, after, now)

    def hours(self, metric: str, start: float, now: float) -> dict[float, Merged]:
        """The merged hours from ``start`` to ``now``, ascending; the last one may still be filling."""
        stored = self._stored(metric, HOUR, start, now)
        reach = now // HOUR_SECONDS * HOUR_SECONDS - FINE_HOURS * HOUR_SECONDS
        after = max(max(stored, default=start - HOUR_SECONDS) + HOUR_SECONDS, reach)
        parts: dict[float, list[Merged]] = defaultdict(list)
        for minute, merged in self.minutes(metric, after, now).items():
            parts[minute // HOUR_SECONDS * HOUR_SECONDS].append(merged)
        return stored | {hour: longer(self._catalogue[metric], merged) for hour, merged in parts.items()}

    def _stored(self, metric: str, level: str, start: float, now: float) -> dict[float, Merged]:
        """What the merge has stored. A container reads the past once in a while, and its newest part each time.

        What is kept may reach beyond ``now``, where it is the end of a day that another check has looked past.
        """
        name = partition(metric, level, self._environment)
        read_at, covered, kept = self._kept.get(name, (0.0, 0.0, {}))
        if now - read_at > KEPT_SECONDS or start < covered:
            read_at, covered, kept, first = now, start, {}, start
        else:
            first = max(start, max(kept, default=start) - OVERLAP_SECONDS)
        read = {float(row.timestamp): Merged.decode(row.data) for row in self._rows(name, first, now)}
        kept = dict(sorted((kept | read).items()))
        self._kept[name] = (read_at, covered, kept)
        return {t: merged for t, merged in kept.items() if start <= t < now}

    def _rows(self, name: str, start: float, end: float) -> Iterable[Row]:
        """The rows of a partition; DynamoDB refuses to look from an end to a beginning."""
        return self._store.query(name, start, end) if start <= end else ()
