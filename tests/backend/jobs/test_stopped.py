"""Runs whose task is cancelled or whose process is asked to end: each has its end recorded."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.jobs.run import JobSpec, Run
from backend.jobs.sdk import job
from backend.jobs.terminated import Terminated
from tests.backend.jobs.tracking import Tracking

ROOT = Path(__file__).parents[3]
ASYNC_PROGRAM = """
import asyncio, os, signal
from backend.jobs.run import Run, new_record
from backend.jobs.sdk import job
from backend.jobs.terminated import TermGuard

class Told:
    guard = TermGuard()
    def start(self, spec):
        return Run(new_record(spec, 0.0, "test"), None)
    def finish(self, run, error):
        print(type(error).__name__, flush=True)

async def main():
    async with job("async", tracker=Told()):
        {stop}
        await asyncio.sleep(20)

asyncio.run(main())
"""


def test_a_start_that_is_cancelled_leaves_no_run_under_way(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, begun, go_on = tracking.tracker.start, threading.Event(), threading.Event()

    def slowly(spec: JobSpec) -> Run:
        run = begin(spec)
        begun.set()
        assert go_on.wait(20)
        return run

    monkeypatch.setattr(tracking.tracker, "start", slowly)

    async def work() -> None:
        async with job("cancelled", batch="a", tracker=tracking.tracker):
            pytest.fail("it was cancelled before")

    async def cancel() -> None:
        task = asyncio.create_task(work())
        assert await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    # In a thread of its own: where browsers are tested, this one has a loop already.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(cancel())).result()
    ended = tracking.run_of("cancelled")
    assert (ended.status, ended.error, ended.error_type) == ("FAILED", "cancelled", "CancelledError")
    with job("cancelled", batch="a", tracker=tracking.other()) as run:
        assert run.attempt == 2


def test_a_second_sigterm_does_not_cost_the_end_that_the_first_one_brings(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = tracking.tracker.finish

    def impatiently(run: Run, error: BaseException | None) -> None:
        signal.raise_signal(signal.SIGTERM)
        finish(run, error)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(tracking.tracker, "finish", impatiently)
    with pytest.raises(Terminated), job("impatient", tracker=tracking.tracker):
        signal.raise_signal(signal.SIGTERM)
    ended = tracking.run_of("impatient")
    assert (ended.status, ended.error) == ("FAILED", "terminated by SIGTERM")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_sigterm_while_a_success_is_recorded_ends_the_process_afterwards(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = tracking.tracker.finish

    def late(run: Run, error: BaseException | None) -> None:
        signal.raise_signal(signal.SIGTERM)
        finish(run, error)

    monkeypatch.setattr(tracking.tracker, "finish", late)
    with pytest.raises(Terminated), job("just-done", tracker=tracking.tracker):
        pass
    assert tracking.run_of("just-done").status == "SUCCESS"


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param("signal.raise_signal(signal.SIGTERM)", id="in-the-job"),
        pytest.param("asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)", id="in-the-loop"),
    ],
)
def test_sigterm_is_recorded_of_an_async_job_too(stop: str) -> None:
    command = [sys.executable, "-c", ASYNC_PROGRAM.replace("{stop}", stop)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("Terminated\n", 143), done.stderr
