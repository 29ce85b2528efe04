"""Workers that race, are killed, are terminated: real processes against the embedded engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.aws import Clients
from backend.contract.jobs import JobRun
from backend.jobs.errors import BatchBusy
from backend.jobs.journal import Journal
from backend.jobs.reader import JobReader
from backend.jobs.run import JobSpec
from backend.jobs.tracker import Tracker
from tests.e2e.job_workers import BATCHES
from tests.local_stack import LocalStack

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]


def test_each_batch_is_run_by_one_process_and_those_of_dead_ones_are_free_again(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, **stack.environment}
    began = time.time()
    command = [sys.executable, "-W", "ignore", "-m", "tests.e2e.job_workers"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    first, second = told["ran"]
    assert sorted(first + second) == BATCHES
    assert told["codes"] == [0, 0]
    assert told["ended"] == {"e2e-killed": -9, "e2e-terminated": 143}

    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    clients, settings = Clients("us-east-1"), stack.settings
    runs: dict[str, JobRun] = {}
    for page in JobReader(clients.dynamodb, settings).runs(began - 1, time.time() + 1):
        runs |= {run.job_name: run for run in page}
    assert (runs["e2e-parent"].status, runs["e2e-parent"].records) == ("SUCCESS", 1)
    assert (runs["e2e-killed"].status, runs["e2e-killed"].ended_at) == ("STARTED", None)
    assert (runs["e2e-terminated"].status, runs["e2e-terminated"].error) == ("FAILED", "terminated by SIGTERM")

    tracker = Tracker(clients, settings, Journal(tmp_path), limit_seconds=30)
    with pytest.raises(BatchBusy):
        tracker.start(JobSpec("e2e-killed", batch="a"))
    clients.dynamodb.update_item(
        TableName=settings.job_runs_table,
        Key={"job_name": {"S": "@batches#e2e-killed"}, "run_key": {"S": "a"}},
        UpdateExpression="SET lease_until = :past",
        ExpressionAttributeValues={":past": {"N": str(time.time() - 30)}},
    )
    run = tracker.start(JobSpec("e2e-killed", batch="a"))
    assert (run.attempt, run.fence) == (2, 2)
    tracker.finish(run, None)
    tracker.close()
