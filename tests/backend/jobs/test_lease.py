"""Leases of batches: one worker at a time, a dead one's batch free again, a late one's writes refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from backend.contract.job_items import LEASE_ALLOWANCE_SECONDS
from backend.contract.jobs import LEASE_SECONDS
from backend.jobs.clock import ServerClock
from backend.jobs.errors import BatchBusy, BatchDone, LeaseLost
from backend.jobs.lease import Standing, without_lease
from backend.jobs.run import JobSpec, new_record
from backend.jobs.sdk import job
from backend.jobs.store import JobStore
from tests.backend.jobs.tracking import Tracking, Wound

PAST = {"N": "1"}


def test_a_batch_is_run_once_and_again_only_where_that_is_said(tracking: Tracking) -> None:
    with job("once", batch="2026-05", tracker=tracking.tracker) as run:
        assert (run.attempt, run.fence) == (1, 1)
    with (
        pytest.raises(BatchDone, match=r"2026-05.*succeeded at.*again=True"),
        job("once", batch="2026-05", tracker=tracking.tracker),
    ):
        pytest.fail("it ran again")
    with job("once", batch="2026-05", again=True, tracker=tracking.tracker) as run:
        assert (run.attempt, run.fence) == (2, 2)
    assert [found.attempt for found in tracking.runs("once")] == [1, 2]


def test_a_failed_batch_is_free_at_once_and_its_success_resolves_the_alert(tracking: Tracking) -> None:
    with pytest.raises(ValueError, match="x"), job("retried", batch="a", tracker=tracking.tracker):
        raise ValueError("x")
    with job("retried", batch="a", tracker=tracking.tracker) as run:
        assert run.attempt == 2
    assert [(alert["state"], alert["subject"]) for alert in tracking.alerts()] == [
        ("firing", "retried/a"), ("resolved", "retried/a"),
    ]  # fmt: skip


def test_the_second_worker_is_told_who_has_the_batch(tracking: Tracking) -> None:
    with job("busy", batch="a", tracker=tracking.tracker) as run:
        with pytest.raises(BatchBusy) as refused, job("busy", batch="a", tracker=tracking.other()):
            pytest.fail("two workers run one batch")
        assert run.record.worker in str(refused.value)
        assert refused.value.until == pytest.approx(run.record.started_at + LEASE_SECONDS, abs=10)
    assert len(tracking.runs("busy")) == 1


def test_a_dead_workers_batch_is_taken_over_and_its_run_is_marked(tracking: Tracking) -> None:
    dead = tracking.tracker.start(JobSpec("taken-over", batch="a"))
    tracking.change_batch("taken-over", "a", "SET lease_until = :past", past=PAST)
    with job("taken-over", batch="a", tracker=tracking.other()) as run:
        assert (run.attempt, run.fence) == (2, 2)
    marked, second = tracking.runs("taken-over")
    assert (marked.run_id, marked.status, marked.error_type) == (dead.run_id, "FAILED", "WorkerLost")
    assert marked.error == f"worker lost; taken over by {run.record.worker}"
    assert marked.ended_at is not None
    assert second.status == "SUCCESS"


def test_a_worker_that_wakes_up_late_writes_nothing_and_is_told(tracking: Tracking) -> None:
    def work() -> None:
        with job("woken", batch="a", tracker=tracking.tracker) as run:
            tracking.change_batch("woken", "a", "SET lease_until = :past", past=PAST)
            with job("woken", batch="a", tracker=tracking.other()):
                pass
            tracking.tracker._beat(run)
            assert run.lease_lost
            with pytest.raises(LeaseLost, match="stop here"):
                run.check()

    with pytest.raises(LeaseLost, match="taken over"):
        work()
    old, new = tracking.runs("woken")
    assert (old.status, old.error_type, new.status) == ("FAILED", "WorkerLost", "SUCCESS")
    assert new.attempt == 2
    plan = tracking.reader.plan("woken")
    assert plan is not None
    assert (plan.batches[0].status, plan.batches[0].run_id) == ("succeeded", new.run_id)
    assert [alert["state"] for alert in tracking.alerts()] == ["resolved"]


def test_the_jobs_own_exception_goes_before_the_lost_lease(tracking: Tracking) -> None:
    def work() -> None:
        with job("own", batch="a", tracker=tracking.tracker):
            tracking.change_batch("own", "a", "SET lease_until = :past", past=PAST)
            with job("own", batch="a", tracker=tracking.other()):
                pass
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        work()
    assert [run.status for run in tracking.runs("own")] == ["FAILED", "SUCCESS"]
    assert [alert["state"] for alert in tracking.alerts()] == ["resolved"]


def test_a_batch_says_by_the_shared_clock_when_it_ended(tracking: Tracking) -> None:
    slow = tracking.other(clock=lambda: 4000.0, server=Wound(5000.0))
    with job("settled", batch="a", tracker=slow):
        pass
    plan = tracking.reader.plan("settled")
    assert plan is not None
    assert plan.batches[0].updated_at == 5000.0
    unleased = without_lease(replace(tracking.run_of("settled"), fence=0), None)
    assert unleased is not None
    assert unleased.updated_at == 5000.0


def test_heartbeats_move_the_lease_on(tracking: Tracking) -> None:
    clock = Wound(1_795_266_000.0)
    store = JobStore(tracking.clients.dynamodb, tracking.settings.job_runs_table, clock)
    holder, _ = store.take(new_record(JobSpec("renewed", batch="a"), clock.at, "production"), again=False)
    clock.at += LEASE_SECONDS - 1
    store.beat(holder)
    clock.at += LEASE_SECONDS - 1
    with pytest.raises(BatchBusy) as refused:
        store.take(new_record(JobSpec("renewed", batch="a"), clock.at, "production"), again=False)
    assert refused.value.until == clock.at + 1


def test_without_a_heartbeat_it_is_free_when_lease_and_allowance_are_over(tracking: Tracking) -> None:
    tracking.other(server=Wound(1000.0)).start(JobSpec("expiring", batch="a"))
    over = 1000.0 + LEASE_SECONDS + LEASE_ALLOWANCE_SECONDS
    with pytest.raises(BatchBusy):
        tracking.other(server=Wound(over)).start(JobSpec("expiring", batch="a"))
    assert tracking.other(server=Wound(over + 0.1)).start(JobSpec("expiring", batch="a")).fence == 2


def test_workers_whose_clocks_are_a_day_apart_judge_a_lease_alike(tracking: Tracking) -> None:
    ahead, behind = (tracking.other(clock=lambda by=by: now() + by) for by in (86_400.0, -86_400.0))
    first = behind.start(JobSpec("skewed", batch="a"))
    with pytest.raises(BatchBusy):
        ahead.start(JobSpec("skewed", batch="a"))
    tracking.change_batch("skewed", "a", "SET lease_until = :past", past={"N": str(now() - 30)})
    second = ahead.start(JobSpec("skewed", batch="a"))
    with pytest.raises(BatchBusy):
        behind.start(JobSpec("skewed", batch="a"))
    behind.finish(first, None)
    ahead.finish(second, None)
    assert (first.lease_lost, second.lease_lost, second.fence) == (True, False, 2)


def now() -> float:
    return datetime.now(UTC).timestamp()


def test_a_heartbeat_between_the_look_and_the_take_keeps_the_batch(tracking: Tracking) -> None:
    clock = Wound(5000.0)
    store = JobStore(tracking.clients.dynamodb, tracking.settings.job_runs_table, clock)
    holder, _ = store.take(new_record(JobSpec("between", batch="a"), clock.at, "production"), again=False)
    clock.at += 2 * LEASE_SECONDS

    class Interrupted(JobStore):
        def standing(self, job_name: str, batch: str) -> Standing:
            found = super().standing(job_name, batch)
            store.beat(holder)
            return found

    other = Interrupted(tracking.clients.dynamodb, tracking.settings.job_runs_table, clock)
    with pytest.raises(BatchBusy):
        other.take(new_record(JobSpec("between", batch="a"), clock.at, "production"), again=False)
    assert store.beat(holder) == clock.at


def test_a_dead_workers_run_that_is_gone_keeps_nobody_from_its_batch(tracking: Tracking) -> None:
    dead = tracking.tracker.start(JobSpec("vanished", batch="a"))
    key = {"job_name": {"S": "vanished"}, "run_key": {"S": dead.record.run_key}}
    tracking.clients.dynamodb.delete_item(TableName=tracking.settings.job_runs_table, Key=key)
    tracking.change_batch("vanished", "a", "SET lease_until = :past", past=PAST)
    with job("vanished", batch="a", tracker=tracking.other()) as run:
        assert run.fence == 2
    # Only the fence can tell that the late end is not the batch's.
    tracking.tracker.finish(dead, None)
    assert dead.lease_lost
    assert [found.run_id for found in tracking.runs("vanished")] == [run.run_id]


def test_the_shared_clock_is_dynamodbs_and_goes_on_by_the_monotonic_one() -> None:
    ticks = [100.0]
    clock = ServerClock(lambda: 5.0, lambda: ticks[0])
    assert clock.now() == 5.0
    clock.heard(
        {"ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(datetime.fromtimestamp(9000, UTC), True)}}}
    )
    ticks[0] += 7.5
    assert clock.now() == 9007.5
    for odd in ({}, {"ResponseMetadata": {"HTTPHeaders": {"date": "yesterday"}}}):
        clock.heard(odd)
    assert clock.now() == 9007.5
