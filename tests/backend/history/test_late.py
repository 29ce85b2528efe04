"""Late objects: recorded by the processor as they come, read by the day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from backend.contract.tables import METRICS_TABLE
from backend.history.days import day_start
from backend.history.late import late_objects
from backend.history.ledger import Recorded
from backend.processor.items import CLOSED_DAY_SECONDS, closed_day_item
from tests.template_resources import create_tables

DAY = date(2026, 11, 3)
NOW = day_start(DAY) + 2 * 86_400


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        create_tables(client, ("MetricsTable",))
        yield client


def put(dynamodb: Any, key: str, day: date = DAY, now: int = NOW) -> None:
    dynamodb.put_item(TableName=METRICS_TABLE, Item=closed_day_item(key, day_start(day), now))


def test_a_second_delivery_overwrites_and_other_days_are_not_read(dynamodb: Any) -> None:
    put(dynamodb, "a")
    put(dynamodb, "a", now=NOW + 60)
    put(dynamodb, "b", DAY + timedelta(days=1))
    found = late_objects(dynamodb, METRICS_TABLE, DAY, DAY, NOW)
    assert found.recorded == (Recorded(DAY, "a", NOW + 60),)
    assert found.unread_from is None


def test_what_expired_is_not_read(dynamodb: Any) -> None:
    put(dynamodb, "a")
    assert late_objects(dynamodb, METRICS_TABLE, DAY, DAY, NOW + CLOSED_DAY_SECONDS).recorded == ()


def test_a_look_is_bounded_and_says_from_where_it_is_cut(dynamodb: Any) -> None:
    for number in range(3):
        put(dynamodb, f"key-{number}", DAY + timedelta(days=number))
    found = late_objects(dynamodb, METRICS_TABLE, DAY, DAY + timedelta(days=9), NOW, most=2)
    assert [one.key for one in found.recorded] == ["key-0", "key-1"]
    assert found.unread_from == DAY + timedelta(days=1)
    assert late_objects(dynamodb, METRICS_TABLE, DAY, DAY + timedelta(days=9), NOW, most=4).unread_from is None
