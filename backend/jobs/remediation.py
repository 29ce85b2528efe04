"""Which batches a job's policy asks for again, and when. Off unless configured. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from backend.contract.jobs import BatchPlan, BatchState
from backend.jobs.calendars import parse_hours, parse_zone
from backend.settings_jobs import JobConfig

MOST_AT_ONCE: Final = 100
"""Batches that a policy asks for in one go, in the order of the plan; the next ones follow a minute later."""
LONGEST_WAIT_SECONDS: Final = 86_400.0
"""Back-off doubles up to a day."""


def decide(job: JobConfig, plan: BatchPlan, now: float, asked: Mapping[str, float]) -> tuple[str, ...]:
    """The batches whose time has come: tried and failed (or left by a dead worker), fewer than ``max_attempts`` runs
    so far, the back-off over, no quiet hours.

    ``asked`` is when batches were last asked for (epoch s): the back-off counts from there too, as what was asked for
    may not have been sent. Batches that were never tried are nobody's failure and left alone.
    """
    if job.remediation.max_attempts == 0 or in_quiet_hours(job, now):
        return ()
    due = [state.batch for state in tried(plan.batches) if _is_due(job, state, now, asked.get(state.batch, 0.0))]
    return tuple(due[:MOST_AT_ONCE])


def tried(batches: Sequence[BatchState]) -> list[BatchState]:
    """Batches that were run, did not succeed and are not running."""
    return [state for state in batches if state.status in ("failed", "pending") and state.attempts > 0]


def in_quiet_hours(job: JobConfig, now: float) -> bool:
    """Whether the policy starts nothing now; the hours are those of the job's time zone."""
    if not job.remediation.quiet_hours:
        return False
    hours = parse_hours(job.remediation.quiet_hours, "remediation.quiet_hours")
    local = datetime.fromtimestamp(now, parse_zone(job.time_zone, "time_zone"))
    return hours.contains(60 * local.hour + local.minute)


def wait_seconds(job: JobConfig, attempts: int) -> float:
    """The back-off after so many attempts: doubled with each one."""
    return min(60 * job.remediation.backoff_minutes * 2.0 ** min(attempts - 1, 40), LONGEST_WAIT_SECONDS)


def _is_due(job: JobConfig, state: BatchState, now: float, asked_at: float) -> bool:
    if state.attempts >= job.remediation.max_attempts:
        return False
    since = max(asked_at, now if state.updated_at is None else state.updated_at)
    return now >= since + wait_seconds(job, state.attempts)
