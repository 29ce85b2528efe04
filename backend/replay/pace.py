"""How fast a replay sends: evenly, and nothing is caught up after a pause."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SLACK_SECONDS: Final = 0.5
"""What a checkpoint or a slow answer held up for at most this long is caught up, so that the rate is kept."""


class Pace:
    """A token bucket that holds half a second's worth. ``rate`` is events a second, None without a limit."""

    def __init__(
        self,
        rate: float | None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._sleep = sleep
        self._next = monotonic()

    def wait(self, events: int) -> None:
        """Waits until so many events may be sent, and takes their tokens."""
        if self._rate is None:
            return
        now = self._monotonic()
        self._next = max(self._next, now - SLACK_SECONDS)
        if self._next > now:
            self._sleep(self._next - now)
        self._next += events / self._rate

    def idle(self) -> float:
        """Seconds until something may be sent again; 0 without a limit."""
        return max(0.0, self._next - self._monotonic()) if self._rate is not None else 0.0


def batch_size(rate: float | None) -> int:
    """Messages of one request: ten, or fewer so that slow replays send evenly."""
    return 10 if rate is None else max(1, min(10, int(rate / 5)))


def part_size(rate: float | None) -> int:
    """Events between two checkpoints: about a second's worth, so that pause and cancel are seen."""
    return 200 if rate is None else max(1, min(200, int(rate)))
