"""The check of datasets on moto: what it tells, keeps and writes down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.checks.handler import Checks
from backend.contract.checks import CheckResult
from backend.contract.job_items import run_item
from backend.contract.jobs import DatasetStatus, JobRun, JobStatus
from backend.jobs.history import status_key
from backend.settings import Config, Settings
from backend.settings_jobs import DatasetConfig
from tests.backend.checks.checks_world import Desk, desk

HOUR, WEEK = 3600.0, 7 * 86_400.0


@pytest.fixture
def room() -> Iterator[Desk]:
    with desk(Settings(config=Config(datasets={"orders": DatasetConfig(sla_minutes=60)}))) as made:
        yield made


def put(room: Desk, at: float, status: JobStatus = "SUCCESS", dataset: str = "orders", **fields: Any) -> None:
    ended = None if status == "STARTED" else fields.pop("ended_at", at + 60)
    beat = ended or room.now
    run = JobRun("load", f"{at:.0f}", status, at, dataset=dataset, ended_at=ended, heartbeat_at=beat, records=100)
    item = run_item(replace(run, **fields))
    room.world.clients.dynamodb.put_item(TableName=room.world.settings.job_runs_table, Item=item)


def look(room: Desk, later: float = 0.0) -> CheckResult:
    room.set(room.now + later)
    room.told.sent.clear()
    return Checks(room.world)("datasets")


def status(room: Desk, name: str = "orders") -> DatasetStatus:
    return {found.dataset: found for found in room.world.jobs.datasets()}[name]


def told(room: Desk) -> list[tuple[str, str, str]]:
    return [(signal["kind"], signal["subject"], signal["state"]) for signal in room.told.sent]


def test_a_dataset_turns_late_and_fresh_again(room: Desk) -> None:
    put(room, room.now - 1800)
    assert look(room).status == "passed"
    assert (status(room).state, status(room).records, status(room).volume_note[:18]) == (
        "fresh",
        100,
        "not enough history",
    )
    result = look(room, HOUR)
    assert (result.status, result.value) == ("failed", 1.0)
    assert told(room) == [("dataset_late", "orders", "firing")]
    assert room.told.sent[0]["page"] == "/jobs?dataset=orders"
    put(room, room.now - 90)
    look(room, 60.0)
    assert (told(room), status(room).state) == ([("dataset_late", "orders", "resolved")], "fresh")


def test_a_long_run_counts_when_it_ends_however_long_ago_it_began(room: Desk) -> None:
    began = room.now - 600
    put(room, began, "STARTED")
    look(room)
    assert status(room).state == "unknown"
    for _ in range(2):
        look(room, 3 * HOUR)
    put(room, began, ended_at=room.now)
    look(room, 60.0)
    assert (status(room).state, status(room).last_success_at) == ("fresh", room.now - 60)


def test_what_nobody_configured_is_shown_and_is_unknown(room: Desk) -> None:
    put(room, room.now - 600, dataset="other")
    result = look(room)
    assert (status(room, "other").state, status(room, "other").records) == ("unknown", 100)
    assert result.status == "unknown"
    assert result.sentence == "No dataset has an SLA and was ever loaded, 2 unknown"


def test_an_hour_that_lost_its_records_is_told_until_the_next_one_is_right(room: Desk) -> None:
    hour = room.now // HOUR * HOUR
    for week in range(6):
        put(room, hour - week * WEEK + 60, records=1000)
        put(room, hour - week * WEEK - HOUR + 60, records=1000 if week else 10)
    look(room, hour + 1000 - room.now)
    assert told(room) == [("dataset_volume", "orders", "firing")]
    assert room.told.sent[0]["severity"] == "MEDIUM"
    found = status(room).volume
    assert found is not None
    assert (found.hour, found.records, found.expected) == (hour - HOUR, 10, 1000.0)
    look(room, 60.0)
    assert told(room) == [("dataset_volume", "orders", "firing")]
    look(room, HOUR)
    assert ("dataset_volume", "orders", "resolved") in told(room)


def test_a_quarter_of_an_hour_has_one_object_of_lines(room: Desk) -> None:
    put(room, room.now - 1800)
    look(room)
    look(room, 60.0)
    key = status_key(room.now)
    body = room.world.clients.s3.get_object(Bucket=room.world.settings.bucket, Key=key)["Body"].read()
    (line,) = [json.loads(text) for text in body.splitlines()]
    assert (line["dataset"], line["state"], line["sla_minutes"], line["volume_hour"]) == ("orders", "fresh", 60, None)
    assert key.startswith("monitoring/dataset_status/year=2026/month=11/day=")
