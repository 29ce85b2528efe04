"""Calls that take at most so long, whatever the other side does."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Answer = TypeVar("Answer")


class TookTooLong(Exception):  # noqa: N818 - reads as a statement where it is raised
    """No answer in time. The call goes on by itself; what it does must be harmless then."""


class Deadline:
    """The time that is left of some seconds, for calls one after another."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self, most: float | None = None) -> float:
        """Seconds until the end, at least 0 and at most ``most``."""
        seconds = max(0.0, self._ends - time.monotonic())
        return seconds if most is None else min(most, seconds)


def within(seconds: float, act: Callable[[], Answer], late: Callable[[Future[Answer]], None] | None = None) -> Answer:
    """What ``act`` gives or raises. Raises TookTooLong after ``seconds``; ``late`` gets the answer that comes then.

    A socket's time-outs count from byte to byte and don't bound the looking up of names, so a thread does: it is a
    daemon, which holds up no process that ends.
    """
    future: Future[Answer] = Future()

    def run() -> None:
        try:
            future.set_result(act())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            future.set_exception(error)

    if seconds <= 0:
        raise TookTooLong("no time left")
    Thread(target=run, name="pulseboard-call", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        if late is not None:
            future.add_done_callback(late)
        raise TookTooLong(f"no answer within {seconds:.1f} s") from None
