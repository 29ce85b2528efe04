"""How executions end, as EventBridge tells it: counted once each, and told where no failure handler has.

Step Functions publishes every change of status, also of executions that ran out of time or were stopped: states of the
machine itself could not say that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from backend.alerts.publish import Publisher
from backend.contract.errors import InvalidInput
from backend.contract.executions import (
    EXECUTION_FAILED,
    FAILURES,
    MACHINE,
    SEVERITY,
    ExecutionStatus,
    failure_of,
)
from backend.contract.records import make_sample
from backend.processor.build import buckets_of, late_ranges, live
from backend.processor.items import Item, late_item, seen_item
from backend.processor.part import ObjectPart
from backend.processor.store import MetricsStore
from backend.settings import Settings

STATUS_CHANGE: Final = "Step Functions Execution Status Change"
"""``detail-type`` of the events."""
SUCCEEDED: Final = "executions_succeeded"
FAILED: Final = "executions_failed"
COUNTED: Final[Mapping[str, str]] = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": FAILED}
"""Status to the metric it counts for. Who stops an execution has neither a success nor a failure."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One execution that has ended at ``at`` (epoch s). ``told`` is whether a failure handler has told the topic."""

    name: str
    arn: str
    status: ExecutionStatus
    at: float
    failed_state: str = ""
    cause: str = ""
    told: bool = False


def ending_of(event: Mapping[str, Any]) -> Ending | None:
    """The end that an event tells of; None while the execution goes on. Raises InvalidInput for another event."""
    detail = event.get("detail")
    try:
        if event.get("detail-type") != STATUS_CHANGE or not isinstance(detail, Mapping):
            raise TypeError
        status = cast("ExecutionStatus", str(detail["status"]))
        if status == "RUNNING":
            return None
        error = str(detail.get("error") or "")
        state, cause = failure_of(error, str(detail.get("cause") or ""), status)
        at = float(detail["stopDate"]) / 1000
        return Ending(str(detail["name"]), str(detail["executionArn"]), status, at, state, cause, error in FAILURES)
    except (KeyError, TypeError, ValueError):
        remedy = f"must be {STATUS_CHANGE!r} with name, executionArn, status and stopDate"
        raise InvalidInput("event", str(event.get("detail-type") or list(event)[:5]), remedy) from None


def count_items(ending: Ending, now: float, settings: Settings) -> list[Item]:
    """The items that count an end, none for one that counts as neither. Ids derive from the execution: told twice, it
    is counted once. Pure."""
    metric = COUNTED.get(ending.status)
    if metric is None:
        return []
    sample = make_sample(
        timestamp=round(ending.at, 3),
        metric_type=metric,
        value=1,
        hostname=MACHINE,
        unit=settings.catalogue[metric].unit,
        region=settings.region,
        environment=settings.config.environment,
    )
    part = ObjectPart(ending.arn)
    buckets = buckets_of([sample], settings.catalogue)
    items = live(buckets, part, now, settings.config.retention)
    items.append(seen_item(sample.environment, metric, int(now)))
    if ranges := late_ranges(buckets, now):
        items.append(late_item(part.origin, ranges, int(now)))
    return items


class Recorder:
    """Counts ends and tells of them. Raises what DynamoDB raises: EventBridge and Lambda then try again."""

    def __init__(self, store: MetricsStore, publisher: Publisher, settings: Settings) -> None:
        self._store = store
        self._publisher = publisher
        self._settings = settings

    def record(self, event: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Records the end that an event tells of. Raises InvalidInput for an event that is none."""
        ending = ending_of(event)
        if ending is None:
            return {"counted": None}
        self._store.write(count_items(ending, now, self._settings))
        self._tell(ending)
        return {"counted": COUNTED.get(ending.status), "execution": ending.name}

    def _tell(self, ending: Ending) -> None:
        """A success ends the alert of the failures before it, whatever had failed."""
        if ending.status == "SUCCEEDED":
            title, state = "A pipeline execution succeeded again", "resolved"
        elif ending.status in COUNTED and not ending.told:
            title, state = "A pipeline execution failed", "firing"
        else:
            return
        self._publisher.send(
            SEVERITY,
            EXECUTION_FAILED,
            title,
            state="resolved" if state == "resolved" else "firing",
            subject=MACHINE,
            at=ending.at,
            description=ending.cause,
            page="/jobs",
            runbook=EXECUTION_FAILED,
            correlation_id=ending.name,
            details={"execution": ending.arn, "status": ending.status},
        )
