"""Keeps the demo's table small: minutes older than an hour become one item each five, those older than a day go.

Imported minutes are left as they came until a day after their import: who brings old data wants to see it.

On AWS minutes stay as long as their tier says. The engine keeps everything in memory and looks at each item of a
partition, so here they are joined to what the seeded day looks like. Nothing of a joined item is lost but resolution.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

from backend.contract.bucket import longer
from backend.contract.catalogue import Metric
from backend.contract.rollup import Merged
from backend.contract.tables import METRIC_ID, MINUTE, TIMESTAMP, partition
from backend.local.seed import COARSE_SECONDS, FINE_SPAN_SECONDS, SPAN_SECONDS
from backend.processor.items import Item, Row, merged_item
from backend.processor.store import BATCH, MetricsStore
from backend.settings import Settings

ITEM_LIMIT: Final = 30_000
EVERY_SECONDS: Final = 300.0
SLACK_SECONDS: Final = 3600
"""The seeded day was written when its first minute was a day old; an import is older than that."""
_LOOK_BACK_SECONDS: Final = 3 * EVERY_SECONDS


def thin(client: Any, settings: Settings, now: float) -> None:
    """Joins and drops minutes as of ``now`` (epoch s); running it again changes nothing."""
    store = MetricsStore(client, settings.table)
    joined_until = int(now - FINE_SPAN_SECONDS) // COARSE_SECONDS * COARSE_SECONDS
    old = int(now - SPAN_SECONDS)
    for environment, metric_type in store.seen():
        if metric_type not in settings.catalogue:
            continue
        name = partition(metric_type, MINUTE, environment)
        recent = store.query(name, joined_until - _LOOK_BACK_SECONDS, joined_until - 1)
        items, surplus = joined(settings.catalogue[metric_type], name, recent)
        retention = settings.catalogue.tier_of(metric_type).retention_days * 86400
        aged = store.query(name, 0, old)
        surplus += [row for row in aged if not imported(row, retention) or row.expires_at - retention < old]
        store.write(items)
        _delete(client, settings.table, surplus)


def imported(row: Row, retention: int) -> bool:
    """Whether a minute was written more than a day after it happened; ``retention`` (s) is its tier's."""
    return row.expires_at - retention - row.timestamp > SPAN_SECONDS + SLACK_SECONDS


def joined(metric: Metric, name: str, rows: Any) -> tuple[list[Item], list[Row]]:
    """The items that take the place of ascending minute ``rows``, and the rows they make superfluous."""
    items: list[Item] = []
    surplus: list[Row] = []
    for start, group in groupby(rows, key=lambda row: row.timestamp // COARSE_SECONDS * COARSE_SECONDS):
        members = list(group)
        if len(members) < 2:
            continue
        merged = longer(metric, [Merged.decode(row.data) for row in members])
        expires, kept_until = min(r.expires_at for r in members), min(r.kept_until for r in members)
        items.append(merged_item(name, start, merged.encode(), expires, kept_until))
        surplus += [row for row in members if row.timestamp != start]
    return items, surplus


def item_count(client: Any, table: str) -> int:
    """How many items the table holds. The engine counts as it writes; AWS updates this number every six hours."""
    return int(client.describe_table(TableName=table)["Table"]["ItemCount"])


def _delete(client: Any, table: str, rows: list[Row]) -> None:
    for index in range(0, len(rows), BATCH):
        keys = [
            {METRIC_ID: {"S": row.metric_id}, TIMESTAMP: {"N": str(row.timestamp)}}
            for row in rows[index : index + BATCH]
        ]
        client.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": key}} for key in keys]})
