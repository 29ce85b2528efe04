"""Reads and writes what decisions stand on, in the table ``Alerts``: all of a decision in one transaction.

Whoever decides has read the versions of what he changes; where one has moved on meanwhile nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from backend.alerts.items import (
    LOOK_AT,
    POINTER,
    POINTER_ITEM,
    VERSION,
    alert_key,
    alert_of,
    alert_text,
    incident_item,
    incident_of,
    key,
    silence_of,
    track_item,
    track_of,
    without_deliveries,
)
from backend.alerts.outbox import moved_on, outbox_items
from backend.alerts.state import Decision, Known, KnownIncident
from backend.contract.alerts import Alert, Incident, Silence
from backend.contract.event_items import Item
from backend.contract.events import utc_text
from backend.contract.tables import (
    CURRENT,
    DATA,
    ENVIRONMENT,
    EXPIRES_AT,
    FINGERPRINT,
    INCIDENTS,
    OPENED_AT,
    RULE_WEEK,
    SILENCES,
    STATE,
    STATE_INDEX,
)
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAY_SECONDS: Final = 86_400


class Conflict(RuntimeError):  # noqa: N818 - reads as a statement where it is raised
    """Somebody else wrote meanwhile; nothing was written. Read again and decide again."""


class AlertStore:
    """The table ``Alerts`` for those who decide. Calls raise botocore's errors when DynamoDB does not answer."""

    def __init__(self, dynamodb: DynamoDBClient, settings: Settings) -> None:
        self._dynamodb = dynamodb
        self._table = settings.alerts_table
        self._kept_seconds = settings.config.alerts.retention_days * DAY_SECONDS

    def load(self, fingerprint: str, opened_at: float | None = None) -> Known:
        """A fingerprint with its newest alert, or with the one that opened at ``opened_at``, read consistently."""
        # "@current" sorts right after every alert, and before what is to be delivered.
        items = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression=f"{FINGERPRINT} = :fingerprint AND {OPENED_AT} BETWEEN :first AND :current",
            ExpressionAttributeValues={
                ":fingerprint": {"S": fingerprint},
                ":first": {"S": "0"},
                ":current": {"S": CURRENT},
            },
            ScanIndexForward=False,
            Limit=2,
            ConsistentRead=True,
        )["Items"]
        if not items or items[0][OPENED_AT]["S"] != CURRENT:
            return Known(fingerprint)
        track, storm = track_of(items[0])
        alert = alert_of(items[1]) if len(items) > 1 else None
        if opened_at is not None and (alert is None or utc_text(alert.opened_at) != utc_text(opened_at)):
            alert = self.alert(fingerprint, opened_at)
        return Known(fingerprint, track, without_deliveries(alert) if alert else None, storm)

    def alert(self, fingerprint: str, opened_at: float) -> Alert | None:
        """One alert with what was delivered of it; None for one that there is not."""
        item = self._get(alert_key(fingerprint, opened_at))
        return None if item is None else alert_of(item)

    def members(self, group: str, most: int) -> tuple[Alert, ...]:
        """The newest ``most`` alerts that a group speaks for, the newest first."""
        storm = self.load(group).storm
        wanted = [alert_key(member.fingerprint, member.opened_at) for member in storm.members[-most:]]
        found: list[Alert] = []
        for index in range(0, len(wanted), 100):
            asked: Any = {self._table: {"Keys": wanted[index : index + 100], "ConsistentRead": True}}
            while asked:
                answer = self._dynamodb.batch_get_item(RequestItems=asked)
                found += map(alert_of, answer["Responses"].get(self._table, []))
                asked = answer.get("UnprocessedKeys")
        return tuple(sorted(found, key=lambda alert: alert.opened_at, reverse=True))

    def incident(self, incident_id: str) -> KnownIncident | None:
        """One incident; None for one that there is not."""
        item = self._get(key(INCIDENTS, incident_id))
        return None if item is None else incident_of(item)

    def change_incident(
        self, incident_id: str, change: Callable[[KnownIncident], KnownIncident], now: float
    ) -> Incident:
        """Changes an incident over whatever version there is. Raises KeyError for an unknown one."""
        while (known := self.incident(incident_id)) is not None:
            changed = change(known)
            with suppress(Conflict):
                self._transact([self._incident_write(changed, now)])
                return changed.incident
        raise KeyError(incident_id)

    def where(self, alert_id: str) -> tuple[str, float] | None:
        """Fingerprint and opening of an alert by its short id; None for an unknown one."""
        item = self._get(key(f"{POINTER}{alert_id}", POINTER_ITEM))
        return None if item is None else (item["of"]["S"], float(item["at"]["N"]))

    def silences(self, now: float) -> tuple[Silence, ...]:
        """Silences of the table that are not over at ``now``."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{FINGERPRINT} = :silences AND {OPENED_AT} >= :now",
            ExpressionAttributeValues={":silences": {"S": SILENCES}, ":now": {"S": utc_text(now)}},
            ConsistentRead=True,
        )
        found = [silence_of(item) for page in pages for item in page["Items"]]
        return tuple(silence for silence in found if silence.ends_at > now)

    def due(self, now: float) -> list[str]:
        """Fingerprints of open alerts about which time has something to decide by ``now``."""
        return [
            item[FINGERPRINT]["S"]
            for state in ("open", "acknowledged")
            for item in self.by_state(state)
            if LOOK_AT in item and float(item[LOOK_AT]["N"]) <= now
        ]

    def by_state(self, state: str, since: float | None = None, rule: str | None = None) -> Iterator[Item]:
        """Items of the index by state, oldest opening first, from ``since`` on; of one rule where it is given."""
        values: dict[str, Any] = {":state": {"S": state}}
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": STATE_INDEX,
            "KeyConditionExpression": "#state = :state",
            "ExpressionAttributeNames": {"#state": STATE},
            "ExpressionAttributeValues": values,
        }
        if since is not None:
            query["KeyConditionExpression"] += f" AND {OPENED_AT} >= :since"
            values[":since"] = {"S": utc_text(since)}
        if rule is not None:
            query["FilterExpression"] = "#rule = :rule"
            query["ExpressionAttributeNames"]["#rule"] = "rule"
            values[":rule"] = {"S": rule}
        for page in self._dynamodb.get_paginator("query").paginate(**query):
            yield from page["Items"]

    def covering(self, rule: str, since: float) -> bool:
        """Whether an alert of ``rule`` is open, or opened since then."""
        asked = (("open", None), ("acknowledged", None), ("resolved", since))
        return any(True for state, start in asked for _ in self.by_state(state, start, rule))

    def complete(self, known: Known, storms: str | None) -> Known:
        """Adds the group and the incident that a decision may change.

        ``storms`` is the group's fingerprint where the alert may be told for the first time: it may be one of a storm.
        """
        alert = known.open
        group = None
        if alert is not None and alert.group:
            group = self.load(alert.group)
        elif storms is not None:
            group = self.load(storms)
        incident_id = alert.incident_id if alert is not None else ""
        if not incident_id and group is not None:
            incident_id = group.storm.incident_id
        return replace(known, group=group, incident=self.incident(incident_id) if incident_id else None)

    def commit(self, before: Known, decision: Decision, now: float) -> None:
        """Writes a decision: everything or nothing. Raises Conflict."""
        writes: list[Any] = []
        after, changed = decision.known, decision.changed
        versions: dict[str, int] = {}
        if "own" in changed:
            writes += self._own_writes(before, after, now)
            versions[after.fingerprint] = before.track.version + 1
        if "group" in changed and after.group is not None and before.group is not None:
            writes += self._own_writes(before.group, after.group, now)
            versions[after.group.fingerprint] = before.group.track.version + 1
        if "incident" in changed and after.incident is not None:
            writes.append(self._incident_write(after.incident, now))
        writes += [self._count_write(count.rule, count.week, count.counter, now) for count in decision.counts]
        for item in outbox_items(decision.messages, versions, now):
            writes.append({"Put": {"TableName": self._table, "Item": item}})
        if writes:
            self._transact(writes)

    def _own_writes(self, before: Known, after: Known, now: float) -> list[Any]:
        version = before.track.version
        track = replace(after.track, version=version + 1)
        item = {**track_item(after.fingerprint, track, after.storm), **self._expiry(now)}
        writes: list[Any] = [{"Put": {"TableName": self._table, "Item": item, **_at_version(version)}}]
        if after.alert is not None:
            writes.append(self._alert_write(after.alert, track.look_at, now))
            if before.alert is None or before.alert.opened_at != after.alert.opened_at:
                writes.append({"Put": {"TableName": self._table, "Item": self._pointer(after.alert, now)}})
        return writes

    def _alert_write(self, alert: Alert, look_at: float | None, now: float) -> Any:
        """An update rather than a put: what was delivered stands in the same item and has writers of its own."""
        values: dict[str, Any] = {
            DATA: {"S": alert_text(alert)},
            STATE: {"S": alert.state},
            "rule": {"S": alert.rule},
            "severity": {"S": alert.severity},
            ENVIRONMENT: {"S": alert.environment},
            **self._expiry(now),
        }
        if look_at is not None and alert.state != "resolved":
            values[LOOK_AT] = {"N": repr(look_at)}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        names = {f"#{name}": name for name in values}
        if LOOK_AT not in values:
            expression += f" REMOVE #{LOOK_AT}"
            names[f"#{LOOK_AT}"] = LOOK_AT
        return {
            "Update": {
                "TableName": self._table,
                "Key": alert_key(alert.fingerprint, alert.opened_at),
                "UpdateExpression": expression,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
            }
        }

    def _pointer(self, alert: Alert, now: float) -> Item:
        pointer = key(f"{POINTER}{alert.alert_id}", POINTER_ITEM)
        return {
            **pointer,
            "of": {"S": alert.fingerprint},
            "at": {"N": repr(alert.opened_at)},
            **self._expiry(now),
        }

    def _incident_write(self, known: KnownIncident, now: float) -> Any:
        item = {**incident_item(known, known.version + 1), **self._expiry(now)}
        return {"Put": {"TableName": self._table, "Item": item, **_at_version(known.version)}}

    def _count_write(self, rule: str, week: str, counter: str, now: float) -> Any:
        return {
            "Update": {
                "TableName": self._table,
                "Key": key(f"{RULE_WEEK}{week}", rule),
                "UpdateExpression": "SET #expires = :expires ADD #counter :one",
                "ExpressionAttributeNames": {"#counter": counter, "#expires": EXPIRES_AT},
                "ExpressionAttributeValues": {":one": {"N": "1"}, ":expires": self._expiry(now)[EXPIRES_AT]},
            }
        }

    def _expiry(self, now: float) -> dict[str, Any]:
        return {EXPIRES_AT: {"N": str(int(now + self._kept_seconds))}}

    def _get(self, item_key: Item) -> Item | None:
        return self._dynamodb.get_item(TableName=self._table, Key=item_key, ConsistentRead=True).get("Item")

    def _transact(self, writes: Sequence[Mapping[str, Any]]) -> None:
        items: Any = list(writes)
        try:
            self._dynamodb.transact_write_items(TransactItems=items)
        except ClientError as error:
            if moved_on(error):
                raise Conflict(str(error)) from error
            raise


def _at_version(version: int) -> dict[str, Any]:
    """The condition that an item still has the version that was read; 0: that there is none."""
    if version == 0:
        return {"ConditionExpression": f"attribute_not_exists({VERSION})"}
    return {
        "ConditionExpression": f"{VERSION} = :read",
        "ExpressionAttributeValues": {":read": {"N": str(version)}},
    }
