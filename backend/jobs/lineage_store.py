"""Runs that OpenLineage tells of, kept in ``JobRuns``: their facts in an item of their own, the run made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from backend.contract.job_items import LAST, RUN_RETENTION_SECONDS, Item, batch_key, run_item, run_key_of
from backend.contract.jobs import JobRun
from backend.contract.tables import EXPIRES_AT, JOB_NAME, LINEAGE, RUN_KEY
from backend.jobs.lineage import Facts, RunEvent, facts_of, merged, run_from
from backend.jobs.signals import JobSignals, Told
from backend.jobs.writes import last_run
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRIES: Final = 5
_FACTS: Final = "facts"
_TOLD: Final = "told"


class NotTold(Exception):  # noqa: N818 - reads as a statement where it is raised
    """The run is recorded, but who must know of its end could not be told: the event is to be sent again."""


class Lineage:
    """Takes run events. ``clock`` gives epoch seconds. Raises what botocore raises where AWS does not answer."""

    def __init__(
        self, dynamodb: DynamoDBClient, settings: Settings, signals: JobSignals, clock: Callable[[], float]
    ) -> None:
        self._dynamodb = dynamodb
        self._table = settings.job_runs_table
        self._environment = settings.config.environment
        self._signals = signals
        self._clock = clock

    def take(self, event: RunEvent) -> JobRun:
        """Records what an event says; the run as it stands then. What comes again changes nothing.

        Raises NotTold where who must know of its end could not be told.
        """
        event = self._with_text(event)
        for attempt in range(TRIES):
            item = self._get(_key(event.job_name, event.run_id))
            before = None if item is None else facts_of(event.job_name, event.run_id, item[_FACTS]["S"])
            after = merged(before, event)
            run = run_from(after, self._environment)
            told = item is not None and _TOLD in item
            if after != before:
                if run.status == "SUCCESS" and (told or self._failed_before(run)):
                    # Before it is recorded: sent again, the event would not find what it resolves.
                    self._tell(run, "recovered")
                try:
                    self._write(before, after, run)
                except self._dynamodb.exceptions.TransactionCanceledException:
                    if attempt == TRIES - 1:
                        raise
                    continue
            if run.status == "FAILED" and not told:
                self._tell(run, "failed")
                self._tell(run, "counted")
                self._mark_told(run)
            return run
        raise AssertionError("unreachable")

    def _with_text(self, event: RunEvent) -> RunEvent:
        """The event with where its error's full text is."""
        if not event.full_error:
            return event
        failed = JobRun(event.job_name, event.run_id, "FAILED", event.at)
        key = self._signals.keep_text(failed, event.full_error)
        return replace(event, said={**event.said, "error_key": key}) if key else event

    def _failed_before(self, run: JobRun) -> bool:
        """Whether the job's run before this one failed."""
        item = self._get(batch_key(run.job_name, LAST))
        return item is not None and item["status"]["S"] == "FAILED"

    def _write(self, before: Facts | None, after: Facts, run: JobRun) -> None:
        """Facts and run together, where the facts are still those that were read."""
        facts: Item = {
            **_key(run.job_name, run.run_id),
            _FACTS: {"S": after.text()},
            EXPIRES_AT: {"N": str(int(self._clock()) + RUN_RETENTION_SECONDS)},
        }
        put: dict[str, Any] = {"Item": facts, "ConditionExpression": f"attribute_not_exists({RUN_KEY})"}
        writes: list[tuple[str, Item]] = [("Put", {"Item": run_item(run)})]
        if before is not None:
            put = {
                "Key": _key(run.job_name, run.run_id),
                "UpdateExpression": "SET #facts = :after" + (f" REMOVE {_TOLD}" if run.status == "SUCCESS" else ""),
                "ConditionExpression": "#facts = :before",
                "ExpressionAttributeNames": {"#facts": _FACTS},
                "ExpressionAttributeValues": {":after": {"S": after.text()}, ":before": {"S": before.text()}},
            }
            if (old := run_from(before, self._environment).run_key) != run.run_key:
                # A start that comes late moves the run to its place.
                writes.append(("Delete", {"Key": run_key_of(run.job_name, old)}))
        writes.append(("Put" if before is None else "Update", put))
        if run.ended_at is not None:
            writes.append(("Put", last_run(run)))
        items: list[Any] = [{kind: {"TableName": self._table, **request}} for kind, request in writes]
        self._dynamodb.transact_write_items(TransactItems=items)

    def _tell(self, run: JobRun, what: Told) -> None:
        if not self._signals.tell(what, run):
            raise NotTold(f"run {run.run_id} of job {run.job_name!r} is {run.status}; {what!r} could not be told")

    def _mark_told(self, run: JobRun) -> None:
        self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(run.job_name, run.run_id),
            UpdateExpression=f"SET {_TOLD} = :yes",
            ExpressionAttributeValues={":yes": {"BOOL": True}},
        )

    def _get(self, key: Item) -> Item | None:
        return self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")


def _key(job_name: str, run_id: str) -> Item:
    return {JOB_NAME: {"S": f"{LINEAGE}{job_name}"}, RUN_KEY: {"S": run_id}}
