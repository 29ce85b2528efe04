"""The runner of replays, redrives and retries: takes a lease, works for a slice of time, hands on or ends its work."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Final, Literal

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.audit import AuditLog
from backend.contract.errors import InvalidInput
from backend.contract.replays import FINISHED, Replay, ReplayStatus
from backend.contract.tables import JOB_NAME
from backend.jobs.retry_plan import retry_url
from backend.replay.lease import Held, LeaseLost
from backend.replay.queue_lease import QueueLeases
from backend.replay.queues import find_queue
from backend.replay.redrive import RedriveRun, Work
from backend.replay.request import targets
from backend.replay.retry import ReadsPlans, RetryRun
from backend.replay.run import ReplayRun, Stop, Tools
from backend.replay.sending import QueueRefuses
from backend.replay.service import FindsEvents, outcome_details, outcome_of
from backend.replay.store import ReplayStore
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_STARTS: Final = 10
"""Leases without any progress, a minute apart: then the replay has failed."""
AnyRun = ReplayRun | RedriveRun | RetryRun
Ran = Literal["nothing", "lost", "continued", "paused", "ended"]


class Runner:
    """Works off replays. Any number may run at once: a replay has one runner at a time."""

    def __init__(
        self,
        sqs: SQSClient,
        store: ReplayStore,
        tools: Tools,
        queue_leases: QueueLeases,
        events: FindsEvents,
        plans: ReadsPlans,
        audit: AuditLog,
        settings: Settings,
        logger: Logger,
    ) -> None:
        self._sqs = sqs
        self._store = store
        self._tools = tools
        self._queue_leases = queue_leases
        self._events = events
        self._plans = plans
        self._audit = audit
        self._settings = settings
        self._logger = logger

    def run(self, replay_id: str, until: float) -> Ran:
        """Works on one replay until it is done, told to stop, or ``until`` (epoch s).

        Raises what AWS's clients raise; the lease is given back then, and the next sweep tries again.
        """
        held = self._tools.leases.take(replay_id, self._tools.clock())
        if held is None:
            return "nothing"
        if held.starts > MAX_STARTS:
            problem = f"gave up after {MAX_STARTS} starts without progress: {held.replay.error or 'no runner survived'}"
            self._end(held, held.recorded, "failed", problem)
            return "ended"
        try:
            work = self._work(held, until)
        except InvalidInput as error:
            self._end(held, held.recorded, "failed", str(error))
            return "ended"
        try:
            return self._work_off(work)
        except LeaseLost:
            self._logger.info("lease lost", extra={"replay_id": replay_id, "status": "lost"})
            return "lost"
        except QueueRefuses as error:
            self._end(work.held, work.recorded, "failed", f"{held.replay.target} can't be sent to: {error}")
            return "ended"
        except Exception as error:
            self._let_go(work, error)
            raise

    def sweep(self) -> int:
        """Starts what waits or has lost its runner, tidies up after what has ended; returns how many it started."""
        started = 0
        for replay_id in self._store.active():
            item = self._store.item(replay_id)
            status, lease_until = item["status"]["S"], float(item["lease_until"]["N"])
            if status in FINISHED:
                self._close(self._store.get(replay_id), item["audit_id"]["S"])
            elif status != "paused" and lease_until < self._tools.clock():
                self._hand_on(replay_id)
                started += 1
        return started

    def _work(self, held: Held, until: float) -> AnyRun:
        """The run for this kind of replay. Raises InvalidInput where its queue is not known any more."""
        replay = held.replay
        if replay.kind == "replay":
            url = targets(self._settings).get(replay.target)
            if not url:
                raise InvalidInput("target", replay.target, "is not connected any more; see replay.targets")
            return ReplayRun(self._tools, held, url, until)
        if replay.kind == "retry":
            url = retry_url(str(replay.selection[JOB_NAME]), self._settings)
            return RetryRun(self._tools, self._plans, held, url, until)
        queue = find_queue(replay.selection.get("queue"), self._settings)
        work = Work(self._tools, self._store, self._events, self._queue_leases, queue, uuid.uuid4().hex)
        return RedriveRun(work, held, until)

    def _work_off(self, work: AnyRun) -> Ran:
        while (stop := work.go()) == "paused":
            # Putting on record what was sent takes its time: it may have been cancelled or resumed since.
            fresh = self._tools.leases.pause(work.held, work.recorded, self._tools.clock())
            if fresh is None:
                return "paused"
            work.held = fresh
        return self._finish(work, stop)

    def _finish(self, work: AnyRun, stop: Stop) -> Ran:
        held, now = work.held, self._tools.clock()
        if stop == "continue":
            self._tools.leases.release(held, work.recorded, now, status="running")
            self._hand_on(held.replay.replay_id)
            return "continued"
        problem = work.problem if isinstance(work, RedriveRun) else ""
        if held.replay.failed:
            problem = f"{held.replay.failed} of {held.replay.done} could not be sent; the results say why. {problem}"
        status: ReplayStatus = "cancelled" if stop == "cancelled" else "failed" if problem else "succeeded"
        # How many messages a queue holds is known once they were looked at.
        matched = held.replay.done if isinstance(work, RedriveRun) and stop == "done" else None
        self._end(held, work.recorded, status, problem.strip(), matched)
        return "ended"

    def _end(self, held: Held, recorded: int, status: ReplayStatus, error: str, matched: int | None = None) -> None:
        now = self._tools.clock()
        replay = self._tools.leases.end(held, recorded, now, status=status, error=error, matched=matched)
        self._close(replay, held.audit_id)
        self._logger.info("replay ended", extra={"replay_id": replay.replay_id, **outcome_details(replay)})

    def _close(self, replay: Replay, audit_id: str) -> None:
        """What follows an end, safe to repeat: the audit log's last word first, then the marker."""
        self._audit.finish(audit_id, outcome_of(replay), outcome_details(replay))
        self._store.ended(replay.replay_id)

    def _let_go(self, work: AnyRun, error: Exception) -> None:
        """After a failure: the lease back with the reason, so that another run needs not wait for its end."""
        replay_id, problem = work.held.replay.replay_id, f"{type(error).__name__}: {error}"[:500]
        self._logger.error("replay interrupted", extra={"replay_id": replay_id, "error_message": problem})
        try:
            now = self._tools.clock()
            self._tools.leases.release(work.held, work.recorded, now, status="running", error=problem)
        except (LeaseLost, ClientError, BotoCoreError):
            self._logger.warning("lease not given back", extra={"replay_id": replay_id})

    def _hand_on(self, replay_id: str) -> None:
        """Has another run go on. If the message can't be sent, the next sweep sends it."""
        try:
            self._sqs.send_message(
                QueueUrl=self._settings.replay_queue_url, MessageBody=json.dumps({"replay_id": replay_id})
            )
        except (ClientError, BotoCoreError) as error:
            self._logger.warning("not handed on", extra={"replay_id": replay_id, "error_message": str(error)})
