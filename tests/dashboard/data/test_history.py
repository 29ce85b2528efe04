"""Readings of history in the background: one for all who look, remembered, and never in a loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from backend.contract.errors import InvalidInput
from backend.contract.history import (
    Cost,
    HistoryAnswer,
    HistoryError,
    HistoryPlan,
    HistoryQuestion,
    MetricWanted,
)
from dashboard.data.history import (
    BUSY,
    CHECK_SECONDS,
    FULL,
    LONGEST_RETRY_SECONDS,
    MOST_OPEN,
    MOST_ROWS,
    RETRY_SECONDS,
    WATCHED_SECONDS,
    WATCHED_TIMES,
    History,
    Look,
)
from tests.dashboard.data.feeding import Clock

QUESTION = HistoryQuestion("production", (MetricWanted("cpu_utilization"),), 0, 86400, 60)


class Reader:
    """Answers when it is let; counts what it was asked."""

    def __init__(self) -> None:
        self.plan_of = HistoryPlan("a", settled=True)
        self.error: Exception | None = None
        self.rows = 1
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    def plan(self, question: HistoryQuestion) -> HistoryPlan:
        return self.plan_of

    def answer(self, plan: HistoryPlan, stop: threading.Event) -> HistoryAnswer:
        self.asked += 1
        while not self.gate.wait(0.005):
            if stop.is_set():
                raise HistoryError("cancelled", "Cancelled")
        if self.error is not None:
            raise self.error
        return HistoryAnswer(cost=Cost(1, 5_000_000, 0.00005, 1.0), rows=self.rows)


class World:
    def __init__(self) -> None:
        self.reader, self.clock = Reader(), Clock()
        self.history = History(self.reader, self.clock, 3600.0)

    def look(self, question: HistoryQuestion = QUESTION) -> Look:
        return self.history.look(question)

    def after(self, condition: Callable[[Look], bool] = lambda look: look.state != "running") -> Look:
        """The first look that meets the condition."""
        while True:
            look = self.look()
            if condition(look):
                return look


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.history.close()
    made.reader.gate.set()


def test_the_first_look_does_not_wait_and_the_second_viewer_asks_nothing(world: World) -> None:
    world.reader.gate.clear()
    first, second = world.look(), world.look()
    world.reader.gate.set()
    done = world.after()

    assert (first.state, first.answer, first.since) == ("running", None, world.clock.now)
    assert second.key == first.key == done.key
    assert done.answer is not None
    assert done.answer.cost.scanned_bytes == 5_000_000
    assert world.look().answer is done.answer
    assert world.reader.asked == 1


def test_an_answer_is_read_again_only_when_something_else_lies_there(world: World) -> None:
    world.after()
    world.clock.now += CHECK_SECONDS
    world.after()
    world.clock.now += 1
    assert world.reader.asked == 1, "the ledger says the same: nothing is asked"

    world.reader.plan_of = HistoryPlan("b", settled=True)
    world.clock.now += 2 * CHECK_SECONDS
    while world.reader.asked == 1:
        assert world.look().answer is not None, "what was read before stays until the new answer is there"


def test_days_that_are_not_compacted_are_read_again_after_a_while(world: World) -> None:
    world.reader.plan_of = HistoryPlan("a", settled=False)
    world.after()
    world.clock.now += 3600
    while world.reader.asked == 1:
        world.look()


def test_a_failure_is_said_at_once_and_tried_again_later_never_in_a_loop(world: World) -> None:
    world.reader.error = HistoryError("throttled", "Athena takes no more requests just now")

    failed = world.after()
    assert (failed.state, failed.error) == ("failed", "Athena takes no more requests just now")
    assert [world.look().state for _ in range(3)] == ["failed"] * 3
    assert world.reader.asked == 1

    world.clock.now += RETRY_SECONDS
    world.reader.error = None
    assert world.look().state == "running"
    assert world.after().state == "done"
    assert world.reader.asked == 2


def test_what_nobody_can_pass_by_waiting_is_not_tried_soon(world: World) -> None:
    world.reader.error = HistoryError("denied", "No access to Athena")
    world.after()
    world.clock.now += LONGEST_RETRY_SECONDS - 1
    assert world.look().state == "failed"
    assert world.reader.asked == 1


def test_an_answer_outlives_a_failure_of_reading_it_again(world: World) -> None:
    world.after()
    world.reader.plan_of, world.reader.error = HistoryPlan("b"), HistoryError("timeout", "Too slow")
    world.clock.now += CHECK_SECONDS

    look = world.after(lambda look: bool(look.trouble))

    assert (look.state, look.trouble) == ("done", "Too slow")
    assert look.answer is not None


def test_cancelling_ends_it_for_everybody_until_somebody_wants_it_again(world: World) -> None:
    world.reader.gate.clear()
    key = world.look().key

    assert world.history.cancel(key)
    assert world.look().state == "cancelled"
    while world.history.cancel(key):
        """Until the reading has noticed."""
    world.clock.now += 10 * LONGEST_RETRY_SECONDS
    assert world.look().state == "cancelled"
    assert world.reader.asked <= 1

    world.reader.gate.set()
    assert world.history.retry(key)
    assert world.look().state == "running"
    assert world.after().state == "done"
    assert not world.history.cancel("read-of-nobody")
    assert not world.history.retry("read-of-nobody")


def test_bad_input_and_a_broken_program_are_both_said(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.reader.error = InvalidInput("from", "2000-01-01", "makes a range of 9,000 days")
    assert "9,000 days" in world.after().error
    world.reader.error = ZeroDivisionError("x")
    world.clock.now += LONGEST_RETRY_SECONDS
    world.look()
    assert "ZeroDivisionError" in world.after(lambda look: "Zero" in look.error).error


def test_no_more_readings_wait_than_there_may_be(world: World) -> None:
    world.reader.gate.clear()
    looks = [world.look(HistoryQuestion("production", (), n, n + 1, 60)) for n in range(MOST_OPEN + 1)]

    assert [look.state for look in looks] == ["running"] * MOST_OPEN + ["failed"]
    assert looks[-1].error == BUSY


def test_held_answers_stay_within_bounds(world: World) -> None:
    world.reader.rows = 200_000
    world.after()
    key = world.look().key
    world.clock.now += WATCHED_SECONDS
    other = HistoryQuestion("staging", (), 0, 1, 60)
    while world.look(other).state == "running":
        pass

    assert world.history.state(key) is None, "two such answers are more than may be held"
    assert world.look(other).state == "done"


def test_what_is_watched_stays_and_more_than_there_is_memory_for_is_refused(world: World) -> None:
    world.reader.rows = MOST_ROWS
    watched = [HistoryQuestion("production", (), n, n + 1, 60) for n in range(WATCHED_TIMES)]
    for question in watched:
        while world.look(question).state == "running":
            pass

    assert [world.look(question).state for question in watched] == ["done"] * WATCHED_TIMES
    assert world.reader.asked == WATCHED_TIMES
    assert world.look().error == FULL
    world.clock.now += WATCHED_SECONDS
    assert world.look().state == "running"


def test_trying_again_is_not_forgotten_while_the_cancelled_reading_still_ends(world: World) -> None:
    began, ended = threading.Event(), threading.Event()

    def answer(plan: HistoryPlan, stop: threading.Event) -> HistoryAnswer:
        if ended.is_set():
            return HistoryAnswer()
        began.set()
        ended.wait(10)
        raise HistoryError("cancelled", "Cancelled")

    world.reader.answer = answer  # type: ignore[method-assign]
    key = world.look().key
    assert began.wait(10)
    assert world.history.cancel(key)
    assert world.history.retry(key)
    assert world.look().state == "running", "the page goes on waiting"
    ended.set()
    assert world.after().state == "done"
