"""Ends of executions: counted once each, told where no handler has."""

from __future__ import annotations

from typing import Any

import pytest

from backend.contract.errors import InvalidInput
from backend.contract.executions import MACHINE, Execution, failure_of, plain_cause
from backend.contract.rollup import gather
from backend.orchestration.ending import STATUS_CHANGE, Recorder, count_items, ending_of
from backend.settings import Settings

AT = 1_795_000_000.0
ARN = f"arn:aws:states:eu-central-1:123456789012:execution:{MACHINE}:run-1"
SETTINGS = Settings()


def event(status: str, **more: Any) -> dict[str, Any]:
    detail = {"executionArn": ARN, "name": "run-1", "status": status, "stopDate": int(AT * 1000), **more}
    return {"source": "aws.states", "detail-type": STATUS_CHANGE, "detail": detail}


class Store:
    def __init__(self) -> None:
        self.items: dict[str, Any] = {}

    def write(self, items: Any) -> int:
        self.items |= {item["metric_id"]["S"]: item for item in items}
        return len(items)


class Told:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, severity: str, kind: str, title: str, **more: Any) -> bool:
        self.sent.append({"severity": severity, "kind": kind, "title": title, **more})
        return True


def recorded(*events: dict[str, Any], now: float = AT + 5) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    store, told = Store(), Told()
    for one in events:
        Recorder(store, told, SETTINGS).record(one, now)  # type: ignore[arg-type]
    return store.items, told.sent


def counts(items: dict[str, Any], metric: str) -> list[float]:
    rows = [
        (int(item["timestamp"]["N"]), item["data"]["S"])
        for item in items.values()
        if item["metric_type"]["S"] == f"{metric}@live#production"
    ]
    return [value for values in gather(rows).values() for value in values.values()]


def test_an_end_that_is_told_twice_is_counted_once() -> None:
    items, _ = recorded(event("SUCCEEDED"), event("SUCCEEDED"))
    assert counts(items, "executions_succeeded") == [1]
    assert counts(items, "executions_failed") == []


@pytest.mark.parametrize(
    ("status", "metric"), [("FAILED", "executions_failed"), ("TIMED_OUT", "executions_failed"), ("ABORTED", "")]
)
def test_what_ran_out_of_time_is_a_failure_and_what_was_stopped_is_none(status: str, metric: str) -> None:
    items, _ = recorded(event(status, error="GenerationFailed"))
    assert counts(items, "executions_failed") == ([1] if metric else [])
    assert counts(items, "executions_succeeded") == []


def test_a_success_resolves_and_a_handlers_failure_is_not_told_again() -> None:
    _, sent = recorded(event("FAILED", error="GenerationFailed", cause="x"), event("SUCCEEDED"), event("ABORTED"))
    assert [(said["state"], said["subject"]) for said in sent] == [("resolved", MACHINE)]


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"status": "TIMED_OUT"}, "It took longer than the state machine allows"),
        ({"status": "FAILED", "error": "States.Runtime", "cause": "bad path"}, "States.Runtime: bad path"),
        ({"status": "FAILED"}, "Step Functions does not say why"),
    ],
)
def test_a_failure_that_no_handler_saw_is_told(more: dict[str, Any], cause: str) -> None:
    _, sent = recorded(event(**more))
    assert [(said["state"], said["severity"], said["description"]) for said in sent] == [("firing", "HIGH", cause)]


def test_an_end_that_is_heard_late_makes_its_minute_be_merged_again() -> None:
    ending = ending_of(event("FAILED"))
    assert ending is not None
    kinds = [item["metric_type"]["S"] for item in count_items(ending, AT + 4_000, SETTINGS)]
    assert kinds == ["executions_failed@live#production", "@seen", "@late"]


def test_an_execution_that_goes_on_is_not_counted() -> None:
    assert ending_of(event("RUNNING")) is None


@pytest.mark.parametrize("wrong", [{}, {"detail-type": STATUS_CHANGE}, {"detail-type": "EC2", "detail": {}}])
def test_another_event_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=STATUS_CHANGE):
        ending_of(wrong)


def test_causes_are_read_by_people() -> None:
    error = '{"errorMessage": "no answer\\nfrom S3", "errorType": "TimeoutError", "stackTrace": ["..."]}'
    assert plain_cause(error) == "TimeoutError: no answer from S3"
    assert plain_cause("plain  text") == "plain text"
    assert plain_cause('["a list"]') == '["a list"]'
    assert failure_of("GenerationFailed", error, "FAILED") == (
        "GenerateMetrics", "No metrics were generated: TimeoutError: no answer from S3",
    )  # fmt: skip
    assert failure_of("", "", "SUCCEEDED") == ("", "")
    assert failure_of("", "wrong input", "ABORTED") == ("", "wrong input")


def test_an_execution_knows_its_region_and_how_long_it_took() -> None:
    execution = Execution("run-1", ARN, "RUNNING", AT)
    assert (execution.region, execution.seconds(AT + 7)) == ("eu-central-1", 7)
    assert Execution("run-1", "local", "FAILED", AT, AT + 3).seconds(AT + 99) == 3
