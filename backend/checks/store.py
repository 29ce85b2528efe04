"""What the checks found, in the table ``Alerts``: a partition per check, one item a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from backend.checks.signals import Firing
from backend.contract.check_items import FIRING, check_item, check_partition, check_result
from backend.contract.checks import CHECKS, CheckResult
from backend.contract.events import utc_text
from backend.contract.tables import DATA, EXPIRES_AT, FINGERPRINT, OPENED_AT
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAY_SECONDS: Final = 86400
MOST_BLIND: Final = 60
"""After so many results that could not look, what the ones before them knew counts as lost."""
FREQUENT_DAYS: Final = 14
"""Results of checks that run more often than each hour are kept so long: their numbers stay as metrics."""
_FREQUENT: Final = frozenset(check.name for check in CHECKS if check.every_seconds < 3600)


class CheckStore:
    """Reads and writes results. Its calls raise botocore's errors when DynamoDB does not answer."""

    def __init__(self, dynamodb: DynamoDBClient, settings: Settings) -> None:
        self._dynamodb = dynamodb
        self._table = settings.alerts_table
        self._kept_days = settings.config.alerts.retention_days

    def put(self, result: CheckResult) -> None:
        """Writes a result; one of the same check and time is overwritten."""
        days = min(FREQUENT_DAYS, self._kept_days) if result.check in _FREQUENT else self._kept_days
        item = check_item(result, int(result.at) + days * DAY_SECONDS)
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def latest(self, check: str, before: float, holding: str = "") -> CheckResult | None:
        """The newest result from before a time (epoch s); None where there is none.

        With ``holding`` the newest of the last ``MOST_BLIND`` whose details have it: one that could not look has not.
        One at a time, as they may be large and the first mostly has it.
        """
        for _ in range(MOST_BLIND if holding else 1):
            result = self._newest(check, before)
            if result is None or not holding or holding in result.details:
                return result
            before = result.at
        return None

    def _newest(self, check: str, before: float) -> CheckResult | None:
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression=f"{FINGERPRINT} = :check AND {OPENED_AT} BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":check": {"S": check_partition(check)},
                ":first": {"S": utc_text(0)},
                ":last": {"S": utc_text(before - 0.001)},
            },
            ScanIndexForward=False,
            Limit=1,
        )
        return next((check_result(item) for item in answer["Items"]), None)

    def firing(self, check: str) -> tuple[Firing, ...]:
        """What of a check was told and not resolved yet."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_firing_key(check), ConsistentRead=True)
        text = answer.get("Item", {}).get(DATA, {}).get("S", "[]")
        return tuple(Firing(**entry) for entry in json.loads(text))

    def put_firing(self, check: str, firing: tuple[Firing, ...], now: float) -> None:
        """Writes what of a check is firing as of ``now``."""
        item = {
            **_firing_key(check),
            DATA: {"S": json.dumps([entry._asdict() for entry in firing])},
            EXPIRES_AT: {"N": str(int(now) + self._kept_days * DAY_SECONDS)},
        }
        self._dynamodb.put_item(TableName=self._table, Item=item)


def _firing_key(check: str) -> dict[str, Any]:
    return {FINGERPRINT: {"S": check_partition(check)}, OPENED_AT: {"S": FIRING}}
