"""Recording of runs: what a job tells, what is kept of it, and who is told."""

from __future__ import annotations

import os

from backend.jobs.sdk import job
from tests.backend.jobs.tracking import Tracking


def test_a_run_is_recorded_from_its_start_to_its_success(tracking: Tracking) -> None:
    with job("load", dataset="orders", limit_seconds=60, correlation_id="c1", tracker=tracking.tracker) as run:
        started = tracking.run_of("load")
        run.records = 7
        run.progress = 0.3
    ended = tracking.run_of("load")
    assert (started.status, started.ended_at, started.records) == ("STARTED", None, None)
    assert started.heartbeat_at is not None
    assert (ended.status, ended.records, ended.progress, ended.dataset) == ("SUCCESS", 7, 0.3, "orders")
    assert (ended.limit_seconds, ended.correlation_id, ended.attempt, ended.fence) == (60, "c1", 1, 0)
    assert ended.ended_at is not None
    assert ended.ended_at >= ended.started_at == started.started_at
    assert ended.worker.endswith(f":{os.getpid()}:MainThread")
    assert run.recorded
    assert tracking.alerts() == []
