"""What the job SDK writes: runs, their batches' leases, plans. One request a start, one an end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from backend.contract.job_items import LAST, Item, batch_key, batch_of, batches_partition, plan_items
from backend.contract.jobs import BatchState, JobRun
from backend.contract.tables import JOB_NAME
from backend.jobs.clock import ServerClock
from backend.jobs.errors import BatchBusy, LeaseLost
from backend.jobs.lease import Standing, take, without_lease
from backend.jobs.writes import (
    beating_run,
    ended_batch,
    ended_run,
    last_run,
    lost_run,
    new_batch,
    new_run,
    renewed_batch,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Answer = TypeVar("Answer")
Write = tuple[str, Item]
"""``Put`` or ``Update``, and the request without its table."""
TRIES: Final = 5
"""Of a write that others came before or between."""
_REFUSED: Final = "ConditionalCheckFailed"
_CONFLICT: Final = "TransactionConflict"


class Refused(Exception):  # noqa: N818 - reads as a statement where it is raised
    """A condition does not hold. ``place`` is that of the first such write in its transaction."""

    def __init__(self, place: int) -> None:
        super().__init__(f"write {place} was refused")
        self.place = place


class JobStore:
    """Writes to ``JobRuns``; thread-safe. Every method raises what botocore raises where AWS does not answer."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, server: ServerClock) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self.server = server

    def standing(self, job_name: str, batch: str) -> Standing:
        """How the batch stands; of a job without batches, how its last run ended."""
        key = batch_key(job_name, batch or LAST)
        answer = self._heard(lambda: self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True))
        item = answer.get("Item")
        if item is None:
            return Standing()
        if not batch:
            return Standing(failed=item["status"]["S"] == "FAILED")
        seen = batch_of(item)
        dead = seen.status == "running" and not seen.held(self.server.now())
        return Standing(seen, dead or seen.status == "failed")

    def state(self, job_name: str, batch: str) -> BatchState | None:
        """Where a batch stands now; None for one that was never run."""
        seen = self.standing(job_name, batch).batch
        return None if seen is None else seen.state(self.server.now())

    def start(self, run: JobRun) -> None:
        """Puts a run that has no lease. A second time changes nothing."""
        with suppress(Refused):
            self._write(("Put", new_run(run)))

    def take(self, run: JobRun, *, again: bool) -> tuple[JobRun, Standing]:
        """Takes the batch's lease with the run's start, both or none; the run with its fence, and what was before.

        A dead worker's run is marked FAILED along with it. Raises BatchBusy and BatchDone.
        """
        for _ in range(TRIES):
            before = self.standing(run.job_name, run.batch)
            wanted = take(run, before.batch, self.server.now(), again=again)
            writes: list[Write] = [("Put", new_run(wanted.run)), ("Put", new_batch(wanted.batch, wanted.seen))]
            try:
                self._write(*writes, *([("Update", lost_run(wanted))] if wanted.dead else []))
            except Refused as refused:
                if refused.place < len(writes):
                    continue
                # The dead worker's run is not there any more: nothing to mark.
                with suppress(Refused):
                    self._write(*writes)
                    return wanted.run, before
                continue
            return wanted.run, before
        raise BatchBusy(f"batch {run.batch!r} of job {run.job_name!r} is being taken by several workers; try again")

    def end(self, run: JobRun, *, note: bool) -> None:
        """Puts a run's end, with its batch's. ``note``: the next run without a batch must know how this one ended.

        Raises LeaseLost where the batch was taken over, or somebody else ended the run.
        """
        writes: list[Write] = [("Put", ended_run(run))]
        if run.batch and not run.fence:
            self._end_without_lease(run)
            return
        if run.batch:
            writes.append(("Update", ended_batch(run)))
        elif note:
            writes.append(("Put", last_run(run)))
        try:
            self._write(*writes)
        except Refused:
            raise _lost(run) from None

    def _end_without_lease(self, run: JobRun) -> None:
        """The run's end, and the batch's where that is nobody else's."""
        for _ in range(TRIES):
            seen = self.standing(run.job_name, run.batch).batch
            after = without_lease(run, seen)
            writes: list[Write] = [("Put", ended_run(run))]
            if after is not None:
                writes.append(("Put", new_batch(after, seen)))
            try:
                self._write(*writes)
            except Refused as refused:
                if refused.place == 0:
                    break
                continue
            return
        raise _lost(run)

    def beat(self, run: JobRun) -> float:
        """Notes that the run goes on, with its records and progress; the lease lasts on. The shared time it noted.

        Raises LeaseLost where the batch was taken over. A run without a lease that is not there, or has ended, is left.
        """
        now = self.server.now()
        if not run.fence:
            with suppress(Refused):
                self._write(("Update", beating_run(run, now)))
            return now
        try:
            self._write(("Update", beating_run(run, now)), ("Update", renewed_batch(run, now)))
        except Refused:
            raise _lost(run) from None
        return now

    def partition(self, job_name: str) -> list[Item]:
        """All items of a job's partition: batches, plan, last run."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#name = :name",
            ExpressionAttributeNames={"#name": JOB_NAME},
            ExpressionAttributeValues={":name": {"S": batches_partition(job_name)}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]

    def plan(self, job_name: str, batches: Sequence[str], now: float) -> None:
        """Registers what ``pending`` was asked for."""
        self._write(*(("Put", {"Item": item}) for item in plan_items(job_name, batches, now)))

    def _write(self, *writes: Write) -> None:
        """Writes all or none, in one request. Raises Refused; what others are just writing to is tried again."""
        if len(writes) == 1:
            self._single(*writes[0])
            return
        items: list[Any] = [{kind: {"TableName": self._table, **request}} for kind, request in writes]
        for attempt in range(TRIES):
            try:
                self._heard(lambda: self._dynamodb.transact_write_items(TransactItems=items))
            except self._dynamodb.exceptions.TransactionCanceledException as error:
                codes = [reason.get("Code", "") for reason in error.response.get("CancellationReasons", ())]
                if _REFUSED in codes:
                    raise Refused(codes.index(_REFUSED)) from None
                if _CONFLICT not in codes or attempt == TRIES - 1:
                    raise
            else:
                return

    def _single(self, kind: str, request: Item) -> None:
        write: Callable[..., Any] = self._dynamodb.put_item if kind == "Put" else self._dynamodb.update_item
        try:
            self._heard(lambda: write(TableName=self._table, **request))
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            raise Refused(0) from None

    def _heard(self, ask: Callable[[], Answer]) -> Answer:
        """The answer, whose time is taken."""
        answer: Any
        try:
            answer = ask()
        except ClientError as error:
            self.server.heard(error.response)
            raise
        self.server.heard(answer)
        return answer  # type: ignore[no-any-return]


def _lost(run: JobRun) -> LeaseLost:
    what = f"run {run.run_id} of job {run.job_name!r}" + (f", batch {run.batch!r}," if run.batch else "")
    return LeaseLost(f"{what} is no longer this worker's: another one took over, and what this one writes is refused")
