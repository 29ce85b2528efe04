"""Samples to objects: which key, which bytes. Pure.

An object is JSON Lines, one sample a line, of one UTC day, of bounded size. Its id is derived: from what the caller
names where a repeat must overwrite (a schedule's own time), else from the content itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

import orjson

from backend.contract.records import Sample, derived_id
from backend.contract.tables import BACKFILL_NAME, METRICS_PREFIX, RECEIPT_METADATA, SPACING_METADATA

DAY: Final = 86_400
MAX_BYTES: Final = 1_000_000
CONTENT_TYPE: Final = "application/x-ndjson"
LIVE_NAME: Final = "metrics-"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An object to put: the same samples always give the same key and body."""

    key: str
    body: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)


class Line(NamedTuple):
    """One encoded sample and what its object's key needs."""

    timestamp: float
    text: bytes


def encode(sample: Sample) -> Line:
    """A sample as its line, newline included."""
    return Line(sample.timestamp, orjson.dumps(sample.as_json(), option=orjson.OPT_APPEND_NEWLINE))


def pack(
    lines: Iterable[Line],
    *,
    identity: str | None = None,
    spacing: float | None = None,
    backfill: bool = False,
    receipt: bool = False,
    max_bytes: int = MAX_BYTES,
) -> list[Outgoing]:
    """The objects of some lines, oldest day first; order within a day is kept.

    ``identity`` names what a repeat overwrites; None derives the id from the content. ``spacing`` (s) is told to the
    processor where the producer knows it, ``receipt`` asks it to record that it has written everything. An object is at
    most ``max_bytes``, unless one line alone is longer.
    """
    days: dict[int, list[Line]] = {}
    for line in lines:
        days.setdefault(int(line.timestamp // DAY), []).append(line)
    metadata = {} if spacing is None else {SPACING_METADATA: f"{spacing:g}"}
    if receipt:
        metadata[RECEIPT_METADATA] = "yes"
    name = BACKFILL_NAME if backfill else LIVE_NAME
    return [
        _object(chunk, number, name, identity, metadata)
        for day in sorted(days)
        for number, chunk in enumerate(_chunks(days[day], max_bytes))
    ]


def day_prefix(timestamp: float) -> str:
    """``metrics/year=2026/month=11/day=03/``: the UTC day of a timestamp, zero-padded."""
    return datetime.fromtimestamp(timestamp, UTC).strftime(f"{METRICS_PREFIX}year=%Y/month=%m/day=%d/")


def _chunks(lines: Sequence[Line], max_bytes: int) -> Iterable[list[Line]]:
    chunk: list[Line] = []
    size = 0
    for line in lines:
        if chunk and size + len(line.text) > max_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line.text)
    if chunk:
        yield chunk


def _object(
    lines: Sequence[Line], number: int, name: str, identity: str | None, metadata: Mapping[str, str]
) -> Outgoing:
    body = b"".join(line.text for line in lines)
    first = min(line.timestamp for line in lines)
    parts = (sha256(body).hexdigest(),) if identity is None else (identity, int(first // DAY), number)
    return Outgoing(f"{day_prefix(first)}{name}{int(first)}-{derived_id(*parts)}.json", body, metadata)
