"""InfraMetrics in memory, for tests of what reads it: takes the processor's items, answers index queries."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from backend.collector.sources.base import Source
from backend.contract.bucket import LOOKBACK_SECONDS, buckets, longer
from backend.contract.catalogue import Catalogue, load_catalogue
from backend.contract.records import Sample
from backend.contract.rollup import gather
from backend.contract.tables import HOUR, LIVE, MINUTE, partition
from backend.processor.core import ObjectPart, process
from backend.settings import Limits, Retention
from dashboard.data.reader import ReadCounts, Row

FOREVER = Retention(live_seconds=10**9, raw_seconds=10**9)


class MemoryTable:
    """A table by primary key with the metric index; ``broken`` makes every query fail."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self.catalogue = catalogue or load_catalogue()
        self.items: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.queries: list[tuple[str, float, float]] = []
        self.counts = ReadCounts()
        self.broken: Exception | None = None
        self._index: dict[str, list[Row]] | None = None

    def write(self, items: Iterable[Mapping[str, Any]]) -> None:
        for item in items:
            key = item["metric_id"]["S"], item["timestamp"]["N"]
            known = key in self.items
            self.items[key] = item
            if known:
                self._index = None
            elif self._index is not None:
                rows = self._index.setdefault(item["metric_type"]["S"], [])
                bisect.insort(rows, _row(item), key=lambda row: row.timestamp)

    def query(self, name: str, start: float, end: float) -> list[Row]:
        self.queries.append((name, start, end))
        self.counts.queries += 1
        if self.broken:
            raise self.broken
        rows = self._rows().get(name, [])
        low = bisect.bisect_left(rows, start, key=lambda row: row.timestamp)
        high = bisect.bisect_right(rows, end, key=lambda row: row.timestamp)
        self.counts.bytes += sum(len(row.data) for row in rows[low:high])
        return rows[low:high]

    def put_samples(
        self,
        samples: Iterable[Sample],
        now: float,
        key: str = "metrics/year=2026/month=11/day=21/metrics-1-a.json",
        retention: Retention = FOREVER,
    ) -> None:
        """As one object through the processor's core."""
        body = b"\n".join(orjson.dumps(sample.as_json()) for sample in samples)
        part = ObjectPart(key)
        self.write(process(body, part, now=now, catalogue=self.catalogue, limits=Limits(), retention=retention).items)

    def play(self, source: Source, start: float, end: float, every: float) -> None:
        """The source's samples, one object per collection."""
        since: float | None = None
        t = start
        while t <= end:
            self.put_samples(source.collect(t, since).samples, t, f"metrics/metrics-{int(t)}-x.json")
            since, t = t, t + every

    def merge(self, environment: str, start: float, end: float) -> None:
        """Minutes and hours of every metric in [start, end), from the live items."""
        for metric in self.catalogue.values():
            name = partition(metric.key, LIVE, environment)
            rows = self.query(name, start - LOOKBACK_SECONDS - 60, end)
            minutes = buckets(metric, gather((int(r.timestamp), r.data) for r in rows), start, end)
            hours: dict[float, list[Any]] = {}
            for t, bucket in minutes.items():
                self._put(partition(metric.key, MINUTE, environment), t, bucket.encode())
                hours.setdefault(t // 3600 * 3600, []).append(bucket)
            for t, parts in hours.items():
                if t + 3600 <= end:
                    self._put(partition(metric.key, HOUR, environment), t, longer(metric, parts).encode())
        self._index = None

    def _put(self, name: str, t: float, data: str) -> None:
        self.items[name, str(t)] = {
            "metric_id": {"S": name},
            "timestamp": {"N": str(t)},
            "metric_type": {"S": name},
            "data": {"S": data},
        }

    def _rows(self) -> dict[str, list[Row]]:
        if self._index is None:
            index = defaultdict(list)
            for item in self.items.values():
                index[item["metric_type"]["S"]].append(_row(item))
            self._index = {name: sorted(rows, key=lambda row: row.timestamp) for name, rows in index.items()}
        return self._index


def _row(item: Mapping[str, Any]) -> Row:
    text = {name: item.get(name, {}).get("S", "") for name in ("data", "environment", "metric")}
    return Row(float(item["timestamp"]["N"]), **text)
