"""The token bucket against a clock that only sleeping moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.replay.pace import Pace, batch_size, part_size


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.floats(0.1, 5_000), st.lists(st.floats(0, 0.1), min_size=50, max_size=200))
def test_the_rate_is_kept_although_requests_take_time(rate: float, delays: list[float]) -> None:
    clock, batch = Clock(), batch_size(rate)
    pace, began = Pace(rate, clock, clock.sleep), clock.now
    for delay in delays:
        pace.wait(batch)
        clock.now += min(delay, 0.5 * batch / rate)
    seconds = clock.now - began
    assert len(delays) * batch <= rate * seconds + 2 * batch
    assert seconds <= (len(delays) + 1) * batch / rate


def test_a_pause_is_not_caught_up() -> None:
    clock = Clock()
    pace = Pace(100.0, clock, clock.sleep)
    pace.wait(10)
    clock.now += 60
    resumed, sent = clock.now, 0
    while clock.now < resumed + 1:
        pace.wait(10)
        sent += 10
    assert sent <= 100 + 50 + 2 * 10


def test_without_a_limit_nothing_waits() -> None:
    clock = Clock()
    pace = Pace(None, clock, clock.sleep)
    for _ in range(1000):
        pace.wait(10)
    assert (clock.now, pace.idle()) == (100.0, 0.0)


@pytest.mark.parametrize(("rate", "batch", "part"), [(0.1, 1, 1), (1, 1, 1), (20, 4, 20), (50, 10, 50), (900, 10, 200)])
def test_slow_replays_send_evenly_and_look_up_each_second(rate: float, batch: int, part: int) -> None:
    assert (batch_size(rate), part_size(rate)) == (batch, part)
    assert part <= max(1, rate)
