"""The frozen selection of a replay: which events it is about, decided once, kept in S3 a thousand to an object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from backend.contract.checks import CANARY_SOURCE
from backend.contract.events import EventQuery, EventRecord
from backend.contract.replays import DeadLetterFilter
from backend.contract.tables import REPLAYS_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PAGE_EVENTS: Final = 1_000
_FIELDS: Final = (
    "event_id", "entity_id", "event_type", "source", "status", "occurred_at", "received_at", "correlation_id",
    "raw_key", "sha256", "size", "late", "replay_count",
)  # fmt: skip
"""What a message may be made of and what finds the event's item; what the error was is not needed again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a selection is counted: to ``counted`` events, or until it is ``late``. ``most`` of them are taken."""

    most: int
    counted: int
    max_replays: int
    late: Callable[[], bool]


@dataclass(slots=True)
class Count:
    """How many events a selection has. ``taken`` of the ``matched`` ones are within the limit.

    ``skipped`` of those taken are at the cap of replays. ``stopped`` says what ended the counting before the selection.
    """

    matched: int = 0
    taken: int = 0
    skipped: int = 0
    stopped: Literal["", "limit", "time"] = ""

    def of(self, pages: Iterable[list[EventRecord]], limits: Limits) -> Iterator[list[EventRecord]]:
        """Counts the pages as far as the limits go; yields the events taken."""
        for page in pages:
            room = limits.counted - self.matched
            yield self.add(page[:room], limits.most, limits.max_replays)
            if len(page) > room:
                self.stopped = "limit"
                return
            if limits.late():
                self.stopped = "time"
                return

    def add(self, page: list[EventRecord], most: int, max_replays: int) -> list[EventRecord]:
        """Counts a page; returns those of its events that are within the limit."""
        within = page[: max(0, most - self.taken)]
        self.matched += len(page)
        self.taken += len(within)
        self.skipped += sum(record.replay_count >= max_replays for record in within)
        return within


def first(pages: Iterable[list[EventRecord]], most: int) -> Iterator[list[EventRecord]]:
    """The first ``most`` events of the pages; nothing behind them is read."""
    for page in pages:
        yield page[:most]
        most -= len(page)
        if most <= 0:
            return


def business(pages: Iterable[list[EventRecord]], query: EventQuery) -> Iterator[list[EventRecord]]:
    """The pages without the canary's events, which nobody means who does not name them."""
    named = (query.source, query.event_type, query.entity_id, query.correlation_id, *query.event_ids)
    asked_for = query.source == CANARY_SOURCE or (query.source is None and any(named))
    for page in pages:
        yield page if asked_for else [record for record in page if record.source != CANARY_SOURCE]


def line_of(record: EventRecord) -> bytes:
    """One event as a line of a page."""
    return json.dumps([getattr(record, name) for name in _FIELDS], separators=(",", ":")).encode() + b"\n"


def record_of_line(line: bytes) -> EventRecord:
    """The event of a line, as it was when the selection was frozen, without its error."""
    values: dict[str, Any] = dict(zip(_FIELDS, json.loads(line), strict=True))
    return EventRecord(**values)


def page_key(replay_id: str, number: int) -> str:
    """The object of a page, counted from 0."""
    return f"{REPLAYS_PREFIX}{replay_id}/page-{number:05d}.jsonl"


def wanted_key(replay_id: str) -> str:
    """The object that says which messages of a dead-letter queue a redrive is about."""
    return f"{REPLAYS_PREFIX}{replay_id}/messages.json"


def batches_key(replay_id: str) -> str:
    """The object that says which batches a retry asks for, in its order."""
    return f"{REPLAYS_PREFIX}{replay_id}/batches.json"


class Selections:
    """Frozen selections in the bucket."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def freeze(self, replay_id: str, pages: Iterable[list[EventRecord]], limits: Limits, write_up_to: int) -> Count:
        """Writes the events taken of the pages and counts as far as the limits go; memory holds a page or two.

        Above ``write_up_to`` events nothing further is written, only counted.
        """
        count, waiting, number = Count(), list[bytes](), 0
        for taken in count.of(pages, limits):
            waiting += map(line_of, taken)
            while len(waiting) >= PAGE_EVENTS:
                if count.taken <= write_up_to:
                    self._put(page_key(replay_id, number), b"".join(waiting[:PAGE_EVENTS]))
                del waiting[:PAGE_EVENTS]
                number += 1
        if waiting and count.taken <= write_up_to:
            self._put(page_key(replay_id, number), b"".join(waiting))
        return count

    def page(self, replay_id: str, number: int) -> list[EventRecord]:
        """The events of a page. Raises NoSuchKey's ClientError where the page is gone."""
        body = self._s3.get_object(Bucket=self._bucket, Key=page_key(replay_id, number))["Body"].read()
        return [record_of_line(line) for line in body.splitlines()]

    def put_wanted(self, replay_id: str, wanted: DeadLetterFilter) -> None:
        """Keeps which messages a redrive is about."""
        values = {name: getattr(wanted, name) for name in wanted.__slots__}
        self._put(wanted_key(replay_id), json.dumps(values).encode())

    def wanted(self, replay_id: str) -> DeadLetterFilter:
        """Which messages a redrive is about."""
        values = json.loads(self._s3.get_object(Bucket=self._bucket, Key=wanted_key(replay_id))["Body"].read())
        return DeadLetterFilter(**values | {"message_ids": tuple(values["message_ids"])})

    def put_batches(self, replay_id: str, batches: Sequence[str]) -> None:
        """Keeps which batches a retry asks for, in this order."""
        self._put(batches_key(replay_id), json.dumps(list(batches)).encode())

    def batches(self, replay_id: str) -> list[str]:
        """Which batches a retry asks for, in its order."""
        found: list[str] = json.loads(
            self._s3.get_object(Bucket=self._bucket, Key=batches_key(replay_id))["Body"].read()
        )
        return found

    def _put(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
