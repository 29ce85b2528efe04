"""Who may run a batch: pure decisions over its item.

A batch is held by the run in its item, until ``lease_until``. The holder moves that on with each heartbeat; every take
counts the fence up, and who holds an older one can't write any more.

Workers' clocks differ, so a lease's end is written and judged by DynamoDB's time (``ServerClock``), with an allowance
for its whole seconds. Where no answer tells the time it is each worker's own, and a worker whose clock is ahead could
take too early. It is held up all the same where the holder is alive: a take is conditional on fence and ``beats`` as
they were read, so a heartbeat in between makes it look again. Whoever is overtaken in spite of all that is fenced off:
two may work for a moment, but only one's end is recorded. That is as good as any lease gets, so a batch's own writes
should be repeatable, or carry ``run.fence``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from backend.contract.events import utc_text
from backend.contract.job_items import LEASE_ALLOWANCE_SECONDS, MAX_BATCH_ERROR, Batch
from backend.contract.jobs import LEASE_SECONDS, JobRun
from backend.jobs.errors import BatchBusy, BatchDone

LOST_TYPE: Final = "WorkerLost"
"""Error type of a run whose worker was gone when another one took its batch."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found before a start: the batch's item, and whether the last run failed (None: not known)."""

    batch: Batch | None = None
    failed: bool | None = False


@dataclass(frozen=True, slots=True)
class Take:
    """A lease about to be taken. ``dead`` is the run key of the run whose worker is gone."""

    run: JobRun
    batch: Batch
    seen: Batch | None
    dead: str = ""


def take(run: JobRun, seen: Batch | None, now: float, *, again: bool) -> Take:
    """The lease that ``run`` takes at ``now`` (shared time) where its batch stands as ``seen``.

    Raises BatchBusy where another run has it, BatchDone where it succeeded and is not to be run ``again``.
    """
    what = f"batch {run.batch!r} of job {run.job_name!r}"
    if seen is None:
        return Take(held(replace(run, attempt=1, fence=1), now), _batch(run, 1, 1, now), None)
    if seen.held(now):
        free = utc_text(seen.lease_until + LEASE_ALLOWANCE_SECONDS)
        raise BatchBusy(
            f"{what} is being run by {seen.worker or seen.run_id} (attempt {seen.attempts}); it is free at the end of "
            f"that run, or at {free} where no more is heard of it",
            seen.lease_until,
        )
    if seen.status == "succeeded" and not again:
        when = utc_text(seen.updated_at)
        raise BatchDone(f"{what} succeeded at {when} (run {seen.run_id}); pass again=True to run it once more")
    attempt, fence = seen.attempts + 1, seen.fence + 1
    dead = seen.run_key if seen.status == "running" else ""
    return Take(held(replace(run, attempt=attempt, fence=fence), now), _batch(run, attempt, fence, now), seen, dead)


def held(run: JobRun, now: float) -> JobRun:
    """The run with a heartbeat at ``now``."""
    return replace(run, heartbeat_at=now)


def lease_until(now: float) -> float:
    """When a lease taken or renewed at ``now`` ends."""
    return round(now + LEASE_SECONDS, 3)


def without_lease(run: JobRun, seen: Batch | None) -> Batch | None:
    """The batch's item after the end of a run that had no lease; None where it says nothing about the batch.

    What another run holds or has done is its business. A run that was told to start although nobody could look may
    find its own lease there, taken by an answer that came too late.
    """
    ended = run.started_at if run.settled_at is None else run.settled_at
    if seen is None:
        return _ended(_batch(run, 1, 1, ended), run)
    if seen.run_id == run.run_id:
        return _ended(seen, run) if seen.status == "running" else None
    if seen.status != "failed":
        return None
    return _ended(_batch(run, seen.attempts + 1, seen.fence + 1, ended), run)


def ended_status(run: JobRun) -> Literal["succeeded", "failed"]:
    """What a batch is after its run."""
    return "succeeded" if run.status == "SUCCESS" else "failed"


def _batch(run: JobRun, attempts: int, fence: int, now: float) -> Batch:
    return Batch(
        job_name=run.job_name,
        batch=run.batch,
        status="running",
        attempts=attempts,
        fence=fence,
        run_id=run.run_id,
        run_key=run.run_key,
        worker=run.worker,
        lease_until=lease_until(now),
        beats=0,
        updated_at=now,
    )


def _ended(batch: Batch, run: JobRun) -> Batch:
    return replace(
        batch,
        status=ended_status(run),
        lease_until=0.0,
        updated_at=batch.updated_at if run.settled_at is None else run.settled_at,
        error=run.error[:MAX_BATCH_ERROR],
        error_type=run.error_type,
    )
