"""How walks ask the stack for something, and wait for what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from backend.local.api_server import event_of
from tests.local_stack import LocalStack

CONFIG = """
[events.types.order_placed]
fields = { amount = "number" }

[jobs.nightly]
schedule = "0 2 * * *"
dataset = "orders"

[datasets.orders]
sla_minutes = 60

[[collect]]
source = "synthetic"

[[collect]]
source = "cloudwatch"
"""
"""The ``pulseboard.toml`` of the stack and of the programs around it."""


def invoke(stack: LocalStack, name: str, event: object) -> Any:
    answer = stack.client("lambda").invoke(FunctionName=name, Payload=orjson.dumps(event))
    content = answer["Payload"].read()
    assert "FunctionError" not in answer, content
    return orjson.loads(content) if content else None


def ask(stack: LocalStack, method: str, path: str, body: object = None, query: str = "") -> tuple[int, Any]:
    content = orjson.dumps(body) if body is not None else b""
    event = event_of(method, f"{path}?{query}", [("content-type", "application/json")], content, time.time())
    answer = invoke(stack, "ingest-api", event)
    return answer["statusCode"], orjson.loads(answer["body"])


def until(stack: LocalStack, done: Callable[[], Any], seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := done()):
        assert time.monotonic() < deadline, stack.engine.log.read_text()[-5000:]
        time.sleep(0.2)
    return answer


def order(entity: str, amount: object, **more: Any) -> dict[str, Any]:
    named = {"source": "shop", "event_type": "order_placed", "entity_id": entity}
    return {**named, "occurred_at": datetime.now(UTC).isoformat(), "payload": {"amount": amount}, **more}


def depth(stack: LocalStack, url: str) -> int:
    names = ["ApproximateNumberOfMessages"]
    found = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]])


def letters(world: LocalStack) -> dict[str, str]:
    """A message in each dead-letter queue."""
    settings, sqs = world.settings, world.client("sqs")
    queues = {
        "event-processor-dlq": settings.event_dead_letter_queue_url,
        "log-processor-dlq": settings.dead_letter_queue_url,
        "alert-consumer-dlq": settings.alert_dead_letter_queue_url,
    }
    for url in queues.values():
        sqs.send_message(QueueUrl=url, MessageBody=orjson.dumps({"Records": []}).decode())
    return queues
