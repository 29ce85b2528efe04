"""A small AWS for replays: moto's tables, queues and bucket, events in the index, and a clock that tests move."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.event_items import EventMessage, event_item, event_key, record_of, step_of
from backend.contract.event_query import parse_query
from backend.contract.events import EventError, EventQuery, EventRecord, TraceStep
from backend.contract.replays import Replay, ReplayRequest, ReplayResult
from backend.contract.tables import ENTITY_ID, EVENT_ID, EVENTS_TABLE, KNOWN, TRACE
from backend.events.investigation import Investigation
from backend.events.plugins import replay_message
from backend.jobs.reader import JobReader
from backend.replay.dead_letters import DeadLetters
from backend.replay.lease import ReplayLeases
from backend.replay.queue_lease import QueueLeases
from backend.replay.recording import Recorder
from backend.replay.run import Tools
from backend.replay.runner import Ran, Runner
from backend.replay.selection import Selections
from backend.replay.service import ReplayService
from backend.replay.store import ReplayStore
from backend.settings import Config, Events, ReplayLimits, Settings
from tests.loggers import fresh_logger
from tests.template_resources import create_event_queues, create_event_tables

NOW = 1_795_259_220.0
BUCKET = "infra-monitoring-pipeline-data"
LEASE = 60.0


@dataclass
class Clock:
    """A clock that stands still but for sleeping; it is the monotonic one, too."""

    now: float = NOW
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def record(number: int, **changes: Any) -> EventRecord:
    """A failed event of the last hour."""
    event_id = hashlib.sha256(f"event-{number}".encode()).hexdigest()
    made = EventRecord(
        event_id=event_id,
        entity_id=f"order-{number % 7}",
        event_type="order_placed",
        source="shop-web",
        status="failed",
        occurred_at=NOW - 1800 + number / 100,
        received_at=NOW - 1799 + number / 100,
        correlation_id=f"correlation-{number % 11}",
        raw_key=f"events/source=shop-web/year=2026/month=11/day=21/{event_id}.json",
        sha256=event_id,
        size=300,
        error=EventError("parse_error", "customer_id is missing", "normalise", NOW - 1790),
    )
    return replace(made, **changes)


@dataclass
class World:
    """Everything that replays talk to."""

    clients: Clients
    settings: Settings
    clock: Clock
    investigation: Investigation
    audit: AuditLog
    replays: ReplayService
    letters: DeadLetters
    jobs: JobReader

    def put(self, records: Sequence[EventRecord]) -> list[EventRecord]:
        """Puts events into the index."""
        puts: list[Any] = [{"PutRequest": {"Item": event_item(one, 2_000_000_000, 1)}} for one in records]
        for n in range(0, len(puts), 25):
            self.clients.dynamodb.batch_write_item(RequestItems={EVENTS_TABLE: puts[n : n + 25]})
        return list(records)

    def know(self, records: Sequence[EventRecord]) -> None:
        """Registers the events' types and sources, as ingest does."""
        sets = {"types": {one.event_type for one in records}, "sources": {one.source for one in records}}
        self.clients.dynamodb.put_item(
            TableName=self.settings.gate_table,
            Item={EVENT_ID: {"S": KNOWN}, **{name: {"SS": sorted(texts)} for name, texts in sets.items()}},
        )

    def query(self, **filters: Any) -> EventQuery:
        return parse_query({"status": "failed", **filters}, self.clock.now)

    def request(self, **changes: Any) -> ReplayRequest:
        """Everything that failed in the last hour, without a limit of rate."""
        return replace(ReplayRequest(self.query(), "fixed the parser", "event-processor"), **changes)

    def create(self, **changes: Any) -> Replay:
        return self.replays.create(self.request(**changes), "ops@example.com")

    def runner(self, sqs: Any = None, dynamodb: Any = None, **tools: Any) -> Runner:
        """A runner of its own, over other clients where a test has some."""
        sqs, dynamodb = sqs or self.clients.sqs, dynamodb or self.clients.dynamodb
        made = Tools(
            sqs=sqs,
            leases=ReplayLeases(dynamodb, self.settings.replays_table, LEASE),
            selections=Selections(self.clients.s3, BUCKET),
            recorder=Recorder(dynamodb, self.settings, self.clock.sleep),
            message=replay_message(self.settings),
            max_replays=self.settings.config.replay.max_replays,
            clock=self.clock,
            monotonic=self.clock,
            sleep=self.clock.sleep,
        )
        return Runner(
            sqs,
            ReplayStore(dynamodb, self.settings.replays_table),
            replace(made, **tools),
            QueueLeases(dynamodb, self.settings.replays_table),
            self.investigation,
            self.jobs,
            self.audit,
            self.settings,
            fresh_logger(),
        )

    def run(self, replay: Replay, **changes: Any) -> Ran:
        """One run, with all the time there is."""
        return self.runner(**changes).run(replay.replay_id, self.clock.now + 100_000)

    def take(self, url: str) -> list[dict[str, Any]]:
        """Takes all messages of a queue."""
        found: list[dict[str, Any]] = []
        while batch := self.clients.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        ).get("Messages"):
            found += batch
            done: list[Any] = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(batch)]
            self.clients.sqs.delete_message_batch(QueueUrl=url, Entries=done)
        return found

    def sent(self) -> list[dict[str, Any]]:
        """Bodies of the event queue's messages."""
        return [json.loads(message["Body"]) for message in self.take(self.settings.event_queue_url)]

    def stored(self, one: EventRecord) -> EventRecord:
        answer = self.clients.dynamodb.get_item(TableName=EVENTS_TABLE, Key=event_key(one))
        return record_of(answer["Item"])

    def counts(self, records: Sequence[EventRecord]) -> list[int]:
        """How often each event was sent again, as the index has it."""
        found: dict[str, int] = {}
        keys: list[Any] = [event_key(one) for one in records]
        for n in range(0, len(keys), 100):
            answer = self.clients.dynamodb.batch_get_item(RequestItems={EVENTS_TABLE: {"Keys": keys[n : n + 100]}})
            stored = map(record_of, answer["Responses"][EVENTS_TABLE])
            found |= {one.event_id: one.replay_count for one in stored}
        return [found[one.event_id] for one in records]

    def trace(self, one: EventRecord) -> list[TraceStep]:
        answer = self.clients.dynamodb.query(
            TableName=EVENTS_TABLE,
            KeyConditionExpression=f"{ENTITY_ID} = :key",
            ExpressionAttributeValues={":key": {"S": f"{TRACE}{one.event_id}"}},
        )
        return [step_of(item) for item in answer["Items"]]

    def traced(self) -> Counter[str]:
        """How many steps each event's trace has, of all there are."""
        pages = self.clients.dynamodb.get_paginator("scan").paginate(TableName=EVENTS_TABLE)
        keys = [item[ENTITY_ID]["S"] for page in pages for item in page["Items"]]
        return Counter(key.removeprefix(TRACE) for key in keys if key.startswith(TRACE))

    def results(self, replay: Replay) -> list[ReplayResult]:
        found: list[ReplayResult] = []
        token = None
        while True:
            page, token = self.replays.results(replay.replay_id, token, 300)
            found += page
            if token is None:
                return found

    def letter(self, one: EventRecord | None = None, body: str = "") -> str:
        """Puts a message into the dead-letter queue of events; returns its id."""
        text = body
        if one is not None:
            text = EventMessage(one.event_id, one.raw_key, one.sha256, one.correlation_id).as_text()
        url = self.settings.event_dead_letter_queue_url
        return str(self.clients.sqs.send_message(QueueUrl=url, MessageBody=text)["MessageId"])

    def depth(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages"]
        found = self.clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
        return int(found[names[0]])


def make_world(clients: Clients, limits: ReplayLimits) -> World:
    """An empty world in moto's running mock, whatever was there before."""
    clock = Clock()
    for service in ("dynamodb", "sqs", "s3", "cloudwatch"):
        get_backend(service)[DEFAULT_ACCOUNT_ID]["aws" if service == "s3" else "us-east-1"].reset()
    clients.s3.create_bucket(Bucket=BUCKET)
    create_event_tables(clients.dynamodb)
    urls = create_event_queues(clients.sqs)
    for name in ("log-processor-queue", "log-processor-dlq", "alert-consumer-queue", "alert-consumer-dlq"):
        clients.sqs.create_queue(QueueName=name)
    settings = Settings(
        bucket=BUCKET,
        queue_url=clients.sqs.get_queue_url(QueueName="log-processor-queue")["QueueUrl"],
        dead_letter_queue_url=clients.sqs.get_queue_url(QueueName="log-processor-dlq")["QueueUrl"],
        alert_queue_url=clients.sqs.get_queue_url(QueueName="alert-consumer-queue")["QueueUrl"],
        alert_dead_letter_queue_url=clients.sqs.get_queue_url(QueueName="alert-consumer-dlq")["QueueUrl"],
        config=Config(replay=limits, events=Events(shards=1)),
        **urls,
    )
    investigation = Investigation(clients.dynamodb, clients.s3, settings, clock)
    audit = AuditLog(clients.dynamodb, settings, clock)
    replays = ReplayService(clients.dynamodb, clients.sqs, clients.s3, investigation, audit, settings, clock)
    letters = DeadLetters(
        clients.sqs, clients.cloudwatch, clients.dynamodb, investigation, audit, replays, settings, clock
    )
    jobs = JobReader(clients.dynamodb, settings, clock)
    return World(clients, settings, clock, investigation, audit, replays, letters, jobs)
