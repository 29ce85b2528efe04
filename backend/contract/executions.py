"""Executions of the state machine ``InfraMonitoringPipeline``: what is kept of one, and what a failure says. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

MACHINE: Final = "InfraMonitoringPipeline"
SOURCE: Final = "orchestration"
"""Source of its signals."""
EXECUTION_FAILED: Final = "execution_failed"
"""What its signals fire as; also the key of their runbook."""
SEVERITY: Final = "HIGH"
MAX_CAUSE: Final = 2_000
"""Characters of a cause that are kept; the execution itself has the rest."""

ExecutionStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]


class Failure(NamedTuple):
    """How an execution ended: the state that failed, and what that means."""

    state: str
    words: str


FAILURES: Final[Mapping[str, Failure]] = MappingProxyType(
    {
        "GenerationFailed": Failure("GenerateMetrics", "no metrics were generated"),
        "ProcessingFailed": Failure("CheckProcessingStatus", "its metrics were not processed"),
        "ValidationFailed": Failure("ValidateDataQuality", "its metrics are not as they should be"),
        "MonitoringFailed": Failure("ParallelMonitoring", "its metrics are not watched as they should be"),
    }
)
"""The error with which an execution ends, once its failure handler has told the topic."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution. Times are epoch seconds; ``failed_state`` and ``cause`` are "" while nothing has failed."""

    name: str
    arn: str
    status: ExecutionStatus
    started_at: float
    ended_at: float | None = None
    failed_state: str = ""
    cause: str = ""

    @property
    def region(self) -> str:
        """The region that its ARN names."""
        return self.arn.split(":")[3] if self.arn.count(":") > 3 else ""

    def seconds(self, now: float) -> float:
        """How long it took, or has taken up to ``now``."""
        return max(0.0, (now if self.ended_at is None else self.ended_at) - self.started_at)


def plain_cause(text: str) -> str:
    """A cause in one line: of a function's error, which comes as JSON, its type and message."""
    try:
        error = json.loads(text)
    except ValueError:
        error = None
    if isinstance(error, dict) and isinstance(error.get("errorMessage"), str):
        kind = error.get("errorType")
        text = f"{kind}: {error['errorMessage']}" if isinstance(kind, str) and kind else error["errorMessage"]
    return " ".join(text.split())[:MAX_CAUSE]


def failure_of(error: str, cause: str, status: str) -> tuple[str, str]:
    """The state that failed and why, in words; both "" for an execution that did not fail."""
    if status == "TIMED_OUT":
        return "", "It took longer than the state machine allows"
    if status == "ABORTED":
        return "", plain_cause(cause) or "Somebody stopped it"
    if status not in ("FAILED", "PENDING_REDRIVE"):
        return "", ""
    known, why = FAILURES.get(error), plain_cause(cause)
    if known is None:
        return "", ": ".join(part for part in (error, why) if part) or "Step Functions does not say why"
    words = known.words[0].upper() + known.words[1:]
    return known.state, f"{words}: {why}" if why else words
