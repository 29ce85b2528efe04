"""SIGTERM ends a process without a word. While a run is under way it raises instead, so that the run is recorded."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Final

EXIT_CODE: Final = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """The process was asked to end. Uncaught, it ends with the code that a shell gives for the signal."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)

    def __str__(self) -> str:
        return "terminated by SIGTERM"


class TermGuard:
    """Raises Terminated for SIGTERM while at least one run is under way. Only where the process leaves the signal to
    its default, and only from the main thread: others can't set it."""

    def __init__(self) -> None:
        self._runs = 0
        self._set = False

    def enter(self) -> None:
        """A run begins on this thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._runs += 1
        if not self._set and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _terminate)
            self._set = True

    def leave(self) -> None:
        """A run has ended on this thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._runs = max(0, self._runs - 1)
        if self._set and not self._runs:
            self._set = False
            if signal.getsignal(signal.SIGTERM) is _terminate:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
