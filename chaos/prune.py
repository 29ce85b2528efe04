"""Keeps the engine's tables small between two cases: every index query there looks at each item of its table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from backend.contract.tables import ENTITY_ID, EVENT_ID, FINGERPRINT, OPENED_AT, RECEIVED_KEY
from backend.settings import Settings
from chaos.config import EVENT_TYPE

_BATCH: Final = 25
_RULE: Final = "alertmanager:chaos-"


def prune_alerts(dynamodb: Any, settings: Settings) -> None:
    """Forgets the alerts of the campaign, all of which have been told."""
    items = _scan(dynamodb, settings.alerts_table)
    ours = {item[FINGERPRINT]["S"] for item in items if _RULE in json.dumps(item)}
    keys = [{name: item[name] for name in (FINGERPRINT, OPENED_AT)} for item in items if item[FINGERPRINT]["S"] in ours]
    _delete(dynamodb, settings.alerts_table, keys)


def prune_events(dynamodb: Any, settings: Settings, kept: Iterable[str]) -> int:
    """Forgets counted events but those ``kept`` (ids), which may be replayed; how many of them were in an aggregate."""
    staying = set(kept)
    items = [
        item
        for item in _scan(dynamodb, settings.events_table)
        if EVENT_ID in item and item[EVENT_ID]["S"] not in staying
    ]
    counted = [item for item in items if item.get("event_type", {}).get("S") == EVENT_TYPE]
    gone = {item[EVENT_ID]["S"] for item in counted}
    rows = [item for item in items if item[EVENT_ID]["S"] in gone]
    keys = [{name: item[name] for name in (ENTITY_ID, RECEIVED_KEY)} for item in rows]
    _delete(dynamodb, settings.events_table, keys)
    _delete(dynamodb, settings.gate_table, [{EVENT_ID: {"S": event_id}} for event_id in gone])
    return sum("aggregated_in" in item for item in counted)


def _scan(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return [item for page in pages for item in page["Items"]]


def _delete(dynamodb: Any, table: str, keys: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(keys), _BATCH):
        requests = [{"DeleteRequest": {"Key": key}} for key in keys[start : start + _BATCH]]
        dynamodb.batch_write_item(RequestItems={table: requests})
