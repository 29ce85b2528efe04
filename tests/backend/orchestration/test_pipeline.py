"""Executions as they are listed and started: causes read once, starts on record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.contract.errors import InvalidInput
from backend.orchestration.pipeline import Pipeline
from backend.settings import Settings

NOW = 1_795_000_000.0
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:InfraMonitoringPipeline"


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW + seconds, UTC)


class StepFunctions:
    """Answers as boto3 does; counts who is asked what."""

    def __init__(self) -> None:
        self.described: list[str] = []
        self.started: list[dict[str, Any]] = []
        self.entries = [
            {"executionArn": "e:new", "name": "new", "status": "RUNNING", "startDate": moment(-5)},
            {"executionArn": "e:bad", "name": "bad", "status": "FAILED", "startDate": moment(-60),
             "stopDate": moment(-50)},
            {"executionArn": "e:good", "name": "good", "status": "SUCCEEDED", "startDate": moment(-90),
             "stopDate": moment(-80)},
        ]  # fmt: skip

    def list_executions(self, **asked: Any) -> dict[str, Any]:
        assert asked["stateMachineArn"] == MACHINE
        return {"executions": self.entries[: asked["maxResults"]]}

    def describe_execution(self, **asked: Any) -> dict[str, Any]:
        self.described.append(asked["executionArn"])
        entry = next(entry for entry in self.entries if entry["executionArn"] == asked["executionArn"])
        return {**entry, "error": "ProcessingFailed", "cause": "1 of 1 object was not processed"}

    def start_execution(self, **asked: Any) -> dict[str, Any]:
        self.started.append(asked)
        return {"executionArn": f"e:{asked['name']}", "startDate": moment(0)}


class Audit:
    def __init__(self) -> None:
        self.lines: list[tuple[str, ...]] = []

    def begin(self, action: str, who: str, reason: str, subject: str = "", details: Any = None) -> str:
        self.lines.append((action, who, reason, subject))
        return "a-1"

    def finish(self, audit_id: str, outcome: str, details: Any = None) -> None:
        self.lines.append((audit_id, outcome))


def made(arn: str = MACHINE) -> tuple[Pipeline, StepFunctions, Audit]:
    states, audit = StepFunctions(), Audit()
    settings = Settings(state_machine_arn=arn)
    return Pipeline(states, audit, settings, lambda: NOW), states, audit  # type: ignore[arg-type]


def test_the_newest_come_first_and_failures_say_where_and_why() -> None:
    pipeline, _, _ = made()
    found = pipeline.recent()
    assert [(entry.name, entry.status, entry.failed_state) for entry in found] == [
        ("new", "RUNNING", ""), ("bad", "FAILED", "CheckProcessingStatus"), ("good", "SUCCEEDED", ""),
    ]  # fmt: skip
    assert found[1].cause == "Its metrics were not processed: 1 of 1 object was not processed"
    assert (found[1].started_at, found[1].ended_at) == (NOW - 60, NOW - 50)


def test_why_an_execution_failed_is_asked_once() -> None:
    pipeline, states, _ = made()
    assert pipeline.recent() == pipeline.recent()
    assert states.described == ["e:bad"]
    # Taken up again and failed again: another end, another cause.
    states.entries[1]["stopDate"] = moment(-1)
    pipeline.recent()
    assert states.described == ["e:bad", "e:bad"]


def test_a_start_is_on_record_and_names_its_time() -> None:
    pipeline, states, audit = made()
    begun = pipeline.start("ada", "after the upgrade", NOW - 300)
    (asked,) = states.started
    assert json.loads(asked["input"]) == {
        "requested_by": "ada", "reason": "after the upgrade", "time": "2026-11-18T11:01:40+00:00",
    }  # fmt: skip
    assert begun.name == asked["name"]
    assert begun.name.startswith("run-20261118T110640Z-")
    assert audit.lines == [("pipeline.run", "ada", "after the upgrade", begun.name), ("a-1", "succeeded")]


def test_a_start_without_a_reason_is_refused_and_on_record() -> None:
    pipeline, states, audit = made()
    with pytest.raises(InvalidInput, match="reason"):
        pipeline.start("ada", " ")
    assert states.started == []
    assert audit.lines[-1] == ("a-1", "refused")


def test_without_a_state_machine_one_line_says_so() -> None:
    pipeline, _, _ = made("")
    assert not pipeline.used
    with pytest.raises(InvalidInput, match="STATE_MACHINE_ARN"):
        pipeline.recent()


@pytest.mark.parametrize("limit", [0, 101])
def test_a_limit_that_is_none_is_refused(limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        made()[0].recent(limit)
