"""What is asked of Athena for a question: nothing of days that hold nothing, and all its statements at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from typing import Any

import boto3
import pyarrow as pa
import pytest
from moto import mock_aws

from backend.contract.history import Cost, HistoryError, HistoryQuestion, MetricWanted
from backend.contract.tables import METRICS_PREFIX
from backend.history.athena import Result
from backend.history.days import MOST_NAMED, day_path, day_start
from backend.history.ledger import DayEntry, Ledger
from backend.history.reading import HistoryReader, Places
from backend.history.statements import Statement
from backend.processor.items import closed_day_item
from backend.settings import Settings
from tests.metrics_table import create_table

SETTINGS = Settings(bucket="past")
FIRST = date(2026, 11, 10)


class Runner:
    """Answers each statement by its name; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Statement] = []
        self.errors: dict[str, HistoryError] = {}

    def run(self, asked: Statement, stop: threading.Event | None = None, *, reuse: bool = True) -> Result:
        self.asked.append(asked)
        if asked.name in self.errors:
            raise self.errors[asked.name]
        if self.errors:
            assert stop is not None
            stop.wait()
            raise HistoryError("cancelled", "Cancelled")
        return Result(pa.table({"metric_type": pa.array([], pa.string())}), Cost(1, 20, 0.00005, 1.0), "q")


class World:
    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3", region_name=SETTINGS.region)
        self.s3.create_bucket(Bucket=SETTINGS.bucket)
        self.dynamodb = dynamodb = boto3.client("dynamodb", region_name=SETTINGS.region)
        create_table(dynamodb)
        self.runner = Runner()
        self.places = Places(self.s3, dynamodb, SETTINGS, lambda: day_start(date(2026, 11, 21)))
        self.reader = HistoryReader(self.runner, self.places, SETTINGS)

    def put(self, day: date) -> None:
        self.s3.put_object(Bucket=SETTINGS.bucket, Key=f"{METRICS_PREFIX}{day_path(day)}metrics-1.json", Body=b"{}")

    def compacted(self, *days: date, generation: int = 0) -> None:
        ledger = Ledger(self.s3, SETTINGS.bucket)
        ledger.change(lambda index: {**index, **dict.fromkeys(days, DayEntry("parquet", generation))})


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield World()


def asked(first: date, last: date, *metrics: str) -> HistoryQuestion:
    wanted = tuple(MetricWanted(metric) for metric in metrics or ("cpu_utilization",))
    return HistoryQuestion("production", wanted, day_start(first), day_start(last) + 86400, 3600)


def test_an_empty_account_is_asked_nothing(world: World) -> None:
    plan = world.reader.plan(asked(date(2026, 8, 1), date(2026, 11, 1)))
    answer = world.reader.answer(plan, threading.Event())

    assert (plan.statements, plan.settled, answer.buckets, answer.cost.statements) == ({}, True, {}, 0)
    assert world.runner.asked == []


def test_days_before_the_first_object_are_not_read(world: World) -> None:
    world.put(FIRST)

    assert not world.reader.plan(asked(date(2026, 10, 1), date(2026, 11, 9))).statements
    (made,) = world.reader.plan(asked(date(2026, 10, 1), date(2026, 11, 12))).statements.values()
    assert "month = 11 AND day BETWEEN 10 AND 12" in made.sql
    assert "month = 10" not in made.sql


def test_compacted_days_are_read_as_parquet_and_settle_the_answer(world: World) -> None:
    world.put(date(2026, 11, 12))
    world.compacted(FIRST, date(2026, 11, 11))

    settled = world.reader.plan(asked(FIRST, date(2026, 11, 11)))
    (made,) = settled.statements.values()
    assert "metrics_parquet" in made.sql
    assert "infra_monitoring_db.metrics " not in made.sql
    assert settled.settled
    assert not world.reader.plan(asked(FIRST, date(2026, 11, 12))).settled


def test_the_same_question_is_another_one_once_the_ledger_says_so(world: World) -> None:
    world.put(FIRST)
    world.compacted(FIRST)
    before = world.reader.plan(asked(FIRST, FIRST)).key
    assert world.reader.plan(asked(FIRST, FIRST)).key == before

    world.compacted(FIRST, generation=1)
    world.places.forget()
    assert world.reader.plan(asked(FIRST, FIRST)).key != before


def test_a_day_with_more_late_objects_than_are_named_is_not_settled(world: World) -> None:
    world.compacted(FIRST)
    now = day_start(date(2026, 11, 20))
    for number in range(MOST_NAMED + 1):
        key = f"{METRICS_PREFIX}{day_path(FIRST)}late-{number}.json"
        item = closed_day_item(key, day_start(FIRST), now)
        world.dynamodb.put_item(TableName=SETTINGS.table, Item=item)
        assert world.reader.plan(asked(FIRST, FIRST)).settled is (number < MOST_NAMED)


def test_one_statement_a_kind_however_many_metrics(world: World) -> None:
    world.put(FIRST)
    metrics = ("cpu_utilization", "memory_usage", "records_in", "records_out", "latency_ms")
    answer = world.reader.answer(world.reader.plan(asked(FIRST, FIRST, *metrics)), threading.Event())

    assert sorted(one.name for one in world.runner.asked) == ["counters", "gauges", "histograms"]
    assert (answer.cost.statements, answer.cost.scanned_bytes) == (3, 60)
    (counters,) = [one for one in world.runner.asked if one.name == "counters"]
    assert counters.values["reach"] == day_start(FIRST) - 2700, "the first growth needs the sample before it"


def test_the_first_failure_ends_the_others_and_is_what_is_said(world: World) -> None:
    world.put(FIRST)
    world.runner.errors["counters"] = HistoryError("limit", "The query would scan more than the workgroup allows")
    plan = world.reader.plan(asked(FIRST, FIRST, "cpu_utilization", "records_in"))

    with pytest.raises(HistoryError, match="more than the workgroup allows"):
        world.reader.answer(plan, threading.Event())


def test_a_bucket_that_can_not_be_read_is_said(world: World) -> None:
    elsewhere = Places(world.s3, world.s3, Settings(bucket="none"), lambda: 0.0)

    with pytest.raises(HistoryError, match="can't be read") as caught:
        elsewhere.place(FIRST, FIRST)

    assert caught.value.transient
