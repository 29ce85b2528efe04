"""What the demo's jobs do: they fail as their story says, and the backfill goes on when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from backend.jobs.requests import RetryRequest
from backend.local.demo_jobs import BACKFILL, DIES_IN, FAILING, HANGS, MONTHS, REGULAR, STREAM
from backend.local.workload import DemoJobError, Worker, threads


@dataclass
class Ran:
    """A run as the recorder would have it."""

    name: str
    batch: str
    requested_by: str
    synthetic: bool
    records: int | None = None
    progress: float | None = None
    error: str = ""


@dataclass
class Recorder:
    """Stands for the SDK: remembers runs, and ends the work once there was nothing to do."""

    asked: list[RetryRequest] = field(default_factory=list)
    runs: list[Ran] = field(default_factory=list)
    ended: bool = False

    @contextmanager
    def job(self, name: str, _type: str = "batch", **given: Any) -> Iterator[Ran]:
        run = Ran(name, given.get("batch", ""), given.get("requested_by", ""), given["synthetic"])
        self.runs.append(run)
        try:
            yield run
        except Exception as error:
            run.error = f"{error.__class__.__name__}: {error}"
            raise

    def pending(self, _name: str, batches: Any) -> list[str]:
        done = {run.batch for run in self.runs if not run.error}
        return [batch for batch in batches if batch not in done]

    def retries(self, _name: str, _wait: float) -> Iterator[RetryRequest]:
        yield from self.asked
        self.ended = True

    def worker(self) -> Worker:
        return Worker(7, lambda _seconds: self.ended, lambda: 0.0, self.job, self.pending, self.retries)


def test_the_backfill_dies_in_its_fifth_month_and_touches_none_after_it() -> None:
    recorder = Recorder()
    recorder.worker().backfill()
    assert [run.batch for run in recorder.runs] == list(MONTHS[:5])
    assert [run.batch for run in recorder.runs if run.error] == [DIES_IN]
    assert recorder.runs[-1].error.startswith("MemoryError: 2025-05 has")


def test_the_backfill_outlives_an_aws_that_is_away_at_the_start() -> None:
    recorder, looks = Recorder(), iter([EndpointConnectionError(endpoint_url="http://aws")])

    def pending(name: str, batches: Sequence[str]) -> list[str]:
        for away in looks:
            raise away
        return recorder.pending(name, batches)

    replace(recorder.worker(), pending=pending).backfill()
    assert [run.batch for run in recorder.runs] == list(MONTHS[:5])


def test_what_is_asked_for_is_run_under_the_name_of_who_asked() -> None:
    recorder = Recorder([RetryRequest(BACKFILL, month, "r1", "olga", 2) for month in MONTHS[4:]])
    recorder.worker().backfill()
    again = recorder.runs[5:]
    assert [(run.batch, run.requested_by, run.error) for run in again] == [(m, "olga", "") for m in MONTHS[4:]]


def test_a_run_tells_its_progress_and_fails_with_the_error_of_its_time() -> None:
    recorder = Recorder()
    with pytest.raises(DemoJobError):
        recorder.worker().once(FAILING, 40.0)
    assert recorder.runs[0].error.startswith("PermissionError: s3://finance-exports/vat/")
    assert recorder.runs[0].records is None
    recorder.worker().once(REGULAR[0], 60.0)
    assert (recorder.runs[1].progress, recorder.runs[1].error) == (1.0, "")
    assert (recorder.runs[1].records or 0) > 0


def test_every_run_is_marked_as_synthetic() -> None:
    recorder = Recorder()
    recorder.worker().backfill()
    assert all(run.synthetic for run in recorder.runs)


def test_each_job_has_a_thread() -> None:
    names = {thread.name for thread in threads(Recorder().worker())}
    assert names == {work.name for work in (*REGULAR, FAILING)} | {HANGS, STREAM, BACKFILL}
