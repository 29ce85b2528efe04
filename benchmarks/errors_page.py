"""What a refresh of the Errors page costs as events pile up that it does not show, and how soon a search has rows.

Run: ``python -m benchmarks.errors_page``. The page's own ``load`` runs over the embedded engine with 1,000 and with
50,000 stored events of other days and types beside the failed ones of its range. Queries and evaluated items
(DynamoDB's ``ScannedCount``) are counted, not timed. Searches for an entity are timed as well, on the same tables.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from flask_caching.backends import SimpleCache

from backend.aws import Clients
from backend.contract.events import EventError, EventQuery, EventRecord
from backend.contract.tables import KNOWN
from backend.events.investigation import Investigation
from backend.events.layout import indexed_item
from backend.events.plugins import KeyLayout, key_layout
from backend.local.engine import Engine
from backend.settings import Settings
from dashboard.data.reader import MetricsReader
from dashboard.data.request import parse_view_request
from dashboard.pages.errors import PAGE
from dashboard.services import Services, build_services
from tests.metrics_table import create_table
from tests.template_resources import create_event_tables

SIZES = (1_000, 50_000)
FAILED = 300
SEARCHES = 100
ENTITIES = 500
FIRST_ROWS_QUERIES = 2
FIRST_ROWS_MS = 300
DAY = 86_400
WRITERS = 4
BATCH = 25
NOW = time.time() // DAY * DAY + DAY / 2


def event(number: int, **changes: Any) -> EventRecord:
    """A processed event of one of the last 30 days before today, and of one of 5 types."""
    event_id = hashlib.sha256(str((number, sorted(changes))).encode()).hexdigest()
    at = NOW - DAY - (number * 7919 % (30 * DAY))
    plain = EventRecord(
        event_id=event_id,
        entity_id=f"order-{number % ENTITIES}",
        event_type=f"type-{number % 5}",
        source="shop-web",
        status="processed",
        occurred_at=at,
        received_at=at,
        correlation_id=f"trace-{number}",
        raw_key=f"events/{event_id}.json",
        sha256=event_id,
        size=400,
    )
    return replace(plain, **changes)


def shown() -> Iterator[EventRecord]:
    """Failed events of the last hour."""
    for number in range(FAILED):
        at = NOW - 3_500 * number / FAILED
        error = EventError("parse_error", "payload.customer_id: is missing", "billing", at)
        yield event(number, status="failed", error=error, received_at=at, occurred_at=at, event_type="order_placed")


@dataclass
class Cost:
    """Queries and other reads of DynamoDB, and the items that they evaluated."""

    calls: list[str] = field(default_factory=list)
    items: int = 0

    def watch(self, client: Any) -> None:
        """Counts every read of a client from now on."""
        for call in ("Query", "GetItem", "BatchGetItem", "Scan"):
            client.meta.events.register(f"after-call.dynamodb.{call}", self._count)

    def _count(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        self.calls.append(model.name)
        self.items += parsed.get("ScannedCount", 1)


class Store:
    """The tables of the events half on an engine."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._dynamodb = clients.dynamodb
        self._settings = settings
        self._layout: KeyLayout = key_layout(settings)
        self.held = 0

    def put(self, records: Iterator[EventRecord] | list[EventRecord]) -> None:
        """Writes the items of events, 25 at a time."""
        expires = int(NOW) + 90 * DAY
        items = [indexed_item(record, expires, self._layout) for record in records]
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(self._write, [items[index : index + BATCH] for index in range(0, len(items), BATCH)]))
        self.held += len(items)

    def _write(self, items: list[Any]) -> None:
        puts: Any = [{"PutRequest": {"Item": item}} for item in items]
        left = self._dynamodb.batch_write_item(RequestItems={self._settings.events_table: puts})["UnprocessedItems"]
        if left:
            raise RuntimeError("the engine left items unwritten")

    def know(self) -> None:
        """Registers the types, as the ingest does."""
        types = ["order_placed", *(f"type-{number}" for number in range(5))]
        self._dynamodb.update_item(
            TableName=self._settings.gate_table,
            Key={"event_id": {"S": KNOWN}},
            UpdateExpression="ADD types :types, sources :sources",
            ExpressionAttributeValues={":types": {"SS": types}, ":sources": {"SS": ["shop-web"]}},
        )


def services_over(clients: Clients, settings: Settings) -> Services:
    """The dashboard's services with the one that reads events."""
    reader = MetricsReader(clients.dynamodb, settings.table)
    services = build_services(settings, reader, (PAGE,), "bench", SimpleCache(), lambda: NOW)
    services.events = Investigation(clients.dynamodb, clients.s3, settings, lambda: NOW)
    return services


def refresh(settings: Settings) -> tuple[Cost, int]:
    """What one refresh of a dashboard that has just started costs, and how many failed events it shows."""
    clients, cost = Clients(settings.region), Cost()
    cost.watch(clients.dynamodb)
    services = services_over(clients, settings)
    try:
        request = parse_view_request("errors", {"from": "now-1h"}, services.settings.config.environment, NOW)
        data = PAGE.load(services, request, NOW)
    finally:
        services.close()
    return cost, data.failures.matching


def searches(settings: Settings) -> tuple[list[float], int]:
    """Milliseconds to the first rows of each of the searches for an entity, and the most queries that one took."""
    clients = Clients(settings.region)
    service = Investigation(clients.dynamodb, clients.s3, settings, lambda: NOW)
    spent, most = [], 0
    for number in range(SEARCHES):
        query = EventQuery(NOW - 90 * DAY, NOW, entity_id=f"order-{number * 31 % ENTITIES}")
        began = time.perf_counter()
        page = service.search(query, 50)
        spent.append((time.perf_counter() - began) * 1000)
        most = max(most, page.scanned.queries)
    return spent, most


def measure() -> list[tuple[int, Cost, int, list[float], int]]:
    """One row for each number of other events."""
    settings, rows = Settings(), []
    clients = Clients(settings.region)
    create_event_tables(clients.dynamodb)
    create_table(clients.dynamodb)
    store = Store(clients, settings)
    store.know()
    store.put(shown())
    for size in SIZES:
        store.put([event(number) for number in range(store.held - FAILED, size)])
        rows.append((store.held - FAILED, *refresh(settings), *searches(settings)))
    return rows


def main() -> int:
    """Prints the table; 1 when a figure that must hold does not."""
    with Engine() as engine:
        os.environ.update(engine.environment())
        rows = measure()
    print(f"Errors page, last hour, {FAILED} failed events; {SEARCHES} searches for an entity, 50 rows each")
    print(" other events  reads  items  shown  search queries  median ms    p95")
    for held, cost, matching, spent, most in rows:
        p95 = statistics.quantiles(spent, n=20)[-1]
        print(
            f"{held:>13,} {len(cost.calls):>6} {cost.items:>6} {matching:>6} {most:>15} "
            f"{statistics.median(spent):>10.1f} {p95:>6.1f}"
        )
    costs = {(len(cost.calls), cost.items, matching) for _, cost, matching, _, _ in rows}
    equal = len(costs) == 1
    most = max(row[4] for row in rows)
    slowest = max(statistics.quantiles(row[3], n=20)[-1] for row in rows)
    print(f"refresh reads and items: {'equal' if equal else 'NOT equal'} at {SIZES[0]:,} and {SIZES[1]:,} other events")
    print(f"entity search to first rows: at most {most} queries (limit {FIRST_ROWS_QUERIES})")
    print(f"entity search p95: {slowest:.1f} ms (limit {FIRST_ROWS_MS})")
    return int(not equal or most > FIRST_ROWS_QUERIES or slowest > FIRST_ROWS_MS)


if __name__ == "__main__":
    sys.exit(main())
