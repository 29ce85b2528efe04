"""The ready-made questions as they are asked: of the days of their range, and with the text that ran."""

from __future__ import annotations

import threading
from datetime import date

import pyarrow as pa

from backend.contract.history import Cost
from backend.contract.questions import BY_NAME, Asked
from backend.history.athena import Result
from backend.history.days import Days, LateObjects, day_start
from backend.history.questions import Questions
from backend.history.series import Place
from backend.history.statements import Statement
from backend.settings import Settings

DAY = date(2026, 11, 20)


class World:
    """Compacts the day again whenever it is asked where the day lies."""

    def __init__(self) -> None:
        self.places: list[tuple[date, date]] = []
        self.ran: list[str] = []

    def place(self, first: date, last: date) -> Place:
        self.places.append((first, last))
        return Place(Days({DAY: len(self.places)}), LateObjects(), "past")

    def run(self, asked: Statement, stop: threading.Event | None = None, *, reuse: bool = True) -> Result:
        self.ran.append(asked.sql)
        columns = {column.name: pa.array([], pa.string()) for column in BY_NAME["counts_by_type"].columns}
        return Result(pa.table(columns), Cost(), "q")


def test_the_text_of_an_answer_is_what_ran_and_a_range_that_ends_at_midnight_ends_with_its_day() -> None:
    world = World()
    questions = Questions(world, world, None, Settings())  # type: ignore[arg-type]
    start = day_start(DAY)
    answer = questions.answer(Asked(BY_NAME["counts_by_type"], start, start + 86_400, ""), threading.Event())

    assert world.places == [(DAY, DAY)]
    assert "generation = 1" in world.ran[0]
    assert "generation = 1" in answer.sql
