"""Query executions: queued, run one by one on a few threads, kept for a while, stopped on request."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from backend.local.athena.engine import Progress
from backend.local.athena.errors import CANCELLED, SYSTEM, CancelError, QueryError, RequestError
from backend.local.athena.results import ColumnInfo

KEPT: Final = 2000
AT_ONCE: Final = 2
"""Two cores are shared with the whole demo; further queries wait as QUEUED."""
IDEMPOTENT_FIELDS: Final = ("QueryString", "QueryExecutionContext", "ResultConfiguration", "WorkGroup")
ENGINE_VERSION: Final = "Athena engine version 3"

State = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Outcome:
    """What a statement leaves behind: its result's columns, and where its rows are stored.

    ``updated`` is how many rows were written, None for what writes none; then there is nothing to read.
    ``manifest`` lists the objects it wrote.
    """

    columns: tuple[ColumnInfo, ...] = ()
    location: str = ""
    updated: int | None = None
    manifest: str | None = None


@dataclass(slots=True)
class Execution:
    """One execution. ``statement`` and ``substatement`` are Athena's StatementType and SubstatementType.

    ``output`` is the folder of its result, empty where Athena manages results.
    """

    request: Mapping[str, Any]
    workgroup: str
    output: str
    statement: str
    substatement: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: State = "QUEUED"
    reason: str | None = None
    error: dict[str, Any] | None = None
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    completed: float | None = None
    reused: bool = False
    outcome: Outcome = field(default_factory=Outcome)
    progress: Progress = field(default_factory=Progress)

    @property
    def sql(self) -> str:
        """The statement as it was given."""
        return str(self.request["QueryString"])

    @property
    def parameters(self) -> list[str]:
        """Texts for ``?``."""
        return list(self.request.get("ExecutionParameters") or ())

    @property
    def database(self) -> str | None:
        """The database of names that have none."""
        return (self.request.get("QueryExecutionContext") or {}).get("Database")

    @property
    def finished(self) -> bool:
        """Whether it is over, one way or another."""
        return self.state in ("SUCCEEDED", "FAILED", "CANCELLED")

    def as_json(self) -> dict[str, Any]:
        """``QueryExecution`` of the API."""
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.reason:
            status["StateChangeReason"] = self.reason
        if self.error:
            status["AthenaError"] = self.error
        if self.completed:
            status["CompletionDateTime"] = self.completed
        record = {
            "QueryExecutionId": self.id,
            "Query": self.sql,
            "StatementType": self.statement,
            "SubstatementType": self.substatement,
            "ResultConfiguration": {"OutputLocation": self.outcome.location or self.output} if self.output else {},
            "ManagedQueryResultsConfiguration": {"Enabled": not self.output},
            "ResultReuseConfiguration": self.request.get("ResultReuseConfiguration")
            or {"ResultReuseByAgeConfiguration": {"Enabled": False}},
            "QueryExecutionContext": self.request.get("QueryExecutionContext") or {},
            "Status": status,
            "Statistics": self._statistics(),
            "WorkGroup": self.workgroup,
            "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE_VERSION},
        }
        return record | ({"ExecutionParameters": self.parameters} if self.parameters else {})

    def _statistics(self) -> dict[str, Any]:
        end = self.completed or time.time()
        begun = self.started or end
        return {
            "DataScannedInBytes": self.progress.scanned_bytes,
            "EngineExecutionTimeInMillis": _millis(end - begun) if self.started else 0,
            "QueryQueueTimeInMillis": _millis(begun - self.submitted),
            "QueryPlanningTimeInMillis": _millis(self.progress.planning_seconds),
            "ServiceProcessingTimeInMillis": 0,
            "TotalExecutionTimeInMillis": _millis(end - self.submitted),
            "ResultReuseInformation": {"ReusedPreviousResult": self.reused},
        } | ({"DataManifestLocation": self.outcome.manifest} if self.outcome.manifest else {})


def _millis(seconds: float) -> int:
    return max(0, round(seconds * 1000))


Run = Callable[[Execution], Outcome]
"""Runs an execution to its end. Raises QueryError, CancelError."""


class Executions:
    """Every execution by id, the newest ``KEPT``. Thread-safe."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Execution] = OrderedDict()
        self._tokens: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, "query")

    def submit(self, execution: Execution) -> str:
        """Starts it, or finds what the same ClientRequestToken started. Raises RequestError."""
        token = execution.request.get("ClientRequestToken")
        with self._lock:
            if token in self._tokens:
                earlier = self._known[self._tokens[token]]
                if any(earlier.request.get(name) != execution.request.get(name) for name in IDEMPOTENT_FIELDS):
                    raise RequestError("Idempotent parameters do not match")
                return earlier.id
            self._known[execution.id] = execution
            if token:
                self._tokens[token] = execution.id
            self._forget_oldest()
        if reusable := self._reusable(execution):
            _reuse(execution, reusable)
        else:
            self._pool.submit(self._execute, execution)
        return execution.id

    def get(self, id_: object) -> Execution:
        """One by its id. Raises RequestError."""
        with self._lock:
            found = self._known.get(str(id_))
        if found is None:
            raise RequestError(f"QueryExecution {id_} was not found")
        return found

    def newest_first(self, workgroup: str) -> list[str]:
        """Ids of a workgroup's executions."""
        with self._lock:
            return [one.id for one in reversed(self._known.values()) if one.workgroup == workgroup]

    def stop(self, id_: object) -> None:
        """Stops one that is not over yet; what is over stays as it is. Raises RequestError."""
        execution = self.get(id_)
        execution.progress.stop()
        with self._lock:
            if execution.state == "QUEUED":
                _end(execution, "CANCELLED", CANCELLED)

    def close(self) -> None:
        """Stops everything."""
        with self._lock:
            running = [one for one in self._known.values() if not one.finished]
        for execution in running:
            execution.progress.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _execute(self, execution: Execution) -> None:
        with self._lock:
            if execution.finished:
                return
            execution.state, execution.started = "RUNNING", time.time()
        try:
            outcome = self._run(execution)
        except CancelError as reason:
            _end(execution, "CANCELLED", str(reason))
        except QueryError as failure:
            # What was interrupted complains of it in whatever words it has.
            if execution.progress.stopped.is_set():
                _end(execution, "CANCELLED", CANCELLED)
            else:
                _fail(execution, failure)
        except Exception as error:  # noqa: BLE001 - as on AWS: whatever breaks inside ends the query, not the service
            _log.exception("query %s broke", execution.id)
            _fail(execution, QueryError(f"GENERIC_INTERNAL_ERROR: {error}", category=SYSTEM, kind=233, retryable=True))
        else:
            execution.outcome = outcome
            _end(execution, "SUCCEEDED", None)

    def _reusable(self, execution: Execution) -> Execution | None:
        """The newest result of the same query that is young enough."""
        asked = (execution.request.get("ResultReuseConfiguration") or {}).get("ResultReuseByAgeConfiguration") or {}
        if not asked.get("Enabled") or execution.substatement != "SELECT":
            return None
        since = execution.submitted - 60 * int(asked.get("MaxAgeInMinutes", 60))
        with self._lock:
            for earlier in reversed(self._known.values()):
                alike = earlier.sql == execution.sql and earlier.parameters == execution.parameters
                same = alike and earlier.database == execution.database and earlier.workgroup == execution.workgroup
                fresh = earlier.state == "SUCCEEDED" and not earlier.reused and (earlier.completed or 0) >= since
                if same and fresh and earlier.outcome.location.startswith(execution.output):
                    return earlier
        return None

    def _forget_oldest(self) -> None:
        while len(self._known) > KEPT:
            id_, execution = self._known.popitem(last=False)
            token = execution.request.get("ClientRequestToken")
            if self._tokens.get(token or "") == id_:
                del self._tokens[str(token)]


def _reuse(execution: Execution, earlier: Execution) -> None:
    execution.outcome, execution.reused = earlier.outcome, True
    execution.started = time.time()
    _end(execution, "SUCCEEDED", None)


def _fail(execution: Execution, failure: QueryError) -> None:
    execution.error = {
        "ErrorCategory": failure.category,
        "ErrorType": failure.kind,
        "Retryable": failure.retryable,
        "ErrorMessage": str(failure),
    }
    _end(execution, "FAILED", str(failure))


def _end(execution: Execution, state: State, reason: str | None) -> None:
    # The state last: who sees it may read all the rest.
    execution.reason, execution.completed = reason, time.time()
    execution.state = state
