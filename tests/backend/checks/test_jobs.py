"""The check of jobs on moto: what it tells, remembers, asks for again and writes down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from backend.audit import AuditLog
from backend.checks.handler import Checks
from backend.contract.checks import CheckResult
from backend.contract.job_items import plan_items, run_item
from backend.contract.jobs import JobRun, JobStatus
from backend.jobs.history import RUN_DAYS, days_to_write, runs_key
from backend.jobs.retries import Retries
from backend.jobs.store import JobStore
from backend.replay.store import ReplayStore
from backend.settings import Config, Settings
from backend.settings_jobs import JobConfig, Remediation
from tests.backend.checks.checks_world import Desk, desk
from tests.backend.jobs.tracking import Wound

NIGHTLY = "nightly"
CONFIG = Config(
    jobs={
        NIGHTLY: JobConfig(schedule="0 2 * * *"),
        "backfill": JobConfig(remediation=Remediation(max_attempts=3, backoff_minutes=10)),
    }
)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@pytest.fixture
def room() -> Iterator[Desk]:
    with desk(Settings(config=CONFIG)) as made:
        topic = made.world.clients.sns.create_topic(Name="pipeline-alerts")["TopicArn"]
        queue = made.world.clients.sqs.create_queue(QueueName="heard")["QueueUrl"]
        arn = made.world.clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        made.world.clients.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
        settings = replace(made.world.settings, retry_queue_url="https://sqs/1/job-retries-queue")
        yield Desk(made.ingest, replace(made.world, settings=settings), made.told)


def put(room: Desk, ago: float, status: JobStatus = "STARTED", name: str = "load", **fields: Any) -> JobRun:
    started = room.now - ago
    ended = None if status == "STARTED" else started + 30
    run = JobRun(name, f"{ago:g}", status, started, heartbeat_at=room.now - 5, ended_at=ended)
    run = replace(run, **fields)
    room.world.clients.dynamodb.put_item(TableName=room.world.settings.job_runs_table, Item=run_item(run))
    return run


def look(room: Desk, later: float = 0.0) -> CheckResult:
    """What the function finds, so much later."""
    room.set(room.now + later)
    room.told.sent.clear()
    return Checks(room.world)("jobs")


def told(room: Desk) -> list[tuple[str, str, str]]:
    return [(signal["kind"], signal["subject"], signal["state"]) for signal in room.told.sent]


def heard(room: Desk) -> list[dict[str, Any]]:
    sqs = room.world.clients.sqs
    url = sqs.get_queue_url(QueueName="heard")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(json.loads(message["Body"])["Message"]) for message in found]


def lines(room: Desk, day: float) -> list[dict[str, Any]]:
    body = room.world.clients.s3.get_object(Bucket=room.world.settings.bucket, Key=runs_key(day))["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def test_what_hangs_and_was_missed_is_told_until_it_is_over(room: Desk) -> None:
    first = put(room, 2 * HOUR)
    result = look(room)
    assert (result.status, result.value, result.sentence) == ("failed", 1.0, "1 of 3 jobs need somebody")
    assert told(room) == [("job_hung", "load", "firing")]
    (finding,) = result.findings
    assert (finding.page, finding.details["run_key"], finding.details["state"]) == (
        "/jobs?job=load",
        first.run_key,
        "hung",
    )
    put(room, 2 * HOUR, "SUCCESS", run_id=first.run_id, ended_at=room.now)
    # A run's heartbeats and the schedule go on: by then the nightly run was due.
    result = look(room, 20 * HOUR)
    assert told(room) == [("job_missed", NIGHTLY, "firing"), ("job_hung", "load", "resolved")]
    put(room, 60.0, "SUCCESS", NIGHTLY)
    assert look(room, MINUTE).status == "passed"
    assert told(room) == [("job_missed", NIGHTLY, "resolved")]


def test_a_run_that_never_ends_is_told_as_long_as_it_is_there(room: Desk) -> None:
    put(room, 2 * HOUR, heartbeat_at=None)
    look(room)
    for later in (3 * DAY, MINUTE):
        look(room, later)
        assert ("job_hung", "load", "firing") in told(room)


def test_a_look_that_could_not_be_taken_forgets_nothing(room: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    look(room)
    with monkeypatch.context() as patch:
        patch.setattr(room.world.jobs, "started", refuse)
        assert look(room, MINUTE).status == "unknown"
    look(room, 20 * HOUR)
    assert told(room) == [("job_missed", NIGHTLY, "firing")]


def test_a_failure_that_is_over_is_resolved_once_though_its_job_could_not_say_so(room: Desk) -> None:
    put(room, 600.0, "FAILED", batch="2026-05")
    look(room)
    put(room, 60.0, "SUCCESS", batch="2026-05")
    look(room, MINUTE)
    look(room, MINUTE)
    (signal,) = heard(room)
    assert (signal["source"], signal["kind"], signal["subject"], signal["state"]) == (
        "jobs", "job_failed", "load/2026-05", "resolved",
    )  # fmt: skip


def test_the_policy_asks_once_an_attempt_and_is_in_the_audit_log(room: Desk) -> None:
    world = room.world
    died(room, "2026-05")
    for _ in range(3):
        look(room, 6 * MINUTE)
    (replay,) = ReplayStore(world.clients.dynamodb, world.settings.replays_table).recent(10, room.now)
    assert (replay.kind, replay.requested_by, replay.target) == ("retry", "policy: backfill", "job-retries-queue")
    assert replay.selection == {"job_name": "backfill", "batches": ["2026-05"]}
    audit = AuditLog(world.clients.dynamodb, world.settings, world.clock)
    (entry,) = audit.entries(room.now - HOUR, room.now + HOUR)
    assert (entry.action, entry.who) == ("job.retry", "policy: backfill")


def test_the_policy_asks_again_after_the_back_off_for_what_could_not_be_sent(room: Desk) -> None:
    store = ReplayStore(room.world.clients.dynamodb, room.world.settings.replays_table)
    died(room, "2026-05")
    look(room, 11 * MINUTE)
    (replay,) = store.recent(10, room.now)
    ended = {"status": {"S": "failed"}, "done": {"N": "1"}, "failed": {"N": "1"}}
    store.change(replay.replay_id, ended, "attribute_exists(replay_id)", {}, room.now)
    for later, asked in ((5 * MINUTE, 1), (6 * MINUTE, 2)):
        look(room, later)
        assert len(store.recent(10, room.now)) == asked


def test_the_policy_leaves_to_a_person_what_they_asked_for(room: Desk) -> None:
    world = room.world
    clients, audit = world.clients, AuditLog(world.clients.dynamodb, world.settings, world.clock)
    died(room, "2026-04", "2026-05")
    retries = Retries(clients.dynamodb, clients.sqs, clients.s3, world.jobs, audit, world.settings, world.clock)
    retries.retry("backfill", ["2026-05"], "ops@example.com", "the disk is larger now")
    for _ in range(2):
        look(room, 11 * MINUTE)
    found = ReplayStore(clients.dynamodb, world.settings.replays_table).recent(10, room.now)
    assert {replay.requested_by: replay.selection["batches"] for replay in found} == {
        "ops@example.com": ["2026-05"], "policy: backfill": ["2026-04"],
    }  # fmt: skip
    assert len(audit.entries(room.now - HOUR, room.now + HOUR)) == 2, "none was refused"


def died(room: Desk, *batches: str) -> None:
    """A plan of two months, of which these were tried and failed."""
    clients, table = room.world.clients, room.world.settings.job_runs_table
    store = JobStore(clients.dynamodb, table, Wound(room.now))
    for item in plan_items("backfill", ["2026-04", "2026-05"], room.now):
        clients.dynamodb.put_item(TableName=table, Item=item)
    for batch in batches:
        run, _ = store.take(JobRun("backfill", f"r-{batch}", "STARTED", room.now, batch=batch), again=False)
        store.end(replace(run, status="FAILED", ended_at=room.now, error="died"), note=False)


def test_the_history_holds_each_run_of_a_day_once_as_it_ended(room: Desk) -> None:
    old = put(room, 3 * DAY, name="old")
    fresh = put(room, 600.0)
    look(room)
    assert [line["status"] for line in lines(room, fresh.started_at)] == ["STARTED"]
    assert [line["status"] for line in lines(room, old.started_at)] == ["STARTED"]
    put(room, 600.0, "SUCCESS", ended_at=room.now, records=7)
    put(room, 3 * DAY, "FAILED", name="old", ended_at=room.now)
    look(room, 15 * MINUTE)
    (line,) = lines(room, fresh.started_at)
    assert (line["status"], line["records"], line["job_name"]) == ("SUCCESS", 7, "load")
    assert [line["status"] for line in lines(room, old.started_at)] == ["FAILED"]


def test_every_earlier_day_of_the_history_is_written_again_in_turn() -> None:
    """Runs that a cut-off worker delivered whole, days later, are told by nothing else."""
    now = 1_795_266_000.0
    once = days_to_write({}, {}, now)
    assert [int(now // DAY - day // DAY) for day in once[1:]] == [1, 0]
    written = {day for look in range(RUN_DAYS) for day in days_to_write({}, {}, now + 900 * look)}
    assert {int(now // DAY - day // DAY) for day in written} >= set(range(RUN_DAYS))


def test_what_fails_besides_the_look_is_said_and_tried_again(room: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    run = put(room, 600.0)
    with monkeypatch.context() as patch:
        patch.setattr(room.world.clients.s3, "put_object", refuse)
        result = look(room)
    assert result.status == "passed"
    assert result.sentence.endswith("; could not write history: ClientError")
    look(room, MINUTE)
    assert len(lines(room, run.started_at)) == 1


def refuse(*_: Any, **__: Any) -> Any:
    raise ClientError({"Error": {"Code": "Throttled", "Message": "later"}}, "Any")
