"""What is kept of a journal when its delivery ends early, or somebody takes nothing of it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.contract.jobs import JobRun
from backend.jobs.delivery import TOLD_SECONDS, Deliverer, ended_entry, entry_of
from backend.jobs.errors import LeaseLost
from backend.jobs.journal import Delivered, Journal, Later
from tests.loggers import fresh_logger

NOW = 1_795_266_000.0
RUN = JobRun("load", "r", "FAILED", NOW - 60, ended_at=NOW)


def journal_of(folder: Path, *numbers: int) -> Journal:
    journal = Journal(folder)
    for number in numbers:
        journal.add({"number": number})
    return journal


def numbers(journal: Journal) -> list[int]:
    return [entry["number"] for entry in journal.entries()]


def test_a_process_that_ends_while_it_delivers_leaves_only_the_rest(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, 0, 1, 2, 3)

    def send(entry: dict[str, Any]) -> None:
        if entry["number"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.deliver(send)
    assert numbers(Journal(tmp_path)) == [2, 3]


def test_what_waits_for_later_holds_up_nothing_behind_it(tmp_path: Path) -> None:
    def send(entry: dict[str, Any]) -> None:
        if entry["number"] % 2:
            raise Later

    journal = journal_of(tmp_path, 0, 1, 2)
    assert journal.deliver(send) == Delivered(delivered=2, left=1)
    journal_of(tmp_path, 3, 4)
    assert journal.deliver(send) == Delivered(delivered=1, left=2)
    assert numbers(journal) == [1, 3]
    assert len(list(tmp_path.glob("sending-*"))) == 1


def test_a_delivery_ends_when_its_time_is_over(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, 0, 1)
    assert journal.deliver(lambda _: pytest.fail("it had no time"), seconds=0.0) == Delivered(left=2)
    assert journal.deliver(lambda _: None) == Delivered(delivered=2)
    assert not journal.waiting


def test_an_entry_after_a_torn_one_begins_a_line(tmp_path: Path) -> None:
    (tmp_path / "jobs.jsonl").write_text('{"number":0}\n{"num')
    assert numbers(journal_of(tmp_path, 2)) == [0, 2]


class Aws:
    """Takes runs, but a batch's, and nothing of what is told."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.asked: list[str] = []

    def end(self, run: JobRun, *, note: bool) -> None:
        if run.batch:
            raise LeaseLost("another one has it")
        self.ended.append(run.run_id)

    def tell(self, what: str, _run: JobRun) -> bool:
        self.asked.append(what)
        return False


def deliver(journal: Journal, aws: Aws, now: float = NOW) -> Delivered:
    logger = fresh_logger(io.StringIO())
    return Deliverer(journal, aws, aws, logger, lambda: now).deliver()  # type: ignore[arg-type]


def test_what_nobody_may_be_told_keeps_no_end_from_being_recorded(tmp_path: Path) -> None:
    journal, aws = Journal(tmp_path), Aws()
    for kind in ("failed", "counted", "failed"):
        journal.add(entry_of(kind, RUN))
    journal.add(ended_entry(RUN, note=False))
    assert deliver(journal, aws) == Delivered(delivered=1, left=3)
    assert (aws.ended, aws.asked) == (["r"], ["failed", "counted"])


def test_what_nobody_took_for_two_weeks_is_put_aside(tmp_path: Path) -> None:
    journal, aws = Journal(tmp_path), Aws()
    journal.add(entry_of("counted", RUN))
    assert deliver(journal, aws, NOW + TOLD_SECONDS + 1) == Delivered(refused=1)
    assert not journal.waiting


def test_an_end_that_came_too_late_is_not_said_to_be_delivered(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add(ended_entry(replace(RUN, batch="2026-05"), note=False))
    assert deliver(journal, Aws()) == Delivered(refused=1)
