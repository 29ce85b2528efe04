"""Checks what ``pulseboard.toml`` says of jobs and datasets, before anything relies on it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from backend.contract.errors import InvalidInput
from backend.contract.jobs import MAX_NAME
from backend.jobs.calendars import OpenTime, parse_hours, parse_zone
from backend.jobs.schedule import Schedule, parse_schedule
from backend.settings_jobs import DatasetConfig, JobConfig

LEAST_WEEKS: Final = 3
"""Of history, below which nothing can be said of an hour."""
MOST_WEEKS: Final = 12
"""Of history that an hour's volume is compared with: each one is a query a dataset."""


def check_config(jobs: Mapping[str, JobConfig], datasets: Mapping[str, DatasetConfig]) -> None:
    """Raises InvalidInput naming the first field that can't be used, such as ``datasets.orders.calendar.days[0]``."""
    for name, job in jobs.items():
        where = f"jobs.{name}"
        _check_name(name, where)
        parse_zone(job.time_zone, f"{where}.time_zone")
        schedule_of(job, where)
        if not 0 < job.limit_minutes < math.inf:
            raise InvalidInput(f"{where}.limit_minutes", job.limit_minutes, "must be a number of minutes above 0")
        _check_remediation(job, f"{where}.remediation")
    for name, dataset in datasets.items():
        where = f"datasets.{name}"
        _check_name(name, where)
        OpenTime(dataset.calendar, f"{where}.calendar")
        if not LEAST_WEEKS <= dataset.volume_weeks <= MOST_WEEKS:
            raise InvalidInput(
                f"{where}.volume_weeks", dataset.volume_weeks, f"must lie between {LEAST_WEEKS} and {MOST_WEEKS}"
            )


def schedule_of(job: JobConfig, where: str = "job") -> Schedule | None:
    """The job's schedule; None for a job without one. Raises InvalidInput."""
    return parse_schedule(job.schedule, job.time_zone, f"{where}.schedule") if job.schedule else None


def _check_name(name: str, where: str) -> None:
    if not name or name.startswith("@") or len(name) > MAX_NAME:
        raise InvalidInput(where, name, f"must be 1 to {MAX_NAME} characters and not begin with @")


def _check_remediation(job: JobConfig, where: str) -> None:
    policy = job.remediation
    if policy.max_attempts < 0:
        raise InvalidInput(f"{where}.max_attempts", policy.max_attempts, "must be 0 (off) or above")
    if policy.backoff_minutes <= 0:
        raise InvalidInput(f"{where}.backoff_minutes", policy.backoff_minutes, "must be above 0")
    if policy.quiet_hours:
        parse_hours(policy.quiet_hours, f"{where}.quiet_hours")
