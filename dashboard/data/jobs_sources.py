"""What the Jobs page reads from: the services as far as it uses them, and what the configuration says of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from backend.contract.checks import CheckResult
from backend.contract.jobs import BatchPlan, DatasetStatus, JobRun, RetryPreview
from backend.contract.replays import Replay
from dashboard.data.executions import Pipeline
from dashboard.data.jobs_store import Held
from dashboard.data.replay_sources import Shared


class Jobs(Protocol):
    """What the page asks of the reader of jobs (``backend.jobs.reader.JobReader``)."""

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[JobRun]:
        """Runs by name and run key."""

    def plans(self) -> tuple[BatchPlan, ...]:
        """Every job's batches."""

    def datasets(self) -> tuple[DatasetStatus, ...]:
        """How the datasets were last found."""


class HeldRuns(Protocol):
    """The runs in memory (``dashboard.data.jobs_store.RunStore``)."""

    def held(self) -> Held:
        """As they stand."""


class Retries(Protocol):
    """What the page asks of the service that runs batches again (``backend.jobs.retries.Retries``)."""

    def preview(self, job_name: str, batches: Sequence[str] | None) -> RetryPreview:
        """Exactly which batches would run, and which not and why. Raises InvalidInput for a job without batches."""

    def retry(
        self, job_name: str, batches: Sequence[str] | None, by: str, reason: str, *, confirm: int | None = None
    ) -> Replay:
        """Asks for them; of many with their number as the person saw it. Raises InvalidInput."""


class Checks(Protocol):
    """What the page asks of the alert service."""

    def latest_checks(self) -> Mapping[str, CheckResult]:
        """The newest result of each check."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page reads; None is not connected. ``limits`` are the configured jobs' limits in seconds."""

    runs: HeldRuns | None
    jobs: Jobs | None
    retries: Retries | None
    checks: Checks | None
    shared: Shared
    limits: Mapping[str, float] = field(default_factory=dict)
    pipeline: Pipeline | None = None
    region: str = ""
    bucket: str = ""
