"""The checks on the embedded engine: what was lost on the way is found, and somebody is told."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.aws import Clients
from backend.checks.handler import Checks
from backend.checks.handler import build as build_checks
from backend.contract.check_items import check_partition, check_result
from backend.contract.events import utc_text
from backend.events.api import build
from backend.settings import Settings
from tests.backend.events.calling import call
from tests.local_stack import LocalStack
from tests.loggers import fresh_logger
from tests.template_resources import TEMPLATE, properties

pytestmark = pytest.mark.e2e


def eventually(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer of ``look``; its last answer when the time is up."""
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


@pytest.fixture
def apart(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The stack with a gate and an environment of its own: other tests' events are none of its types."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    gate = properties(TEMPLATE, "GateTable", {})
    name = f"Gate-{uuid.uuid4().hex[:8]}"
    stack.client("dynamodb").create_table(
        TableName=name, **{key: gate[key] for key in ("BillingMode", "AttributeDefinitions", "KeySchema")}
    )
    config = replace(stack.settings.config, environment=f"checks-{uuid.uuid4().hex[:8]}")
    return replace(stack.settings, gate_table=name, config=config)


def heard(stack: LocalStack, url: str) -> list[dict[str, Any]]:
    """The signals that arrived at a queue behind the topic of alerts."""
    answer = stack.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


def listening(stack: LocalStack) -> str:
    """A queue that gets what is sent to the topic of alerts."""
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName=f"heard-{uuid.uuid4().hex}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    stack.client("sns").subscribe(
        TopicArn=stack.settings.alerts_topic_arn,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    return str(url)


def checks_at(settings: Settings, now: float) -> Checks:
    return build_checks(settings, Clients(settings.region), fresh_logger(), lambda: now)


def test_an_event_lost_between_its_object_and_the_index_is_found_and_told(stack: LocalStack, apart: Settings) -> None:
    api, url, dynamodb = build(apart, Clients(apart.region)), listening(stack), stack.client("dynamodb")
    entity, kind = f"lost-{uuid.uuid4().hex}", f"checked-{uuid.uuid4().hex[:8]}"
    good = {"source": kind, "event_type": kind, "entity_id": entity, "occurred_at": utc_text(time.time())}
    for number in range(3):
        assert call(api, "POST", "/ingest", {**good, "payload": {"number": number}}).status == 201

    def items() -> list[dict[str, Any]]:
        answer = dynamodb.query(
            TableName=apart.events_table,
            KeyConditionExpression="entity_id = :entity",
            ExpressionAttributeValues={":entity": {"S": entity}},
        )
        return [item for item in answer["Items"] if item["status"]["S"] == "processed"]

    lost, *_ = eventually(lambda: found if len(found := items()) == 3 else None)
    settled = time.time() + 2 * 3600
    assert checks_at(apart, settled)("reconciliation").status == "passed"

    key = {name: lost[name] for name in ("entity_id", "received_key")}
    dynamodb.delete_item(TableName=apart.events_table, Key=key)
    result = checks_at(apart, settled)("reconciliation")
    assert result.status == "failed"
    assert [finding.sentence for finding in result.findings] == [
        "66.67 % accounted for, 1 missing: 1 in S3 but not indexed"
    ]
    told = eventually(
        lambda: [signal for signal in heard(stack, url) if signal["environment"] == apart.config.environment]
    )
    assert [(signal["kind"], signal["severity"]) for signal in told] == [("reconciliation", "HIGH")]


def test_the_deployed_function_runs_a_check_by_its_name(stack: LocalStack) -> None:
    answer = stack.client("lambda").invoke(FunctionName="pipeline-checks", Payload=b'{"check": "ratios"}')
    assert "FunctionError" not in answer, answer["Payload"].read()
    said = json.loads(answer["Payload"].read())
    assert "Could not look" not in said["sentence"]
    kept = stack.client("dynamodb").query(
        TableName=stack.settings.alerts_table,
        KeyConditionExpression="fingerprint = :check",
        ExpressionAttributeValues={":check": {"S": check_partition("ratios")}},
    )["Items"]
    assert said["sentence"] in [check_result(item).sentence for item in kept]
