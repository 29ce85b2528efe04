"""How fresh a dataset is: open time of its calendar since the last success, against its SLA. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from backend.contract.jobs import DatasetState, DatasetStatus, JobRun
from backend.contract.verdict import duration
from backend.jobs.calendars import OpenTime
from backend.settings_jobs import DatasetConfig

REWRITE_SECONDS: Final = 300.0
"""A status that says nothing new is written again after so long."""


def status_of(
    dataset: str,
    config: DatasetConfig | None,
    runs: Sequence[JobRun],
    before: DatasetStatus | None,
    now: float,
    environment: str,
) -> DatasetStatus:
    """The dataset at ``now``, from its runs and from what was known ``before``; its volume is as before.

    Without configuration it has no SLA, so nobody knows whether it is late: unknown.
    """
    known = before or DatasetStatus(dataset, "unknown", now)
    # By the shared clock, and never later than it was first seen: a worker whose clock is ahead keeps nothing fresh.
    ended = {run: min(run.settled_at, now) for run in runs if run.status == "SUCCESS" and run.settled_at is not None}
    last = max(ended, key=lambda run: ended[run], default=None)
    if last is not None and (known.last_success_at is None or ended[last] >= known.last_success_at):
        known = replace(
            known,
            last_success_at=known.last_success_at if last.run_id == known.last_run_id else ended[last],
            last_run_id=last.run_id,
            job_name=last.job_name,
            records=last.records,
            synthetic=last.synthetic,
        )
    known = replace(known, checked_at=now, environment=environment)
    if config is None:
        return replace(known, state="unknown", sla_minutes=None, due_at=None, calendar="", freshness_minutes=None)
    return _judged(known, config, now)


def _judged(known: DatasetStatus, config: DatasetConfig, now: float) -> DatasetStatus:
    calendar, sla = OpenTime(config.calendar), 60 * config.sla_minutes
    known = replace(known, sla_minutes=config.sla_minutes, calendar=calendar.words())
    if known.last_success_at is None:
        return replace(known, state="unknown", freshness_minutes=None, due_at=None)
    age = calendar.seconds(known.last_success_at, now)
    state: DatasetState = "late" if age > sla else "fresh"
    due = calendar.after(known.last_success_at, sla)
    return replace(known, state=state, freshness_minutes=round(age / 60, 2), due_at=due)


def says_more(status: DatasetStatus, before: DatasetStatus | None) -> bool:
    """Whether a status is to be written: it changed, or the last one is five minutes old."""
    if before is None or status.checked_at - before.checked_at >= REWRITE_SECONDS:
        return True
    same = replace(status, checked_at=before.checked_at, freshness_minutes=before.freshness_minutes)
    return same != before


def late_sentence(status: DatasetStatus) -> str:
    """Why a dataset is late."""
    age, sla = (duration(60 * (minutes or 0.0)) for minutes in (status.freshness_minutes, status.sla_minutes))
    expected = f" of expected time ({status.calendar})" if status.calendar else ""
    return f"{status.dataset} was last loaded {age}{expected} ago; its SLA is {sla}"


def volume_sentence(status: DatasetStatus) -> str:
    """What is odd about a dataset's volume; "" where nothing is."""
    found = status.volume
    if found is None:
        return ""
    word = "fewer" if found.records < found.expected else "more"
    return (
        f"{status.dataset} got {found.records:,} records in an hour, {word} than the {found.low:,.0f} to "
        f"{found.high:,.0f} of the same hour in {found.weeks} weeks before"
    )
