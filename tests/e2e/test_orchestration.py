"""The state machine of the template on the embedded engine: success, and each failure with its alert."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.audit import AuditLog
from backend.contract.alerts import alarm_name
from backend.contract.catalogue import CLOUDWATCH_NAMESPACE
from backend.contract.executions import Execution
from backend.orchestration.pipeline import Pipeline
from backend.processor.store import MetricsStore
from tests.local_stack import LocalStack

pytestmark = pytest.mark.e2e

Change = Callable[[dict[str, Any]], None]


@dataclass
class Machine:
    """The deployed state machine with its pauses cut, and a queue of its own behind the topic of alerts."""

    stack: LocalStack
    pipeline: Pipeline
    queue: str
    definition: dict[str, Any]

    def run(self, change: Change | None = None, reason: str = "end-to-end test") -> Execution:
        """An execution, ended; ``change`` is what somebody has done to the definition's states."""
        definition = json.loads(json.dumps(self.definition))
        if change is not None:
            change(definition["States"])
        self._put(definition)
        try:
            begun = self.pipeline.start("somebody", reason)
            done: Execution = self.eventually(lambda: self._ended(begun.arn))
            return done
        finally:
            self._put(self.definition)

    def _ended(self, arn: str) -> Execution | None:
        execution = self.pipeline.get(arn)
        return None if execution.status == "RUNNING" else execution

    def _put(self, definition: dict[str, Any]) -> None:
        arn = self.stack.settings.state_machine_arn
        self.stack.client("stepfunctions").update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))

    def told(self, name: str) -> dict[str, Any]:
        """The message about an execution that arrived behind the topic."""

        def look() -> dict[str, Any] | None:
            answer = self.stack.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
            found = [json.loads(json.loads(entry["Body"])["Message"]) for entry in answer.get("Messages", [])]
            return next((message for message in found if message.get("correlation_id") == name), None)

        message: dict[str, Any] = self.eventually(look)
        return message

    def counted(self, metric: str) -> int:
        """How many executions the table counts."""
        store = MetricsStore(self.stack.client("dynamodb"), self.stack.settings.table)
        now = time.time()
        return len(list(store.query(f"{metric}@live#production", now - 900, now)))

    @staticmethod
    def eventually(look: Callable[[], Any], seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := look()):
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.05)
        return answer


def hurried(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition with pauses that a test can wait for: the same states, retries and ways."""
    for state in definition["States"].values():
        branches = [branch["States"].values() for branch in state.get("Branches", [])]
        for one in (state, *(inner for branch in branches for inner in branch)):
            for retry in one.get("Retry", []):
                retry["IntervalSeconds"] = 0.02
        if state["Type"] == "Wait":
            state["Seconds"] = 0.1
    return definition


def last_minutes(now: float) -> list[datetime]:
    """A moment in each minute that the alarm of the heartbeat looks at, and some of the next ones."""
    return [datetime.fromtimestamp(now + 60 * minute, UTC) for minute in range(-6, 3)]


@pytest.fixture(scope="module")
def machine(stack: LocalStack) -> Iterator[Machine]:
    states, sqs, sns = (stack.client(name) for name in ("stepfunctions", "sqs", "sns"))
    settings = stack.settings
    before = states.describe_state_machine(stateMachineArn=settings.state_machine_arn)["definition"]
    queue = sqs.create_queue(QueueName=f"told-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    listening = sns.subscribe(TopicArn=settings.alerts_topic_arn, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    # The stack is younger than the consumer's first beats, which its alarm takes for silence.
    beats = [{"MetricName": "AlertConsumerHeartbeat", "Value": 1, "Timestamp": at} for at in last_minutes(time.time())]
    stack.client("cloudwatch").put_metric_data(Namespace=CLOUDWATCH_NAMESPACE, MetricData=beats)
    pipeline = Pipeline(states, AuditLog(stack.client("dynamodb"), settings), settings)
    yield Machine(stack, pipeline, queue, hurried(json.loads(before)))
    states.update_state_machine(stateMachineArn=settings.state_machine_arn, definition=before)
    sns.unsubscribe(SubscriptionArn=listening)
    sqs.delete_queue(QueueUrl=queue)


def test_an_execution_sees_its_samples_through_and_resolves_what_failed_before(machine: Machine) -> None:
    before = machine.counted("executions_succeeded")
    done = machine.run()
    assert (done.cause, done.failed_state, done.status) == ("", "", "SUCCEEDED")
    message = machine.told(done.name)
    assert (message["state"], message["kind"], message["subject"]) == (
        "resolved", "execution_failed", "InfraMonitoringPipeline",
    )  # fmt: skip
    assert machine.counted("executions_succeeded") == before + 1


def no_collector(states: dict[str, Any]) -> None:
    states["GenerateMetrics"]["Parameters"]["FunctionName"] = "no-such-function"


def an_object_that_never_comes(states: dict[str, Any]) -> None:
    states["GenerateMetrics"]["ResultSelector"].pop("objects.$")
    states["GenerateMetrics"]["ResultSelector"]["objects"] = ["metrics/never.json"]
    states["CheckProcessingStatus"]["Parameters"]["Payload"]["within_seconds"] = 0.5


def more_samples_than_arrive(states: dict[str, Any]) -> None:
    states["GenerateMetrics"]["ResultSelector"].pop("samples.$")
    states["GenerateMetrics"]["ResultSelector"]["samples"] = 999


@pytest.mark.parametrize(
    ("change", "failed_state", "cause"),
    [
        (no_collector, "GenerateMetrics", "No metrics were generated: "),
        (an_object_that_never_comes, "CheckProcessingStatus", "1 of 1 object was not processed within 0.5 s: metrics/"),
        (more_samples_than_arrive, "ValidateDataQuality", "the collector wrote 999 samples and the processor read "),
    ],
)
def test_a_failure_ends_the_execution_as_failed_and_is_told(
    machine: Machine, change: Change, failed_state: str, cause: str
) -> None:
    done = machine.run(change)
    assert (done.status, done.failed_state) == ("FAILED", failed_state)
    assert cause in done.cause
    message = machine.told(done.name)
    assert (message["state"], message["severity"], message["kind"]) == ("firing", "HIGH", "execution_failed")
    assert message["details"]["failed_state"] == failed_state
    assert message["details"]["execution"] == done.arn


def test_an_alarm_that_would_tell_nobody_fails_the_execution(machine: Machine) -> None:
    cloudwatch, name = machine.stack.client("cloudwatch"), alarm_name("s3_upload_failures")
    before = machine.counted("executions_failed")
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    try:
        done = machine.run()
    finally:
        cloudwatch.enable_alarm_actions(AlarmNames=[name])
    assert (done.status, done.failed_state) == ("FAILED", "ParallelMonitoring")
    assert f"Alarms tell nobody: {name}" in done.cause
    assert f"Alarms tell nobody: {name}" in machine.told(done.name)["description"]
    machine.eventually(lambda: machine.counted("executions_failed") == before + 1)
