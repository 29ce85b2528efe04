"""Old events go with their gates and traces; what is new, and what ever arrived, stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from backend.contract.event_items import event_item, trace_item
from backend.contract.events import EventRecord, TraceStep, utc_text
from backend.contract.tables import EVENT_ID, KNOWN
from backend.events.aggregate_store import OLD_VERSION_SECONDS, WINDOW, version_item
from backend.events.aggregates import Version
from backend.local.prune import KEPT_SECONDS, prune, queues_of_the_demo
from backend.settings import Settings, load_settings
from tests.template_resources import create_event_queues, create_event_tables

NOW = 1_795_000_000.0
OLD, NEW = NOW - KEPT_SECONDS - 1, NOW - KEPT_SECONDS + 1
RECORD = EventRecord(
    event_id="", entity_id="ORD-1", event_type="order_placed", source="shop-web", status="processed", occurred_at=OLD,
    received_at=OLD, correlation_id="c", raw_key="events/x.json", sha256="0" * 64, size=1,
)  # fmt: skip


@pytest.fixture
def settings() -> Iterator[Settings]:
    with mock_aws():
        create_event_tables(boto3.client("dynamodb", "us-east-1"))
        urls = create_event_queues(boto3.client("sqs", "us-east-1"))
        yield replace(load_settings({"REGION": "us-east-1"}), **urls)


def stored(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = dynamodb.scan(TableName=table)["Items"]
    return items


def test_old_events_go_with_their_gates_and_traces(settings: Settings) -> None:
    dynamodb = boto3.client("dynamodb", "us-east-1")
    for number in range(60):
        event_id, at = f"{number:064x}", NEW if number % 3 == 0 else OLD
        record = replace(RECORD, event_id=event_id, received_at=at)
        dynamodb.put_item(TableName=settings.events_table, Item=event_item(record, int(NOW), 1))
        step = TraceStep(at, "failed", event_id, "why")
        dynamodb.put_item(TableName=settings.events_table, Item=trace_item(step, 1, int(NOW)))
        gate = {EVENT_ID: {"S": event_id}, "received_at": {"S": utc_text(at)}}
        dynamodb.put_item(TableName=settings.gate_table, Item=gate)
    dynamodb.put_item(TableName=settings.gate_table, Item={EVENT_ID: {"S": KNOWN}, "types": {"SS": ["order_placed"]}})
    assert prune(dynamodb, settings, NOW) == 3 * 40
    assert {item["received_key"]["S"][:23] for item in stored(dynamodb, settings.events_table)} == {utc_text(NEW)[:23]}
    assert len(stored(dynamodb, settings.events_table)) == 2 * 20
    gates = {item[EVENT_ID]["S"] for item in stored(dynamodb, settings.gate_table)}
    assert gates == {KNOWN} | {f"{number:064x}" for number in range(0, 60, 3)}
    assert prune(dynamodb, settings, NOW) == 0


def test_superseded_versions_of_aggregates_go_and_the_latest_stay(settings: Settings) -> None:
    dynamodb = boto3.client("dynamodb", "us-east-1")
    days = 86400 * 90
    for window, updated, expires in (
        ("old", OLD, OLD + OLD_VERSION_SECONDS),
        ("new", NEW, NEW + OLD_VERSION_SECONDS),
        ("latest", OLD, OLD + days),
    ):
        version = version_item(window, Version(1, 1, "hash", (), {}), int(expires), updated)
        dynamodb.put_item(TableName=settings.aggregates_table, Item=version)
    assert prune(dynamodb, settings, NOW) == 1
    assert {item[WINDOW]["S"] for item in stored(dynamodb, settings.aggregates_table)} == {"new", "latest"}


def test_dead_letters_go_when_their_events_do_and_messages_of_a_replaced_function_come_back_soon(
    settings: Settings,
) -> None:
    sqs = boto3.client("sqs", "us-east-1")
    queues_of_the_demo(sqs, settings)

    def attribute(url: str, name: Any) -> str:
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]

    assert attribute(settings.event_dead_letter_queue_url, "MessageRetentionPeriod") == str(KEPT_SECONDS)
    assert attribute(settings.event_queue_url, "VisibilityTimeout") == "60"
