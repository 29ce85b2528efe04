"""What a stack's events say: a line each while they come, and at the end what failed first and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from backend.deployment.changes import NESTED

_CONSEQUENCES: Final = ("creation cancelled", "update cancelled", "Resource deletion cancelled")
"""Reasons of those that failed only because another one had."""


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One event of a stack. ``physical_id`` is a nested stack's ARN where ``type`` is a stack."""

    event_id: str
    at: datetime
    resource: str
    type: str
    status: str
    reason: str = ""
    physical_id: str = ""
    stack_id: str = ""

    @property
    def failed(self) -> bool:
        """Whether this resource failed, by itself or because of another one."""
        return self.status.endswith("_FAILED")

    @property
    def of_stack_itself(self) -> bool:
        """Whether it tells of the stack as a whole."""
        return self.type == NESTED and self.physical_id == self.stack_id

    @property
    def of_nested_stack(self) -> bool:
        """Whether it tells of a stack within the stack."""
        return self.type == NESTED and not self.of_stack_itself


def parse_event(entry: Mapping[str, Any]) -> StackEvent:
    """An event as ``DescribeStackEvents`` tells it."""
    return StackEvent(
        event_id=entry["EventId"],
        at=entry["Timestamp"],
        resource=entry.get("LogicalResourceId", ""),
        type=entry.get("ResourceType", ""),
        status=entry.get("ResourceStatus", ""),
        reason=entry.get("ResourceStatusReason", ""),
        physical_id=entry.get("PhysicalResourceId", ""),
        stack_id=entry.get("StackId", ""),
    )


def parse_refusal(entry: Mapping[str, Any]) -> StackEvent | None:
    """What CloudFormation found before it began, as ``DescribeEvents`` tells it; None for its other events."""
    if entry.get("EventType") != "VALIDATION_ERROR":
        return None
    return StackEvent(
        event_id=entry["EventId"],
        at=entry["Timestamp"],
        resource=entry.get("LogicalResourceId", ""),
        type=entry.get("ResourceType", ""),
        status="VALIDATION_FAILED",
        reason=entry.get("ValidationStatusReason", ""),
    )


def line(event: StackEvent) -> str:
    """``12:00:05 CREATE_COMPLETE MetricsTable``, with the reason where there is one."""
    why = f": {' '.join(event.reason.split())}" if event.reason else ""
    return f"  {event.at:%H:%M:%S} {event.status:<28} {event.resource}{why}"


def first_failure(events: Iterable[StackEvent]) -> StackEvent | None:
    """The earliest failure that was not the consequence of another; ``events`` in the order they happened."""
    failures = [event for event in events if event.failed and not event.of_stack_itself]
    own = [event for event in failures if not any(text in event.reason for text in _CONSEQUENCES)]
    return next(iter(own or failures), None)
