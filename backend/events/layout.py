"""The built-in key layout: raw objects by source and day, index partitions by day and shard of the id. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backend.contract.event_items import Item, event_item
from backend.contract.events import EventRecord, utc_text
from backend.contract.tables import ERROR_DAY, EVENTS_PREFIX, SOURCE_DAY, TYPE_DAY, day_partition, shard_of

if TYPE_CHECKING:
    from backend.events.plugins import KeyLayout

DAY_CHARACTERS: Final = len("2026-11-21")


class DayShards:
    """Raw objects under ``events/source=/year=/month=/day=/``; each day of an index has ``shards`` partitions."""

    def __init__(self, shards: int) -> None:
        self._shards = shards

    def raw_key(self, source: str, received_at: float, event_id: str) -> str:
        """``events/source=shop-web/year=2026/month=11/day=21/<event_id>.json``, the day of the time received in UTC."""
        year, month, day = utc_text(received_at)[:DAY_CHARACTERS].split("-")
        return f"{EVENTS_PREFIX}source={source}/year={year}/month={month}/day={day}/{event_id}.json"

    def partition(self, name: str, day: str, event_id: str) -> str:
        """``order_placed#2026-11-21#3``; of the index of failed events, which has no name, ``2026-11-21#3``."""
        return day_partition(name, day, shard_of(event_id, self._shards))

    def partitions(self, name: str, day: str) -> tuple[str, ...]:
        """Every partition of a name and day."""
        return tuple(day_partition(name, day, shard) for shard in range(self._shards))


def indexed_item(record: EventRecord, expires_at: int, layout: KeyLayout) -> Item:
    """The whole item of an event with its index partitions as the layout gives them."""
    day = utc_text(record.received_at)[:DAY_CHARACTERS]
    item = event_item(record, expires_at, 1)
    item[TYPE_DAY] = {"S": layout.partition(record.event_type, day, record.event_id)}
    item[SOURCE_DAY] = {"S": layout.partition(record.source, day, record.event_id)}
    if record.status == "failed":
        item[ERROR_DAY] = {"S": layout.partition("", day, record.event_id)}
    return item
