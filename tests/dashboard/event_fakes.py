"""Events in the shapes that pages have to draw, and an investigation that answers with them: no AWS."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from backend.contract.events import EventDetail, EventError, EventPage, EventRecord, Scanned, TraceStep, utc_text
from tests.dashboard.fakes import NOW

OPERATORS = ("parse-orders", "validate-orders", "enrich-orders", "aggregate-orders")
TYPES = ("order_placed", "order_paid", "order_shipped", "order_returned")
SOURCES = ("web-shop", "app", "marketplace")
MESSAGES = {
    "parse_error": "customer_id is missing; the payload has cust_id",
    "validation_error": "amount: -12.5 must not be negative",
    "timeout": "no answer from the customer service within 3 s",
    "enrichment_error": "customer c-4711 is not in the directory",
    "poison": "the handler failed three times with KeyError: 'lines'",
}
KINDS = {
    "parse_error": ("parse-orders", 80),
    "validation_error": ("validate-orders", 9),
    "timeout": ("enrich-orders", 6),
    "enrichment_error": ("enrich-orders", 4),
    "poison": ("aggregate-orders", 1),
}
"""Error type -> where it happens, and its share: a schema change just broke parsing."""


def failed(number: int, now: float = NOW, **changes: Any) -> EventRecord:
    """The ``number``-th failed event before ``now``; the same number is the same event."""
    draw = random.Random(number)
    kind = draw.choices(list(KINDS), [share for _, share in KINDS.values()])[0]
    received = now - 20 - number * 7.3 - draw.random() * 5
    event_id = hashlib.sha256(str(number).encode()).hexdigest()
    values: dict[str, Any] = {
        "event_id": event_id,
        "entity_id": f"order-{10_000 + int(draw.paretovariate(1.1)) * 7 % 400}",
        "event_type": draw.choices(TYPES, (70, 15, 10, 5))[0],
        "source": draw.choices(SOURCES, (6, 3, 1))[0],
        "status": "failed",
        "occurred_at": received - draw.random() * 4,
        "received_at": received,
        "correlation_id": f"checkout-{number:05d}",
        "raw_key": f"events/source=web-shop/year=2026/month=11/day=21/{event_id}.json",
        "sha256": hashlib.sha256(event_id.encode()).hexdigest(),
        "size": 412 + number % 90,
        "late": number % 17 == 0,
        "error": EventError(kind, MESSAGES[kind], KINDS[kind][0], received + 2.4, 3, dead_lettered=True),
    }
    return EventRecord(**(values | changes))


def several(count: int, now: float = NOW) -> list[EventRecord]:
    """So many failed events, newest first."""
    return sorted((_known(number, now) for number in range(count)), key=lambda record: -record.received_at)


@cache
def _known(number: int, now: float) -> EventRecord:
    """A record doesn't change, so each is drawn once."""
    return failed(number, now)


def detail(record: EventRecord, payload: Any = None, **changes: Any) -> EventDetail:
    """The event with a payload and what happened to it: ingested, tried three times, dead-lettered."""
    if payload is None:
        payload = {
            "cust_id": "c-4711",
            "amount": 129.9,
            "currency": "EUR",
            "lines": [{"sku": "A-100", "quantity": 2}, {"sku": "B-7", "quantity": 1}],
            "card_number": "4111 1111 1111 1111",
        }
    raw = {"event_id": record.event_id, "received_at": utc_text(record.received_at), "payload": payload}
    at, error = record.received_at, record.error
    assert error is not None
    tried = [
        TraceStep(
            at + 0.8 * number, "failed", record.event_id, error.message,
            operator=error.operator, error_type=error.error_type,
        )
        for number in (1, 2, 3)
    ]  # fmt: skip
    values: dict[str, Any] = {
        "record": record,
        "raw": json.dumps(raw) + "\n",
        "intact": True,
        "problem": "",
        "headers": {"user-agent": "web-shop/4.2", "content-type": "application/json"},
        "trace": (
            TraceStep(
                at, "ingested", record.event_id, f"{record.event_type} from {record.source}",
                traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            TraceStep(at + 0.2, "ingested", "f" * 64, "stock_reserved from web-shop", "stock_reserved", "item-9"),
            *tried,
            TraceStep(at + 2.6, "dead_lettered", record.event_id, "after 3 receives", operator=error.operator),
        ),
    }  # fmt: skip
    return EventDetail(**(values | changes))


@dataclass
class FakeInvestigation:
    """Answers from ``records``, as many as ``limit`` allows; ``details`` override what an event's drawer shows."""

    records: Sequence[EventRecord] = ()
    details: dict[str, EventDetail] = field(default_factory=dict)
    error: Exception | None = None
    reads: list[tuple[float, float]] = field(default_factory=list)

    def errors(self, start: float, end: float, limit: int = 2000) -> EventPage:
        """As Investigation.errors."""
        self.reads.append((start, end))
        if self.error:
            raise self.error
        inside = [record for record in self.records if start <= record.received_at < end]
        shown, cut = tuple(inside[:limit]), len(inside) > limit
        return EventPage(shown, Scanned(shown[-1].received_at if cut else start, end, len(shown), 8), cut)

    def detail(self, event_id: str) -> EventDetail | None:
        """As Investigation.detail."""
        if self.error:
            raise self.error
        if event_id in self.details:
            return self.details[event_id]
        return next((detail(record) for record in self.records if record.event_id == event_id), None)
