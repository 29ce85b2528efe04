"""Reads what the reconciliation compares: own count, index, raw objects, gates. All reads are bounded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from backend.checks.hours import DAY_SECONDS, HOUR_SECONDS, Evidence, Indexed, Orphan, hour_of
from backend.checks.world import World
from backend.contract.checks import CANARY_SOURCE
from backend.contract.events import EventQuery, utc_seconds, utc_text
from backend.contract.rollup import OTHER
from backend.contract.tables import EVENT_ID, RECEIVED_AT
from backend.events.plugins import KeyLayout, key_layout

COUNTED: Final = "events_ingested"
MOST_EVENTS: Final = 150_000
"""Items of the index that one run reads, newest first."""
MOST_OBJECTS: Final = 300_000
MOST_LISTS: Final = 2_000
"""Calls of ListObjectsV2, a thousand objects each."""
MOST_GATES: Final = 2_000
_EVENT_ID: Final = re.compile(r"[0-9a-f]{64}")
_PROBES: Final = ("0" * 64, "f" * 64)


@dataclass(frozen=True, slots=True)
class _Listed:
    """Raw objects by key, and when each was written; all of the days from ``days_from`` (epoch s) on."""

    keys: dict[str, float] | None
    days_from: float


def read_evidence(world: World, start: float, end: float) -> Evidence:
    """What there is to know of the events received from ``start`` to ``end`` (epoch s, whole hours), canaries left out.

    Raises botocore's errors when AWS does not answer.
    """
    indexed, canaries, indexed_from = _read_index(world, start, end)
    listed = _list_objects(world, start, end)
    known = {event.raw_key for event in indexed}
    strays = {} if listed.keys is None else {key: at for key, at in listed.keys.items() if key not in known}
    orphans, looked_from = _orphans(world, strays, start, end)
    return Evidence(
        ingested=_ingested(world, start, end, canaries),
        indexed=indexed,
        stored=None if listed.keys is None else frozenset(listed.keys),
        orphans=orphans,
        indexed_from=indexed_from,
        stored_from=max(listed.days_from, looked_from),
    )


def _read_index(world: World, start: float, end: float) -> tuple[list[Indexed], Counter[float], float]:
    """Events, canaries by hour, and from which hour on all were read."""
    indexed: list[Indexed] = []
    canaries: Counter[float] = Counter()
    for page in world.events.pages(EventQuery(start, end)):
        for event in page:
            if event.source == CANARY_SOURCE:
                canaries[hour_of(event.received_at)] += 1
            else:
                indexed.append(Indexed(event.raw_key, event.received_at, event.status))
        if len(indexed) >= MOST_EVENTS:
            return indexed, canaries, hour_of(page[-1].received_at) + HOUR_SECONDS
    return indexed, canaries, start


def _ingested(world: World, start: float, end: float, canaries: Counter[float]) -> dict[float, float]:
    """Events by hour as the ingest counted them. Beyond 20 sources the canary's share is inside of the others'."""
    counted: dict[float, float] = {}
    for hour, merged in world.levels.hours(COUNTED, start, end).items():
        if hour < start or merged.total.increase is None:
            continue
        hidden = float(canaries[hour]) if OTHER in merged.groups else 0.0
        own = merged.groups.get(CANARY_SOURCE)
        canary = hidden if own is None else own.increase or 0.0
        counted[hour] = max(0.0, merged.total.increase - canary)
    return counted


def _list_objects(world: World, start: float, end: float) -> _Listed:
    """The raw objects of every source, the newest day first."""
    layout = key_layout(world.settings)
    _, sources = world.events.known()
    keys: dict[str, float] = {}
    lists = 0
    for day in range(int((end - 1) // DAY_SECONDS), int(start // DAY_SECONDS) - 1, -1):
        for source in sources:
            if source == CANARY_SOURCE:
                continue
            prefix = day_prefix(layout, source, float(day * DAY_SECONDS))
            if prefix is None:
                return _Listed(None, end)
            for page in _pages(world, prefix):
                lists += 1
                keys.update((entry["Key"], entry["LastModified"].timestamp()) for entry in page)
                if lists > MOST_LISTS or len(keys) > MOST_OBJECTS:
                    return _Listed(keys, float((day + 1) * DAY_SECONDS))
    return _Listed(keys, start // DAY_SECONDS * DAY_SECONDS)


def _pages(world: World, prefix: str) -> Iterator[Sequence[Any]]:
    pages = world.clients.s3.get_paginator("list_objects_v2").paginate(Bucket=world.settings.bucket, Prefix=prefix)
    for page in pages:
        yield page.get("Contents", ())


def day_prefix(layout: KeyLayout, source: str, day: float) -> str | None:
    """What the keys of a source's UTC day begin with, and no other's; None where a layout has no such beginning."""
    moments = (day, day + DAY_SECONDS - 0.001)
    folders = {layout.raw_key(source, at, probe).rpartition("/")[0] for at in moments for probe in _PROBES}
    others = {layout.raw_key(source, day + DAY_SECONDS, _PROBES[0]).rpartition("/")[0]}
    others.add(layout.raw_key(f"{source}-", day, _PROBES[0]).rpartition("/")[0])
    return f"{folders.pop()}/" if len(folders) == 1 and not folders & others else None


def _orphans(world: World, strays: dict[str, float], start: float, end: float) -> tuple[list[Orphan], float]:
    """The objects without an index item, and from when on (epoch s) all of them were looked up; newest first."""
    ordered = sorted(strays, key=lambda key: strays[key], reverse=True)
    wanted, rest = ordered[:MOST_GATES], ordered[MOST_GATES:]
    ids = {key: found[-1] for key in wanted if (found := _EVENT_ID.findall(key))}
    items = world.table.items(
        [{EVENT_ID: {"S": name}} for name in sorted(set(ids.values()))], world.settings.gate_table
    )
    gates = {item[EVENT_ID]["S"]: utc_seconds(item[RECEIVED_AT]["S"]) for item in items}
    orphans = [Orphan(key, gates.get(ids.get(key, ""), strays[key]), ids.get(key, "") in gates) for key in wanted]
    inside = [orphan for orphan in orphans if start <= orphan.at < end]
    if not rest:
        return inside, start // DAY_SECONDS * DAY_SECONDS
    reached = datetime.fromtimestamp(strays[rest[0]], UTC).date().isoformat()
    return inside, utc_seconds(f"{reached}T00:00:00.000Z") + DAY_SECONDS


def reach_note(evidence: Evidence, start: float) -> str:
    """How far reading came, where it was cut or could not look; empty where it was whole."""
    if evidence.stored is None:
        return "raw objects not counted: this key layout has no folder per source and day"
    reached = max(evidence.indexed_from, evidence.stored_from)
    return f"read back to {utc_text(reached)[:16].replace('T', ' ')} only" if reached > start else ""
