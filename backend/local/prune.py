"""Keeps the demo's event tables small: what was received long ago goes, as time to live does it on AWS later.

A search on the engine looks at every item of the table. Raw objects stay on disk, replays and the audit log stay too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.contract.events import utc_text
from backend.contract.tables import ENTITY_ID, EVENT_ID, EXPIRES_AT, RECEIVED_AT, RECEIVED_KEY
from backend.events.aggregate_store import OLD_VERSION_SECONDS, VERSION, WINDOW
from backend.settings import Settings

KEPT_SECONDS: Final = 5400
"""The seeded hour with the incident that follows it, and half an hour to look at them."""
EVERY_SECONDS: Final = 120.0
VISIBILITY_SECONDS: Final = 60
"""The event processor's time-out."""
_BATCH: Final = 25


def prune(dynamodb: Any, settings: Settings, now: float) -> int:
    """Deletes events, traces, gates and superseded aggregates of before ``now`` - ``KEPT_SECONDS``; how many items."""
    before = utc_text(now - KEPT_SECONDS)
    gone = _delete(dynamodb, settings.events_table, (ENTITY_ID, RECEIVED_KEY), RECEIVED_KEY, before)
    # What ever arrived is an item there too; it has no time received and stays.
    gone += _delete(dynamodb, settings.gate_table, (EVENT_ID,), RECEIVED_AT, before)
    return gone + _delete_superseded(dynamodb, settings.aggregates_table, before, now)


def _delete_superseded(dynamodb: Any, table: str, before: str, now: float) -> int:
    """Versions of aggregates that newer ones have taken the place of: they alone expire soon."""
    return _delete(
        dynamodb, table, (WINDOW, VERSION), "updated_at", before,
        f" AND {EXPIRES_AT} <= :soon", {":soon": {"N": str(int(now) + OLD_VERSION_SECONDS)}},
    )  # fmt: skip


def queues_of_the_demo(sqs: Any, settings: Settings) -> None:
    """Dead letters go when their events do, and what a replaced function had in hand comes back within a minute."""
    letters, events = settings.event_dead_letter_queue_url, settings.event_queue_url
    sqs.set_queue_attributes(QueueUrl=letters, Attributes={"MessageRetentionPeriod": str(KEPT_SECONDS)})
    # The engine ends a function in the middle of its work when its code changes; AWS lets it finish.
    sqs.set_queue_attributes(QueueUrl=events, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})


def _delete(
    dynamodb: Any, table: str, keys: tuple[str, ...], when: str, before: str, more: str = "",
    values: Mapping[str, Any] | None = None,
) -> int:  # fmt: skip
    """Deletes items whose ``when`` sorts before ``before``; ``more`` with its values narrows that."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression=f"{when} < :before{more}",
        ExpressionAttributeValues={":before": {"S": before}, **(values or {})},
        ProjectionExpression=", ".join(f"#key{number}" for number in range(len(keys))),
        ExpressionAttributeNames={f"#key{number}": key for number, key in enumerate(keys)},
    )
    found = [key for page in pages for key in page["Items"]]
    for start in range(0, len(found), _BATCH):
        requests = [{"DeleteRequest": {"Key": key}} for key in found[start : start + _BATCH]]
        dynamodb.batch_write_item(RequestItems={table: requests})
    return len(found)
