"""Job runs of the past, written for the demo as their recorder would have written them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from backend.contract.job_items import run_item
from backend.contract.jobs import JobRun
from backend.settings import Settings

AT_ONCE: Final = 25
"""What BatchWriteItem takes."""


@dataclass(frozen=True, slots=True)
class SeededRuns:
    """What was written, and how long it took."""

    runs: int
    seconds: float


def seed_jobs(dynamodb: Any, settings: Settings, runs: Iterable[JobRun]) -> SeededRuns:
    """Writes runs that have ended."""
    began, written = time.monotonic(), 0
    left = iter(runs)
    while part := list(islice(left, AT_ONCE)):
        waiting: Any = {settings.job_runs_table: [{"PutRequest": {"Item": run_item(run)}} for run in part]}
        while waiting:
            waiting = dynamodb.batch_write_item(RequestItems=waiting).get("UnprocessedItems")
        written += len(part)
    return SeededRuns(written, time.monotonic() - began)
