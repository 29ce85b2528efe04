"""A table as it was: restored beside the one there is, and then put in its place.

DynamoDB restores into a new table only, and names are fixed; so the switch deletes the damaged table (DynamoDB keeps
what it held for 35 days as a system backup, since point-in-time recovery is on) and restores the checked one under its
name.
The stack does not notice: a table is known to it by its name.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery.Tutorial.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from backend.contract.errors import InvalidInput
from backend.local.template import properties

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SUFFIX: Final = "-restored"
POLL_SECONDS: Final = 10.0
LIMIT_SECONDS: Final = 12 * 3600.0
_TABLE: Final = "AWS::DynamoDB::Table"


def parse_time(text: str) -> datetime:
    """A moment from ISO 8601. Raises InvalidInput for what is none, or has no zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput("at", text, "must be a time with its zone, such as 2026-11-22T10:00:00Z")
    return at


class Restorer:
    """Restores tables of the template. ``say`` takes the lines that people follow; ``poll`` is in seconds."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        template: Mapping[str, Any],
        say: Callable[[str], None],
        *,
        poll: float = POLL_SECONDS,
    ) -> None:
        """Nothing is asked yet."""
        self._dynamodb = dynamodb
        self._say = say
        self._poll = poll
        tables = [name for name, entry in template["Resources"].items() if entry["Type"] == _TABLE]
        declared = [properties(template, name, {}) for name in tables]
        self._declared = {str(entry["TableName"]): entry for entry in declared}

    def restore(self, table: str, at: datetime | None) -> str:
        """The table as of ``at``, else as of now less five minutes, beside the present one; its name.

        Raises InvalidInput for a table that is not ours, a time it can't be restored to, and where one is there.
        """
        self._check(table)
        beside = f"{table}{SUFFIX}"
        when: dict[str, Any] = {"UseLatestRestorableTime": True} if at is None else {"RestoreDateTime": at}
        try:
            self._dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=beside, **when)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "TableAlreadyExistsException":
                raise InvalidInput("table", beside, "is there already; look at it, or delete it first") from error
            if code in ("InvalidRestoreTimeException", "PointInTimeRecoveryUnavailableException"):
                raise InvalidInput("at", str(at), f"can't be restored to: {error}") from error
            raise
        self._say(f"{table} is being restored into {beside}; DynamoDB takes minutes to hours, whatever the size")
        self._until_active(beside)
        self._say(f"{beside} is there. Look at it, then: python -m backend.deployment switch --table {table}")
        return beside

    def switch(self, table: str) -> None:
        """Puts the restored table in the place of the present one, with what a restore leaves out, and drops the copy.

        Begun again after an interruption it goes on. Raises InvalidInput where nothing was restored.
        """
        self._check(table)
        beside = f"{table}{SUFFIX}"
        if self._status(beside) != "ACTIVE":
            raise InvalidInput("table", beside, "is not there or not ready; restore it first")
        backup = self._backup(beside)
        if not self._restored_from(table, backup):
            if self._status(table) is not None:
                self._dynamodb.delete_table(TableName=table)
                self._wait(lambda: self._status(table) is None, f"{table} to be deleted")
                self._say(f"{table} is deleted; DynamoDB keeps what it held as a system backup for 35 days")
            self._dynamodb.restore_table_from_backup(TargetTableName=table, BackupArn=backup)
        self._until_active(table)
        declared = self._declared[table]
        if expiry := declared.get("TimeToLiveSpecification"):
            self._dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)
        self._dynamodb.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification=declared["PointInTimeRecoverySpecification"]
        )
        self._dynamodb.delete_table(TableName=beside)
        self._say(f"{table} is the restored one, with its expiry and its recovery switched on; {beside} is deleted")

    def _check(self, table: str) -> None:
        if table not in self._declared:
            raise InvalidInput("table", table, f"is none of {', '.join(sorted(self._declared))}")

    def _backup(self, table: str) -> str:
        """ARN of the backup of ``table`` that the switch works from, made unless it is there."""
        name = f"switch-{table}"
        found = self._dynamodb.list_backups(TableName=table)["BackupSummaries"]
        arn = next((entry["BackupArn"] for entry in found if entry["BackupName"] == name), None)
        if arn is None:
            arn = self._dynamodb.create_backup(TableName=table, BackupName=name)["BackupDetails"]["BackupArn"]

        def available() -> bool:
            described = self._dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]
            return described["BackupDetails"]["BackupStatus"] == "AVAILABLE"

        self._wait(available, f"the backup of {table}")
        return arn

    def _restored_from(self, table: str, backup: str) -> bool:
        if self._status(table) is None:
            return False
        described = self._dynamodb.describe_table(TableName=table)["Table"]
        return described.get("RestoreSummary", {}).get("SourceBackupArn") == backup

    def _status(self, table: str) -> str | None:
        try:
            return self._dynamodb.describe_table(TableName=table)["Table"]["TableStatus"]
        except self._dynamodb.exceptions.ResourceNotFoundException:
            return None

    def _until_active(self, table: str) -> None:
        self._wait(lambda: self._status(table) == "ACTIVE", f"{table} to become active")

    def _wait(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not true():
            if time.monotonic() > deadline:
                raise InvalidInput("table", what, "was waited for in vain; look at it in the console")
            time.sleep(self._poll)
