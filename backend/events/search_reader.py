"""Reads the partitions of a search side by side and puts their events into one order, newest first."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from backend.contract.event_items import Item, record_of
from backend.contract.events import EventQuery, EventRecord, utc_text
from backend.contract.tables import ENTITY_ID, EVENT_ID, EVENT_ID_INDEX, EXPIRES_AT, RECEIVED_AT, RECEIVED_KEY
from backend.events.search_plan import (
    RESERVED,
    Group,
    Part,
    Span,
    before_instant,
    instant_of,
    matches,
    position_of,
    request,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Step = tuple[str, EventRecord | None]
"""A position and the event that lies there. None: everything newer than the position has been seen."""
KEYS_A_BATCH: Final = 100
SMALLEST: Final = 20
LARGEST: Final = 1_000
"""Items that one query asks for: at least, where the wanted ones are shared out, and at most, where answers grow."""
DELAYS_SECONDS: Final = (0.0, 0.1, 0.3, 1.0, 2.0)
"""Waited before each offer of the keys that BatchGetItem left unprocessed."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one reading may cost. ``items`` and ``queries`` end it, once each partition of a group was asked once.

    ``wanted`` items are asked for at first, over all partitions of a group; a partition is asked for twice as many each
    further time. With ``ahead`` the next answer is fetched while one is worked off, and answers don't grow.
    """

    wanted: int
    items: int | None = None
    queries: int | None = None
    ahead: bool = False


class _Spent(Exception):  # noqa: N818 - an ending, not an error
    """The bounds are reached."""


class EventTable:
    """Reads of ``PipelineEvents``; ``pool`` is where parallel ones run."""

    def __init__(
        self, client: DynamoDBClient, table: str, pool: Executor, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._client = client
        self.table = table
        self.pool = pool
        self._sleep = sleep

    def query(self, **parameters: Any) -> Any:
        """One DynamoDB query."""
        return self._client.query(TableName=self.table, **parameters)

    def keys_of(self, event_id: str) -> list[Item]:
        """The keys of the items of an event id; one, unless the event is unknown."""
        answer = self.query(
            IndexName=EVENT_ID_INDEX,
            KeyConditionExpression=f"{EVENT_ID} = :id",
            ExpressionAttributeValues={":id": {"S": event_id}},
        )
        return [{name: item[name] for name in (ENTITY_ID, RECEIVED_KEY)} for item in answer["Items"]]

    def items(self, keys: Sequence[Item], table: str | None = None, *, consistent: bool = False) -> list[Item]:
        """The items of keys, in no order; what does not exist is left out. Reads 100 at a time, side by side.

        Raises RuntimeError when DynamoDB keeps leaving keys unprocessed.
        """
        if len(keys) <= KEYS_A_BATCH:
            return self._batch(keys, table or self.table, consistent) if keys else []
        answers = self.pool.map(lambda batch: self._batch(batch, table or self.table, consistent), batches_of(keys))
        return [item for answer in answers for item in answer]

    def _batch(self, keys: Sequence[Item], table: str, consistent: bool) -> list[Item]:
        found: list[Item] = []
        for delay in DELAYS_SECONDS:
            if delay:
                self._sleep(delay)
            wanted: Any = {"Keys": keys, "ConsistentRead": consistent}
            answer: Any = self._client.batch_get_item(RequestItems={table: wanted})
            found += answer["Responses"].get(table, [])
            keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            if not keys:
                return found
        raise RuntimeError(f"{table}: DynamoDB left {len(keys)} keys unprocessed; try again")


class Reading:
    """One reading of a query's events. ``items`` and ``queries`` count what it cost so far.

    ``complete`` is whether its steps came to their end, rather than to that of its bounds.
    """

    def __init__(self, table: EventTable, query: EventQuery, span: Span, bounds: Bounds, now: float) -> None:
        self._table = table
        self._query = query
        self._span = span
        self._bounds = bounds
        self._now = now
        self.items = 0
        self.queries = 0
        self.complete = False

    def steps(self, groups: Iterable[Group], position: str | None = None) -> Iterator[Step]:
        """The events of the groups that match, newest first, from behind ``position``; each one once."""
        try:
            for group in groups:
                if not self._affordable():
                    return
                for step in self._merged(group.parts):
                    if position is None or step[0] < position:
                        yield step
                if position is None or group.end < position:
                    yield group.end, None
        except _Spent:
            return
        self.complete = True

    def named(self, position: str | None = None) -> Iterator[Step]:
        """The same for a query that names its events."""
        keys: list[Item] = []
        for found in self._table.pool.map(self._table.keys_of, dict.fromkeys(self._query.event_ids)):
            self.queries += 1
            self.items += len(found)
            yield self._span.high, None
            keys += [key for key in found if position is None or key[RECEIVED_KEY]["S"] < position]
        keys = [key for key in keys if self._span.low <= instant_of(key[RECEIVED_KEY]["S"]) <= self._span.high]
        keys.sort(key=lambda key: str(key[RECEIVED_KEY]["S"]), reverse=True)
        for batch in batches_of(keys):
            items = self._table.items(batch)
            self.queries += 1
            self.items += len(items)
            for record in sorted(self._meant(items), key=position_of, reverse=True):
                yield position_of(record), record
        self.complete = True

    def _merged(self, parts: Sequence[Part]) -> Iterator[Step]:
        if not parts:
            # No type is known yet: there is nothing to ask.
            return iter(())
        wanted = self._bounds.wanted
        # Twice its share, as a partition may have more of the newest events than others.
        size = wanted if len(parts) == 1 else max(SMALLEST, 2 * wanted // len(parts))
        requests = [{**request(part, self._query, self._span, self._now), "Limit": size} for part in parts]
        first = [self._submit(parameters) for parameters in requests]
        streams = [self._stream(*pair) for pair in zip(requests, first, strict=True)]
        return heapq.merge(*streams, key=lambda step: step[0], reverse=True)

    def _stream(self, parameters: dict[str, Any], answered: Future[Any]) -> Iterator[Step]:
        """The steps of one partition. An index leaves open how events of one instant are ordered, so the last
        instant of an answer waits for the next answer."""
        waiting: list[EventRecord] = []
        while True:
            answer = answered.result()
            self.items += answer["ScannedCount"]
            last = answer.get("LastEvaluatedKey")
            if last and self._bounds.ahead:
                answered = self._submit(_following(parameters, last, parameters["Limit"]))
            for record in self._meant(answer["Items"]):
                if waiting and waiting[0].received_at != record.received_at:
                    yield from _ordered(waiting)
                    waiting = []
                waiting.append(record)
            if not last:
                yield from _ordered(waiting)
                return
            reached = last[RECEIVED_AT]["S"] if RECEIVED_AT in last else instant_of(last[RECEIVED_KEY]["S"])
            if waiting and utc_text(waiting[0].received_at) > reached:
                yield from _ordered(waiting)
                waiting = []
            yield before_instant(reached), None
            if not self._bounds.ahead:
                if not self._affordable():
                    raise _Spent
                parameters = _following(parameters, last, min(2 * parameters["Limit"], LARGEST))
                answered = self._submit(parameters)

    def _submit(self, parameters: dict[str, Any]) -> Future[Any]:
        self.queries += 1
        return self._table.pool.submit(self._table.query, **parameters)

    def _affordable(self) -> bool:
        bounds = self._bounds
        items_left = bounds.items is None or self.items < bounds.items
        return items_left and (bounds.queries is None or self.queries < bounds.queries)

    def _meant(self, items: Iterable[Item]) -> Iterator[EventRecord]:
        for item in items:
            if not expired(item, self._now) and not item[ENTITY_ID]["S"].startswith(RESERVED):
                record = record_of(item)
                if matches(record, self._query):
                    yield record


def batches_of(keys: Sequence[Item]) -> list[Sequence[Item]]:
    """The keys in parts that BatchGetItem takes."""
    return [keys[index : index + KEYS_A_BATCH] for index in range(0, len(keys), KEYS_A_BATCH)]


def expired(item: Item, now: float) -> bool:
    """Whether an item's time is over; DynamoDB deletes it hours later."""
    return EXPIRES_AT in item and int(item[EXPIRES_AT]["N"]) <= now


def _following(parameters: dict[str, Any], last: Item, size: int) -> dict[str, Any]:
    return {**parameters, "ExclusiveStartKey": last, "Limit": size}


def _ordered(records: list[EventRecord]) -> Iterator[Step]:
    steps = [(position_of(record), record) for record in records]
    return iter(sorted(steps, key=lambda step: step[0], reverse=True))
