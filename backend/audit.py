"""The audit log: who did what, when, why, and what came of it. Written before acting; nothing deletes from it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from backend.contract.errors import InvalidInput
from backend.contract.events import utc_seconds, utc_text
from backend.contract.replays import AUDIT_OUTCOMES, AuditEntry, AuditOutcome
from backend.contract.tables import CREATED_AT, DAY, ITEM, REPLAY_ID
from backend.replay.days import day_of, newest_first
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AUDIT: Final = "audit"
"""Sort key of an entry, and the kind that its day begins with."""
MAX_DETAILS: Final = 300_000
"""Bytes of details, twice (at the beginning and at the end): an item of the table takes 400 KB."""
MAX_RESULT: Final = 50_000
CUT: Final = "cut"
"""Among the details: names of those that did not fit."""
MAX_SUBJECT: Final = 1_000
MAX_ENTRIES: Final = 10_000

Outcome = Literal["succeeded", "failed", "cancelled", "refused"]


class AuditLog:
    """Entries in the table ``Replays``. ``clock`` gives epoch seconds."""

    def __init__(self, dynamodb: DynamoDBClient, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._dynamodb = dynamodb
        self._table = settings.replays_table
        self._clock = clock

    def begin(
        self, action: str, who: str, reason: str, subject: str = "", details: Mapping[str, Any] | None = None
    ) -> str:
        """Records that ``who`` is about to do ``action`` to ``subject``; returns the entry's id.

        Call it before acting: what can't be recorded must not be done. ``details`` is JSON, cut above 300 KB.
        """
        audit_id, now = f"audit-{uuid.uuid4().hex}", self._clock()
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                REPLAY_ID: {"S": audit_id},
                ITEM: {"S": AUDIT},
                DAY: {"S": day_of(AUDIT, now)},
                CREATED_AT: {"S": utc_text(now)},
                "action": {"S": action},
                "who": {"S": who},
                "reason": {"S": reason},
                "outcome": {"S": "started"},
                "subject": {"S": subject[:MAX_SUBJECT]},
                "details": {"S": _details_text(details or {}, MAX_DETAILS)},
            },
            ConditionExpression="attribute_not_exists(#id)",
            ExpressionAttributeNames={"#id": REPLAY_ID},
        )
        return audit_id

    def finish(self, audit_id: str, outcome: Outcome, details: Mapping[str, Any] | None = None) -> None:
        """Adds the outcome to an entry; further details are laid over those of the beginning, cut above 50 KB.

        The first outcome stands: a second one changes nothing. Raises KeyError for an unknown entry.
        """
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={REPLAY_ID: {"S": audit_id}, ITEM: {"S": AUDIT}},
                UpdateExpression="SET outcome = :outcome, finished_at = :at, #result = :result",
                ConditionExpression="outcome = :started",
                ExpressionAttributeNames={"#result": "result"},
                ExpressionAttributeValues={
                    ":outcome": {"S": outcome},
                    ":started": {"S": "started"},
                    ":at": {"S": utc_text(self._clock())},
                    ":result": {"S": _details_text(details or {}, MAX_RESULT)},
                },
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            self.get(audit_id)

    def get(self, audit_id: str) -> AuditEntry:
        """One entry. Raises KeyError for an unknown one."""
        key: dict[str, Any] = {REPLAY_ID: {"S": audit_id}, ITEM: {"S": AUDIT}}
        answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        if "Item" not in answer:
            raise KeyError(audit_id)
        return entry_of(answer["Item"])

    def entries(
        self,
        start: float,
        end: float,
        *,
        action: str | None = None,
        who: str | None = None,
        outcome: str | None = None,
        limit: int = 200,
    ) -> tuple[AuditEntry, ...]:
        """The newest ``limit`` entries begun from ``start`` up to ``end`` (epoch s); all filters given must hold.

        As many as ``limit`` means that there may be more. Raises InvalidInput for an outcome that there is not.
        """
        if outcome and outcome not in AUDIT_OUTCOMES:
            raise InvalidInput("outcome", outcome, f"must be one of {', '.join(AUDIT_OUTCOMES)}")
        if not 1 <= limit <= MAX_ENTRIES:
            raise InvalidInput("limit", limit, f"must lie between 1 and {MAX_ENTRIES}")
        equal = {"action": action or "", "who": who or "", "outcome": outcome or ""}
        found = newest_first(self._dynamodb, self._table, AUDIT, start, end, equal)
        return tuple(entry_of(item) for item in islice(found, limit))


def entry_of(item: Mapping[str, Any]) -> AuditEntry:
    """The entry of an item."""
    details: dict[str, Any] = json.loads(item["details"]["S"])
    if "result" in item:
        result = json.loads(item["result"]["S"])
        cut = [*details.get(CUT, ()), *result.get(CUT, ())]
        details |= result | ({CUT: cut} if cut else {})
    return AuditEntry(
        audit_id=item[REPLAY_ID]["S"],
        at=utc_seconds(item[CREATED_AT]["S"]),
        action=item["action"]["S"],
        who=item["who"]["S"],
        reason=item["reason"]["S"],
        outcome=cast("AuditOutcome", item["outcome"]["S"]),
        subject=item["subject"]["S"],
        details=details,
        finished_at=utc_seconds(item["finished_at"]["S"]) if "finished_at" in item else None,
    )


def _details_text(details: Mapping[str, Any], limit: int) -> str:
    """The details as JSON of at most ``limit`` bytes: what does not fit is named, never dropped in silence."""
    text = json.dumps(details, default=str)
    if len(text) <= limit:
        return text
    kept: dict[str, Any] = {}
    cut: list[str] = []
    room = limit - 1_000
    for name, value in sorted(details.items(), key=lambda entry: len(json.dumps(entry[1], default=str))):
        size = len(json.dumps({name: value}, default=str))
        if size <= room:
            kept[name], room = value, room - size
        else:
            cut.append(name[:100])
    return json.dumps({**kept, CUT: cut[:10]}, default=str)
