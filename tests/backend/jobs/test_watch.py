"""Jobs that need somebody: hung, lost, missed, many starts without a success."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backend.contract.jobs import JobRun, JobStatus, Watch
from backend.jobs.memory import Memory, Seen, newest_of, recovered, remember
from backend.jobs.watch import watches
from backend.settings_jobs import JobConfig

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def run(ago: float, status: JobStatus = "STARTED", name: str = "load", **fields: object) -> JobRun:
    """A run that started so many seconds ago; one that goes on has just had a heartbeat."""
    started = NOW - ago
    ended = None if status == "STARTED" else started + 30.0
    made = JobRun(name, f"{ago:g}", status, started, heartbeat_at=NOW - 5 if ended is None else ended, ended_at=ended)
    return replace(made, **fields)  # type: ignore[arg-type]


def seen(runs: list[JobRun], now: float = NOW, memory: Memory | None = None, **config: JobConfig) -> list[Watch]:
    after = remember(memory or Memory(), config, runs, now)
    return watches(config, runs, now, after.jobs)


def states(found: list[Watch]) -> list[tuple[str, str]]:
    return [(watch.job_name, watch.state) for watch in found]


# ----------------------------------------------------------------------------------------- hung, lost
def test_a_run_that_never_ends_hangs_once_it_is_past_its_limit() -> None:
    assert seen([run(HOUR)]) == []
    (watch,) = seen([run(HOUR + 1, batch="2026-05")])
    assert (watch.state, watch.since, watch.batch) == ("hung", NOW - 1, "2026-05")
    assert watch.sentence == "load 2026-05 has been running for 60 min; its limit is 60 min"
    assert states(seen([run(8 * DAY)])) == [("load", "hung")]


def test_the_limit_is_the_runs_own_then_the_jobs() -> None:
    config = {"load": JobConfig(limit_minutes=5)}
    assert states(seen([run(301)], **config)) == [("load", "hung")]
    assert seen([run(301, limit_seconds=600.0)], **config) == []
    assert states(seen([run(61, limit_seconds=60.0)])) == [("load", "hung")]


def test_a_stream_may_run_for_ever_unless_it_says_otherwise() -> None:
    assert seen([run(30 * DAY, type="streaming")]) == []
    assert states(seen([run(30 * DAY, type="streaming", limit_seconds=60.0)])) == [("load", "hung")]


def test_a_run_without_a_heartbeat_has_lost_its_worker() -> None:
    (watch,) = seen([run(2 * HOUR, heartbeat_at=NOW - 90, worker="host-3:41")])
    assert (watch.state, watch.since) == ("lost", NOW - 30)
    assert watch.sentence == "load has had no heartbeat for 90 s: its worker on host-3:41 is lost"
    assert seen([run(10 * MINUTE, heartbeat_at=NOW - 60)]) == []


def test_a_run_that_never_had_heartbeats_can_only_hang() -> None:
    assert seen([run(10 * MINUTE, heartbeat_at=None)]) == []
    assert states(seen([run(2 * HOUR, heartbeat_at=None)])) == [("load", "hung")]


def test_a_lost_run_is_over_when_another_has_taken_up_its_batch() -> None:
    lost = run(20 * MINUTE, heartbeat_at=NOW - 900, batch="a")
    assert seen([lost, run(60.0, batch="a")]) == []
    assert states(seen([lost, run(60.0, batch="b")])) == [("load", "lost")]


# --------------------------------------------------------------------------------------------- missed
NIGHTLY = JobConfig(schedule="0 2 * * *")


def at(hour: int, minute: int = 0, day: int = 21) -> float:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp()


def memory(**fields: object) -> Memory:
    return Memory(jobs={"load": Seen(**{"first_seen": at(0, day=18), "schedule": NIGHTLY.schedule, **fields})})  # type: ignore[arg-type]


def test_a_job_that_did_not_start_is_missed_until_it_starts() -> None:
    before = memory(last_started=at(2, day=20))
    assert seen([], at(2, 10), before, load=NIGHTLY) == []
    (watch,) = seen([], at(2, 11), before, load=NIGHTLY)
    assert (watch.state, watch.since) == ("missed", at(2))
    assert watch.sentence == "load was due at 2026-11-21 02:00 UTC and has not started; its schedule is 0 2 * * * (UTC)"
    late = replace(run(0), started_at=at(9))
    assert seen([late], at(9, 1), before, load=NIGHTLY) == []


def test_a_job_missed_for_days_says_how_often() -> None:
    (watch,) = seen([], NOW, memory(last_started=at(2, day=18)), load=NIGHTLY)
    assert watch.since == at(2, day=19)
    assert "nor at 2 later times" in watch.sentence


def test_a_new_job_is_not_missed_before_its_first_due_time() -> None:
    assert seen([], NOW, load=NIGHTLY) == []
    first = remember(Memory(), {"load": NIGHTLY}, [], NOW)
    assert seen([], at(1, day=22), first, load=NIGHTLY) == []
    assert states(seen([], at(2, 11, day=22), first, load=NIGHTLY)) == [("load", "missed")]


def test_another_schedule_counts_from_when_it_was_first_seen() -> None:
    earlier = JobConfig(schedule="0 11 * * *")
    assert seen([], NOW, memory(last_started=at(2)), load=earlier) == []
    tomorrow = remember(memory(last_started=at(2)), {"load": earlier}, [], NOW)
    assert states(seen([], at(11, 11, day=22), tomorrow, load=earlier)) == [("load", "missed")]


def test_an_interval_is_missed_so_long_after_the_last_start() -> None:
    often = JobConfig(schedule="every 15 minutes", grace_minutes=5)
    before = Memory(jobs={"load": Seen(NOW - DAY, often.schedule, NOW - 20 * MINUTE)})
    assert seen([], NOW, before, load=often) == []
    (watch,) = seen([], NOW + 1, before, load=often)
    assert watch.since == NOW - 5 * MINUTE


# ------------------------------------------------------------------------------------- none succeeded
def test_a_hundred_started_and_none_succeeded_is_seen_at_once() -> None:
    runs = [run(60.0 + n, "FAILED", run_id=str(n), ended_at=NOW - 30) for n in range(97)]
    runs += [run(50.0, run_id=f"r{n}") for n in range(3)]
    (watch,) = seen(newest_of(runs))
    assert (watch.state, watch.since) == ("none_succeeded", NOW)
    assert watch.sentence == "load: 100 started since 2026-11-21 11:57 UTC, 0 succeeded (97 failed, 3 running)"


def test_many_that_have_just_started_are_no_failure_yet() -> None:
    running = [run(59 * MINUTE, run_id=str(n), limit_seconds=DAY) for n in range(20)]
    assert seen(running) == []
    assert states(seen([replace(entry, started_at=NOW - HOUR) for entry in running])) == [("load", "none_succeeded")]


def test_one_success_is_enough() -> None:
    failed = [run(1800.0, "FAILED", run_id=str(n)) for n in range(20)]
    assert seen([*failed, run(600.0, "SUCCESS")]) == []
    assert seen(failed, memory=Memory(jobs={"load": Seen(0.0, last_success=NOW - 1000)})) == []


@pytest.mark.parametrize("failures", [4, 5])
def test_so_many_must_have_failed(failures: int) -> None:
    found = seen([run(600.0, "FAILED", run_id=str(n)) for n in range(failures)])
    assert states(found) == ([("load", "none_succeeded")] if failures == 5 else [])


def test_a_stream_that_runs_does_well_and_one_that_keeps_failing_does_not() -> None:
    streams = [run(61 * MINUTE, run_id=str(n), type="streaming") for n in range(5)]
    assert seen(streams) == []
    young = [replace(entry, started_at=NOW - 600) for entry in streams]
    assert seen(young) == []
    failed = [replace(entry, status="FAILED", ended_at=NOW - 60, run_id=f"f{entry.run_id}") for entry in young]
    (watch,) = seen([*failed, *young])
    assert watch.sentence.endswith("0 succeeded (5 failed)")
    assert seen([*failed, streams[0]]) == []


def test_it_lasts_until_a_run_succeeds_though_nothing_starts_any_more() -> None:
    before = Memory(jobs={"load": Seen(NOW - DAY, none_since=NOW - 4 * HOUR)})
    (watch,) = seen([], memory=before)
    assert (watch.since, watch.sentence) == (NOW - 4 * HOUR, "load: no run has succeeded since 2026-11-21 08:00 UTC")
    assert seen([run(600.0, "SUCCESS")], memory=before) == []
    earlier = Memory(jobs={"load": Seen(NOW - DAY, last_success=NOW - 5 * HOUR, none_since=NOW - 4 * HOUR)})
    assert states(seen([], memory=earlier)) == [("load", "none_succeeded")]


# --------------------------------------------------------------------------------------------- memory
def test_a_memory_is_what_its_json_says() -> None:
    kept = remember(Memory(asked={"load": {"a": 2.0}}, history_at=5.0), {"load": NIGHTLY}, [run(60.0, "SUCCESS")], NOW)
    assert Memory.of({"memory": kept.as_json()}) == kept
    assert Memory.of({}) == Memory()


def test_a_job_that_is_gone_is_forgotten_and_a_configured_one_is_not() -> None:
    kept = remember(Memory(jobs={"old": Seen(0.0), "load": Seen(0.0)}), {"load": JobConfig()}, [], NOW)
    assert set(kept.jobs) == {"load"}


def test_a_run_read_twice_counts_as_it_ended() -> None:
    started = run(60.0)
    (kept,) = newest_of([started, replace(started, status="FAILED", ended_at=NOW), started])
    assert kept.status == "FAILED"


def test_a_failure_is_over_once_its_batch_succeeded() -> None:
    failed = run(600.0, "FAILED", batch="a")
    failing, succeeded = recovered(Memory(), [failed, run(500.0, "SUCCESS", batch="b")])
    assert (failing, succeeded) == ({"load/a": failed.ended_at}, {})
    after = run(60.0, "SUCCESS", batch="a")
    failing, succeeded = recovered(Memory(failing=failing), [failed, after])
    assert (failing, succeeded) == ({}, {"load/a": after.ended_at})
    assert recovered(Memory(failing=failing), [failed, after]) == ({}, {})
