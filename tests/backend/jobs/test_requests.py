"""Workers take the batches that somebody asked to be run again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from backend.contract.jobs import BatchState
from backend.jobs.clock import ServerClock
from backend.jobs.requests import MOST_DEATHS, RetryQueue, RetryRequest, request_of, step_for
from backend.jobs.sdk import job
from backend.jobs.store import JobStore
from tests.backend.jobs.tracking import Tracking

Ask = Callable[..., None]


@pytest.fixture
def url(tracking: Tracking) -> str:
    name = f"retries-{uuid.uuid4().hex}"
    return str(tracking.clients.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "0"})["QueueUrl"])


@pytest.fixture
def ask(tracking: Tracking, url: str) -> Ask:
    def send(name: str, batch: str, attempt: int = 1) -> None:
        body = {"job_name": name, "batch": batch, "replay_id": "r", "requested_by": "ops", "attempt": attempt}
        tracking.clients.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))

    return send


def taken(tracking: Tracking, url: str, name: str) -> list[RetryRequest]:
    """What a worker is given that runs every batch; its clock goes on by a second a look."""
    ticks = count()
    queue = RetryQueue(tracking.clients.sqs, url, states(tracking), lambda: float(next(ticks)))
    found = []
    for request in queue.requests(name, wait_seconds=0.0):
        found.append(request)
        with job(name, batch=request.batch, requested_by=request.requested_by, tracker=tracking.tracker):
            pass
    return found


def states(tracking: Tracking) -> Callable[[str, str], BatchState | None]:
    return JobStore(tracking.clients.dynamodb, tracking.settings.job_runs_table, ServerClock()).state


def left(tracking: Tracking, url: str) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found: dict[Any, str] = tracking.clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def test_a_batch_that_is_run_again_is_asked_for_no_more(tracking: Tracking, url: str, ask: Ask) -> None:
    ask("taken", "2026-05", attempt=1)
    (request,) = taken(tracking, url, "taken")
    assert request == RetryRequest("taken", "2026-05", "r", "ops", 1)
    assert tracking.run_of("taken").requested_by == "ops"
    assert left(tracking, url) == 0


def test_requests_of_other_jobs_and_what_is_none_are_given_back(tracking: Tracking, url: str, ask: Ask) -> None:
    ask("other", "2026-05")
    tracking.clients.sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert taken(tracking, url, "mine") == []
    assert left(tracking, url) == 2


def test_a_batch_that_succeeded_meanwhile_is_not_run_again(tracking: Tracking, url: str, ask: Ask) -> None:
    with job("done", batch="2026-05", tracker=tracking.tracker):
        ask("done", "2026-05", attempt=1)
        assert taken(tracking, url, "done") == []
        assert left(tracking, url) == 1
    ask("done", "2026-05", attempt=1)
    assert taken(tracking, url, "done") == []
    assert len(tracking.runs("done")) == 1


def test_a_batch_that_fails_again_was_tried_as_asked(tracking: Tracking, url: str, ask: Ask) -> None:
    ask("fails", "2026-05")
    queue = RetryQueue(tracking.clients.sqs, url, states(tracking))
    requests = queue.requests("fails", wait_seconds=0.0)
    request = next(requests)
    with pytest.raises(ValueError, match="bad"), job("fails", batch=request.batch, tracker=tracking.tracker):
        raise ValueError("bad")
    requests.close()  # type: ignore[attr-defined]
    assert left(tracking, url) == 0


def test_a_batch_that_the_plan_left_behind_is_asked_for_no_more(tracking: Tracking, url: str, ask: Ask) -> None:
    ask("rolled", "2026-05")
    tracking.tracker.pending("rolled", ["2026-11-20", "2026-11-21"])
    assert [request.batch for request in taken(tracking, url, "rolled")] == ["2026-05"]
    assert left(tracking, url) == 0


def test_a_worker_that_leaves_before_it_began_leaves_the_request(tracking: Tracking, url: str, ask: Ask) -> None:
    ask("leaves", "2026-05")
    requests = RetryQueue(tracking.clients.sqs, url, states(tracking)).requests("leaves", wait_seconds=0.0)
    next(requests)
    requests.close()  # type: ignore[attr-defined]
    assert left(tracking, url) == 1


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (None, "run"),
        (BatchState("a", "pending"), "run"),
        (BatchState("a", "failed", 2), "run"),
        (BatchState("a", "failed", 3), "delete"),
        (BatchState("a", "succeeded", 1), "delete"),
        (BatchState("a", "running", 3), "wait"),
        (BatchState("a", "pending", 3), "run"),
        (BatchState("a", "pending", 2 + MOST_DEATHS), "delete"),
    ],
)
def test_what_a_request_for_the_third_attempt_needs(state: BatchState | None, step: str) -> None:
    assert step_for(state, 3) == step


@pytest.mark.parametrize("body", ["", "[]", "{", '{"job_name": "a"}', '{"job_name": 1, "batch": "b"}'])
def test_a_message_that_is_none_is_no_request(body: str) -> None:
    assert request_of(body) is None
