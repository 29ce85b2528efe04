"""What ``pulseboard.toml`` says of jobs and datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Remediation:
    """Retries without a person: off where ``max_attempts`` is 0. Attempts are all runs of a batch, the first too.

    The n-th retry waits ``backoff_minutes`` x 2^(n-1). ``quiet_hours`` (``22:00-06:00``) is when nothing is started.
    """

    max_attempts: int = 0
    backoff_minutes: float = 10.0
    quiet_hours: str = ""


@dataclass(frozen=True, slots=True)
class JobConfig:
    """One job. ``schedule`` is cron (five fields) or ``every 15 minutes``; without one it can't be missed.

    ``limit_minutes`` is how long a run may take (not a stream's), ``none_succeeded`` how many may start without one
    success within ``none_succeeded_minutes``. ``retry_queue`` is the URL of the queue its workers take retries from, by
    default the stack's own.
    """

    type: Literal["batch", "streaming"] = "batch"
    dataset: str = ""
    schedule: str = ""
    time_zone: str = "UTC"
    grace_minutes: float = 10.0
    limit_minutes: float = 60.0
    none_succeeded: int = 5
    none_succeeded_minutes: float = 60.0
    retry_queue: str = ""
    remediation: Remediation = field(default_factory=Remediation)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When data is expected. ``days`` are mon to sun, ``hours`` is ``06:00-22:00`` in ``time_zone``; ``holidays`` are
    dates (``2026-12-25``) on which none is."""

    days: list[str] = field(default_factory=lambda: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
    hours: str = "00:00-24:00"
    time_zone: str = "UTC"
    holidays: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DatasetConfig:
    """One dataset. Freshness beyond ``sla_minutes`` of expected time is late.

    An hour's volume is compared with the same hour of ``volume_weeks`` earlier weeks; ``volume_tolerance`` is the
    least share (0.5: half) by which it must differ to count.
    """

    sla_minutes: float = 60.0
    calendar: Calendar = field(default_factory=Calendar)
    volume_weeks: int = 4
    volume_tolerance: float = 0.5
