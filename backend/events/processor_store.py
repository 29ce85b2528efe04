"""What the event processor reads and writes of events: raw objects, items, failures and their full texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from backend.contract.event_items import (
    ERROR,
    PROCESSED_FOR,
    PROCESSED_REPLAYS,
    PROCESSED_TRACE,
    STATUS,
    Item,
    error_attribute,
    received_key,
    trace_item,
)
from backend.contract.events import EventError, TraceStep, utc_text
from backend.contract.tables import (
    ENTITY_ID,
    ERROR_DAY,
    ERRORS_PREFIX,
    EVENT_ID,
    EXPIRES_AT,
    RECEIVED_AT,
    RECEIVED_KEY,
)
from backend.events.failures import EventFailure
from backend.events.layout import DAY_CHARACTERS
from backend.events.plugins import KeyLayout
from backend.events.raw import RawEvent
from backend.events.received import Arrived, Failed, is_long, shortened
from backend.events.search_reader import EventTable
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

AGGREGATED_IN: Final = "aggregated_in"
"""Attribute of an event's item: the aggregate that has counted it. Without it the event is in none."""
CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_NOTED: Final = f"{PROCESSED_FOR} = list_append(if_not_exists({PROCESSED_FOR}, :none), :noted)"
_NEW_REPLAY: Final = f"(attribute_not_exists({PROCESSED_REPLAYS}) OR NOT contains({PROCESSED_REPLAYS}, :replay_id))"


class ProcessorStore:
    """Thread-safe. Methods raise botocore's errors as they come."""

    def __init__(
        self, dynamodb: DynamoDBClient, s3: S3Client, settings: Settings, layout: KeyLayout, table: EventTable
    ) -> None:
        self._dynamodb = dynamodb
        self._s3 = s3
        self._bucket = settings.bucket
        self._layout = layout
        self._table = table

    def raw(self, key: str) -> bytes:
        """The bytes of a raw object. Raises EventFailure when it is gone, which is not supposed to happen."""
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            raise EventFailure("poison", "the raw object is gone", alert=True) from error

    def items(self, events: Iterable[RawEvent]) -> dict[str, Item]:
        """The items of events as they are now, by event id."""
        keys = {event.event_id: _key_of(event) for event in events}
        found = self._table.items(list(keys.values()), consistent=True)
        return {item[EVENT_ID]["S"]: item for item in found}

    def item_by_id(self, event_id: str) -> Item | None:
        """The item of an event whose raw object can't be read."""
        items = self._table.items(self._table.keys_of(event_id), consistent=True)
        return items[0] if items else None

    def processed(self, event: Arrived, window: str, now: float) -> dict[str, Any]:
        """The update that marks an event as processed. Its condition fails when an aggregate has counted the event."""
        changes = f"#status = :status, processed_at = :at, {AGGREGATED_IN} = :window, {PROCESSED_TRACE} = :traceparent"
        expression = f"SET {changes} REMOVE #error, {ERROR_DAY}"
        values: Item = {
            ":status": {"S": "processed"},
            ":at": {"S": utc_text(now)},
            ":window": {"S": window},
            ":traceparent": {"S": event.received.traceparent},
        }
        if event.message.replay_id:
            expression = f"SET {changes}, {_NOTED} REMOVE #error, {ERROR_DAY} ADD {PROCESSED_REPLAYS} :replays"
            values |= _replay_values(event, event.message.replay_id, now)
        return {
            "TableName": self._table.table,
            "Key": event.key,
            "UpdateExpression": expression,
            "ConditionExpression": f"attribute_exists({ENTITY_ID}) AND attribute_not_exists({AGGREGATED_IN})",
            "ExpressionAttributeNames": {"#status": STATUS, "#error": ERROR},
            "ExpressionAttributeValues": values,
        }

    def came_again(self, event: Arrived, now: float) -> bool:
        """Notes that an event which is in its aggregate came in a replay; False where there is nothing to note."""
        replay_id = event.message.replay_id
        if not replay_id:
            return False
        return self._update(
            Key=event.key,
            UpdateExpression=f"SET {_NOTED} ADD {PROCESSED_REPLAYS} :replays",
            ConditionExpression=f"attribute_exists({ENTITY_ID}) AND {_NEW_REPLAY}",
            ExpressionAttributeValues=_replay_values(event, replay_id, now) | {":replay_id": {"S": replay_id}},
        )

    def failed(self, failed: Failed, item: Item, error: EventError) -> None:
        """Writes the step of the event's trace, then the error to its item unless it was processed meanwhile."""
        self._dynamodb.put_item(TableName=self._table.table, Item=self._failed_step(failed, item, error))
        day = item[RECEIVED_AT]["S"][:DAY_CHARACTERS]
        partition = self._layout.partition("", day, item[EVENT_ID]["S"])
        self._update(
            Key={name: item[name] for name in (ENTITY_ID, RECEIVED_KEY)},
            UpdateExpression=f"SET #status = :failed, #error = :error, {ERROR_DAY} = :partition",
            ConditionExpression=f"attribute_exists({ENTITY_ID}) AND attribute_not_exists({AGGREGATED_IN})",
            ExpressionAttributeNames={"#status": STATUS, "#error": ERROR},
            ExpressionAttributeValues={
                ":failed": {"S": "failed"},
                ":error": error_attribute(error),
                ":partition": {"S": partition},
            },
        )

    def _failed_step(self, failed: Failed, item: Item, error: EventError) -> Item:
        event_id, text, received = item[EVENT_ID]["S"], failed.failure.message, failed.received
        if is_long(text):
            key = f"{ERRORS_PREFIX}{event_id}/{utc_text(error.at)}-{received.receives}.txt"
            body = text.encode("utf-8", "replace")
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="text/plain; charset=utf-8")
            text = shortened(text, key)
        step = TraceStep(
            error.at,
            "dead_lettered" if error.dead_lettered else "failed",
            event_id,
            text,
            event_type=item["event_type"]["S"],
            entity_id=item[ENTITY_ID]["S"],
            operator=error.operator,
            error_type=error.error_type,
            replay_id=(failed.message and failed.message.replay_id) or "",
            traceparent=received.traceparent,
            xray_id=received.xray_id,
        )
        return trace_item(step, received.receives, int(item[EXPIRES_AT]["N"]))

    def _update(self, **parameters: Any) -> bool:
        """Whether the condition held."""
        try:
            self._dynamodb.update_item(TableName=self._table.table, **parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] != CONDITION_FAILED:
                raise
            return False
        return True


def _key_of(event: RawEvent) -> Item:
    sort = received_key(utc_text(event.received_at), event.event_id)
    return {ENTITY_ID: {"S": event.entity_id}, RECEIVED_KEY: {"S": sort}}


def _replay_values(event: Arrived, replay_id: str, now: float) -> Item:
    traceparent = event.received.traceparent
    entry = {"at": {"S": utc_text(now)}, "replay_id": {"S": replay_id}, "traceparent": {"S": traceparent}}
    return {":none": {"L": []}, ":noted": {"L": [{"M": entry}]}, ":replays": {"SS": [replay_id]}}
