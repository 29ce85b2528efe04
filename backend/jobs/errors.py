"""Why a run does not start, or has lost its batch: one line each, which says who has it and what to do."""

from __future__ import annotations


class JobError(RuntimeError):
    """What the job SDK raises of its own. A job's own exception is never replaced by it."""


class BatchBusy(JobError):  # noqa: N818 - reads as a statement where it is raised
    """Another worker runs the batch. ``until`` (epoch s) is when it would be free if that worker were gone."""

    def __init__(self, message: str, until: float | None = None) -> None:
        super().__init__(message)
        self.until = until


class BatchDone(JobError):  # noqa: N818 - reads as a statement where it is raised
    """The batch has succeeded already."""


class LeaseLost(JobError):  # noqa: N818 - reads as a statement where it is raised
    """The run's batch was taken over, or somebody else ended the run: what it writes is refused."""


class LeaseUnavailable(JobError):  # noqa: N818 - reads as a statement where it is raised
    """Whether the batch is free can't be found out, so it does not start."""
