from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from backend.contract.jobs import JobRun
from dashboard.data.jobs_store import DAY, OLD_SECONDS, REFRESH_SECONDS, SWEEP_SECONDS, RunStore
from tests.dashboard.fakes import NOW
from tests.dashboard.job_fakes import FakeReader

AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


def run(at: float, run_id: str, **changes: object) -> JobRun:
    return replace(JobRun("load", run_id, "SUCCESS", at, ended_at=at + 5), **changes)  # type: ignore[arg-type]


class Bench:
    """A store over a fake reader; nothing is read behind its back."""

    def __init__(self, *runs: JobRun, days: int = 3, most: int = 1000) -> None:
        self.now = NOW
        self.reader = FakeReader(list(runs))
        self.store = RunStore(self.reader, lambda: self.now, days=days, most=most)
        self.store._fill_behind = lambda: None  # type: ignore[method-assign]

    def ids(self) -> list[str]:
        return list(self.store.held().columns.run_ids)

    def later(self, seconds: float = REFRESH_SECONDS) -> None:
        self.now += seconds


def test_the_first_look_reads_a_day_and_says_what_it_holds() -> None:
    bench = Bench(run(NOW - 100, "new"), run(NOW - 2 * DAY, "old"))
    held = bench.store.held()
    assert list(held.columns.run_ids) == ["new"]
    assert held.since == NOW - DAY
    assert not held.complete


def test_older_days_follow_until_all_are_held() -> None:
    bench = Bench(*(run(NOW - number * DAY / 2, f"r{number}") for number in range(1, 9)))
    bench.store.held()
    bench.store.fill()
    held = bench.store.held()
    assert held.complete
    assert not held.cut
    assert held.since == NOW - 3 * DAY
    assert len(held.columns) == 6


def test_the_number_of_runs_is_bounded_and_it_is_said_from_when_on_all_are_held() -> None:
    bench = Bench(*(run(NOW - number, f"r{number}") for number in range(1, 50)), most=10)
    held = bench.store.held()
    assert (len(held.columns), held.cut, held.complete, held.since) == (10, True, True, NOW - 10)


def test_within_a_tick_nothing_is_read_again() -> None:
    bench = Bench(run(NOW - 100, "a"))
    bench.store.held()
    asked = list(bench.reader.calls)
    bench.later(0.5)
    bench.store.held()
    assert bench.reader.calls == asked


def test_new_runs_come_with_the_tail_and_unchanged_ones_change_nothing() -> None:
    bench = Bench(run(NOW - 100, "a"))
    before = bench.store.held()
    bench.later()
    assert bench.store.held().version == before.version
    bench.reader.stored.append(run(NOW - 1, "b"))
    bench.later()
    after = bench.store.held()
    assert list(after.columns.run_ids) == ["a", "b"]
    assert after.version == before.version + 1


def test_a_run_that_goes_on_for_days_is_followed_to_its_end() -> None:
    begun = run(NOW - 2 * DAY, "long", status="STARTED", ended_at=None)
    bench = Bench(begun)
    assert bench.ids() == ["long"]
    bench.reader.stored[0] = replace(begun, status="FAILED", ended_at=NOW + 5, error="x", error_type="E")
    bench.later()
    held = bench.store.held()
    assert held.columns.text("status", 0) == "FAILED"
    assert "get_many" in bench.reader.calls


def test_a_run_that_began_before_what_is_held_is_there_until_it_ends() -> None:
    begun = run(NOW - 40 * DAY, "stream", status="STARTED", ended_at=None)
    bench = Bench(begun, run(NOW - 100, "a"))
    bench.store.held()
    bench.store.fill()
    assert bench.ids() == ["stream", "a"]
    bench.later(5 * DAY)
    bench.reader.stored.append(run(bench.now - 50, "b"))
    bench.store.held()
    bench.later()
    assert bench.ids() == ["stream", "b"]
    assert bench.store.held().since == bench.now - 3 * DAY
    bench.reader.stored[0] = replace(begun, status="SUCCESS", ended_at=bench.now)
    bench.later(OLD_SECONDS)
    assert bench.ids() == ["b"]


def test_where_the_number_is_bounded_an_old_run_that_goes_on_does_not_make_memory_look_longer() -> None:
    begun = run(NOW - 40 * DAY, "stream", status="STARTED", ended_at=None)
    bench = Bench(begun, *(run(NOW - number, f"r{number}") for number in range(1, 50)), most=10)
    bench.store.held()
    bench.store.fill()
    held = bench.store.held()
    assert (len(held.columns), held.cut, held.since) == (11, True, NOW - 10)


def test_days_in_which_nobody_looked_are_read_when_somebody_does() -> None:
    bench = Bench(run(NOW - 100, "a"))
    bench.store.held()
    bench.store.fill()
    bench.later(2.5 * DAY)
    bench.reader.stored.append(run(NOW + DAY / 2, "meanwhile"))
    assert bench.ids() == ["a", "meanwhile"]


def test_a_run_that_never_ended_and_has_expired_is_let_go_and_asked_for_seldom() -> None:
    bench = Bench(run(NOW - 40 * DAY, "lost", status="STARTED", ended_at=None))
    bench.store.held()
    bench.store.fill()
    assert bench.ids() == ["lost"]
    bench.later()
    bench.store.held()
    bench.reader.calls.clear()
    bench.later()
    assert bench.ids() == ["lost"]
    assert "get_many" not in bench.reader.calls
    bench.reader.stored.clear()
    bench.later(OLD_SECONDS)
    assert bench.ids() == []


def test_what_a_journal_brings_days_late_comes_with_its_days_turn() -> None:
    bench = Bench(run(NOW - 100, "a"), days=4)
    bench.store.held()
    bench.store.fill()
    bench.reader.stored.append(run(NOW - 2.5 * DAY, "late"))
    for _ in range(3):
        bench.later(SWEEP_SECONDS)
        bench.store.held()
    assert bench.ids() == ["late", "a"]


def test_what_a_journal_brings_late_is_found_within_the_hour() -> None:
    bench = Bench(run(NOW - 100, "a"))
    bench.store.held()
    bench.reader.stored.append(run(NOW - 5 * 3600, "late"))
    bench.later()
    assert bench.ids() == ["a"]
    bench.later(3_600)
    assert bench.ids() == ["late", "a"]


def test_while_the_table_is_away_what_was_read_stays_and_says_so() -> None:
    bench = Bench(run(NOW - 100, "a"))
    bench.store.held()
    bench.reader.error = AWAY
    bench.later()
    held = bench.store.held()
    assert list(held.columns.run_ids) == ["a"]
    assert "EndpointConnectionError" in held.trouble
    assert held.read_at == NOW
    bench.reader.error = None
    bench.later()
    assert bench.store.held().trouble == ""


def test_where_nothing_was_ever_read_the_error_is_the_answer() -> None:
    bench = Bench()
    bench.reader.error = AWAY
    with pytest.raises(EndpointConnectionError):
        bench.store.held()


def test_a_day_that_cannot_be_read_is_no_day_without_runs() -> None:
    bench = Bench(run(NOW - 2 * DAY, "old"))
    bench.store.held()
    bench.reader.error = AWAY
    bench.store.fill()
    assert not bench.store.held().complete
    bench.reader.error = None
    bench.store.fill()
    assert bench.store.held().complete
