"""Ended sessions are remembered as long as their cookies could be shown, and no longer."""

from __future__ import annotations

from dashboard.access.ended import EndedSessions
from tests.dashboard.data.feeding import Clock


def test_what_has_run_out_is_forgotten() -> None:
    clock = Clock(1_000.0)
    ended = EndedSessions(clock)
    ended.add("one", 1_100.0)
    assert ("one" in ended, "two" in ended) == (True, False)
    clock.now = 1_100.0
    ended.add("two", 1_200.0)
    assert ("one" in ended, "two" in ended, len(ended)) == (False, True, 1)


def test_the_memory_is_bounded_and_loses_what_ends_first() -> None:
    ended = EndedSessions(Clock(0.0), most=3)
    for number, until in enumerate((50.0, 20.0, 30.0, 40.0)):
        ended.add(f"session-{number}", until)
    assert [f"session-{number}" in ended for number in range(4)] == [True, False, True, True]
