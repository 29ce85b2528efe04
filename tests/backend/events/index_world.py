"""``PipelineEvents`` and ``EventGate`` on moto, filled with records as the ingest writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from moto import mock_aws

from backend.aws import Clients
from backend.contract.events import EventRecord
from backend.contract.tables import KNOWN
from backend.events.investigation import Investigation
from backend.events.layout import indexed_item
from backend.events.plugins import key_layout
from backend.settings import Settings
from tests.template_resources import create_event_tables

NOW = 1_795_259_220.0
LATER = int(NOW) + 86_400


def record(number: int | str, **changes: Any) -> EventRecord:
    """An order placed a minute before NOW for each number."""
    at = NOW - 60 * number if isinstance(number, int) else NOW
    event_id = hashlib.sha256(str(number).encode()).hexdigest()
    plain = EventRecord(
        event_id=event_id,
        entity_id="order-1",
        event_type="order_placed",
        source="shop-web",
        status="received",
        occurred_at=at - 2,
        received_at=at,
        correlation_id=f"trace-{number}",
        raw_key=f"events/{event_id}.json",
        sha256=hashlib.sha256(b"raw").hexdigest(),
        size=3,
    )
    return replace(plain, **changes)


@dataclass
class Index:
    """The tables. ``queries`` are the parameters of every DynamoDB query so far."""

    settings: Settings = field(default_factory=Settings)
    now: float = NOW
    queries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clients = Clients("us-east-1")
        create_event_tables(self.clients.dynamodb)
        self.clients.s3.create_bucket(Bucket=self.settings.bucket)
        self.clients.dynamodb.meta.events.register("before-parameter-build.dynamodb.Query", self._asked)

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        self.queries.append(dict(params))

    def put(self, records: Iterable[EventRecord], expires_at: int = LATER) -> None:
        """Writes items as the ingest does, and registers their types and sources."""
        layout, kept = key_layout(self.settings), list(records)
        for entry in kept:
            item = indexed_item(entry, expires_at, layout)
            self.clients.dynamodb.put_item(TableName=self.settings.events_table, Item=item)
        if kept:
            self.clients.dynamodb.update_item(
                TableName=self.settings.gate_table,
                Key={"event_id": {"S": KNOWN}},
                UpdateExpression="ADD types :types, sources :sources",
                ExpressionAttributeValues={
                    ":types": {"SS": sorted({entry.event_type for entry in kept})},
                    ":sources": {"SS": sorted({entry.source for entry in kept})},
                },
            )

    def clear(self) -> None:
        """Empties both tables."""
        dynamodb = self.clients.dynamodb
        keys = {self.settings.events_table: ("entity_id", "received_key"), self.settings.gate_table: ("event_id",)}
        for table, names in keys.items():
            for item in dynamodb.scan(TableName=table)["Items"]:
                dynamodb.delete_item(TableName=table, Key={name: item[name] for name in names})

    def service(self, settings: Settings | None = None) -> Investigation:
        """The service over these tables."""
        wanted = settings or self.settings
        return Investigation(self.clients.dynamodb, self.clients.s3, wanted, lambda: self.now)


@contextmanager
def index(settings: Settings | None = None) -> Iterator[Index]:
    """Empty tables."""
    with mock_aws():
        yield Index(settings or Settings())
