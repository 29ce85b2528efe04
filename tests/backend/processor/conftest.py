"""A small AWS for the processor's tests: moto's tables, buckets, queues and topics, and a clock that stands still."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from moto import mock_aws

from backend.aws import Clients
from backend.contract.catalogue import Catalogue, load_catalogue
from backend.contract.records import make_sample
from backend.contract.tables import METRICS_TABLE
from backend.processor.core import ObjectPart, Processed, process
from backend.processor.handler import Processor
from backend.processor.store import MetricsStore
from backend.settings import Config, Limits, Retention, Settings
from tests.loggers import fresh_logger
from tests.metrics_table import create_table

NOW = 1_795_259_220.0
BUCKET = "infra-monitoring-pipeline-data"
DATA = Path(__file__).parents[2] / "data"


def line(**changes: Any) -> dict[str, Any]:
    """One sample as a collector writes it, changed as a test needs; None removes a field."""
    sample = make_sample(
        **{
            "timestamp": NOW - 10,
            "metric_type": "cpu_utilization",
            "value": 41.5,
            "hostname": "server-001",
            "unit": "%",
        }
        | {k: v for k, v in changes.items() if k in ("timestamp", "metric_type", "value", "hostname", "labels")}
        | {k: v for k, v in changes.items() if k in ("environment", "observations", "region", "unit")}
    ).as_json()
    return {k: v for k, v in (sample | changes).items() if v is not None}


def lines(records: Iterable[dict[str, Any]]) -> bytes:
    """A JSON Lines object."""
    return b"".join(orjson.dumps(record) + b"\n" for record in records)


@dataclass
class Clock:
    """A clock that tests set."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


class Context:
    """The part of Lambda's context that the handler reads."""

    aws_request_id = "request-1"

    def __init__(self, remaining_seconds: Iterable[float] = ()) -> None:
        self._remaining = iter(remaining_seconds)

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * next(self._remaining, 110.0))


@dataclass
class World:
    """Everything the function talks to."""

    clients: Clients
    settings: Settings
    store: MetricsStore
    processor: Processor
    clock: Clock
    log: list[str]
    slept: list[float] = field(default_factory=list)

    def put(self, key: str, body: bytes, **metadata: str) -> dict[str, Any]:
        """Puts an object; returns the event that announces it."""
        self.clients.s3.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata=metadata)
        return self.event(key)

    def event(self, *keys: str) -> dict[str, Any]:
        """The event of AWS's documentation, for these keys: one message each."""
        event: dict[str, Any] = json.loads((DATA / "aws-events" / "s3SqsEvent.json").read_text())
        (template,) = event["Records"]
        event["Records"] = []
        for number, key in enumerate(keys):
            body = json.loads(template["body"])
            body["Records"][0]["s3"]["bucket"]["name"] = BUCKET
            body["Records"][0]["s3"]["object"]["key"] = key
            event["Records"].append({**template, "messageId": f"message-{number}", "body": json.dumps(body)})
        return event

    def handle(self, event: dict[str, Any], context: Context | None = None) -> list[str]:
        """Handles an event; returns the ids of the messages to be delivered again."""
        answer = self.processor(event, context or Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def items(self) -> list[dict[str, Any]]:
        """Every item of the table."""
        pages = self.clients.dynamodb.get_paginator("scan").paginate(TableName=METRICS_TABLE)
        return [item for page in pages for item in page["Items"]]

    def raw(self) -> list[dict[str, Any]]:
        """The raw items: one per sample."""
        return [item for item in self.items() if "value" in item]

    def quarantined(self) -> list[dict[str, Any]]:
        """Every quarantined line."""
        listed = self.clients.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/").get("Contents", [])
        bodies = [self.clients.s3.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in listed]
        return [json.loads(text) for body in bodies for text in body.splitlines()]

    def messages(self, url: str) -> list[dict[str, Any]]:
        """Takes all messages of a queue."""
        found: list[dict[str, Any]] = []
        while batch := self.clients.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += batch
            for message in batch:
                self.clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def alerts(self, kind: str) -> list[dict[str, Any]]:
        """What was published to the ``alerts`` or ``warnings`` topic."""
        url = self.clients.sqs.get_queue_url(QueueName=f"{kind}-inbox")["QueueUrl"]
        return [json.loads(json.loads(message["Body"])["Message"]) for message in self.messages(url)]

    def logged(self) -> list[dict[str, Any]]:
        """The log's lines."""
        return [json.loads(text) for text in self.log]


class Lines(logging.Handler):
    """Keeps formatted lines."""

    def __init__(self, kept: list[str], formatter: logging.Formatter | None) -> None:
        super().__init__()
        self._kept = kept
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(self.format(record))


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def run(catalogue: Catalogue) -> Callable[..., Processed]:
    """Processes a body with the default limits, at NOW."""

    def processed(body: bytes, key: str = "metrics/a.json", now: float = NOW, **part: Any) -> Processed:
        source = ObjectPart(key, modified=now, **part)
        return process(body, source, now=now, catalogue=catalogue, limits=Limits(), retention=Retention())

    return processed


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def world(aws: None, catalogue: Catalogue, request: pytest.FixtureRequest) -> World:
    """A bucket, the queues, the topics with an inbox each, the table and the processor between them."""
    limits: Limits = getattr(request, "param", Limits())
    clients = Clients("us-east-1")
    clients.s3.create_bucket(Bucket=BUCKET)
    create_table(clients.dynamodb)
    queue = clients.sqs.create_queue(QueueName="metrics")["QueueUrl"]
    dead = clients.sqs.create_queue(QueueName="log-processor-dlq")["QueueUrl"]
    topics = {}
    for kind in ("alerts", "warnings"):
        topics[kind] = clients.sns.create_topic(Name=f"pipeline-{kind}")["TopicArn"]
        inbox = clients.sqs.create_queue(QueueName=f"{kind}-inbox")["QueueUrl"]
        arn = clients.sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        clients.sns.subscribe(TopicArn=topics[kind], Protocol="sqs", Endpoint=arn)
    settings = Settings(
        bucket=BUCKET,
        queue_url=queue,
        dead_letter_queue_url=dead,
        alerts_topic_arn=topics["alerts"],
        warnings_topic_arn=topics["warnings"],
        config=Config(limits=limits),
        catalogue=catalogue,
    )
    clock, kept, slept = Clock(), list[str](), list[float]()
    dynamodb = Clients("us-east-1", attempts=1).dynamodb
    store = MetricsStore(dynamodb, METRICS_TABLE, clock=clock, sleep=slept.append, jitter=lambda: 0.0)
    logger = fresh_logger()
    underlying = logging.getLogger(logger.service)
    underlying.handlers = [Lines(kept, logger.registered_formatter)]
    return World(clients, settings, store, Processor(settings, clients, store, logger, clock), clock, kept, slept)


@pytest.fixture
def samples() -> Callable[..., dict[str, Any]]:
    return line


@pytest.fixture
def body() -> Callable[[Iterable[dict[str, Any]]], bytes]:
    return lines


@pytest.fixture
def context() -> type[Context]:
    return Context


@pytest.fixture
def table_in() -> Callable[..., None]:
    return create_table
