"""The items of ``InfraMetrics`` in DynamoDB's own JSON, ready for BatchWriteItem. Pure.

Written out by hand: a general serialiser (and ``Decimal``) costs several times what these few shapes do. Numbers are
the shortest text that reads back as the same float (``repr``), so nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from backend.contract.records import Sample, derived_id
from backend.contract.rollup import LiveSeries, encode_live
from backend.contract.tables import (
    CLOSED_DAY,
    DATA,
    ENVIRONMENT,
    EXPIRES_AT,
    LATE,
    LIVE,
    MERGE_STATE,
    METRIC_ID,
    METRIC_TYPE,
    RECEIPTS,
    RECORDED_AT,
    SEEN,
    TIMESTAMP,
    partition,
)

Item = dict[str, dict[str, Any]]
"""One item as DynamoDB's JSON: ``{"metric_id": {"S": "..."}, "timestamp": {"N": "1795259185"}, ...}``."""


class Row(NamedTuple):
    """One item of a partition. Times are epoch seconds; ``kept_until`` belongs to merged items (0 elsewhere)."""

    timestamp: int
    data: str
    expires_at: int
    kept_until: int
    metric_id: str


DATA_LIMIT: Final = 300_000
"""Bytes of one item's ``data``; DynamoDB takes 400 KB an item."""
SEEN_SECONDS: Final = 400 * 86400
LATE_SECONDS: Final = 25 * 3600
CLOSED_DAY_SECONDS: Final = 40 * 86400
"""Many times what it takes to be compacted: each night finds by its own listing what came late."""
RECEIPT_SECONDS: Final = 14 * 86400
"""As long as a failed execution can be taken up again."""
METRIC: Final = "metric"
"""Attribute of a SEEN item: the metric_type that was seen (``metric_type`` itself holds the partition)."""
KEPT_UNTIL: Final = "kept_until"
"""Attribute of a merged item: until when everything it was computed from is kept (epoch s)."""


class Texts(dict[str, dict[str, str]]):
    """Text attributes by their text. Most samples of an object share theirs: made once, they cost no memory again."""

    def __missing__(self, text: str) -> dict[str, str]:
        self[text] = attribute = {"S": text}
        return attribute


def raw_items(samples: Iterable[Sample], expires: int) -> list[Item]:
    """The items of samples; ``expires`` is their expiry, epoch seconds. They share attributes: don't change them."""
    text, expiry, no_labels = Texts(), {"N": repr(expires)}, {"M": dict[str, Any]()}
    return [
        {
            METRIC_ID: {"S": sample.metric_id},
            TIMESTAMP: {"N": repr(sample.timestamp)},
            METRIC_TYPE: text[sample.metric_type],
            "value": {"N": repr(sample.value)},
            "unit": text[sample.unit],
            "hostname": text[sample.hostname],
            "region": text[sample.region],
            ENVIRONMENT: text[sample.environment],
            "labels": {"M": {name: text[value] for name, value in sample.labels.items()}}
            if sample.labels
            else no_labels,
            EXPIRES_AT: expiry,
        }
        for sample in samples
    ]


def live_items(
    origin: tuple[str, int], place: tuple[str, str, int], series: list[LiveSeries], expires: str
) -> Iterator[Item]:
    """The items of one object part's samples of one metric and minute, cut where one would grow too large.

    ``origin`` is the object's key and the part's first byte, ``place`` metric_type, environment and minute: together
    they make the id.
    """
    metric_type, environment, minute = place
    for number, data in enumerate(_cut(series)):
        yield {
            METRIC_ID: {"S": derived_id(*origin, *place, number)},
            TIMESTAMP: {"N": repr(minute)},
            METRIC_TYPE: {"S": partition(metric_type, LIVE, environment)},
            DATA: {"S": data},
            EXPIRES_AT: {"N": expires},
        }


def seen_item(environment: str, metric_type: str, now: int) -> Item:
    """Says that a metric ever arrived in an environment."""
    return {
        METRIC_ID: {"S": _seen_id(environment, metric_type)},
        TIMESTAMP: {"N": "0"},
        METRIC_TYPE: {"S": SEEN},
        ENVIRONMENT: {"S": environment},
        METRIC: {"S": metric_type},
        EXPIRES_AT: {"N": repr(now + SEEN_SECONDS)},
    }


@lru_cache(4096)
def _seen_id(environment: str, metric_type: str) -> str:
    """Every object names the same few, mostly for nothing: the store leaves out what it wrote lately."""
    return derived_id(SEEN, environment, metric_type)


def late_item(origin: tuple[str, int], ranges: dict[str, dict[str, list[int]]], now: int) -> Item:
    """Says which minutes an object changed after they may have been merged.

    ``ranges`` is ``{environment: {metric_type: [first_minute, last_minute]}}``.
    """
    return {
        METRIC_ID: {"S": derived_id(LATE, *origin)},
        TIMESTAMP: {"N": repr(now)},
        METRIC_TYPE: {"S": LATE},
        DATA: {"S": orjson.dumps(ranges).decode()},
        EXPIRES_AT: {"N": repr(now + LATE_SECONDS)},
    }


def closed_day_item(key: str, began: int, now: int) -> Item:
    """Says that an object came once the UTC day that began at ``began`` was closed; a second delivery overwrites it."""
    return {
        METRIC_ID: {"S": derived_id(CLOSED_DAY, key)},
        TIMESTAMP: {"N": repr(began)},
        METRIC_TYPE: {"S": CLOSED_DAY},
        DATA: {"S": key},
        RECORDED_AT: {"N": repr(now)},
        EXPIRES_AT: {"N": repr(now + CLOSED_DAY_SECONDS)},
    }


def receipt_key(key: str) -> dict[str, dict[str, str]]:
    """The table's key of an object's receipt."""
    return {METRIC_ID: {"S": derived_id(RECEIPTS, key)}, TIMESTAMP: {"N": "0"}}


def receipt_item(key: str, counts: Mapping[str, int], metrics: Iterable[str], now: int) -> Item:
    """Says that all of an object is written: its ``counts`` of samples and the metrics it held."""
    return {
        **receipt_key(key),
        METRIC_TYPE: {"S": RECEIPTS},
        DATA: {"S": orjson.dumps({**counts, "metrics": sorted(metrics)}).decode()},
        RECORDED_AT: {"N": repr(now)},
        EXPIRES_AT: {"N": repr(now + RECEIPT_SECONDS)},
    }


def merged_item(name: str, start: int, data: str, expires: int, kept_until: int) -> Item:
    """A 1m or 1h item of partition ``name``; the same bucket always has the same key, so the last write counts."""
    return {
        METRIC_ID: {"S": derived_id(name, start)},
        TIMESTAMP: {"N": repr(start)},
        METRIC_TYPE: {"S": name},
        DATA: {"S": data},
        EXPIRES_AT: {"N": repr(expires)},
        KEPT_UNTIL: {"N": repr(kept_until)},
    }


def state_item(identity: str, data: str) -> Item:
    """The scheduled merge's state; it never expires."""
    return {
        METRIC_ID: {"S": identity},
        TIMESTAMP: {"N": "0"},
        METRIC_TYPE: {"S": MERGE_STATE},
        DATA: {"S": data},
    }


def _cut(series: list[LiveSeries]) -> Iterator[str]:
    """The encoded series, halved until each part fits; the same input is always cut the same way."""
    data = encode_live(series)
    if len(data) <= DATA_LIMIT // 4 or len(data.encode()) <= DATA_LIMIT:
        yield data
    elif len(series) > 1:
        half = len(series) // 2
        yield from _cut(series[:half])
        yield from _cut(series[half:])
    elif len(series[0].offsets) > 1:
        (group, name, offsets, values), half = series[0], len(series[0].offsets) // 2
        yield from _cut([LiveSeries(group, name, offsets[:half], values[:half])])
        yield from _cut([LiveSeries(group, name, offsets[half:], values[half:])])
    else:
        yield data
