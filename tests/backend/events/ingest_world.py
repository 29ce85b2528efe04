"""What the ingest writes to, on moto, with a clock that stands still and a place to break every call."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Any

import pytest
from moto import mock_aws

from backend.aws import Clients
from backend.contract.bucket import buckets
from backend.contract.events import Event
from backend.contract.rollup import gather
from backend.contract.tables import KNOWN, LIVE, METRIC_TYPE_INDEX, partition
from backend.events.delivery import Delivery, delivery_of
from backend.events.ingest import Ingest
from backend.settings import Config, Settings
from tests.loggers import fresh_logger
from tests.metrics_table import create_table
from tests.template_resources import ALERT_TABLES, JOB_TABLES, create_event_queues, create_event_tables, create_tables

NOW = 1_795_259_223.25
BUCKET = "infra-monitoring-pipeline-data"
SERVICES = ("s3", "dynamodb", "sqs", "sns")


class Killed(BaseException):
    """The process ends here; nothing of it catches that."""


def ignore(_: str) -> None:
    """What is done before a call that nobody watches."""


class Watched:
    """Clients whose every call is announced first, and made one after the other.

    moto reads and writes without a lock, which AWS does not. A process makes two of them: clients take longer to make
    than most tests to run.
    """

    def __init__(self, turn: Lock) -> None:
        self.before: Callable[[str], None] = ignore
        self.clients = Clients("us-east-1", attempts=1)
        self._turn = turn
        for service in SERVICES:
            events = getattr(self.clients, service).meta.events
            events.register("before-call", self._announce)
            events.register_last("before-call", self._begin)
            events.register_last("after-call", self._end)
            events.register_last("after-call-error", self._end)

    def _announce(self, model: Any, **_: Any) -> None:
        self.before(f"{model.service_model.service_name}.{model.name}")

    def _begin(self, **_: Any) -> None:
        self._turn.acquire()

    def _end(self, **_: Any) -> None:
        self._turn.release()


@cache
def _watched() -> tuple[Watched, Watched]:
    """Clients that nobody watches, and those that a test does."""
    turn = Lock()
    return Watched(turn), Watched(turn)


@dataclass
class World:
    """Tables, bucket and queue of one test. ``slept`` is what the ingest waited."""

    settings: Settings
    now: float = NOW
    log: io.StringIO = field(default_factory=io.StringIO)
    slept: list[float] = field(default_factory=list)

    def clients(self, before: Callable[[str], None] | None = None) -> Clients:
        """Clients; ``before`` is called with each call's name, such as ``dynamodb.PutItem``."""
        plain, watched = _watched()
        if before is None:
            return plain.clients
        watched.before = before
        return watched.clients

    def ingest(self, before: Callable[[str], None] | None = None) -> Ingest:
        """An ingest of a container of its own, as after a restart."""
        logger = fresh_logger(self.log)
        return Ingest(self.settings, self.clients(before), logger, clock=lambda: self.now, sleep=self.slept.append)

    def delivery(self, **headers: str) -> Delivery:
        """A request that arrives now."""
        return delivery_of({"headers": headers, "requestContext": {"requestId": f"request-{self.now}"}}, self.now)

    def gates(self) -> list[dict[str, Any]]:
        """The gates, without the item of what is known."""
        items: list[Any] = self.clients().dynamodb.scan(TableName=self.settings.gate_table)["Items"]
        return [item for item in items if item["event_id"]["S"] != KNOWN]

    def known(self) -> dict[str, Any]:
        """The types and sources that arrived."""
        key = {"event_id": {"S": KNOWN}}
        item = self.clients().dynamodb.get_item(TableName=self.settings.gate_table, Key=key).get("Item", {})
        return {name: set(value["SS"]) for name, value in item.items() if "SS" in value}

    def index(self) -> list[dict[str, Any]]:
        """The events' items."""
        items: list[Any] = self.clients().dynamodb.scan(TableName=self.settings.events_table)["Items"]
        return items

    def objects(self) -> dict[str, bytes]:
        """The raw objects by key."""
        s3 = self.clients().s3
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="events/").get("Contents", [])
        return {entry["Key"]: s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in listed}

    def messages(self) -> list[dict[str, Any]]:
        """Takes the messages of the event queue, with their attributes."""
        sqs, url, found = self.clients().sqs, self.settings.event_queue_url, list[dict[str, Any]]()
        wanted: Any = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **wanted).get("Messages"):
            found += batch  # type: ignore[arg-type]
        return found

    def sent(self) -> list[str]:
        """The event ids of the messages of the event queue, sorted."""
        return sorted(json.loads(message["Body"])["event_id"] for message in self.messages())

    def measured(self, metric_type: str) -> dict[str, float | None]:
        """By source: what a counter grew by, the highest value of a gauge."""
        answer = self.clients().dynamodb.query(
            TableName=self.settings.table,
            IndexName=METRIC_TYPE_INDEX,
            KeyConditionExpression="metric_type = :key",
            ExpressionAttributeValues={":key": {"S": partition(metric_type, LIVE, "production")}},
        )
        samples = gather((int(row["timestamp"]["N"]), row["data"]["S"]) for row in answer["Items"])
        metric, sums = self.settings.catalogue[metric_type], dict[str, float | None]()
        for merged in buckets(metric, samples, 0, 2**33).values() if samples else ():
            for source, stats in merged.groups.items():
                if metric.kind == "counter":
                    sums[source] = (sums.get(source) or 0) + (stats.increase or 0)
                else:
                    sums[source] = max(sums.get(source) or 0, stats.high)
        return sums

    def logged(self) -> list[dict[str, Any]]:
        """The log's lines."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def event(**changes: Any) -> Event:
    """An order placed five seconds ago."""
    values: dict[str, Any] = {
        "source": "shop-web",
        "event_type": "order_placed",
        "entity_id": "order-1",
        "occurred_at": NOW - 5,
        "payload": {"order_id": "order-1", "amount": 12.5, "customer_id": "c-7"},
    }
    return Event(**(values | changes))


@contextmanager
def running_world() -> Iterator[World]:
    """Everything the ingest needs, empty."""
    variables = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "test")
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        clients = _watched()[0].clients
        clients.s3.create_bucket(Bucket=BUCKET)
        create_event_tables(clients.dynamodb)
        create_tables(clients.dynamodb, ALERT_TABLES + JOB_TABLES)
        create_table(clients.dynamodb)
        names = {"alerts_topic_arn": "pipeline-alerts", "warnings_topic_arn": "pipeline-warnings"}
        topics = {field: clients.sns.create_topic(Name=name)["TopicArn"] for field, name in names.items()}
        yield World(Settings(bucket=BUCKET, config=Config(), **create_event_queues(clients.sqs), **topics))


@pytest.fixture
def world() -> Iterator[World]:
    """A world of one test's own."""
    with running_world() as made:
        yield made
