"""Events travel ingest -> S3 and SQS -> event-processor -> aggregates on the embedded engine."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.aws import Clients
from backend.contract.events import Event, EventDetail
from backend.events.aggregate_store import AggregateStore
from backend.events.aggregates import Version, hash_of
from backend.events.delivery import delivery_of
from backend.events.ingest import Ingest
from backend.events.investigation import Investigation
from backend.settings import Settings
from tests.local_stack import LocalStack
from tests.loggers import fresh_logger

pytestmark = pytest.mark.e2e
HOUR = 3600


def eventually(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer of ``look``; its last answer when the time is up."""
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


class Shop:
    """One event type of its own on the stack."""

    def __init__(self, stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        self.settings: Settings = stack.settings
        self.clients = Clients(self.settings.region)
        self.event_type = f"e2e-{uuid.uuid4().hex[:8]}"
        self.at = time.time() // HOUR * HOUR - HOUR
        self.investigation = Investigation(self.clients.dynamodb, self.clients.s3, self.settings)

    def event(self, number: int) -> Event:
        return Event("shop-web", self.event_type, f"{self.event_type}-{number}", self.at + number, {"amount": number})

    def ingest(self, *numbers: int, settings: Settings | None = None) -> list[str]:
        delivery = delivery_of({"headers": {}, "requestContext": {"requestId": uuid.uuid4().hex}}, time.time())
        logger = fresh_logger()
        ingest = Ingest(settings or self.settings, self.clients, logger)
        outcomes = [ingest.take(self.event(number), delivery) for number in numbers]
        return [str(outcome.event_id) for outcome in outcomes]

    def send(self, *event_ids: str) -> None:
        """The messages of events, as the ingest sends them."""
        for event_id in event_ids:
            record = self.investigation.get(event_id)
            assert record is not None
            names = ("event_id", "raw_key", "sha256", "correlation_id")
            body = json.dumps({name: getattr(record, name) for name in names})
            self.clients.sqs.send_message(QueueUrl=self.settings.event_queue_url, MessageBody=body)

    def detail(self, event_id: str) -> EventDetail:
        found = self.investigation.detail(event_id)
        assert found is not None
        return found

    def newest(self) -> Version | None:
        window = f"{self.event_type}#{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(self.at))}"
        return AggregateStore(self.clients.dynamodb, self.settings).latest(window)

    def statuses(self, event_ids: list[str]) -> set[str]:
        return {record.status for event_id in event_ids if (record := self.investigation.get(event_id))}


@pytest.fixture
def shop(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(stack, monkeypatch)


def test_events_are_counted_exactly_once_however_often_their_messages_come(shop: Shop) -> None:
    event_ids = shop.ingest(*range(40))
    shop.send(*event_ids[:20])
    assert eventually(lambda: shop.statuses(event_ids) == {"processed"})
    shop.send(*event_ids[10:30])
    more = shop.ingest(40)
    assert eventually(lambda: shop.statuses(more) == {"processed"})
    version = shop.newest()
    assert version is not None
    assert (version.events, version.input_hash) == (41, hash_of([*event_ids, *more]))
    assert version.state["numbers"]["amount"]["sum"] == sum(range(41))


def test_a_changed_raw_object_ends_in_the_dead_letters_with_its_story(shop: Shop) -> None:
    # Nobody listens to this queue, so the object can be changed before the processor looks.
    quiet = shop.clients.sqs.create_queue(QueueName=shop.event_type)["QueueUrl"]
    (event_id,) = shop.ingest(1, settings=replace(shop.settings, event_queue_url=quiet))
    key = shop.detail(event_id).record.raw_key
    shop.clients.s3.put_object(Bucket=shop.settings.bucket, Key=key, Body=b'{"amount": 1000000}')
    shop.send(event_id)

    def dead() -> bool:
        url = shop.settings.event_dead_letter_queue_url
        answer = shop.clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1)
        return any(json.loads(message["Body"])["event_id"] == event_id for message in answer.get("Messages", ()))

    assert eventually(dead)
    detail = shop.detail(event_id)
    error = detail.record.error
    assert error is not None
    assert (error.error_type, error.receive_count, error.dead_lettered) == ("poison", 3, True)
    assert [step.stage for step in detail.trace] == ["ingested", "failed", "failed", "dead_lettered"]
    assert detail.intact is False
    assert shop.newest() is None
