"""What a run's end tells others: the failure signal, its resolution, ``JobFailureCount``, the error's full text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote, urlencode

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.alerts.publish import Publisher
from backend.contract.catalogue import Severity
from backend.contract.events import utc_text
from backend.contract.jobs import JobRun
from backend.contract.tables import ERRORS_PREFIX
from backend.processor.cloudwatch import counts, put_data
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.aws import Clients

SOURCE: Final = "jobs"
JOB_FAILED: Final = "job_failed"
SEVERITY: Final[Severity] = "HIGH"
METRIC: Final = "job_failures"
"""Key of the catalogue of what CloudWatch knows as JobFailureCount."""

Told = Literal["failed", "counted", "recovered"]
"""The failure's signal, its count, and the signal that it is over."""


class JobSignals:
    """Tells of runs' ends; thread-safe. What can't be told is logged, and the answer says so."""

    def __init__(self, clients: Clients, settings: Settings, logger: Logger) -> None:
        self._clients = clients
        self._settings = settings
        self._logger = logger
        self._count = settings.catalogue[METRIC].cloudwatch or ""
        self._publisher = Publisher(clients.sns, settings, logger, SOURCE) if settings.alerts_topic_arn else None

    def tell(self, what: Told, run: JobRun) -> bool:
        """Tells one thing of an ended run; whether it was taken. Without a topic there is nobody to tell."""
        if what == "counted":
            ended = run.started_at if run.ended_at is None else run.ended_at
            return not put_data(self._clients.cloudwatch, counts({self._count: 1}, ended), self._logger)
        if self._publisher is None:
            return True
        name = run.job_name + (f", batch {run.batch}" if run.batch else "")
        failed = what == "failed"
        reason = run.error.strip().splitlines()[0] if run.error.strip() else run.error_type
        return self._publisher.send(
            SEVERITY,
            JOB_FAILED,
            f"Job {name} failed: {reason}" if failed else f"Job {name} succeeded again",
            state="firing" if failed else "resolved",
            subject=run.subject,
            at=run.ended_at,
            description=run.error if failed else "",
            environment=run.environment,
            page=page_of(run),
            runbook=JOB_FAILED,
            correlation_id=run.correlation_id,
            synthetic=run.synthetic,
            details=_details(run),
        )

    def keep_text(self, run: JobRun, text: str) -> str:
        """Puts an error's full text into S3; its key, or "" where it could not be."""
        key = error_key(run)
        try:
            self._clients.s3.put_object(
                Bucket=self._settings.bucket, Key=key, Body=text.encode(), ContentType="text/plain; charset=utf-8"
            )
        except (BotoCoreError, ClientError) as error:
            fields = {"error_type": type(error).__name__, "error_message": str(error), "key": key}
            self._logger.warning("full text of an error not kept", extra=fields)
            return ""
        return key


def page_of(run: JobRun) -> str:
    """Where a run is shown."""
    return "/jobs?" + urlencode({"job": run.job_name, "run": run.run_key})


def error_key(run: JobRun) -> str:
    """Where a run's full error text is kept: ``errors/jobs/<job>/<day>/<run id>.txt``."""
    name = quote(run.job_name, safe="")[:400]
    return f"{ERRORS_PREFIX}jobs/{name}/{utc_text(run.started_at)[:10]}/{run.run_id}.txt"


def _details(run: JobRun) -> dict[str, str | int]:
    told: dict[str, str | int] = {"job": run.job_name, "batch": run.batch, "dataset": run.dataset, "run_id": run.run_id,
            "error_type": run.error_type, "attempt": run.attempt, "worker": run.worker}  # fmt: skip
    return {name: value for name, value in told.items() if value}
