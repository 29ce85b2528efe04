"""The function ``history-compactor``: what it does in its time, and what it tells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from moto import mock_aws

from backend.alerts.publish import Publisher
from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.history.compaction import Compaction, QueryFailed
from backend.history.handler import ENOUGH_SECONDS, KIND, RESERVE_SECONDS, VIEW_SECONDS, Compactor
from backend.history.ledger import INDEX_KEY
from backend.settings import Settings
from tests.backend.history.lake import BUCKET, DAY, Lake, samples
from tests.loggers import fresh_logger
from tests.template_resources import create_tables

SETTINGS = Settings(bucket=BUCKET, alerts_topic_arn="alerts", warnings_topic_arn="warnings")


class Told:
    """Messages that were sent to SNS."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def publish(self, *, Message: str, **_: Any) -> None:  # noqa: N803 - boto3's name
        self.messages.append(orjson.loads(Message))

    def of(self, subject: str) -> list[str]:
        return [message["state"] for message in self.messages if message["subject"] == subject]


class World(SimpleNamespace):
    """``until`` are the deadlines of what runs statements, in the order it was made."""

    until: list[float]
    lake: Lake
    told: Told
    run: Compactor


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        lake, told, logger, dynamodb = Lake(), Told(), fresh_logger(), Clients("us-east-1").dynamodb
        create_tables(dynamodb, ("MetricsTable",))
        publisher = Publisher(told, SETTINGS, logger, "history-compactor", lambda: lake.now)  # type: ignore[arg-type]
        until: list[float] = []

        def athena(deadline: float) -> Lake:
            until.append(deadline)
            return lake

        run = Compactor(SETTINGS, lake.s3, dynamodb, publisher, logger, athena, lambda: lake.now)
        yield World(lake=lake, told=told, run=run, until=until)


def test_a_run_compacts_what_is_due_and_a_second_one_finds_nothing(world: World) -> None:
    for age in (0, 1):
        day = DAY - timedelta(days=age)
        world.lake.put("metrics-1", samples(["a"], day=day), day)
    assert world.run(900, "x") == {"due": 2, "left": 0, "removed": 0, "compacted": 2}
    assert world.run(900, "x") == {"due": 0, "left": 0, "removed": 0}
    assert world.told.messages == []


def test_a_failure_is_told_each_night_and_resolved_when_the_day_is_compacted(world: World) -> None:
    key = world.lake.put("metrics-1", samples(["a"]))

    def corrupt(sql: str) -> None:
        if sql.startswith("INSERT"):
            raise QueryFailed(f"HIVE_CURSOR_ERROR: s3://{BUCKET}/{key} is no JSON")

    world.lake.before = corrupt
    assert world.run(900, "x")["failed"] == 1
    (message,) = world.told.messages
    assert (message["kind"], message["severity"], message["subject"]) == (KIND, "HIGH", DAY.isoformat())
    assert key in message["details"]["problem"]
    world.lake.before = lambda _: None
    assert world.run(900, "x")["compacted"] == 1
    assert world.told.of(DAY.isoformat()) == ["firing", "resolved"]


def test_a_day_is_begun_only_with_enough_time_but_one_always_is(world: World) -> None:
    for age in range(3):
        day = DAY - timedelta(days=age)
        world.lake.put("metrics-1", samples(["a"], day=day), day)

    def slow(sql: str) -> None:
        world.lake.now += 60 * sql.startswith("INSERT")

    world.lake.before = slow
    assert world.run(ENOUGH_SECONDS + RESERVE_SECONDS + VIEW_SECONDS + 90, "x")["left"] == 1
    assert world.run(10, "x")["left"] == 0


def test_a_slow_day_ends_while_there_is_time_for_the_view(world: World) -> None:
    world.run(900, "x")
    days, view = world.until
    assert (days, view) == (
        world.lake.now + 900 - RESERVE_SECONDS - VIEW_SECONDS,
        world.lake.now + 900 - RESERVE_SECONDS,
    )


def test_each_run_ends_with_a_view_that_has_what_was_switched_in_it(world: World) -> None:
    world.lake.put("metrics-1", samples(["a"]))
    for generation in (0, 1):
        world.run(900, "x")
        statement = world.lake.statements[-1]
        assert statement.startswith("CREATE OR REPLACE VIEW infra_monitoring_db.samples AS\n")
        assert f"day = {DAY.day} AND generation = {generation})" in statement
        world.lake.put("metrics-2", samples(["b"]))
        world.lake.now += 86_400
    assert len(world.lake("SELECT * FROM infra_monitoring_db.samples")) == 4


def test_a_view_that_cannot_be_rewritten_is_told_and_nothing_is_removed_that_it_may_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compaction, "clean", lambda _: 1)

    def refused(sql: str) -> None:
        if sql.startswith("CREATE"):
            raise QueryFailed("Insufficient permissions")

    world.lake.before = refused
    world.lake.put("metrics-1", samples(["a"]))
    assert world.run(900, "x") == {"due": 1, "left": 0, "removed": 0, "compacted": 1}
    (message,) = world.told.messages
    assert (message["kind"], message["subject"]) == (KIND, "view")
    assert "Insufficient permissions" in message["details"]["problem"]
    world.lake.before = lambda _: None
    assert world.run(900, "x")["removed"] == 1


def test_a_ledger_that_cannot_be_read_stops_the_run_and_is_told(world: World) -> None:
    world.lake.put("metrics-1", samples(["a"]))
    world.lake.s3.put_object(Bucket=BUCKET, Key=INDEX_KEY, Body=b"{")
    with pytest.raises(InvalidInput, match="ledger"):
        world.run(900, "x")
    assert world.told.of("run") == ["firing"]
    assert len(world.lake.read_raw()) == 2
