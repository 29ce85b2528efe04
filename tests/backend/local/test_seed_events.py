"""The hour of orders is taken in by the ingest's own code, as of the times at which it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from moto import mock_aws

from backend.aws import Clients
from backend.contract.event_items import record_of
from backend.contract.events import utc_text
from backend.events import ingest
from backend.local.orders import Sending, Shop
from backend.local.seed_events import ONE_OF, SPAN_SECONDS, seed_events
from backend.settings import Settings, load_settings
from tests.metrics_table import create_table
from tests.template_resources import create_event_queues, create_event_tables

NOW = 1_795_000_000.0


class SmallShop(Shop):
    """A shop with few orders, the last of them sent twice."""

    def history(self, begin: float, end: float, every: int) -> list[Sending]:
        assert (begin, end) == (NOW - SPAN_SECONDS, NOW)
        few = super().history(begin, end, every * 20)
        return [*few, Sending(few[-1].at + 1, few[-1].event)]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    # moto copies its tables for a transaction while other threads write to them.
    monkeypatch.setattr(ingest, "WORKERS", 1)
    with mock_aws():
        create_table(boto3.client("dynamodb", "us-east-1"))
        create_event_tables(boto3.client("dynamodb", "us-east-1"))
        urls = create_event_queues(boto3.client("sqs", "us-east-1"))
        found = replace(load_settings({"REGION": "us-east-1"}), **urls)
        boto3.client("s3", "us-east-1").create_bucket(Bucket=found.bucket)
        yield found


def test_each_event_is_there_once_at_its_own_time_and_waits_for_the_processor(settings: Settings) -> None:
    shop = SmallShop(seed=7, started=NOW)
    sent = shop.history(NOW - SPAN_SECONDS, NOW, ONE_OF)
    done = seed_events(settings, Clients("us-east-1"), shop, NOW)
    assert (done.stored, done.refused) == (len({str(sending.event) for sending in sent}), 0)
    assert done.stored + done.duplicates == len(sent)
    assert done.duplicates >= 1
    items = boto3.client("dynamodb", "us-east-1").scan(TableName=settings.events_table)["Items"]
    records = [record_of(item) for item in items]
    assert len(records) == done.stored
    # A minute is taken together, when the last of its events was sent.
    assert {utc_text(record.received_at) for record in records} <= {utc_text(sending.at) for sending in sent}
    assert min(record.received_at for record in records) < NOW - SPAN_SECONDS / 2
    waiting = boto3.client("sqs", "us-east-1").get_queue_attributes(
        QueueUrl=settings.event_queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert int(waiting["Attributes"]["ApproximateNumberOfMessages"]) == done.stored
