"""Replays on the embedded engine: the functions of the stack, and a runner process that is killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.event_items import event_item
from backend.contract.event_query import parse_query
from backend.contract.events import Event, EventError, EventRecord
from backend.contract.replays import Replay, ReplayRequest
from backend.events.aggregate_store import AggregateStore
from backend.events.aggregates import hash_of
from backend.events.delivery import delivery_of
from backend.events.ingest import Ingest
from backend.events.investigation import Investigation
from backend.local.engine import Engine
from backend.replay.service import ReplayService
from backend.settings import Settings, load_settings
from tests.local_stack import LocalStack
from tests.loggers import fresh_logger
from tests.template_resources import create_event_queues, create_event_tables

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
OPS = "ops@example.com"

RUNNER = """
import os, sys
from backend.aws import Clients
from backend.logs import make_logger
from backend.replay.handler import build
from backend.settings import load_settings

class Context:
    def get_remaining_time_in_millis(self):
        return 900_000

settings = load_settings(os.environ)
function = build(settings, Clients(settings.region), make_logger("runner"), lease_seconds=2.0)
function({"Records": [{"body": sys.argv[1]}]}, Context())
"""


def eventually(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer of ``look``; its last answer when the time is up."""
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def service_of(settings: Settings) -> ReplayService:
    clients = Clients(settings.region)
    investigation = Investigation(clients.dynamodb, clients.s3, settings)
    audit = AuditLog(clients.dynamodb, settings)
    return ReplayService(clients.dynamodb, clients.sqs, clients.s3, investigation, audit, settings)


class Bare:
    """An engine without functions: what lies in the queues stays there."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clients = {name: engine.client(name) for name in ("dynamodb", "sqs", "s3")}
        create_event_tables(self.clients["dynamodb"])
        urls = create_event_queues(self.clients["sqs"])
        self.clients["s3"].create_bucket(Bucket=Settings().bucket)
        self.environment = {**engine.environment(), **{name.upper(): url for name, url in urls.items()}}
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        self.settings = load_settings(self.environment)
        self.replays = service_of(self.settings)

    def failed_events(self, count: int) -> list[EventRecord]:
        now = time.time()
        made = []
        for number in range(count):
            name = hashlib.sha256(str(number).encode()).hexdigest()
            error = EventError("parse_error", "customer_id is missing", "normalise", now - 30)
            made.append(
                EventRecord(
                    name, f"order-{number % 9}", "order_placed", "shop-web", "failed", now - 60, now - 50, "c-1",
                    f"events/{name}.json", name, 300, error=error,
                )
            )  # fmt: skip
            item = event_item(made[-1], 2_000_000_000, 8)
            self.clients["dynamodb"].put_item(TableName=self.settings.events_table, Item=item)
        return made

    def runner(self, replay: Replay) -> subprocess.Popen[str]:
        """The runner in a process of its own."""
        body = json.dumps({"replay_id": replay.replay_id})
        variables = {"PATH": os.environ["PATH"], "LOG_LEVEL": "WARNING", **self.environment}
        return subprocess.Popen([sys.executable, "-c", RUNNER, body], env=variables, cwd=ROOT, text=True)

    def depth(self) -> int:
        names = ["ApproximateNumberOfMessages"]
        url = self.settings.event_queue_url
        found = self.clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]])

    def sent(self) -> Counter[str]:
        """Event ids of the event queue's messages, with how often they were sent."""
        found: Counter[str] = Counter()
        while (
            batch := self.clients["sqs"]
            .receive_message(QueueUrl=self.settings.event_queue_url, MaxNumberOfMessages=10)
            .get("Messages")
        ):
            found.update(json.loads(message["Body"])["event_id"] for message in batch)
        return found


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bare]:
    with Engine() as engine:
        yield Bare(engine, monkeypatch)


def test_a_runner_killed_in_the_middle_is_replaced_and_no_event_is_missed(bare: Bare) -> None:
    chosen = bare.failed_events(200)
    selection = parse_query({"status": "failed"}, time.time())
    replay = bare.replays.create(ReplayRequest(selection, "fixed the parser", "event-processor", 50.0), OPS)
    runner = bare.runner(replay)
    assert eventually(lambda: bare.depth() >= 70)
    runner.kill()
    assert runner.wait() == -signal.SIGKILL
    interrupted = bare.replays.get(replay.replay_id)
    assert interrupted.status == "running"
    assert 0 < interrupted.done < 200

    def taken_up() -> bool:
        assert bare.runner(replay).wait(60) == 0
        return bare.replays.get(replay.replay_id).status == "succeeded"

    assert eventually(taken_up)
    ended = bare.replays.get(replay.replay_id)
    assert (ended.sent, ended.failed, ended.skipped) == (200, 0, 0)
    sent = bare.sent()
    assert sent.keys() == {event.event_id for event in chosen}
    # At most the part that was under way was sent twice.
    assert sum(sent.values()) <= 250
    investigation = Investigation(bare.clients["dynamodb"], bare.clients["s3"], bare.settings)
    counts = Counter(record.replay_count for page in investigation.pages(selection) for record in page)
    assert counts == {1: 200}


def test_what_is_replayed_is_processed_once_and_its_trace_tells(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    settings, clients = stack.settings, Clients(stack.settings.region)
    event_type = f"e2e-{uuid.uuid4().hex[:8]}"
    investigation = Investigation(clients.dynamodb, clients.s3, settings)
    delivery = delivery_of({"headers": {}, "requestContext": {"requestId": uuid.uuid4().hex}}, time.time())
    ingest = Ingest(settings, clients, fresh_logger())
    now = time.time()
    hour = now // 3600 * 3600 - 3600
    events = [Event("shop-web", event_type, f"order-{n % 5}", hour + n, {"amount": n}) for n in range(20)]
    ids = [str(ingest.take(event, delivery).event_id) for event in events]

    def statuses() -> set[str]:
        return {record.status for event_id in ids if (record := investigation.get(event_id))}

    assert eventually(lambda: statuses() == {"processed"})
    replays = service_of(settings)
    selection = parse_query({"event_type": event_type}, time.time() + 1)
    replay = replays.create(ReplayRequest(selection, "fixed the parser", "event-processor", 200.0), OPS)
    assert replay.matched == 20
    assert eventually(lambda: replays.get(replay.replay_id).status == "succeeded"), replays.get(replay.replay_id)
    detail = investigation.detail(ids[0])
    assert detail is not None
    assert (detail.record.replay_count, detail.record.last_replay_id) == (1, replay.replay_id)
    (step,) = [step for step in detail.trace if step.stage == "replayed" and step.event_id == ids[0]]
    assert step.detail == f"sent again to event-processor by {OPS}: fixed the parser"
    # The messages are gone, and nothing was dead-lettered.
    queue = {"QueueUrl": settings.event_queue_url, "AttributeNames": ["All"]}

    def left() -> int:
        found = clients.sqs.get_queue_attributes(**queue)["Attributes"]  # type: ignore[arg-type]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    assert eventually(lambda: left() == 0)
    assert statuses() == {"processed"}
    window = f"{event_type}#{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(hour))}"
    version = AggregateStore(clients.dynamodb, settings).latest(window)
    assert version is not None
    assert (version.events, version.input_hash) == (20, hash_of(ids))
