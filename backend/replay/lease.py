"""What the runner writes of a replay: its fenced lease, its checkpoints, its end.

Each take of the lease counts the fence up; whoever holds an older one can't write any more. Counters are written as
totals, so that a request repeated by the SDK counts nothing twice.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from backend.contract.events import utc_seconds, utc_text
from backend.contract.replays import Replay, ReplayResult, ReplayStatus
from backend.replay.records import (
    AUDIT_ID,
    CHOSEN,
    FENCE,
    LEASE_UNTIL,
    RECORDED,
    REPLAY_ID_TEXT,
    SENT_AT,
    STARTS,
    key_of,
    replay_of,
    result_item,
    result_key,
    results_of,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE_SECONDS: Final = 60.0
"""A runner that is gone is replaced after this time, by the next sweep."""
SAFE_SHARE: Final = 0.75
_OWNER: Final = "lease_owner"
_HELD: Final = f"{FENCE} = :fence AND #status = :was"
_TO_PAUSE: Final = f"{_HELD} AND pause_requested = :yes AND NOT cancel_requested = :yes"


class LeaseLost(RuntimeError):  # noqa: N818 - reads as a statement where it is raised
    """Another runner works on the replay, or somebody ended it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A replay under this runner's lease. ``recorded``: events from the beginning whose items tell of the replay.

    ``starts`` counts the leases taken since the last progress, this one included. After ``safe_until`` (epoch s)
    nothing may be begun: what is under way could outlast the lease.
    """

    replay: Replay
    fence: int
    safe_until: float
    recorded: int
    starts: int
    audit_id: str


@dataclass(frozen=True, slots=True)
class Part:
    """What became of some events, sent at ``sent_at`` (epoch s) in ``seconds``."""

    results: Sequence[ReplayResult]
    sent_at: float
    seconds: float


class ReplayLeases:
    """Leases of replays in the table ``Replays``."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, seconds: float = LEASE_SECONDS) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._seconds = seconds
        self._owner = uuid.uuid4().hex

    def take(self, replay_id: str, now: float) -> Held | None:
        """The lease of a replay that is to be worked on; None where another has it or there is nothing to do."""
        if not REPLAY_ID_TEXT.fullmatch(replay_id):
            return None
        at = {"S": utc_text(now)}
        taken = self._update(
            replay_id,
            f"SET {_OWNER} = :owner, {LEASE_UNTIL} = :until, {FENCE} = {FENCE} + :one, {STARTS} = {STARTS} + :one, "
            "#status = :running, updated_at = :at, started_at = if_not_exists(started_at, :at)",
            f"#status IN (:pending, :running) AND {LEASE_UNTIL} < :now",
            {
                ":owner": {"S": self._owner},
                ":until": {"N": str(now + self._seconds)},
                ":one": {"N": "1"},
                ":pending": {"S": "pending"},
                ":running": {"S": "running"},
                ":now": {"N": str(now)},
                ":at": at,
            },
        )
        return None if taken is None else replace(taken, safe_until=now + SAFE_SHARE * self._seconds)

    def checkpoint(self, held: Held, part: Part, recorded: int, now: float) -> Held:
        """Puts a part's results on record, then the counters; the lease lasts on. Raises LeaseLost."""
        replay = held.replay
        self._put(held, result_item(replay.replay_id, replay.done, part.results, held.fence, part.sent_at))
        outcomes = [result.outcome for result in part.results]
        totals = {name: getattr(replay, name) + outcomes.count(name) for name in ("sent", "failed", "skipped")}
        changes: dict[str, Any] = {name: {"N": str(total)} for name, total in totals.items()}
        changes["sending_seconds"] = {"N": str(round(replay.sending_seconds + part.seconds, 3))}
        return self._write(held, {**changes, "error": {"S": ""}, STARTS: {"N": "0"}, **_recorded(recorded)}, now)

    def renew(self, held: Held, recorded: int, now: float) -> Held:
        """The lease lasts on, and what is recorded is noted. Raises LeaseLost."""
        progress = {STARTS: {"N": "0"}} if recorded > held.recorded else {}
        return self._write(held, {**progress, **_recorded(recorded)}, now)

    def release(self, held: Held, recorded: int, now: float, *, status: ReplayStatus, error: str = "") -> None:
        """Gives the lease back, so that another run goes on at once. Raises LeaseLost."""
        changes = {LEASE_UNTIL: {"N": "0"}, "status": {"S": status}, "error": {"S": error}, **_recorded(recorded)}
        self._write(held, changes, now)

    def pause(self, held: Held, recorded: int, now: float) -> Held | None:
        """Gives the lease back as paused. Where the replay was cancelled or resumed meanwhile the lease lasts on, and
        its fresh record is returned. Raises LeaseLost."""
        changes = {LEASE_UNTIL: {"N": "0"}, "status": {"S": "paused"}, "error": {"S": ""}, **_recorded(recorded)}
        paused = self._written(held, changes, now, _TO_PAUSE, {":yes": {"BOOL": True}})
        return self.renew(held, recorded, now) if paused is None else None

    def end(
        self,
        held: Held,
        recorded: int,
        now: float,
        *,
        status: ReplayStatus,
        error: str = "",
        matched: int | None = None,
    ) -> Replay:
        """The replay's last word; ``matched`` puts right what was not known before. Raises LeaseLost."""
        changes = {
            LEASE_UNTIL: {"N": "0"},
            "status": {"S": status},
            "error": {"S": error},
            "finished_at": {"S": utc_text(now)},
            **_recorded(recorded),
        }
        if matched is not None:
            changes["matched"] = {"N": str(matched)}
        return self._write(held, changes, now).replay

    def part(self, replay_id: str, start: int) -> Part | None:
        """What became of the part beginning at ``start``; None where it has not been sent."""
        key = key_of(replay_id, result_key(start))
        item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else Part(results_of(item), utc_seconds(item[SENT_AT]["S"]), 0.0)

    def choose(self, held: Held, message_ids: Iterable[str]) -> None:
        """Puts the messages on record that are about to be sent, instead of those before. Raises LeaseLost."""
        ids = json.dumps(sorted(message_ids), separators=(",", ":"))
        key = key_of(held.replay.replay_id, CHOSEN)
        self._put(held, {**key, FENCE: {"N": str(held.fence)}, "message_ids": {"S": ids}})

    def chosen(self, replay_id: str) -> set[str]:
        """The messages that were last about to be sent."""
        key = key_of(replay_id, CHOSEN)
        item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return set() if item is None else set(json.loads(item["message_ids"]["S"]))

    def _put(self, held: Held, item: dict[str, Any]) -> None:
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression=f"attribute_not_exists({FENCE}) OR {FENCE} <= :fence",
                ExpressionAttributeValues={":fence": {"N": str(held.fence)}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            raise LeaseLost(held.replay.replay_id) from None

    def _write(self, held: Held, changes: Mapping[str, Any], now: float) -> Held:
        written = self._written(held, changes, now, _HELD, {})
        if written is None:
            raise LeaseLost(held.replay.replay_id)
        return written

    def _written(
        self, held: Held, changes: Mapping[str, Any], now: float, condition: str, asked: Mapping[str, Any]
    ) -> Held | None:
        """The replay with the changes; None where the condition does not hold, whose further values are ``asked``."""
        changes = {LEASE_UNTIL: {"N": str(now + self._seconds)}, **changes}
        names = {f"#{name}": name for name in changes} | {"#status": "status"}
        values = {f":{name}": value for name, value in changes.items()}
        settings = [f"#{name} = :{name}" for name in changes] + ["updated_at = :at"]
        written = self._update(
            held.replay.replay_id,
            "SET " + ", ".join(settings),
            condition,
            {
                **values,
                **asked,
                ":at": {"S": utc_text(now)},
                ":fence": {"N": str(held.fence)},
                ":was": {"S": "running"},
            },
            names,
        )
        return None if written is None else replace(written, safe_until=now + SAFE_SHARE * self._seconds)

    def _update(
        self,
        replay_id: str,
        update: str,
        condition: str,
        values: Mapping[str, Any],
        names: Mapping[str, str] | None = None,
    ) -> Held | None:
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=key_of(replay_id),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names or {"#status": "status"},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        item = answer["Attributes"]
        return Held(
            replay_of(item),
            int(item[FENCE]["N"]),
            0.0,
            int(item[RECORDED]["N"]),
            int(item[STARTS]["N"]),
            item[AUDIT_ID]["S"],
        )


def _recorded(recorded: int) -> dict[str, Any]:
    return {RECORDED: {"N": str(recorded)}}
