"""A failed deployment says what failed first, not what failed because of it."""

from __future__ import annotations

from datetime import UTC, datetime

from backend.deployment.changes import NESTED
from backend.deployment.events import StackEvent, first_failure, line

AT = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC)


def event(resource: str, status: str, reason: str = "", **more: str) -> StackEvent:
    return StackEvent(resource, AT, resource, more.pop("type", "AWS::SQS::Queue"), status, reason, **more)


def test_the_first_failure_is_no_consequence() -> None:
    events = [
        event("A", "CREATE_COMPLETE"),
        event("B", "CREATE_FAILED", "Resource creation cancelled"),
        event("C", "CREATE_FAILED", "queue name is taken"),
        event("D", "CREATE_FAILED", "another reason"),
    ]
    found = first_failure(events)
    assert found is not None
    assert found.resource == "C"


def test_the_stack_itself_is_not_what_failed() -> None:
    own = event("pulseboard", "UPDATE_ROLLBACK_FAILED", "x", type=NESTED, physical_id="arn:s", stack_id="arn:s")
    assert first_failure([own]) is None


def test_a_line_is_one_line() -> None:
    text = line(event("Queue", "CREATE_FAILED", "it\n is taken"))
    assert text == "  12:00:05 CREATE_FAILED                Queue: it is taken"
