"""One example of each plug-in of the events path, as docs/plugins.md shows them.

Try them with a ``pulseboard.toml`` that says

    [events.plugins]
    event_schema = "examples.plugins:order_schema"
    key_layout = "examples.plugins:busy_type_layout"
    replay_message = "examples.plugins:payload_pointer"
    aggregate = "examples.plugins:revenue_per_day"
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backend.contract.events import EventRecord
from backend.events.failures import EventFailure
from backend.events.layout import DayShards
from backend.events.raw import RawEvent
from backend.settings import Settings


class OrderSchema:
    """Version 2 of an order nests the customer; both versions are read into the same fields."""

    def check(self, event: RawEvent) -> Mapping[str, Any]:
        """The fields ``customer_id`` and ``amount``, whichever version was sent."""
        payload = event.payload
        if not isinstance(payload, dict):
            raise EventFailure("parse_error", "payload: must be an object")
        customer = payload.get("customer")
        customer_id = customer.get("id") if isinstance(customer, dict) else payload.get("customer_id")
        if customer_id is None:
            raise EventFailure("parse_error", "payload.customer_id: is missing, and so is payload.customer.id")
        amount = payload.get("amount", 0)
        if isinstance(amount, bool) or not isinstance(amount, int | float) or amount < 0:
            raise EventFailure("validation_error", f"payload.amount: {amount!r} must be a number of at least 0")
        return {"customer_id": customer_id, "amount": amount}


def order_schema(_settings: Settings) -> OrderSchema:
    """Made once per container, with the settings; this one needs none of them."""
    return OrderSchema()


class BusyTypeLayout:
    """Gives one busy type four times the partitions of the others; all else as built in."""

    def __init__(self, settings: Settings, busy: str) -> None:
        self._plain = DayShards(settings.config.events.shards)
        self._wide = DayShards(4 * settings.config.events.shards)
        self._busy = busy

    def raw_key(self, source: str, received_at: float, event_id: str) -> str:
        """The built-in key of the raw object."""
        return self._plain.raw_key(source, received_at, event_id)

    def partition(self, name: str, day: str, event_id: str) -> str:
        """One of ``partitions``, by the id alone."""
        return self._of(name).partition(name, day, event_id)

    def partitions(self, name: str, day: str) -> Sequence[str]:
        """What a search of that name and day reads."""
        return self._of(name).partitions(name, day)

    def _of(self, name: str) -> DayShards:
        return self._wide if name == self._busy else self._plain


def busy_type_layout(settings: Settings) -> BusyTypeLayout:
    """The layout for a shop whose page views outnumber all else."""
    return BusyTypeLayout(settings, "page_view")


class PayloadPointer:
    """For a consumer of another team: names the bucket, as it does not know ours."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def body(self, record: EventRecord, replay_id: str, replay_count: int) -> str:
        """What the built-in message says, so that the event processor understands it, too, and the object's URL."""
        return json.dumps(
            {
                "event_id": record.event_id,
                "raw_key": record.raw_key,
                "sha256": record.sha256,
                "correlation_id": record.correlation_id,
                "replay_id": replay_id,
                "replay_count": replay_count,
                "url": f"s3://{self._bucket}/{record.raw_key}",
            }
        )


def payload_pointer(settings: Settings) -> PayloadPointer:
    """The message with this stack's bucket."""
    return PayloadPointer(settings.bucket)


class RevenuePerDay:
    """Revenue by source and day, in cents: whole numbers add up to the same in any order."""

    def normalise(self, event: RawEvent, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The amount in cents."""
        return {"cents": round(fields.get("amount", 0) * 100)}

    def window(self, event: RawEvent, normal: Mapping[str, Any]) -> str:
        """``revenue shop-web#2026-11-21``: one aggregate per source and day."""
        return f"revenue {event.source}#{datetime.fromtimestamp(event.occurred_at, UTC):%Y-%m-%d}"

    def add(self, state: Mapping[str, Any] | None, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Orders and cents so far."""
        before = state or {"orders": 0, "cents": 0}
        return {
            "orders": before["orders"] + len(events),
            "cents": before["cents"] + sum(event["cents"] for event in events),
        }


def revenue_per_day(_settings: Settings) -> RevenuePerDay:
    """Needs no settings."""
    return RevenuePerDay()
