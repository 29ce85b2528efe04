"""A retry of batches from its preview to its end, on moto."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from backend.contract.errors import InvalidInput
from backend.contract.jobs import RETRY_CONFIRM_ABOVE, BatchPlan, BatchState, BatchStatus
from backend.contract.replays import Replay
from backend.jobs.asked import ASKED_SECONDS
from backend.jobs.retries import Retries
from backend.replay.records import IDS_KEPT
from backend.replay.retry import TWICE
from tests.backend.replay.world import LEASE, World

WHO, WHY = "ops@example.com", "the disk is larger now"


@dataclass
class Plans:
    """Batches that tests move on."""

    states: dict[str, BatchState] = field(default_factory=dict)
    reads: int = 0

    def put(self, **statuses: BatchStatus) -> None:
        self.states |= {name: BatchState(name, status, 1) for name, status in statuses.items()}

    def plan(self, job_name: str) -> BatchPlan | None:
        self.reads += 1
        return BatchPlan(job_name, tuple(self.states.values())) if job_name == "backfill" else None


@dataclass
class Case:
    world: World
    plans: Plans
    retries: Retries

    def retry(self, *batches: str, **more: Any) -> Replay:
        return self.retries.retry("backfill", batches or None, WHO, WHY, **more)

    def run(self, replay: Replay, **more: Any) -> str:
        runner = self.world.runner(**more)
        return runner.run(replay.replay_id, self.world.clock.now + 100_000)

    def offered(self) -> list[str]:
        return [state.batch for state in self.retries.preview("backfill").batches]

    def asked(self) -> list[str]:
        messages = self.world.take(self.world.settings.retry_queue_url)
        return [json.loads(message["Body"])["batch"] for message in messages]

    def results(self, replay: Replay) -> list[tuple[str, str, str]]:
        return [(result.event_id, result.outcome, result.detail) for result in self.world.results(replay)]


@pytest.fixture
def case(world: World) -> Case:
    url = world.clients.sqs.create_queue(QueueName="job-retries-queue")["QueueUrl"]
    world.settings = replace(world.settings, retry_queue_url=url)
    plans = Plans()
    world.jobs = plans  # type: ignore[assignment]
    clients = world.clients
    retries = Retries(clients.dynamodb, clients.sqs, clients.s3, plans, world.audit, world.settings, world.clock)
    return Case(world, plans, retries)


def test_what_remains_is_asked_for_in_the_order_of_the_plan(case: Case) -> None:
    case.plans.put(jan="succeeded", feb="failed", mar="running", apr="pending", may="failed")
    preview = case.retries.preview("backfill")
    assert ([state.batch for state in preview.batches], preview.target) == (["feb", "apr", "may"], "job-retries-queue")
    replay = case.retry(confirm=3)
    assert (replay.kind, replay.status, replay.matched, replay.target) == ("retry", "pending", 3, "job-retries-queue")
    assert replay.selection == {"job_name": "backfill", "batches": ["feb", "apr", "may"]}
    assert case.run(replay) == "ended"
    messages = case.world.take(case.world.settings.retry_queue_url)
    assert [json.loads(message["Body"]) for message in messages] == [
        {"job_name": "backfill", "batch": batch, "replay_id": replay.replay_id, "requested_by": WHO, "attempt": 2}
        for batch in ("feb", "apr", "may")
    ]
    assert {message["MessageAttributes"]["job_name"]["StringValue"] for message in messages} == {"backfill"}
    assert case.world.replays.get(replay.replay_id).status == "succeeded"
    assert case.results(replay) == [("feb", "sent", ""), ("apr", "sent", ""), ("may", "sent", "")]
    (entry,) = case.world.audit.entries(case.world.clock.now - 60, case.world.clock.now + 60)
    assert (entry.action, entry.who, entry.reason, entry.outcome) == ("job.retry", WHO, WHY, "succeeded")
    assert entry.details["sent"] == 3


def test_what_was_asked_for_and_not_taken_up_is_not_offered_again(case: Case) -> None:
    case.plans.put(feb="failed", apr="failed", may="failed")
    replay = case.retry("feb", "apr")
    assert case.offered() == ["may"], "the retry goes on"
    case.run(replay)
    preview = case.retries.preview("backfill")
    assert preview.left_out == dict.fromkeys(("feb", "apr"), "has been asked for and not been taken up yet")
    with pytest.raises(InvalidInput, match="leave nothing to retry: feb has been asked for"):
        case.retry("feb")
    # A worker took one up and failed again: it may be asked for again.
    case.plans.states["feb"] = BatchState("feb", "failed", 2, updated_at=case.world.clock.now + 1)
    assert case.offered() == ["feb", "may"]
    case.world.clock.now += ASKED_SECONDS + 1
    assert case.offered() == ["feb", "apr", "may"], "a request that nobody takes up is likely lost"


def test_a_large_retry_that_goes_on_keeps_all_its_batches(case: Case) -> None:
    names = [f"b{number:03}" for number in range(IDS_KEPT + 20)]
    case.plans.put(**dict.fromkeys(names, "failed"), may="failed")
    case.retry(*names, confirm=len(names))
    assert case.offered() == ["may"]


def test_what_a_cancelled_retry_did_not_send_is_offered_again(case: Case) -> None:
    case.plans.put(**dict.fromkeys([f"b{number}" for number in range(6)], "failed"))
    replay = case.retry(rate_per_second=1.0)
    case.world.runner().run(replay.replay_id, case.world.clock.now + 2.5)
    case.world.replays.cancel(replay.replay_id, WHO)
    case.run(replay)
    assert case.offered() == ["b4", "b5"]


def test_a_batch_that_is_run_meanwhile_is_left_out(case: Case) -> None:
    case.plans.put(feb="failed", apr="failed", may="failed")
    replay = case.retry("may", "apr", "feb")
    case.plans.put(apr="running", may="succeeded")
    case.run(replay)
    assert case.asked() == ["feb"]
    assert case.results(replay) == [
        ("feb", "sent", ""), ("apr", "skipped", "is running now"), ("may", "skipped", "has succeeded"),
    ]  # fmt: skip
    assert case.world.replays.get(replay.replay_id).skipped == 2


def test_a_runner_that_dies_before_its_results_leaves_ten_batches_in_doubt_and_says_so(case: Case) -> None:
    names = [f"b{number:02d}" for number in range(25)]
    case.plans.put(**dict.fromkeys(names, "failed"))
    replay = case.retry()

    class Dies(Through):
        """Gone after it has asked for the second ten."""

        def put_item(self, **request: Any) -> Any:
            if request["Item"]["item"]["S"] == "result#000000010":
                raise KeyboardInterrupt
            return self._client.put_item(**request)

    with pytest.raises(KeyboardInterrupt):
        case.run(replay, dynamodb=Dies(case.world.clients.dynamodb))
    assert case.asked() == names[:20]
    case.world.clock.now += LEASE + 1
    assert case.run(replay) == "ended"
    assert case.asked() == names[10:]
    assert case.results(replay) == [(name, "sent", TWICE if 10 <= at < 20 else "") for at, name in enumerate(names)]


def test_a_retry_keeps_its_rate_and_stops_when_it_is_cancelled(case: Case) -> None:
    case.plans.put(**dict.fromkeys([f"b{number}" for number in range(6)], "failed"))
    replay = case.retry(rate_per_second=1.0)
    runner = case.world.runner()
    assert runner.run(replay.replay_id, case.world.clock.now + 2.5) == "continued"
    asked = case.asked()
    case.world.replays.cancel(replay.replay_id, WHO)
    case.run(replay)
    assert (asked, case.asked()) == (["b0", "b1", "b2", "b3"], [])
    assert case.world.replays.get(replay.replay_id).status == "cancelled"


def test_the_plan_is_not_read_for_every_request(case: Case) -> None:
    case.plans.put(**dict.fromkeys([f"b{number:02}" for number in range(25)], "failed"))
    replay = case.retry(rate_per_second=0.0)
    case.plans.reads = 0
    case.run(replay)
    assert (case.plans.reads, len(case.results(replay))) == (1, 25)


def test_a_retry_of_nothing_is_refused_and_says_why(case: Case) -> None:
    case.plans.put(feb="succeeded")
    with pytest.raises(InvalidInput, match="leave nothing to retry: feb has succeeded") as caught:
        case.retry("feb")
    assert caught.value.code == "no_match"
    with pytest.raises(InvalidInput, match=r"^job_name: 'other' has no batches to retry"):
        case.retries.retry("other", None, WHO, WHY)
    entries = case.world.audit.entries(case.world.clock.now - 60, case.world.clock.now + 60)
    assert [entry.outcome for entry in entries] == ["refused", "refused"]


def test_the_number_that_somebody_saw_must_be_that_of_now(case: Case) -> None:
    case.plans.put(feb="failed", apr="failed")
    with pytest.raises(InvalidInput, match="2 would be asked for now") as caught:
        case.retry(confirm=3)
    assert caught.value.code == "confirmation_needed"
    case.plans.put(**dict.fromkeys([f"b{number}" for number in range(RETRY_CONFIRM_ABOVE)], "failed"))
    with pytest.raises(InvalidInput, match=r"^confirm: None must be the number of batches: 102"):
        case.retry()
    assert case.world.take(case.world.settings.replay_queue_url) == []


class Through:
    """A client that a test bends in one place."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)
