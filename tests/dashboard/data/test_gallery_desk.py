"""Questions in the background: once each, few at a time, and never in the way of who looks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backend.contract.history import Cost, HistoryError
from backend.contract.questions import Answer, Asked
from dashboard.data import gallery_desk
from dashboard.data.gallery_desk import BUSY, GalleryDesk
from tests.dashboard.data.feeding import Clock
from tests.dashboard.gallery_fakes import END, asked

AFTER = END + 3600


class Athena:
    """Answers once ``go`` is set; stops when it is asked to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.error: Exception | None = None
        self.asked: list[Asked] = []
        self.rows = 1

    def answer(self, wanted: Asked, stop: threading.Event) -> Answer:
        self.asked.append(wanted)
        while not self.go.wait(0.005):
            if stop.is_set():
                raise HistoryError("cancelled", "Cancelled; run it again to see history")
        if self.error:
            raise self.error
        rows = tuple((f"h{n}", 1.0, 1.0, 1.0, 1) for n in range(self.rows))
        cost = Cost(1, 12_000_000, 0.00006, 0.5)
        return Answer(wanted, rows, cost=cost, sql=f"SELECT {wanted.question.name}")

    def limits(self) -> tuple[int | None, float]:
        return 10_000_000_000, 0.05


@pytest.fixture
def athena() -> Athena:
    return Athena()


@pytest.fixture
def desk(athena: Athena) -> Iterator[GalleryDesk]:
    made = GalleryDesk(athena, lambda: AFTER)
    yield made
    made.close()


def test_nobody_waits_and_everybody_gets_the_one_answer(athena: Athena, desk: GalleryDesk) -> None:
    first = desk.ask(asked())
    with ThreadPoolExecutor(8) as viewers:
        readings = list(viewers.map(lambda _: desk.ask(asked()), range(8)))

    assert first.source.state == "running"
    assert {reading.source.key for reading in readings} == {first.source.key}
    athena.go.set()
    done = desk.ask(asked(), wait=10)
    assert (done.source.state, done.source.scanned_bytes) == ("done", 12_000_000)
    assert done.answer is not None
    assert done.answer.rows == (("h0", 1.0, 1.0, 1.0, 1),)
    assert done.sql == "SELECT cpu_by_host"
    assert len(athena.asked) == 1


def test_a_question_can_be_taken_back_even_while_it_waits_for_its_turn(athena: Athena, desk: GalleryDesk) -> None:
    readings = [desk.ask(asked(host=f"h{n}")) for n in range(gallery_desk.AT_ONCE + 1)]

    for reading in readings:
        assert desk.cancel(reading.source.key)

    states = [desk.ask(reading.asked, wait=10).source.state for reading in readings]
    assert states == ["cancelled"] * len(readings)
    assert not desk.cancel(readings[0].source.key)
    assert not desk.cancel("of nobody")


def test_too_many_questions_are_told_to_come_again_and_those_asked_already_are_not(
    athena: Athena, desk: GalleryDesk
) -> None:
    for number in range(gallery_desk.MOST_OPEN):
        desk.ask(asked(host=f"h{number}"))

    assert desk.ask(asked(host="one more")).source.error == BUSY
    assert desk.ask(asked(host="h0")).source.state == "running"
    athena.go.set()
    desk.ask(asked(host="h0"), wait=10)
    assert desk.ask(asked(host="one more"), wait=10).source.state == "done"


def test_a_failure_stays_until_somebody_asks_again(athena: Athena, desk: GalleryDesk) -> None:
    athena.error = HistoryError("limit", "The query would scan more than the workgroup allows")
    athena.go.set()
    failed = desk.ask(asked(), since=100, wait=10)
    assert (failed.source.state, failed.source.error) == ("failed", str(athena.error))

    athena.error = None
    assert desk.ask(asked(), since=100, wait=10).source.state == "failed"
    assert desk.ask(asked(), since=115, wait=10).source.state == "done"
    assert len(athena.asked) == 2


def test_whoever_chooses_later_asks_again_also_about_days_that_are_over(athena: Athena, desk: GalleryDesk) -> None:
    athena.go.set()
    for since in (100, 200, 100, 0):
        desk.ask(asked(), since=since, wait=10)

    assert athena.asked == [asked(), asked()]


@pytest.mark.parametrize(("kind", "again"), [("throttled", 2), ("cancelled", 2), ("limit", 1)])
def test_a_failure_that_may_pass_is_tried_again_for_a_file(athena: Athena, kind: Any, again: int) -> None:
    clock = Clock()
    desk = GalleryDesk(athena, clock)
    athena.error = HistoryError(kind, "Not now")
    athena.go.set()
    desk.ask(asked(), since=100, wait=10)
    athena.error = None
    assert desk.ask(asked(), wait=10).source.state != "done"
    clock.now += gallery_desk.RETRY_SECONDS
    assert desk.ask(asked(), since=100, wait=10).source.state != "done", "a page waits for a choice"
    desk.ask(asked(), wait=10)
    desk.close()
    assert len(athena.asked) == again


def test_what_a_program_does_wrong_is_no_dead_question(athena: Athena, desk: GalleryDesk) -> None:
    athena.error = RuntimeError("secret")
    athena.go.set()

    failed = desk.ask(asked(), wait=10)

    assert failed.source.error.startswith("The question could not be asked (RuntimeError)")
    assert "secret" not in failed.source.error


def test_the_limit_is_read_in_the_background(desk: GalleryDesk) -> None:
    while desk.limits()[0] is None:
        threading.Event().wait(0.005)
    assert desk.limits() == (10_000_000_000, 0.05)


def test_the_oldest_answers_go_when_there_are_too_many_rows(
    athena: Athena, desk: GalleryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_desk, "MOST_ROWS_HELD", 5)
    athena.rows = 3
    athena.go.set()
    for host in ("a", "b", "c"):
        desk.ask(asked(host=host), wait=10)

    desk.ask(asked(host="c"), wait=10)
    assert len(athena.asked) == 3
    desk.ask(asked(host="a"), wait=10)
    assert len(athena.asked) == 4
