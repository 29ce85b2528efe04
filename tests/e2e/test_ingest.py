"""Events go in through the API on the embedded engine and come out processed: once, whoever sends them how often."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from backend.aws import Clients
from backend.contract.events import utc_text
from backend.events.api import Handle, build
from tests.backend.events.calling import Answer, call
from tests.local_stack import LocalStack

pytestmark = pytest.mark.e2e
NDJSON = "application/x-ndjson"


def eventually(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer of ``look``; its last answer when the time is up."""
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


@pytest.fixture
def api(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Handle:
    """The API over the deployed stack's tables, bucket and queue."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    return build(stack.settings, Clients(stack.settings.region, pool=64))


def order(**changes: Any) -> dict[str, Any]:
    """An order of an entity of its own."""
    entity = f"order-{uuid.uuid4().hex}"
    good = {"source": "e2e", "event_type": "order_placed", "entity_id": entity, "occurred_at": utc_text(time.time())}
    return {**good, "payload": {"order_id": entity, "amount": 12.5}, **changes}


def found(api: Handle, entity: str) -> list[dict[str, Any]]:
    """The events of an entity as a search answers."""
    events: list[dict[str, Any]] = call(api, "GET", "/events", query=f"entity_id={entity}").body["events"]
    return events


def test_an_event_sent_is_processed_and_can_be_looked_at(api: Handle) -> None:
    sent = order()
    stored = call(api, "POST", "/ingest", sent)
    assert stored.status == 201
    (event,) = eventually(lambda: [e for e in found(api, sent["entity_id"]) if e["status"] == "processed"])
    assert event["event_id"] == stored.body["event_id"]
    detail = call(api, "GET", f"/events/{event['event_id']}").body
    assert (detail["payload"], detail["intact"]) == (sent["payload"], True)


def test_the_same_event_a_hundred_times_at_once_is_one(api: Handle, stack: LocalStack) -> None:
    sent, barrier = order(), Barrier(100)

    def send(_: int) -> Answer:
        barrier.wait()
        return call(api, "POST", "/ingest", sent)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(send, range(100)))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: 99}
    (identity,) = {answer.body["event_id"] for answer in answers}
    assert [event["event_id"] for event in eventually(lambda: found(api, sent["entity_id"]))] == [identity]
    key = {"event_id": {"S": identity}}
    gate = stack.client("dynamodb").get_item(TableName=stack.settings.gate_table, Key=key)["Item"]
    assert (gate["state"]["S"], gate["duplicates"]["N"]) == ("stored", "99")


def test_a_batch_sent_twice_is_stored_once_with_a_result_each(api: Handle) -> None:
    lines = [json.dumps(order()) for _ in range(60)]
    body = "\n".join([*lines, "nonsense", lines[0]]).encode()
    first, again = (call(api, "POST", "/ingest", body, headers={"content-type": NDJSON}) for _ in range(2))
    assert Counter(r["status"] for r in first.body["results"]) == {"stored": 60, "error": 1, "duplicate": 1}
    assert Counter(r["status"] for r in again.body["results"]) == {"error": 1, "duplicate": 61}
    ids = [[result.get("event_id") for result in answer.body["results"]] for answer in (first, again)]
    assert ids[0] == ids[1]


def test_the_trace_of_the_request_goes_along_to_the_queue(api: Handle, stack: LocalStack) -> None:
    trace, xray = uuid.uuid4().hex, f"1-{uuid.uuid4().hex[:8]}-{uuid.uuid4().hex[:24]}"
    url = stack.client("sqs").create_queue(QueueName=f"trace-{trace}")["QueueUrl"]
    apart = build(replace(stack.settings, event_queue_url=url), Clients(stack.settings.region))
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "x-amzn-trace-id": f"Root={xray}"}
    assert call(apart, "POST", "/ingest", order(), headers=headers).status == 201
    (message,) = stack.client("sqs").receive_message(
        QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"]
    )["Messages"]
    assert message["MessageAttributes"]["traceparent"]["StringValue"].split("-")[1] == trace
    assert json.loads(message["Body"])["correlation_id"] == trace
