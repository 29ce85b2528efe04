"""The definition of the state machine: the promised states and retries, all reachable, told in the right form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from backend.alerts.parsing import read
from backend.contract.catalogue import load_catalogue
from backend.contract.executions import EXECUTION_FAILED, FAILURES, MACHINE, SOURCE
from backend.local.template import load_template, properties
from backend.orchestration.ending import Ending, Recorder
from backend.orchestration.render import BEGIN, DEFINITION, END, TARGET, main, rendered_into

TEXT = DEFINITION.read_text("utf-8")
MACHINE_DEFINITION: dict[str, Any] = json.loads(TEXT)
STATES: dict[str, dict[str, Any]] = MACHINE_DEFINITION["States"]
PROMISED = {
    "GenerateMetrics", "WaitForS3Upload", "CheckProcessingStatus", "IsProcessingComplete", "WaitForProcessing",
    "ValidateDataQuality", "ParallelMonitoring", "PipelineSuccess", "HandleGenerationFailure",
    "HandleProcessingFailure", "HandleValidationFailure", "HandleMonitoringFailure",
}  # fmt: skip
HANDLERS = sorted(name for name in STATES if name.startswith("Handle"))
TEMPLATE = load_template()


def tasks() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every task, those inside branches too."""
    for name, state in STATES.items():
        inner = [branch["States"].items() for branch in state.get("Branches", [])]
        for one, found in ((name, state), *(entry for branch in inner for entry in branch)):
            if found["Type"] == "Task":
                yield one, found


def followers(state: dict[str, Any]) -> set[str]:
    choices = [choice["Next"] for choice in state.get("Choices", [])]
    caught = [catcher["Next"] for catcher in state.get("Catch", [])]
    return {name for name in (state.get("Next"), state.get("Default"), *choices, *caught) if name}


def test_it_has_the_promised_states_and_waits() -> None:
    assert set(STATES) >= PROMISED
    assert (STATES["WaitForS3Upload"]["Seconds"], STATES["WaitForProcessing"]["Seconds"]) == (5, 3)
    assert STATES["PipelineSuccess"] == {"Type": "Succeed"}


@pytest.mark.parametrize(("name", "task"), list(tasks()))
def test_each_task_is_bounded_and_tries_again_as_promised(name: str, task: dict[str, Any]) -> None:
    tries = {retry["ErrorEquals"][0]: (retry["MaxAttempts"], retry["BackoffRate"]) for retry in task["Retry"]}
    assert tries == {
        "Lambda.ServiceException": (3, 2.0),
        "Lambda.TooManyRequestsException": (3, 2.0),
        "States.TaskFailed": (5, 1.5),
    }
    assert all(retry["IntervalSeconds"] >= 1 and retry["JitterStrategy"] == "FULL" for retry in task["Retry"])
    assert 0 < task["TimeoutSeconds"] < MACHINE_DEFINITION["TimeoutSeconds"], name


def test_every_state_can_be_reached_and_leads_to_an_end() -> None:
    reached, open_ = set(), {MACHINE_DEFINITION["StartAt"]}
    while open_:
        name = open_.pop()
        reached.add(name)
        open_ |= followers(STATES[name]) - reached
    assert reached == set(STATES)
    ends = {name for name, state in STATES.items() if not followers(state)}
    assert ends == {"PipelineSuccess", *FAILURES}
    leading = set(ends)
    while more := {name for name, state in STATES.items() if followers(state) & leading} - leading:
        leading |= more
    assert leading == set(STATES)


def test_only_what_all_found_well_succeeds() -> None:
    before = {name for name, state in STATES.items() if "PipelineSuccess" in followers(state)}
    assert before == {"IsMonitoringClear"}
    assert STATES["IsMonitoringClear"]["Default"] != "PipelineSuccess"
    assert STATES["IsDataValid"]["Default"] == "HandleValidationFailure"
    assert STATES["IsProcessingComplete"]["Default"] == "HandleProcessingFailure"


def test_each_handler_tells_and_then_fails_the_execution() -> None:
    assert len(HANDLERS) == 4
    for name in HANDLERS:
        state = STATES[name]
        fails = followers(state)
        assert len(fails) == 1, "also where the topic does not answer"
        (end,) = fails
        assert STATES[end]["Type"] == "Fail"
        assert STATES[end]["Error"] == end
        told = state["Parameters"]["Message"]["details"]["failed_state"]
        assert told == FAILURES[end].state
        assert FAILURES[end].words in state["Parameters"]["Message"]["title"]


def test_each_state_that_fails_is_caught_by_the_handler_of_its_part() -> None:
    caught = {name: followers(state) & set(HANDLERS) for name, state in STATES.items() if state.get("Catch")}
    caught = {name: handlers for name, handlers in caught.items() if handlers}
    assert caught == {
        "GenerateMetrics": {"HandleGenerationFailure"},
        "CheckProcessingStatus": {"HandleProcessingFailure"},
        "ValidateDataQuality": {"HandleValidationFailure"},
        "ParallelMonitoring": {"HandleMonitoringFailure"},
    }


@pytest.mark.parametrize("name", HANDLERS)
def test_the_alert_consumer_understands_what_a_handler_says(name: str) -> None:
    filled = {"$.failure.Cause": "no answer", "$.failure.Error": "Timeout", "$$.Execution.Name": "run-1",
              "$$.Execution.Id": "arn:run-1"}  # fmt: skip
    message = resolved(STATES[name]["Parameters"]["Message"], filled)
    record = {"messageId": "m-1", "attributes": {"SentTimestamp": "1795000000000"}, "body": json.dumps(message)}
    signal = read(record, load_catalogue(), "production", 1_795_000_000.0)
    assert signal is not None
    assert (signal.rule, signal.state, signal.severity) == (f"{SOURCE}:{EXECUTION_FAILED}", "firing", "HIGH")
    assert (signal.description, signal.correlation_id, signal.page) == ("no answer", "run-1", "/jobs")
    assert signal.runbook == EXECUTION_FAILED
    assert len(STATES[name]["Parameters"]["Subject"]) < 100


def resolved(value: Any, filled: dict[str, str]) -> Any:
    """A template of parameters with its paths replaced, as Step Functions does."""
    if not isinstance(value, dict):
        return value
    return {
        key.removesuffix(".$"): filled[entry] if key.endswith(".$") else resolved(entry, filled)
        for key, entry in value.items()
    }


def test_a_success_resolves_what_a_handler_said() -> None:
    sent: list[dict[str, Any]] = []

    class Told:
        def send(self, severity: str, kind: str, title: str, **more: Any) -> bool:
            sent.append({"severity": severity, "kind": kind, "title": title, **more})
            return True

    recorder = Recorder(None, Told(), None)  # type: ignore[arg-type]
    recorder._tell(Ending("run-2", "arn:run-2", "SUCCEEDED", 1_795_000_100.0))
    (said,) = sent
    handlers = [STATES[name]["Parameters"]["Message"] for name in HANDLERS]
    for name in ("severity", "kind", "subject"):
        assert {message[name] for message in handlers} == {said[name]}, name
    assert {message["source"] for message in handlers} == {SOURCE}
    assert said["state"] == "resolved"


def test_the_template_has_the_definition_as_it_is() -> None:
    assert main(["--check"]) == 0
    template = TARGET.read_text("utf-8")
    assert rendered_into(template, TEXT) == template
    assert rendered_into(template, TEXT.replace('"Seconds": 5', '"Seconds": 6')) != template


@pytest.mark.parametrize("marks", ["", BEGIN, END + BEGIN, BEGIN + END + BEGIN + END])
def test_a_template_without_its_marks_is_refused(marks: str) -> None:
    with pytest.raises(ValueError, match="begin before end"):
        rendered_into(marks, TEXT)


def test_every_placeholder_is_substituted_and_no_more() -> None:
    machine = properties(TEMPLATE, "StateMachine", {})
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == set(machine["DefinitionSubstitutions"])
    assert machine["StateMachineName"] == MACHINE


@pytest.mark.parametrize(("collection", "runs"), [("rule", "CollectorRule"), ("pipeline", "PipelineRule")])
def test_the_schedule_starts_the_collector_or_the_state_machine_never_both(collection: str, runs: str) -> None:
    conditions = TEMPLATE["Conditions"]
    assert conditions["CollectsByPipeline"] == {"Fn::Equals": [{"Ref": "Collection"}, "pipeline"]}
    assert conditions["CollectsByRule"] == {"Fn::Not": [{"Condition": "CollectsByPipeline"}]}
    assert set(TEMPLATE["Parameters"]["Collection"]["AllowedValues"]) == {"rule", "pipeline"}
    truth = {"CollectsByPipeline": collection == "pipeline", "CollectsByRule": collection != "pipeline"}
    started = ({"Fn::GetAtt": "CollectorFunction.Arn"}, {"Ref": "StateMachine"})
    starting = {
        name: entry
        for name, entry in TEMPLATE["Resources"].items()
        if entry["Type"] == "AWS::Events::Rule"
        and any(target["Arn"] in started for target in entry["Properties"]["Targets"])
    }
    assert [name for name, entry in starting.items() if truth[entry["Condition"]]] == [runs]
    for entry in starting.values():
        assert entry["Properties"]["ScheduleExpression"] == {"Ref": "CollectorSchedule"}
        assert entry["Properties"]["State"] == {"Ref": "CollectorEnabled"}
