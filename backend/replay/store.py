"""Replays in the table: created, read, steered. What the runner writes is in ``lease``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from backend.contract.events import utc_text
from backend.contract.replays import Replay, ReplayResult
from backend.contract.tables import CREATED_AT, DAY, DAY_INDEX, ITEM, REPLAY_ID
from backend.replay.days import DAY_SECONDS, newest_first
from backend.replay.records import (
    ACTIVE,
    AUDIT_ID,
    REPLAY,
    REPLAY_ID_TEXT,
    active_item,
    key_of,
    parse_token,
    replay_item,
    replay_of,
    result_key,
    results_of,
    start_of,
    token_text,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RECENT_DAYS: Final = 90


class ReplayStore:
    """Replays in the table ``Replays``."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def add(self, replay: Replay, audit_id: str) -> None:
        """Puts a new replay and the marker that the sweep finds it by, both or none."""
        puts = (replay_item(replay, audit_id), active_item(replay))
        self._dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": self._table, "Item": item}} for item in puts]
        )

    def get(self, replay_id: str) -> Replay:
        """The replay as it stands. Raises KeyError for an unknown one."""
        return replay_of(self.item(replay_id))

    def item(self, replay_id: str) -> dict[str, Any]:
        """The replay's item ``meta``. Raises KeyError for an unknown one."""
        if not REPLAY_ID_TEXT.fullmatch(replay_id):
            # DynamoDB refuses keys of more than 2,048 bytes.
            raise KeyError(replay_id)
        answer = self._dynamodb.get_item(TableName=self._table, Key=key_of(replay_id), ConsistentRead=True)
        if "Item" not in answer:
            raise KeyError(replay_id)
        return dict(answer["Item"])

    def recent(self, limit: int, now: float) -> tuple[Replay, ...]:
        """The newest replays of the last 90 days."""
        found = newest_first(self._dynamodb, self._table, REPLAY, now - RECENT_DAYS * DAY_SECONDS, now + DAY_SECONDS)
        return tuple(replay_of(item) for item in islice(found, limit))

    def retries(self, start: float, now: float) -> Iterator[Replay]:
        """Retries recorded from ``start`` on, the newest first; days are read as far as the caller iterates."""
        items = newest_first(self._dynamodb, self._table, REPLAY, start, now + DAY_SECONDS, {"kind": "retry"})
        return (replay_of(item) for item in items)

    def results(self, replay_id: str, token: str | None, limit: int) -> tuple[tuple[ReplayResult, ...], str | None]:
        """At most ``limit`` results in the order of sending, and the token of those that follow.

        Raises InvalidInput for a bad token.
        """
        start, skip = parse_token(token)
        found: list[ReplayResult] = []
        after: dict[str, Any] = {}
        while True:
            answer = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="#id = :id AND #item BETWEEN :first AND :last",
                ExpressionAttributeNames={"#id": REPLAY_ID, "#item": ITEM},
                ExpressionAttributeValues={
                    ":id": {"S": replay_id},
                    ":first": {"S": result_key(start)},
                    ":last": {"S": result_key(999_999_999)},
                },
                Limit=max(1, min(20, limit // 50)),
                **after,
            )
            last = "LastEvaluatedKey" not in answer
            for number, item in enumerate(answer["Items"], 1):
                at, results = start_of(item), results_of(item)
                taken = skip if at == start else 0
                room = limit - len(found)
                found += results[taken : taken + room]
                if taken + room < len(results):
                    return tuple(found), token_text(at, taken + room)
                if len(found) == limit:
                    end = last and number == len(answer["Items"])
                    return tuple(found), None if end else token_text(at + len(results), 0)
            if last:
                return tuple(found), None
            after = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def change(
        self, replay_id: str, changes: Mapping[str, Any], condition: str, values: Mapping[str, Any], at: float
    ) -> Replay | None:
        """Sets attributes where the condition holds; None where it does not. ``values`` are those of the condition."""
        names = {f"#{name}": name for name in (*changes, "updated_at")}
        settings = {f":new_{name}": value for name, value in changes.items()} | {":new_updated_at": {"S": utc_text(at)}}
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=key_of(replay_id),
                UpdateExpression="SET " + ", ".join(f"#{name} = :new_{name}" for name in (*changes, "updated_at")),
                ConditionExpression=condition,
                ExpressionAttributeNames={"#status": "status"} | names,
                ExpressionAttributeValues={**settings, **values},
                ReturnValues="ALL_NEW",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        return replay_of(answer["Attributes"])

    def audit_id(self, replay_id: str) -> str:
        """The entry of the audit log that tells of the replay's creation."""
        return str(self.item(replay_id)[AUDIT_ID]["S"])

    def active(self) -> list[str]:
        """Replays that have not ended, the oldest first, from an index that may be a moment behind."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=DAY_INDEX,
            KeyConditionExpression="#day = :active",
            ExpressionAttributeNames={"#day": DAY},
            ExpressionAttributeValues={":active": {"S": ACTIVE}},
        )
        return [item[REPLAY_ID]["S"] for page in pages for item in sorted(page["Items"], key=_created)]

    def ended(self, replay_id: str) -> None:
        """Takes the marker out of the index of those that have not ended."""
        self._dynamodb.update_item(
            TableName=self._table,
            Key=key_of(replay_id, ACTIVE),
            UpdateExpression="REMOVE #day",
            ExpressionAttributeNames={"#day": DAY},
        )


def _created(item: Mapping[str, Any]) -> str:
    return str(item[CREATED_AT]["S"])
