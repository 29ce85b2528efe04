"""Single flight: one makes, all get the same."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dashboard.data.flight import SingleFlight


def together(flight: SingleFlight[object], error: Exception | None) -> tuple[list[object], int]:
    """Eight callers of one key; the first is held until the others wait for it."""
    found: list[object] = []
    made = []
    first = threading.Event()
    go_on = threading.Event()

    def make() -> object:
        made.append(1)
        first.set()
        assert go_on.wait(10)
        if error:
            raise error
        return object()

    def call() -> None:
        try:
            found.append(flight.do("key", make))
        except ConnectionError as raised:
            found.append(raised)

    leader = threading.Thread(target=call)
    leader.start()
    assert first.wait(10)
    waiting = threading.Semaphore(0)
    under_way: Any = flight._flights["key"]
    result = under_way.result

    def waits(timeout: float | None = None) -> object:
        waiting.release()
        return result(timeout)

    under_way.result = waits
    followers = [threading.Thread(target=call) for _ in range(7)]
    for thread in followers:
        thread.start()
    for _ in followers:
        assert waiting.acquire(timeout=10)
    go_on.set()
    for thread in [leader, *followers]:
        thread.join(10)
    return found, len(made)


def test_callers_that_come_meanwhile_get_the_result_of_the_first() -> None:
    flight: SingleFlight[object] = SingleFlight()
    found, made = together(flight, None)
    assert len(found) == 8
    assert made == 1
    assert len(set(map(id, found))) == 1


def test_callers_that_come_meanwhile_get_the_error_of_the_first() -> None:
    flight: SingleFlight[object] = SingleFlight()
    found, made = together(flight, ConnectionError("no route"))
    assert len(found) == 8
    assert all(isinstance(one, ConnectionError) for one in found)
    assert made == 1


def test_a_failure_is_not_remembered() -> None:
    flight: SingleFlight[int] = SingleFlight()

    def fail() -> int:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        flight.do("key", fail)
    assert flight.do("key", lambda: 7) == 7
    assert flight._flights == {}


def test_a_caller_may_give_up_waiting() -> None:
    flight: SingleFlight[int] = SingleFlight()
    started, go_on = threading.Event(), threading.Event()

    def slow() -> int:
        started.set()
        assert go_on.wait(10)
        return 1

    thread = threading.Thread(target=lambda: flight.do("key", slow))
    thread.start()
    assert started.wait(10)
    with pytest.raises(TimeoutError):
        flight.do("key", lambda: 2, timeout=0.01)
    go_on.set()
    thread.join(10)
