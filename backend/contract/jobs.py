"""Job runs, batches and datasets as data. No I/O. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from backend.contract.events import utc_text

JobStatus = Literal["STARTED", "SUCCESS", "FAILED"]
JOB_STATUSES: Final[tuple[JobStatus, ...]] = get_args(JobStatus)
JobType = Literal["batch", "streaming"]
JOB_TYPES: Final[tuple[JobType, ...]] = get_args(JobType)
BatchStatus = Literal["pending", "running", "succeeded", "failed"]
"""Pending also when its last worker is gone: the lease ran out, so anyone may take the batch."""
DatasetState = Literal["fresh", "late", "unknown"]
"""Unknown where nothing was ever loaded, or where the check did not run."""
WatchState = Literal["hung", "lost", "missed", "none_succeeded"]
"""Hung: past its limit. Lost: no heartbeat. Missed: not started when due. None succeeded: N started, none did."""

HEARTBEAT_SECONDS: Final = 15.0
LEASE_SECONDS: Final = 60.0
"""A batch is free again so long after its worker's last heartbeat."""
LOST_SECONDS: Final = 60.0
"""A run without a heartbeat for so long has lost its worker."""
RETRY_CONFIRM_ABOVE: Final = 100
"""A retry of more batches than this needs their number as confirmation: a batch is hours of work, not an event."""
MAX_NAME: Final = 200
MOST_BATCHES: Final = 10_000
"""Of one retry."""
MAX_ERROR_BYTES: Final = 16_384
"""Of an error's text, head and tail: the full text is in S3 (``error_key``)."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job. ``batch`` names the part of the work it does (``2026-05``), "" where the job has none.

    ``attempt`` counts from 1 per batch. ``fence`` grows with every taking of the batch's lease, 0 without one.
    ``records`` is None until the job says how many. ``error`` keeps head and tail, its full text is at ``error_key``.
    """

    job_name: str
    run_id: str
    status: JobStatus
    started_at: float
    type: JobType = "batch"
    dataset: str = ""
    batch: str = ""
    attempt: int = 1
    ended_at: float | None = None
    heartbeat_at: float | None = None
    records: int | None = None
    progress: float | None = None
    """From 0 to 1, where the job tells."""
    error: str = ""
    error_type: str = ""
    error_key: str = ""
    worker: str = ""
    fence: int = 0
    limit_seconds: float | None = None
    correlation_id: str = ""
    environment: str = "production"
    requested_by: str = ""
    """Who asked for it from the page, or the policy that did; "" for a run by schedule or by hand."""
    synthetic: bool = False

    @property
    def run_key(self) -> str:
        """Sort key of JobRuns: the start, then the id."""
        return f"{utc_text(self.started_at)}#{self.run_id}"

    @property
    def subject(self) -> str:
        """What its failure is about: ``<job>`` or ``<job>/<batch>``."""
        return f"{self.job_name}/{self.batch}" if self.batch else self.job_name

    @property
    def settled_at(self) -> float | None:
        """When it ended by the clock that all share (the last heartbeat is by DynamoDB's), else by its own worker's."""
        return self.ended_at if self.ended_at is None or self.heartbeat_at is None else self.heartbeat_at

    def seconds(self, now: float) -> float:
        """How long it took, or has been running at ``now``."""
        return max(0.0, (now if self.ended_at is None else self.ended_at) - self.started_at)

    def as_json(self) -> dict[str, Any]:
        """One line of ``monitoring.job_runs`` and of the API: times as text, what is not known as null."""
        times = ("started_at", "ended_at", "heartbeat_at")
        plain = ("job_name", "run_id", "status", "type", "dataset", "batch", "attempt", "records", "progress", "error",
                 "error_type", "worker", "fence", "limit_seconds", "correlation_id", "environment", "requested_by",
                 "synthetic")  # fmt: skip
        duration = None if self.ended_at is None else round(self.ended_at - self.started_at, 3)
        return {
            **{name: getattr(self, name) for name in plain},
            **{name: None if (at := getattr(self, name)) is None else utc_text(at) for name in times},
            "duration_seconds": duration,
        }


@dataclass(frozen=True, slots=True)
class BatchState:
    """One batch of a job. ``attempts`` counts its runs so far; ``leased_until`` is set while a worker holds it."""

    batch: str
    status: BatchStatus
    attempts: int = 0
    run_id: str = ""
    updated_at: float | None = None
    leased_until: float | None = None
    error: str = ""
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What ``pending(name, batches)`` was last asked for, in its order, with where each batch stands."""

    job_name: str
    batches: tuple[BatchState, ...]
    planned_at: float | None = None

    @property
    def remaining(self) -> tuple[BatchState, ...]:
        """Batches that a retry may ask for: neither succeeded nor running."""
        return tuple(batch for batch in self.batches if batch.status in ("pending", "failed"))


@dataclass(frozen=True, slots=True)
class RetryPreview:
    """Exactly which batches a retry would ask for, and which it leaves out and why (batch to reason)."""

    job_name: str
    batches: tuple[BatchState, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    target: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """A job that needs somebody. ``run_id`` and ``run_key`` where it is one run; ``since`` is when it went wrong."""

    job_name: str
    state: WatchState
    since: float
    sentence: str
    run_id: str = ""
    run_key: str = ""
    batch: str = ""


@dataclass(frozen=True, slots=True)
class VolumeFinding:
    """Records of a dataset in one hour against the same hour of earlier weeks. ``method`` is said on the page."""

    hour: float
    records: int
    expected: float
    low: float
    high: float
    weeks: int
    method: str


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """How fresh and how complete a dataset is, as the check last found it.

    ``freshness_minutes`` counts only the time in which its calendar expects data; None where it was never loaded.
    ``volume`` is the last full hour that differs from what was expected, None where none does or where there is
    too little history (``volume_note`` says which).
    """

    dataset: str
    state: DatasetState
    checked_at: float
    last_success_at: float | None = None
    last_run_id: str = ""
    job_name: str = ""
    records: int | None = None
    freshness_minutes: float | None = None
    sla_minutes: float | None = None
    due_at: float | None = None
    calendar: str = ""
    """The calendar in words: ``Mon to Fri 06:00 to 22:00 Europe/Berlin, 2 holidays``; "" where it is always."""
    volume: VolumeFinding | None = None
    volume_note: str = ""
    environment: str = "production"
    synthetic: bool = False
