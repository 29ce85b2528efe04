"""What a job's policy asks for again, and what it waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from backend.contract.jobs import BatchPlan, BatchState
from backend.jobs.remediation import decide, wait_seconds
from backend.settings_jobs import JobConfig, Remediation

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=ZoneInfo(BERLIN)).timestamp()
JOB = JobConfig(time_zone=BERLIN, remediation=Remediation(3, 10.0, "22:00-06:00"))
FAILED = BatchState("2026-05", "failed", 1, updated_at=NOW - 601)


def due(*batches: BatchState, job: JobConfig = JOB, now: float = NOW, **asked: float) -> tuple[str, ...]:
    return decide(job, BatchPlan("load", batches), now, {name.replace("_", "-"): at for name, at in asked.items()})


def test_a_policy_is_off_unless_it_is_configured() -> None:
    assert due(FAILED, job=JobConfig()) == ()


def test_a_failed_batch_is_asked_for_after_its_back_off() -> None:
    assert due(FAILED) == ("2026-05",)
    assert due(replace(FAILED, updated_at=NOW - 599)) == ()


def test_the_back_off_doubles_and_ends_at_a_day() -> None:
    assert [wait_seconds(JOB, attempts) for attempts in (1, 2, 3, 500)] == [600, 1200, 2400, 86_400]
    assert due(replace(FAILED, attempts=2)) == ()
    assert due(replace(FAILED, attempts=2, updated_at=NOW - 1201)) == ("2026-05",)


def test_attempts_are_counted_with_the_first() -> None:
    assert due(replace(FAILED, attempts=2, updated_at=0.0)) == ("2026-05",)
    assert due(replace(FAILED, attempts=3, updated_at=0.0)) == ()


def test_nothing_is_started_in_quiet_hours() -> None:
    night = datetime(2026, 11, 21, 23, 30, tzinfo=ZoneInfo(BERLIN)).timestamp()
    assert due(FAILED, now=night) == ()
    assert due(FAILED, now=datetime(2026, 11, 22, 6, 0, tzinfo=ZoneInfo(BERLIN)).timestamp()) == ("2026-05",)


def test_the_back_off_counts_from_when_a_batch_was_asked_for() -> None:
    assert due(FAILED, **{"2026_05": NOW - 599}) == ()
    assert due(FAILED, **{"2026_05": NOW - 600}) == ("2026-05",), "what was asked for may not have been sent"


def test_what_runs_succeeded_or_was_never_tried_is_left_alone() -> None:
    others = (BatchState("a", "running", 1), BatchState("b", "succeeded", 1), BatchState("c", "pending"))
    assert due(*others) == ()


def test_what_a_dead_worker_left_is_asked_for() -> None:
    assert due(replace(FAILED, status="pending")) == ("2026-05",)


def test_many_batches_are_asked_for_a_part_at_a_time() -> None:
    many = tuple(replace(FAILED, batch=str(number)) for number in range(250))
    assert due(*many) == tuple(str(number) for number in range(100))
    assert due(*many, **dict.fromkeys(map(str, range(100)), NOW)) == tuple(str(number) for number in range(100, 200))
