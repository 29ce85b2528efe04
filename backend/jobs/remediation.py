"""Which batches a job's policy asks for again, and when. Off unless configured. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backend.contract.events import utc_text
from backend.contract.jobs import BatchPlan, BatchState
from backend.jobs.calendars import parse_hours, parse_zone
from backend.jobs.retry_plan import NOT_TAKEN_UP
from backend.settings_jobs import JobConfig

MOST_AT_ONCE: Final = 100
"""Batches that a policy asks for in one go, in the order of the plan; the next ones follow a minute later."""
LONGEST_WAIT_SECONDS: Final = 86_400.0
"""Back-off doubles up to a day."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy does now: ``batches`` to ask for. ``waiting`` says of others why not yet (batch to reason)."""

    batches: tuple[str, ...]
    waiting: Mapping[str, str]


def decide(job: JobConfig, plan: BatchPlan, now: float, asked: Mapping[str, int]) -> Decision:
    """The batches whose time has come: tried and failed (or left by a dead worker), fewer than ``max_attempts`` runs
    so far, the back-off over, no quiet hours.

    ``asked`` are batches asked for before, with the attempts they had: a batch is asked for once an attempt. Batches
    that were never tried are nobody's failure and left alone.
    """
    policy = job.remediation
    if policy.max_attempts == 0:
        return Decision((), {})
    quiet = in_quiet_hours(job, now)
    due: list[str] = []
    waiting: dict[str, str] = {}
    for state in tried(plan.batches):
        reason = _reason(job, state, now, asked)
        if not reason and quiet:
            reason = f"waits for the end of the quiet hours {policy.quiet_hours} ({job.time_zone})"
        if reason:
            waiting[state.batch] = reason
        else:
            due.append(state.batch)
    waiting |= dict.fromkeys(due[MOST_AT_ONCE:], "waits for those before it")
    return Decision(tuple(due[:MOST_AT_ONCE]), waiting)


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


def _reason(job: JobConfig, state: BatchState, now: float, asked: Mapping[str, int]) -> str:
    policy = job.remediation
    if state.attempts >= policy.max_attempts:
        return f"was tried {state.attempts} times; the policy allows {policy.max_attempts} attempts"
    if asked.get(state.batch) == state.attempts:
        return NOT_TAKEN_UP
    after = (now if state.updated_at is None else state.updated_at) + wait_seconds(job, state.attempts)
    return f"waits until {utc_text(after)}" if now < after else ""
