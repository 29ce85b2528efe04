"""Recording of runs: what a job tells, what is kept of it, and who is told."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import Any

import pytest

from backend.contract.errors import InvalidInput
from backend.contract.jobs import MAX_ERROR_BYTES
from backend.jobs.run import cut
from backend.jobs.sdk import current_run, job
from backend.jobs.terminated import Terminated
from backend.jobs.watch import is_lost
from backend.settings_jobs import JobConfig
from tests.backend.jobs.tracking import Tracking, wait_for


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


def test_the_first_heartbeat_is_of_the_shared_time_so_that_a_worker_whose_clock_is_behind_is_not_lost(
    tracking: Tracking,
) -> None:
    behind = tracking.other(clock=lambda: time.time() - 300)
    with job("behind", tracker=behind):
        started = tracking.run_of("behind")
    assert started.heartbeat_at is not None
    assert not is_lost(started, time.time())


def test_a_failure_keeps_its_error_and_the_jobs_own_exception_goes_on(tracking: Tracking) -> None:
    def divide() -> float:
        with job("divide", tracker=tracking.tracker) as run:
            run.records = 3
            return 1 / 0

    with pytest.raises(ZeroDivisionError, match="by zero"):
        divide()
    failed = tracking.run_of("divide")
    assert (failed.status, failed.error, failed.error_type, failed.records) == (
        "FAILED", "division by zero", "ZeroDivisionError", 3,
    )  # fmt: skip
    text = tracking.clients.s3.get_object(Bucket=tracking.settings.bucket, Key=failed.error_key)["Body"].read().decode()
    assert "Traceback" in text
    assert text.endswith("ZeroDivisionError: division by zero\n")
    (signal,) = tracking.alerts()
    assert (signal["kind"], signal["severity"], signal["state"], signal["subject"]) == (
        "job_failed", "HIGH", "firing", "divide",
    )  # fmt: skip
    assert signal["page"] == f"/jobs?job=divide&run={failed.run_key.replace(':', '%3A').replace('#', '%23')}"
    (metric,) = tracking.clients.cloudwatch.list_metrics(Namespace="Pulseboard", MetricName="JobFailureCount")[
        "Metrics"
    ]
    assert metric["Dimensions"] == []


def test_a_success_after_a_failure_resolves_its_alert_and_the_next_one_says_nothing(tracking: Tracking) -> None:
    with pytest.raises(ValueError, match="x"), job("again", tracker=tracking.tracker):
        raise ValueError("x")
    for _ in range(2):
        with job("again", tracker=tracking.tracker):
            pass
    fired, resolved = tracking.alerts()
    assert (fired["state"], resolved["state"]) == ("firing", "resolved")
    for name in ("source", "kind", "subject", "environment", "severity"):
        assert fired[name] == resolved[name]


def test_an_error_of_a_megabyte_with_markup_keeps_head_and_tail_and_its_whole_text_elsewhere(
    tracking: Tracking,
) -> None:
    message = "<script>alert(1)</script>" + "\U0001f600" * 262_144 + "\ud800 the end"
    with pytest.raises(RuntimeError), job("huge", tracker=tracking.tracker):
        raise RuntimeError(message)
    failed = tracking.run_of("huge")
    assert len(failed.error.encode()) <= MAX_ERROR_BYTES
    assert failed.error.startswith("<script>alert(1)</script>\U0001f600")
    assert failed.error.endswith("\\ud800 the end")
    assert "bytes left out" in failed.error
    text = tracking.clients.s3.get_object(Bucket=tracking.settings.bucket, Key=failed.error_key)["Body"].read()
    assert text.count("\U0001f600".encode()) == 262_144
    assert len(json.dumps(tracking.alerts()[0])) < 250_000


@pytest.mark.parametrize("length", [100, 101, 150, 1000])
def test_what_is_cut_is_never_longer_than_said_and_breaks_no_character(length: int) -> None:
    text = "\u00e4\U0001f600" * (length // 6) + "x" * (length % 6)
    assert len(cut(text, 100).encode()) <= 100
    assert (cut(text, 100) == text) is (len(text.encode()) <= 100)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), "FAILED", "interrupted"),
        (SystemExit(3), "FAILED", "exit code 3"),
        (SystemExit("no input"), "FAILED", "no input"),
        (SystemExit(0), "SUCCESS", ""),
        (Terminated(), "FAILED", "SIGTERM"),
    ],
)
def test_what_ends_a_process_ends_its_run(
    tracking: Tracking, request: pytest.FixtureRequest, error: BaseException, status: str, said: str
) -> None:
    name = request.node.name
    with pytest.raises(type(error)), job(name, tracker=tracking.tracker):
        raise error
    assert tracking.run_of(name).status == status
    assert said in tracking.run_of(name).error


def test_an_exception_whose_text_cannot_be_made_is_recorded_all_the_same(tracking: Tracking) -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    with pytest.raises(OddError), job("odd", tracker=tracking.tracker):
        raise OddError
    assert tracking.run_of("odd").error_type == "OddError"


def test_a_decorated_function_is_a_run_each_time_it_is_called(tracking: Tracking) -> None:
    @job("decorated", tracker=tracking.tracker)
    def work(count: int) -> int:
        run = current_run()
        assert run is not None
        run.records = count
        return count + 1

    @job("decorated", tracker=tracking.tracker)
    async def work_async(count: int) -> int:
        return work(count)

    assert work(1) == 2
    # In a thread of its own: where browsers are tested, this one has a loop already.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: asyncio.run(work_async(5))).result() == 6
    assert sorted(run.records or 0 for run in tracking.runs("decorated")) == [0, 1, 5]
    outer, inner = tracking.runs("decorated")[1:]
    assert outer.correlation_id == inner.correlation_id
    assert current_run() is None


def test_a_generator_is_refused_because_it_would_end_before_it_began(tracking: Tracking) -> None:
    with pytest.raises(TypeError, match="generator"):

        @job("generator", tracker=tracking.tracker)
        def numbers() -> Iterator[int]:
            yield 1


def test_what_is_no_number_is_left_out_and_said(tracking: Tracking) -> None:
    with job("odd-numbers", tracker=tracking.tracker) as run:
        run.records = "many"  # type: ignore[assignment]
        run.progress = float("nan")
    ended = tracking.run_of("odd-numbers")
    assert (ended.status, ended.records, ended.progress) == ("SUCCESS", None, None)
    assert [line.split(":")[0] for line in run.unrecorded] == ["records", "progress"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "@batches#x"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "x", "batch": "@plan"}, "batch"),
        ({"name": "x", "batch": 5}, "batch"),
        ({"name": "x", "type": "weekly"}, "type"),
        ({"name": "x", "limit_seconds": 0}, "limit_seconds"),
    ],
)
def test_a_bad_argument_is_refused_by_its_name(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}: "):
        job(**arguments)


def test_the_configuration_says_what_the_call_does_not(tracking: Tracking) -> None:
    config = JobConfig(type="streaming", dataset="orders", limit_minutes=2)
    batch = JobConfig(limit_minutes=2)
    tracking.tracker.settings = replace(
        tracking.settings, config=replace(tracking.settings.config, jobs={"configured": config, "limited": batch})
    )
    with job("configured", tracker=tracking.tracker):
        pass
    with job("configured", "batch", dataset="", limit_seconds=5, tracker=tracking.tracker):
        pass
    first, second = tracking.runs("configured")
    assert (first.type, first.dataset, first.limit_seconds) == ("streaming", "orders", None), (
        "a stream may run for ever"
    )
    assert (second.type, second.dataset, second.limit_seconds) == ("batch", "", 5)
    with job("limited", tracker=tracking.tracker):
        pass
    assert tracking.run_of("limited").limit_seconds == 120


def test_a_block_that_is_left_in_another_context_is_recorded(tracking: Tracking) -> None:
    block = job("generator", tracker=tracking.tracker)
    copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert tracking.run_of("generator").status == "SUCCESS"


def test_heartbeats_carry_the_newest_numbers_and_one_thread_beats_for_all_runs(tracking: Tracking) -> None:
    tracker = tracking.other(beat_seconds=0.01)
    with job("beats", tracker=tracker) as run, job("beats-too", tracker=tracker):
        before = tracking.run_of("beats").heartbeat_at
        run.records = 41
        run.progress = 7
        wait_for(lambda: tracking.run_of("beats").records == 41)
        now = tracking.run_of("beats")
        assert (now.status, now.progress, before is not None) == ("STARTED", 1.0, True)
        assert sum(thread.name == "pulseboard-heartbeat" for thread in threading.enumerate()) == 1
    tracker.close()
    assert not any(thread.name == "pulseboard-heartbeat" for thread in threading.enumerate())


def test_runs_of_many_threads_are_kept_apart(tracking: Tracking) -> None:
    def work(number: int) -> None:
        with job("threads", tracker=tracking.tracker) as run:
            run.records = number

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert sorted(run.records or 0 for run in tracking.runs("threads")) == list(range(8))
    assert {run.status for run in tracking.runs("threads")} == {"SUCCESS"}
