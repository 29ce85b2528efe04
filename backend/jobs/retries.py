"""Retries of batches: previewed, recorded and audited like a replay, sent to the job's workers by the same runner."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from backend.audit import AuditLog
from backend.contract.errors import InvalidInput
from backend.contract.jobs import RETRY_CONFIRM_ABOVE, BatchPlan, RetryPreview
from backend.contract.replays import Replay
from backend.contract.tables import JOB_NAME
from backend.jobs.asked import asked_at, is_waiting
from backend.jobs.retry_plan import preview_of, queue_name, retry_url
from backend.replay.request import check_rate, check_reason
from backend.replay.retry import ReadsPlans
from backend.replay.selection import Selections
from backend.replay.starting import Recorded, Starter
from backend.replay.store import ReplayStore
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

ACTION: Final = "job.retry"


class Retries:
    """One service for people and policies. ``clock`` gives epoch seconds."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        sqs: SQSClient,
        s3: S3Client,
        reader: ReadsPlans,
        audit: AuditLog,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reader = reader
        self._audit = audit
        self._settings = settings
        self._clock = clock
        self._selections = Selections(s3, settings.bucket)
        self._store = ReplayStore(dynamodb, settings.replays_table)
        self._starter = Starter(sqs, self._store, settings.replay_queue_url)

    def preview(
        self, job_name: str, batches: Sequence[str] | None = None, *, max_attempts: int | None = None
    ) -> RetryPreview:
        """Exactly which batches a retry would ask for now, and which it leaves out and why; changes nothing.

        ``batches`` None: all that remain of the plan. Those that an earlier retry has asked for and nobody has taken up
        are left out. Raises InvalidInput for a job without batches or queue.
        """
        target = queue_name(retry_url(job_name, self._settings))
        plan = self._plan(job_name)
        asked = asked_at(self._store, self._selections, job_name, self._clock())
        waiting = {state.batch for state in plan.batches if is_waiting(state, asked.get(state.batch))}
        return preview_of(plan, batches, target, max_attempts, waiting)

    def retry(
        self,
        job_name: str,
        batches: Sequence[str] | None,
        by: str,
        reason: str,
        *,
        confirm: int | None = None,
        rate_per_second: float | None = None,
        max_attempts: int | None = None,
    ) -> Replay:
        """Records a replay of kind ``retry`` and starts it: what a preview would show now, frozen.

        ``confirm`` is the number of batches that the person saw; needed above ``RETRY_CONFIRM_ABOVE``, and if given it
        must be right. ``rate_per_second`` None is the configured one, 0 without a limit. Raises InvalidInput, with
        nothing asked for, and the refusal in the audit log.
        """
        replay_id = uuid.uuid4().hex
        details = {JOB_NAME: job_name, "batches": None if batches is None else list(batches), "confirm": confirm}
        audit_id = self._audit.begin(ACTION, by, reason, replay_id, details)
        with Recorded(self._audit, audit_id):
            reason = check_reason(reason)
            limits = self._settings.config.replay
            rate = limits.rate_per_second if rate_per_second is None else check_rate(rate_per_second)
            preview = self.preview(job_name, batches, max_attempts=max_attempts)
            names = [state.batch for state in preview.batches]
            _check_count(preview, confirm)
            self._selections.put_batches(replay_id, names)
            replay = Replay(
                replay_id=replay_id,
                kind="retry",
                status="pending",
                requested_by=by,
                reason=reason,
                target=preview.target,
                selection={JOB_NAME: job_name, "batches": names},
                created_at=self._clock(),
                matched=len(names),
                rate_per_second=rate,
            )
            return self._starter.start(replay, audit_id)

    def _plan(self, job_name: str) -> BatchPlan:
        plan = self._reader.plan(job_name)
        if plan is None:
            remedy = "has no batches to retry; only jobs that ask pending(...) have some"
            raise InvalidInput(JOB_NAME, job_name, remedy, "no_match")
        return plan


def _check_count(preview: RetryPreview, confirm: int | None) -> None:
    """Raises InvalidInput where there is nothing to retry, or not what the person saw."""
    count = len(preview.batches)
    if not count:
        first = next(iter(preview.left_out.items()), None)
        remedy = "leave nothing to retry" + (f": {first[0]} {first[1]}" if first else "")
        raise InvalidInput("batches", list(preview.left_out), remedy, "no_match")
    if confirm != count and (confirm is not None or count > RETRY_CONFIRM_ABOVE):
        remedy = f"must be the number of batches: {count} would be asked for now; look again"
        raise InvalidInput("confirm", confirm, remedy, "confirmation_needed")
