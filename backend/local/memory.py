"""A metrics store without a table: what the merge reads and writes, kept in a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from backend.contract.tables import DATA, ENVIRONMENT, EXPIRES_AT, METRIC_ID, METRIC_TYPE, SEEN, TIMESTAMP
from backend.processor.items import KEPT_UNTIL, METRIC, Item, Row
from backend.processor.store import MetricsStore


class MemoryStore(MetricsStore):
    """``MetricsStore`` over a dictionary. Nothing expires; ``written`` keeps every item by its key."""

    def __init__(self) -> None:
        self._partitions: dict[str, dict[tuple[str, str], Item]] = {}
        self.written: dict[tuple[str, str], Item] = {}

    def write(self, items: Iterable[Item], *, attempts: int = 0) -> int:  # noqa: ARG002 - nothing is ever refused
        """Keeps the items, the last of equal keys; returns how many were given."""
        given = list(items)
        for item in given:
            key = item[METRIC_ID]["S"], item[TIMESTAMP]["N"]
            self.written[key] = item
            self._partitions.setdefault(item[METRIC_TYPE]["S"], {})[key] = item
        return len(given)

    def query(self, partition: str, start: float, end: float) -> Iterator[Row]:
        """The items with start <= timestamp <= end, ascending."""
        found = [
            (float(timestamp), item)
            for (_, timestamp), item in self._partitions.get(partition, {}).items()
            if start <= float(timestamp) <= end
        ]
        for timestamp, item in sorted(found, key=lambda pair: pair[0]):
            yield Row(
                int(timestamp),
                item.get(DATA, {}).get("S", ""),
                _number(item, EXPIRES_AT),
                _number(item, KEPT_UNTIL),
                item[METRIC_ID]["S"],
            )

    def seen(self) -> list[tuple[str, str]]:
        """Every (environment, metric_type) that was written, sorted."""
        return sorted((item[ENVIRONMENT]["S"], item[METRIC]["S"]) for item in self._partitions.get(SEEN, {}).values())

    def get(self, metric_id: str, timestamp: int) -> str | None:
        """The ``data`` of one item; None where there is none."""
        item: dict[str, Any] | None = self.written.get((metric_id, str(timestamp)))
        return item[DATA]["S"] if item else None


def _number(item: Item, name: str) -> int:
    return int(item.get(name, {}).get("N", 0))
