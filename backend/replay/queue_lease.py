"""One at a time looks into a dead-letter queue: a lease in the table, with what the last look saw."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from backend.contract.errors import InvalidInput
from backend.replay.records import LEASE_UNTIL, key_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OWNER: Final = "lease_owner"
ITEM_NAME: Final = "lease"
_OLDEST: Final = "oldest_sent_at"
_SEEN: Final = "seen_at"


class QueueLeases:
    """Leases of queues in the table ``Replays``."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def take(self, queue: str, seconds: float, now: float, owner: str | None = None) -> str:
        """Takes or renews the lease until ``now + seconds``; returns its owner.

        Raises InvalidInput with code busy while it is someone else's.
        """
        owner = owner or uuid.uuid4().hex
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(queue),
                UpdateExpression=f"SET {OWNER} = :owner, {LEASE_UNTIL} = :until",
                ConditionExpression=f"attribute_not_exists({OWNER}) OR {LEASE_UNTIL} < :now OR {OWNER} = :owner",
                ExpressionAttributeValues={
                    ":owner": {"S": owner}, ":until": {"N": str(now + seconds)}, ":now": {"N": str(now)},
                },
            )  # fmt: skip
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            remedy = "is being looked at, or a redrive works on it; try again in a moment"
            raise InvalidInput("queue", queue, remedy, "busy") from None
        return owner

    def give_back(self, queue: str, owner: str) -> None:
        """Ends the lease, if it is still the owner's."""
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(queue),
                UpdateExpression=f"SET {LEASE_UNTIL} = :zero",
                ConditionExpression=f"{OWNER} = :owner",
                ExpressionAttributeValues={":owner": {"S": owner}, ":zero": {"N": "0"}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return

    def note_oldest(self, queue: str, sent_at: float | None, now: float) -> None:
        """Keeps when the oldest message of a look was sent (epoch s); None: the look saw none."""
        values: dict[str, Any] = {":now": {"N": str(now)}}
        update = f"SET {_SEEN} = :now"
        if sent_at is None:
            update += f" REMOVE {_OLDEST}"
        else:
            update += f", {_OLDEST} = :oldest"
            values[":oldest"] = {"N": str(sent_at)}
        self._dynamodb.update_item(
            TableName=self._table, Key=_key(queue), UpdateExpression=update, ExpressionAttributeValues=values
        )

    def oldest(self, queue: str, since: float) -> float | None:
        """When the oldest message of the last look was sent, if that look was after ``since``."""
        item = self._dynamodb.get_item(TableName=self._table, Key=_key(queue)).get("Item", {})
        if _OLDEST not in item or float(item[_SEEN]["N"]) < since:
            return None
        return float(item[_OLDEST]["N"])


def _key(queue: str) -> dict[str, Any]:
    return key_of(f"queue#{queue}", ITEM_NAME)
