"""``Aggregates`` in DynamoDB: a version is written together with the marks of the events it counts, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
from botocore.exceptions import ClientError

from backend.contract.event_items import Item
from backend.contract.events import utc_text
from backend.contract.tables import EXPIRES_AT
from backend.events.aggregates import Version
from backend.events.failures import EventFailure
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WINDOW: Final = "name_window"
VERSION: Final = "version"
STATE_BYTES: Final = 262_144
MOST_EVENTS: Final = 90
"""Events of one version; DynamoDB takes 100 writes in a transaction."""
OLD_VERSION_SECONDS: Final = 7 * 86400
"""A version is kept this long once there is a newer one."""
DAY_SECONDS: Final = 86400
_OVERTAKEN: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


class Overtaken(Exception):  # noqa: N818 - what happened, no error
    """Somebody else wrote the version, or counted one of the events, first."""


class AggregateStore:
    """Thread-safe. Methods raise botocore's errors as they come."""

    def __init__(self, dynamodb: DynamoDBClient, settings: Settings) -> None:
        self._dynamodb = dynamodb
        self._table = settings.aggregates_table
        self._kept_seconds = settings.config.events.retention_days * DAY_SECONDS

    def latest(self, window: str) -> Version | None:
        """The newest version of an aggregate."""
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression=f"{WINDOW} = :window",
            ExpressionAttributeValues={":window": {"S": window}},
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )
        return version_of(answer["Items"][0]) if answer["Items"] else None

    def commit(self, window: str, version: Version, marks: Sequence[Mapping[str, Any]], now: float) -> None:
        """Writes a version and the updates of its events, all or nothing; the version before it expires from now on.

        Raises Overtaken when the version exists by now or the condition of an update fails, EventFailure when the
        aggregate has grown too large.
        """
        item = version_item(window, version, int(now) + self._kept_seconds, now)
        put = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": f"attribute_not_exists({WINDOW})",
        }
        writes: list[Any] = [{"Put": put}, *({"Update": mark} for mark in marks)]
        if version.number > 1:
            writes.append({"Update": self._superseded(window, version.number - 1, now)})
        try:
            self._dynamodb.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if _overtaken(error):
                raise Overtaken from error
            raise

    def _superseded(self, window: str, number: int, now: float) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": {WINDOW: {"S": window}, VERSION: {"N": str(number)}},
            "UpdateExpression": f"SET {EXPIRES_AT} = :until",
            "ConditionExpression": f"attribute_exists({WINDOW})",
            "ExpressionAttributeValues": {":until": {"N": str(int(now) + OLD_VERSION_SECONDS)}},
        }


def version_item(window: str, version: Version, expires_at: int, now: float) -> Item:
    """The item of a version. Raises EventFailure for a state that is not JSON, or is too large."""
    try:
        state = orjson.dumps(version.state)
    except TypeError as error:
        raise EventFailure("poison", f"the aggregate {window} gave a state that is not JSON: {error}") from error
    if len(state) > STATE_BYTES:
        raise EventFailure("poison", f"the aggregate {window} has {len(state)} bytes, at most {STATE_BYTES} are kept")
    return {
        WINDOW: {"S": window},
        VERSION: {"N": str(version.number)},
        "events": {"N": str(version.events)},
        "input_hash": {"S": version.input_hash},
        "sample_event_ids": {"L": [{"S": event_id} for event_id in version.sample_ids]},
        "state": {"S": state.decode()},
        "updated_at": {"S": utc_text(now)},
        EXPIRES_AT: {"N": str(expires_at)},
    }


def version_of(item: Mapping[str, Any]) -> Version:
    """The version of an item written by ``version_item``."""
    return Version(
        number=int(item[VERSION]["N"]),
        events=int(item["events"]["N"]),
        input_hash=item["input_hash"]["S"],
        sample_ids=tuple(entry["S"] for entry in item["sample_event_ids"]["L"]),
        state=orjson.loads(item["state"]["S"]),
    )


def _overtaken(error: ClientError) -> bool:
    reasons: Any = error.response.get("CancellationReasons", [])
    codes = {reason["Code"] for reason in reasons if reason.get("Code", "None") != "None"}
    return error.response["Error"]["Code"] == "TransactionCanceledException" and bool(codes) and codes <= _OVERTAKEN
