"""Executions of the state machine as people see and start them."""

from __future__ import annotations

import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from backend.audit import AuditLog
from backend.contract.errors import InvalidInput
from backend.contract.executions import Execution, failure_of
from backend.replay.request import check_reason
from backend.replay.starting import Recorded
from backend.settings import Settings

ACTION: Final = "pipeline.run"
"""Its name in the audit log."""
MOST: Final = 100
"""Executions that one call lists at most."""
KEPT: Final = 1_000
"""Ends that are remembered: why an execution failed does not change."""
FAILED: Final = frozenset({"FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"})


class Pipeline:
    """Lists and starts executions. ``clock`` gives epoch seconds; thread-safe."""

    def __init__(
        self, stepfunctions: Any, audit: AuditLog, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        self._stepfunctions = stepfunctions
        self._audit = audit
        self._machine = settings.state_machine_arn
        self._clock = clock
        self._known: OrderedDict[tuple[str, float | None], Execution] = OrderedDict()

    @property
    def used(self) -> bool:
        """Whether the environment names a state machine."""
        return bool(self._machine)

    def recent(self, limit: int = 10) -> tuple[Execution, ...]:
        """The newest executions, the newest first; of those that failed also where and why.

        Raises InvalidInput where there is no state machine, botocore's errors when AWS does not answer.
        """
        arn = self._arn()
        if not 1 <= limit <= MOST:
            raise InvalidInput("limit", limit, f"must lie between 1 and {MOST}")
        answer = self._stepfunctions.list_executions(stateMachineArn=arn, maxResults=limit)
        found = [self._explained(_execution(entry)) for entry in answer["executions"]]
        return tuple(sorted(found, key=lambda execution: execution.started_at, reverse=True))

    def get(self, arn: str) -> Execution:
        """One execution by its ARN. Raises botocore's errors."""
        return _described(self._stepfunctions.describe_execution(executionArn=arn))

    def start(self, by: str, reason: str, at: float | None = None) -> Execution:
        """Starts an execution and puts that on record; ``at`` (epoch s) is the time that its samples are of.

        Raises InvalidInput for a reason that is none, or where there is no state machine.
        """
        now = self._clock()
        name = f"run-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
        audit_id = self._audit.begin(ACTION, by, reason, name, {} if at is None else {"at": at})
        with Recorded(self._audit, audit_id, succeeds=True):
            given = {"requested_by": by, "reason": check_reason(reason)}
            if at is not None:
                given["time"] = datetime.fromtimestamp(at, UTC).isoformat()
            answer = self._stepfunctions.start_execution(
                stateMachineArn=self._arn(), name=name, input=json.dumps(given)
            )
        return Execution(name, answer["executionArn"], "RUNNING", _seconds(answer["startDate"]))

    def _arn(self) -> str:
        if not self._machine:
            remedy = 'is not set; take it from the stack\'s outputs, or eval "$(pulseboard env)"'
            raise InvalidInput("STATE_MACHINE_ARN", self._machine, remedy, "not_connected")
        return self._machine

    def _explained(self, execution: Execution) -> Execution:
        if execution.status not in FAILED:
            return execution
        key = (execution.arn, execution.ended_at)
        if key not in self._known:
            told = self.get(execution.arn)
            self._known[key] = replace(execution, failed_state=told.failed_state, cause=told.cause)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return self._known[key]


def _execution(entry: Mapping[str, Any]) -> Execution:
    ended = entry.get("stopDate")
    return Execution(
        name=entry["name"],
        arn=entry["executionArn"],
        status=entry["status"],
        started_at=_seconds(entry["startDate"]),
        ended_at=None if ended is None else _seconds(ended),
    )


def _described(entry: Mapping[str, Any]) -> Execution:
    state, cause = failure_of(entry.get("error") or "", entry.get("cause") or "", entry["status"])
    return replace(_execution(entry), failed_state=state, cause=cause)


def _seconds(moment: datetime) -> float:
    return round(moment.timestamp(), 3)
