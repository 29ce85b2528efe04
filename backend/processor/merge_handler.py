"""The function ``metrics-merge``, run every minute: live items to minutes and hours."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from backend.aws import Clients
from backend.logs import make_logger
from backend.processor.cloudwatch import put_data
from backend.processor.merge_run import MergeReport, run_merge
from backend.processor.store import MetricsStore
from backend.settings import Settings, load_settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

RESERVE_SECONDS: Final = 15.0
"""Kept back from the function's time for the writes under way and the state."""


class Merge:
    """Runs the merge and publishes what only it knows: the increases of cumulative counters."""

    def __init__(self, settings: Settings, store: MetricsStore, cloudwatch: CloudWatchClient, logger: Logger) -> None:
        self._settings = settings
        self._store = store
        self._cloudwatch = cloudwatch
        self._logger = logger

    def __call__(self, remaining_seconds: float, correlation_id: str) -> dict[str, Any]:
        """One run within ``remaining_seconds``; returns its counts. Raises what ``run_merge`` raises."""
        began = time.monotonic()
        with self._logger.append_context_keys(correlation_id=correlation_id):
            report = run_merge(
                self._store,
                self._settings.catalogue,
                self._settings.config.retention,
                time.time(),
                began + remaining_seconds - RESERVE_SECONDS,
                self._settings.config.environment,
            )
            lost = put_data(self._cloudwatch, report.published.data(time.time()), self._logger)
            fields = _fields(report) | {"cloudwatch_lost": lost}
            for name, error in report.failed.items():
                self._logger.error("metric not merged", extra={"partition": name, "error_message": error})
            self._logger.info("merged", extra=fields | {"latency_ms": round((time.monotonic() - began) * 1000, 1)})
        return fields


def _fields(report: MergeReport) -> dict[str, Any]:
    return {
        "status": "complete" if report.complete else "to be continued",
        "minutes": report.minutes,
        "hours": report.hours,
        "items": report.items,
        "recomputed": report.recomputed,
        "skipped": report.skipped,
        "failed": len(report.failed),
    }


@cache
def _wired() -> Merge:
    """The merge of this container, wired once from the environment."""
    settings = load_settings(os.environ)
    clients = Clients(settings.region)
    store = MetricsStore(Clients(settings.region, attempts=1).dynamodb, settings.table)
    return Merge(settings, store, clients.cloudwatch, make_logger("metrics-merge"))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """The function's entry point."""
    return _wired()(context.get_remaining_time_in_millis() / 1000, context.aws_request_id)
