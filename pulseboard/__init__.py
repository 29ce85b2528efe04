"""What a data pipeline imports of Pulseboard: recording of job runs. See docs/jobs.md.

``from pulseboard import job, pending`` imports no AWS client and nothing of the dashboard.
"""

from backend.jobs.errors import BatchBusy, BatchDone, JobError, LeaseLost, LeaseUnavailable
from backend.jobs.requests import RetryRequest, retries
from backend.jobs.run import Run
from backend.jobs.sdk import current_run, job, pending

__all__ = [
    "BatchBusy",
    "BatchDone",
    "JobError",
    "LeaseLost",
    "LeaseUnavailable",
    "RetryRequest",
    "Run",
    "current_run",
    "job",
    "pending",
    "retries",
]
