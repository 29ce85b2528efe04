"""The four places that an ingested event is written to, each write safe to repeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from backend.contract.event_items import Item
from backend.contract.tables import ENTITY_ID, EVENT_ID, EXPIRES_AT, KNOWN
from backend.events.gate import DUPLICATES, OPEN, STATE, STORED, Gate, Lead, gate_of, message_entry
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

SEND_BATCH: Final = 10
GROUP: Final = 25
"""Items that a batch of events writes in one transaction. It costs twice the write units, and a quarter of the time:
a call costs the function more than an item, and a small function has a fraction of a processor."""
CONFLICT_DELAYS: Final = (0.05, 0.2, 0.5)
"""Seconds until a put is tried again that met another one of the same key (S3 answers 409)."""
_CONDITION: Final = "ConditionalCheckFailedException"
MAX_KNOWN: Final = 1_000
"""Types, and sources: both stand in one item, which takes 400 KB. A full item would refuse every event."""
FULL_SECONDS: Final = 60.0
"""For so long a container believes that there is no room, and refuses new names without asking."""
_TRIES: Final = 5
Name = tuple[str, str]
"""``types`` or ``sources``, and a name."""


class IngestStore:
    """EventGate, the bucket, PipelineEvents and the event queue. Thread-safe; methods raise ClientError as it comes."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        s3: S3Client,
        sqs: SQSClient,
        settings: Settings,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._s3 = s3
        self._sqs = sqs
        self._settings = settings
        self._sleep = sleep
        self._known: set[Name] = set()
        self._full_until: dict[str, float] = {}
        self._lock = Lock()

    def open_gate(self, gate: Gate, now: float) -> Gate | None:
        """Takes the event's place; None when it is taken now, else the gate that stands there."""
        try:
            self._dynamodb.put_item(**self._opening(gate, now))
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION:
                raise
            return gate_of(error.response["Item"])  # type: ignore[typeddict-item]
        return None

    def open_gates(self, gates: Sequence[Gate], now: float) -> bool:
        """Takes the places of at most ``GROUP`` events in one call; False, with nothing done, unless all are free."""
        return self._together([{"Put": self._opening(gate, now)} for gate in gates])

    def is_stored(self, event_id: str) -> bool:
        """Whether the event's gate says that it is complete."""
        key = {EVENT_ID: {"S": event_id}}
        answer = self._dynamodb.get_item(TableName=self._settings.gate_table, Key=key, ConsistentRead=True)
        return answer.get("Item", {}).get(STATE, {}).get("S") == STORED

    def put_raw(self, lead: Lead) -> Lead:
        """Writes the raw object unless one is there; the event with the object that is there now."""
        for delay in (*CONFLICT_DELAYS, None):
            try:
                self._s3.put_object(
                    Bucket=self._settings.bucket,
                    Key=lead.gate.raw_key,
                    Body=lead.raw,
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 412:
                    found = self._s3.get_object(Bucket=self._settings.bucket, Key=lead.gate.raw_key)
                    return lead.found(found["Body"].read())
                if status != 409 or delay is None:
                    raise
                self._sleep(delay)
            else:
                break
        return lead

    def put_index(self, item: Item) -> None:
        """Writes the event's item unless one is there, which may know more by now."""
        try:
            self._dynamodb.put_item(**self._indexing(item))
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION:
                raise

    def put_indexes(self, items: Sequence[Item]) -> bool:
        """Writes at most ``GROUP`` items in one call; False, with nothing done, where one of them is there."""
        return self._together([{"Put": self._indexing(item)} for item in items])

    def send(self, gates: Sequence[Gate]) -> list[str]:
        """Queues the events of at most ten gates; for each what SQS has against it, empty where it took it."""
        entries: Any = [message_entry(gate, str(number)) for number, gate in enumerate(gates)]
        answer = self._sqs.send_message_batch(QueueUrl=self._settings.event_queue_url, Entries=entries)
        refused = {entry["Id"]: entry.get("Message") or entry["Code"] for entry in answer.get("Failed", ())}
        return [refused.get(str(number), "") for number in range(len(gates))]

    def close_gate(self, gate: Gate) -> bool:
        """Says that the event is complete; False where somebody else has said so."""
        try:
            self._dynamodb.update_item(**self._closing(gate))
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION:
                raise
            return False
        return True

    def close_gates(self, gates: Sequence[Gate]) -> bool:
        """Says so of at most ``GROUP`` events in one call; False, with nothing done, unless all are open."""
        return self._together([{"Update": self._closing(gate)} for gate in gates])

    def count_duplicates(self, event_id: str, count: int) -> None:
        """Adds to how often the event was sent again."""
        self._dynamodb.update_item(
            TableName=self._settings.gate_table,
            Key={EVENT_ID: {"S": event_id}},
            UpdateExpression=f"ADD {DUPLICATES} :count",
            ExpressionAttributeValues={":count": {"N": str(count)}},
        )

    def register(self, types: set[str], sources: set[str], now: float) -> set[Name]:
        """Adds types and sources to those that ever arrived; returns those for which there is no room.

        What this store knows costs no call. ``now`` is epoch s.
        """
        wanted = {("types", name) for name in types} | {("sources", name) for name in sources}
        refused: set[Name] = set()
        for _ in range(_TRIES):
            with self._lock:
                new = wanted - refused - self._known
                refused |= {name for name in new if now < self._full_until.get(name[0], 0)}
            new -= refused
            if not new:
                return refused
            there = self._add(new)
            with self._lock:
                self._known |= new if there is None else there
                if there is not None:
                    self._full_until |= dict.fromkeys(_full(there), now + FULL_SECONDS)
            if there is not None:
                refused |= _without_room(new - there, there)
        raise TimeoutError(f"types and sources changed {_TRIES} times meanwhile")

    def _add(self, new: set[Name]) -> set[Name] | None:
        """Adds all names and returns None; where they don't all fit, adds none and returns those that are there."""
        added = {kind: sorted(name for k, name in new if k == kind) for kind in dict(new)}
        room: Any = {f":{kind}_room": {"N": str(MAX_KNOWN - len(names))} for kind, names in added.items()}
        names: Any = {f":{kind}": {"SS": names} for kind, names in added.items()}
        fits = (f"(attribute_not_exists(#{kind}) OR size(#{kind}) <= :{kind}_room)" for kind in added)
        try:
            self._dynamodb.update_item(
                TableName=self._settings.gate_table,
                Key={EVENT_ID: {"S": KNOWN}},
                UpdateExpression="ADD " + ", ".join(f"#{kind} :{kind}" for kind in added),
                ConditionExpression=" AND ".join(fits),
                ExpressionAttributeNames={f"#{kind}": kind for kind in added},
                ExpressionAttributeValues=names | room,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION:
                raise
            item: Any = error.response["Item"]  # type: ignore[typeddict-item]
            return {(kind, name) for kind in ("types", "sources") for name in item.get(kind, {}).get("SS", ())}
        return None

    def _together(self, writes: Sequence[dict[str, Any]]) -> bool:
        try:
            self._dynamodb.transact_write_items(TransactItems=writes)  # type: ignore[arg-type]
        except ClientError:
            # Which of them it was, and what of, shows when each is written by itself.
            return False
        return True

    def _opening(self, gate: Gate, now: float) -> dict[str, Any]:
        return {
            "TableName": self._settings.gate_table,
            "Item": gate.item(),
            # What has expired may lie there for hours more.
            "ConditionExpression": f"attribute_not_exists({EVENT_ID}) OR {EXPIRES_AT} <= :now",
            "ExpressionAttributeValues": {":now": {"N": str(int(now))}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _indexing(self, item: Item) -> dict[str, Any]:
        absent = f"attribute_not_exists({ENTITY_ID})"
        return {"TableName": self._settings.events_table, "Item": item, "ConditionExpression": absent}

    def _closing(self, gate: Gate) -> dict[str, Any]:
        values = {":stored": {"S": STORED}, ":open": {"S": OPEN}, ":hash": {"S": gate.sha256}}
        return {
            "TableName": self._settings.gate_table,
            "Key": {EVENT_ID: {"S": gate.event_id}},
            "UpdateExpression": "SET #state = :stored, sha256 = :hash",
            "ConditionExpression": "#state = :open",
            "ExpressionAttributeNames": {"#state": STATE},
            "ExpressionAttributeValues": values,
        }


def _full(there: set[Name]) -> list[str]:
    return [kind for kind in ("types", "sources") if sum(k == kind for k, _ in there) >= MAX_KNOWN]


def _without_room(new: set[Name], there: set[Name]) -> set[Name]:
    """Of the new names those that don't fit beside the ones that are there."""
    refused: set[Name] = set()
    for kind in dict(new):
        room = MAX_KNOWN - sum(k == kind for k, _ in there)
        refused |= set(sorted(name for name in new if name[0] == kind)[max(room, 0) :])
    return refused
