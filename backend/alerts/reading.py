"""What pages read of alerts, silences, incidents, tuning figures, annotations and checks."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from backend.alerts.items import alert_of, annotation_of, incident_of, week_of_item
from backend.alerts.tuning import last_weeks
from backend.contract.alerts import ALERT_STATES, Alert, Annotation, Incident, RuleWeek
from backend.contract.check_items import check_partition, check_result
from backend.contract.checks import CHECKS, CheckResult
from backend.contract.errors import InvalidInput
from backend.contract.event_items import Item
from backend.contract.events import utc_text
from backend.contract.tables import (
    ANNOTATIONS,
    ENVIRONMENT,
    EXPIRES_AT,
    FINGERPRINT,
    INCIDENTS,
    OPENED_AT,
    RULE_WEEK,
    STATE,
    STATE_INDEX,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

MAX_ALERTS: Final = 5_000
MAX_ANNOTATIONS: Final = 500
PAGE: Final = 200
ALL: Final = ("0", ":")
"""Sort keys that are times lie between these, as their first character is a digit."""


class AlertReader:
    """Reads the table ``Alerts``. Times are epoch seconds. Raises botocore's errors when DynamoDB does not answer.

    Expired items are skipped because TTL deletes late.
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str, clock: Callable[[], float] = time.time) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock

    def open_alerts(self, environment: str | None = None) -> tuple[Alert, ...]:
        """Alerts that are open or acknowledged, newest first; of all environments where none is named."""
        found = [self._by_state(state, *ALL, {ENVIRONMENT: environment}) for state in ("open", "acknowledged")]
        return tuple(islice(_newest_first(found), MAX_ALERTS))

    def alerts(
        self,
        start: float,
        end: float,
        *,
        environment: str | None = None,
        state: str | None = None,
        severity: str | None = None,
        rule: str | None = None,
        limit: int = 500,
    ) -> tuple[Alert, ...]:
        """The newest ``limit`` alerts that opened from ``start`` up to ``end``; all filters given must hold.

        As many as ``limit`` means that there may be more. Raises InvalidInput for a state that there is not.
        """
        if state and state not in ALERT_STATES:
            raise InvalidInput("state", state, f"must be one of {', '.join(ALERT_STATES)}")
        if not 1 <= limit <= MAX_ALERTS:
            raise InvalidInput("limit", limit, f"must lie between 1 and {MAX_ALERTS}")
        if end <= start:
            return ()
        equal = {ENVIRONMENT: environment, "severity": severity, "rule": rule}
        # BETWEEN is inclusive, and the texts know milliseconds.
        span = utc_text(start), utc_text(end - 0.001)
        found = [self._by_state(one, *span, equal) for one in ([state] if state else ALERT_STATES)]
        return tuple(islice(_newest_first(found), limit))

    def incidents(self, limit: int = 50) -> tuple[Incident, ...]:
        """The newest incidents, the newest first."""
        items = self._query(INCIDENTS, "0", "~", limit=limit)
        return tuple(incident_of(item).incident for item in islice(items, limit))

    def weeks(self, now: float, weeks: int = 4) -> tuple[RuleWeek, ...]:
        """How each rule did in the ISO week of ``now`` and those before it, the newest week first."""
        partitions = [f"{RULE_WEEK}{week}" for week in last_weeks(now, weeks)]
        # Rules may begin with any letter.
        every = " ", "\U0010ffff"
        found = [week_of_item(item) for one in partitions for item in self._query(one, *every, forward=True)]
        return tuple(found)

    def posted(self, start: float, end: float) -> tuple[Annotation, ...]:
        """Posted annotations of the range, oldest first; of too many the newest."""
        items = self._query(ANNOTATIONS, utc_text(start), utc_text(end) + "~", limit=MAX_ANNOTATIONS)
        return tuple(annotation_of(item) for item in reversed(list(islice(items, MAX_ANNOTATIONS))))

    def checks(self, start: float, end: float, check: str | None = None) -> tuple[CheckResult, ...]:
        """Results from ``start`` up to ``end``, oldest first, of all checks where none is named.

        One that can't be read, as another version wrote it, is unknown.
        """
        names = [check] if check else [one.name for one in CHECKS]
        span = utc_text(start), utc_text(end - 0.001)
        found = [
            _result(name, item) for name in names for item in self._query(check_partition(name), *span, forward=True)
        ]
        return tuple(sorted(found, key=lambda result: result.at))

    def latest_checks(self) -> dict[str, CheckResult]:
        """The newest result of each check that ever ran, by its name; one that can't be read is unknown."""
        newest = {one.name: list(islice(self._query(check_partition(one.name), *ALL, limit=1), 1)) for one in CHECKS}
        return {name: _result(name, items[0]) for name, items in newest.items() if items}

    def _by_state(self, state: str, first: str, last: str, equal: Mapping[str, str | None]) -> Iterator[Alert]:
        wanted = {name: text for name, text in equal.items() if text}
        values: dict[str, Any] = {":state": {"S": state}, ":first": {"S": first}, ":last": {"S": last}}
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": STATE_INDEX,
            "KeyConditionExpression": f"#state = :state AND {OPENED_AT} BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#state": STATE, **{f"#{name}": name for name in wanted}},
            "ExpressionAttributeValues": values | {f":{name}": {"S": text} for name, text in wanted.items()},
            "ScanIndexForward": False,
            "Limit": PAGE,
        }
        if wanted:
            query["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in wanted)
        for page in self._dynamodb.get_paginator("query").paginate(**query):
            yield from map(alert_of, self._kept(page["Items"]))

    def _query(
        self, partition: str, first: str, last: str, *, forward: bool = False, limit: int = PAGE
    ) -> Iterator[Item]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{FINGERPRINT} = :partition AND {OPENED_AT} BETWEEN :first AND :last",
            ExpressionAttributeValues={":partition": {"S": partition}, ":first": {"S": first}, ":last": {"S": last}},
            ScanIndexForward=forward,
            PaginationConfig={"PageSize": min(limit, PAGE)},
        )
        for page in pages:
            yield from self._kept(page["Items"])

    def _kept(self, items: list[Item]) -> Iterator[Item]:
        now = self._clock()
        return (item for item in items if float(item.get(EXPIRES_AT, {}).get("N", "inf")) > now)


def _result(check: str, item: Item) -> CheckResult:
    try:
        return check_result(item)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        at = item[OPENED_AT]["S"]
        logger.warning("result of %s from %s can't be read: %s: %s", check, at, type(error).__name__, error)
        words = "Its result can't be read: another version of Pulseboard wrote it"
        return CheckResult(check, datetime.fromisoformat(at).timestamp(), "unknown", words)


def _newest_first(found: list[Iterator[Alert]]) -> Iterator[Alert]:
    return heapq.merge(*found, key=lambda alert: alert.opened_at, reverse=True)
