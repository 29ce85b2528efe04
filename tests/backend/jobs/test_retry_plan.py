"""Which batches a retry asks for, and what it says of the others."""

from __future__ import annotations

import json

import pytest

from backend.contract.errors import InvalidInput
from backend.contract.jobs import MOST_BATCHES, BatchPlan, BatchState
from backend.jobs.retry_plan import preview_of, queue_name, retry_body, retry_url
from backend.settings import Config, Settings
from backend.settings_jobs import JobConfig

PLAN = BatchPlan(
    "backfill",
    (
        BatchState("2026-01", "succeeded", 1),
        BatchState("2026-02", "failed", 4, error="died"),
        BatchState("2026-03", "running", 1, leased_until=1_795_259_220.0),
        BatchState("2026-04", "pending", 2),
        BatchState("2026-05", "pending"),
    ),
)


def test_all_that_remains_is_asked_for_in_the_order_of_the_plan() -> None:
    preview = preview_of(PLAN, None, "job-retries-queue")
    assert [state.batch for state in preview.batches] == ["2026-02", "2026-04", "2026-05"]
    assert preview.left_out == {
        "2026-01": "has succeeded",
        "2026-03": "is running now (its worker holds it until 2026-11-21T11:07:00.000Z)",
    }


def test_named_batches_are_asked_for_once_and_unknown_ones_are_said() -> None:
    preview = preview_of(PLAN, ["2026-05", "2026-02", "2026-05", "2031-01"], "q")
    assert [state.batch for state in preview.batches] == ["2026-02", "2026-05"]
    assert preview.left_out == {"2031-01": "is not in the plan of backfill"}


def test_batches_at_the_cap_of_attempts_are_left_out_where_there_is_one() -> None:
    preview = preview_of(PLAN, ["2026-02", "2026-04"], "q", max_attempts=3)
    assert [state.batch for state in preview.batches] == ["2026-04"]
    assert preview.left_out == {"2026-02": "was tried 4 times; 3 attempts are allowed"}


def test_too_many_batches_at_once_are_refused() -> None:
    many = tuple(BatchState(str(number), "failed", 1) for number in range(MOST_BATCHES + 1))
    with pytest.raises(InvalidInput, match=r"^batches: 10001 are too many"):
        preview_of(BatchPlan("backfill", many), None, "q")


def test_a_plan_may_have_more_batches_than_a_retry() -> None:
    done = tuple(BatchState(f"d{number}", "succeeded", 1) for number in range(MOST_BATCHES))
    failed = BatchState("last", "failed", 1)
    assert preview_of(BatchPlan("backfill", (*done, failed)), None, "q").batches == (failed,)


def test_a_worker_is_told_which_attempt_it_will_be() -> None:
    body = json.loads(retry_body("backfill", PLAN.batches[1], "r1", "ops@example.com"))
    assert body == {
        "job_name": "backfill", "batch": "2026-02", "replay_id": "r1", "requested_by": "ops@example.com", "attempt": 5,
    }  # fmt: skip


def test_a_job_with_a_queue_of_its_own_is_asked_there() -> None:
    own = "https://sqs.us-east-1.amazonaws.com/1/backfill-retries"
    settings = Settings(
        retry_queue_url="https://q/job-retries-queue", config=Config(jobs={"b": JobConfig(retry_queue=own)})
    )
    assert queue_name(retry_url("b", settings)) == "backfill-retries"
    assert queue_name(retry_url("other", settings)) == "job-retries-queue"
    with pytest.raises(InvalidInput, match="RETRY_QUEUE_URL"):
        retry_url("other", Settings())
