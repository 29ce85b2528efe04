"""Deliveries still to be made: items beside their alert, in order for each transport, sent under a short lease.

They are written with the decision that wants them, so none is lost, and deleted with the record of what arrived. Before
each attempt it is counted: who finds a counted attempt knows that the message may have arrived.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from backend.alerts.items import DELIVERY, alert_key, delivery_text, key
from backend.alerts.state import Outgoing
from backend.alerts.transports.base import MessageKind
from backend.contract.alerts import Delivery, alert_id
from backend.contract.event_items import Item
from backend.contract.tables import DATA, EXPIRES_AT, FINGERPRINT, OPENED_AT, STATE, STATE_INDEX
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MOVED_ON: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
_IN_PROGRESS: Final = frozenset({"TransactionInProgressException", "TransactionConflictException"})
OUTBOX: Final = "outbox"
"""State of a delivery, and how its sort key begins: ``outbox#slack#000000000012#0``."""
LANE: Final = "lane#"
"""Sort key of the lease on the deliveries of one alert by one transport, followed by the transport's name."""
LEASE_SECONDS: Final = 60.0
"""As long as the function may run: whoever died is replaced by the next sweep."""
KEPT_SECONDS: Final = 30 * 86_400
MAX_NEEDLESS: Final = 90
"""They end with what is sent instead, in one transaction, which takes 100 writes."""
END_ATTEMPTS: Final = 10
END_PAUSE_SECONDS: Final = 0.05
ATTEMPTS: Final = "attempts"
NEXT_AT: Final = "next_at"
UNSURE: Final = "unsure"
SUPERSEDED: Final = frozenset({"updated", "group", "renotified", "unknown"})
"""Kinds of which one is enough, where several of a kind wait one behind another."""
COVERED: Final = frozenset({"updated", "renotified"})
"""Kinds that an opening stands for that was not delivered yet: it says how the alert is now."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The deliveries of one fingerprint by one transport."""

    fingerprint: str
    transport: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One delivery. ``at`` is when it was decided, ``next_at`` when it may be tried (epoch s); ``item_key`` is its key.

    ``attempts`` counts those that were begun; ``unsure`` is whether one of them may have arrived.
    """

    lane: Lane
    sort: str
    kind: MessageKind
    opened_at: float
    at: float
    attempts: int = 0
    next_at: float = 0.0
    unsure: bool = False

    @property
    def delivery_id(self) -> str:
        """The same at every attempt, and no other's."""
        return f"{alert_id(self.lane.fingerprint, self.opened_at)}.{self.sort.removeprefix(OUTBOX + '#')}"


def outbox_items(messages: Iterable[Outgoing], versions: Mapping[str, int], now: float) -> list[Item]:
    """The items of messages, one a transport. A decision's version orders them behind those of earlier ones."""
    return [
        {
            **key(message.fingerprint, f"{OUTBOX}#{transport}#{versions[message.fingerprint]:012d}#{number}"),
            STATE: {"S": OUTBOX},
            DATA: {"S": json.dumps({"kind": message.kind, "opened_at": message.opened_at, "at": message.at})},
            ATTEMPTS: {"N": "0"},
            NEXT_AT: {"N": "0"},
            EXPIRES_AT: {"N": str(int(now + KEPT_SECONDS))},
        }
        for number, message in enumerate(messages)
        for transport in message.transports
    ]


def next_of(entries: Sequence[Entry]) -> tuple[Entry, tuple[Entry, ...]]:
    """The entry to send next, which is the first, and those that need not be sent besides.

    Whatever is sent says how things are now: of a row of a kind one stands for all, and what is not said yet need not
    be updated or said again.

    The first one knows what came of earlier attempts, and when the next is. Openings, acknowledgements and resolutions
    are never left out, and nothing overtakes.
    """
    first, rest = entries[0], entries[1:]
    stands_for = COVERED if first.kind == "opened" else SUPERSEDED & {first.kind}
    row = takewhile(lambda entry: entry.kind in stands_for and entry.opened_at == first.opened_at, rest)
    return first, tuple(row)[:MAX_NEEDLESS]


def moved_on(error: ClientError) -> bool:
    """Whether a transaction was refused for what others wrote or were writing: nothing of it was written."""
    reasons = {reason.get("Code", "") for reason in error.response.get("CancellationReasons", [])}
    return bool(reasons & _MOVED_ON) or error.response["Error"]["Code"] in _IN_PROGRESS


class Outbox:
    """Deliveries in the table ``Alerts``. Calls raise botocore's errors when DynamoDB does not answer."""

    def __init__(self, dynamodb: DynamoDBClient, settings: Settings, lease_seconds: float = LEASE_SECONDS) -> None:
        self._dynamodb = dynamodb
        self._table = settings.alerts_table
        self._lease_seconds = lease_seconds

    def take(self, lane: Lane, now: float) -> str | None:
        """Takes the lane's lease; returns what it is given back with, None where another one has it."""
        owner = uuid.uuid4().hex
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_lane_key(lane),
                UpdateExpression="SET lease_until = :until, lease_owner = :owner, #expires = :expires",
                ConditionExpression="attribute_not_exists(lease_until) OR lease_until < :now",
                ExpressionAttributeNames={"#expires": EXPIRES_AT},
                ExpressionAttributeValues={
                    ":until": {"N": repr(now + self._lease_seconds)},
                    ":now": {"N": repr(now)},
                    ":owner": {"S": owner},
                    ":expires": {"N": str(int(now + KEPT_SECONDS))},
                },
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        return owner

    def give_back(self, lane: Lane, owner: str) -> None:
        """Gives the lease back, unless it has run out and another one has it."""
        try:
            self._dynamodb.delete_item(
                TableName=self._table,
                Key=_lane_key(lane),
                ConditionExpression="lease_owner = :owner",
                ExpressionAttributeValues={":owner": {"S": owner}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return

    def waiting(self, lane: Lane) -> list[Entry]:
        """The lane's deliveries in their order, read consistently."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{FINGERPRINT} = :fingerprint AND begins_with({OPENED_AT}, :lane)",
            ExpressionAttributeValues={
                ":fingerprint": {"S": lane.fingerprint},
                ":lane": {"S": f"{OUTBOX}#{lane.transport}#"},
            },
            ConsistentRead=True,
        )
        return [_entry(item) for page in pages for item in page["Items"]]

    def lanes_due(self, now: float) -> list[Lane]:
        """Lanes whose first delivery may be tried by ``now``, the one that waits longest first."""
        first: dict[Lane, Entry] = {}
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=STATE_INDEX,
            KeyConditionExpression="#state = :outbox",
            ExpressionAttributeNames={"#state": STATE},
            ExpressionAttributeValues={":outbox": {"S": OUTBOX}},
        )
        for entry in (_entry(item) for page in pages for item in page["Items"]):
            if entry.lane not in first or entry.sort < first[entry.lane].sort:
                first[entry.lane] = entry
        due = [entry for entry in first.values() if entry.next_at <= now]
        return [entry.lane for entry in sorted(due, key=lambda entry: entry.at)]

    def begin(self, entry: Entry) -> bool:
        """Counts an attempt that is about to be made: until its end is known it may have arrived.

        False where the delivery is gone: another one ended it.
        """
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=key(entry.lane.fingerprint, entry.sort),
                UpdateExpression=f"SET {ATTEMPTS} = {ATTEMPTS} + :one, {UNSURE} = :unsure",
                ConditionExpression=f"attribute_exists({FINGERPRINT})",
                ExpressionAttributeValues={":one": {"N": "1"}, ":unsure": {"BOOL": True}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def later(self, entry: Entry, next_at: float, *, unsure: bool) -> None:
        """The delivery is tried again at ``next_at`` at the earliest, and those behind it after it.

        ``unsure``: this attempt or an earlier one may have arrived.
        """
        self._dynamodb.update_item(
            TableName=self._table,
            Key=key(entry.lane.fingerprint, entry.sort),
            UpdateExpression=f"SET {NEXT_AT} = :next, {UNSURE} = :unsure",
            ExpressionAttributeValues={":next": {"N": repr(next_at)}, ":unsure": {"BOOL": unsure}},
        )

    def end(self, entries: Sequence[Entry], delivery: Delivery | None) -> None:
        """Takes entries of one alert out, and puts on record what its transport knows of it now, in one."""
        writes: list[Any] = [
            {"Delete": {"TableName": self._table, "Key": key(entry.lane.fingerprint, entry.sort)}} for entry in entries
        ]
        if delivery is not None:
            writes.append(
                {
                    "Update": {
                        "TableName": self._table,
                        "Key": alert_key(entries[0].lane.fingerprint, entries[0].opened_at),
                        "UpdateExpression": "SET #delivery = :delivery",
                        "ConditionExpression": f"attribute_exists({FINGERPRINT})",
                        "ExpressionAttributeNames": {"#delivery": f"{DELIVERY}{delivery.transport}"},
                        "ExpressionAttributeValues": {":delivery": {"S": delivery_text(delivery)}},
                    }
                }
            )
        for attempt in range(END_ATTEMPTS):
            try:
                self._dynamodb.transact_write_items(TransactItems=writes)
                return
            except ClientError as error:
                # A decision about the same alert is being written; given up, the message would be sent a second time.
                if not moved_on(error) or attempt == END_ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0, END_PAUSE_SECONDS * (attempt + 1)))  # noqa: S311 - keeps two apart


def _entry(item: Mapping[str, Any]) -> Entry:
    record, sort = json.loads(item[DATA]["S"]), item[OPENED_AT]["S"]
    lane = Lane(item[FINGERPRINT]["S"], sort.split("#")[1])
    return Entry(
        lane,
        sort,
        **record,
        attempts=int(item[ATTEMPTS]["N"]),
        next_at=float(item[NEXT_AT]["N"]),
        unsure=item.get(UNSURE, {}).get("BOOL", False),
    )


def _lane_key(lane: Lane) -> Item:
    return key(lane.fingerprint, f"{LANE}{lane.transport}")
