"""Events that were sent again: their count and last replay on their items, a step in their traces.

It follows the sending and may lag behind it. An event's count goes up once for a replay, however often a broken-off run
is taken up, because the item remembers the last replay that was counted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from backend.contract.event_items import Item, event_key
from backend.contract.events import EventRecord
from backend.contract.replays import Replay
from backend.replay.messages import replayed_step
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

UPDATES: Final = 100
PUTS: Final = 25
GETS: Final = 100
"""DynamoDB's own limits of a transaction and of batches."""
ATTEMPTS: Final = 8
BACK_OFF_SECONDS: Final = 0.05
_SETTLED: Final = "ConditionalCheckFailed"
"""Counted before, or the event is not kept any longer."""


class RecordingFailed(RuntimeError):  # noqa: N818 - reads as a statement where it is raised
    """The table did not take the records in several attempts. A later run takes them up again."""


class Recorder:
    """Writes to ``PipelineEvents``. A hundred counts a transaction cost a third of single updates, measured."""

    def __init__(
        self, dynamodb: DynamoDBClient, settings: Settings, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._dynamodb = dynamodb
        self._table = settings.events_table
        self._retention_days = settings.config.events.retention_days
        self._sleep = sleep

    def current(self, records: Sequence[EventRecord]) -> list[EventRecord]:
        """The events with their counts as they are now: other replays may have sent them since the selection.

        An event that is not kept any longer stays as it is. Raises RecordingFailed.
        """
        counts: dict[str, int] = {}
        for index in range(0, len(records), GETS):
            counts |= self._counts(records[index : index + GETS])
        return [replace(one, replay_count=counts.get(one.event_id, one.replay_count)) for one in records]

    def _counts(self, records: Sequence[EventRecord]) -> dict[str, int]:
        found: dict[str, int] = {}
        keys: Any = [event_key(record) for record in records]
        for attempt in range(ATTEMPTS):
            self._back_off(attempt)
            wanted: Any = {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "event_id, replay_count"}
            answer: Any = self._dynamodb.batch_get_item(RequestItems={self._table: wanted})
            items = answer["Responses"].get(self._table, [])
            found |= {item["event_id"]["S"]: int(item["replay_count"]["N"]) for item in items}
            keys = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if not keys:
                return found
        raise RecordingFailed(f"the counts of {len(keys)} events could not be read")

    def record(self, replay: Replay, records: Sequence[EventRecord], sent_at: float) -> None:
        """Notes on each event that this replay sent it, at ``sent_at`` epoch seconds. Raises RecordingFailed."""
        for index in range(0, len(records), UPDATES):
            self._count(replay, list(records[index : index + UPDATES]))
        steps = [replayed_step(record, replay, sent_at, self._retention_days) for record in records]
        for index in range(0, len(steps), PUTS):
            self._put(steps[index : index + PUTS])

    def _count(self, replay: Replay, records: list[EventRecord]) -> None:
        for attempt in range(ATTEMPTS):
            self._back_off(attempt)
            updates: list[Any] = [{"Update": self._update(replay, record)} for record in records]
            try:
                self._dynamodb.transact_write_items(TransactItems=updates)
            except self._dynamodb.exceptions.TransactionCanceledException as error:
                # What the processor holds at this moment is tried again with the rest.
                reasons = error.response["CancellationReasons"]
                records = [
                    record
                    for record, reason in zip(records, reasons, strict=True)
                    if reason.get("Code") != _SETTLED
                ]  # fmt: skip
                if not records:
                    return
            else:
                return
        raise RecordingFailed(f"{len(records)} events of replay {replay.replay_id} could not be counted")

    def _update(self, replay: Replay, record: EventRecord) -> Any:
        return {
            "TableName": self._table,
            "Key": event_key(record),
            "UpdateExpression": "SET replay_count = replay_count + :one, last_replay_id = :id",
            "ConditionExpression": "attribute_exists(event_id) AND NOT last_replay_id = :id",
            "ExpressionAttributeValues": {":one": {"N": "1"}, ":id": {"S": replay.replay_id}},
        }

    def _put(self, steps: Sequence[Item]) -> None:
        waiting: Any = {self._table: [{"PutRequest": {"Item": step}} for step in steps]}
        for attempt in range(ATTEMPTS):
            self._back_off(attempt)
            waiting = self._dynamodb.batch_write_item(RequestItems=waiting).get("UnprocessedItems")
            if not waiting:
                return
        raise RecordingFailed(f"{len(waiting[self._table])} steps of traces could not be written")

    def _back_off(self, attempt: int) -> None:
        if attempt:
            self._sleep(BACK_OFF_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
