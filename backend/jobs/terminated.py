"""SIGTERM ends a process without a word. While a run is under way it raises instead, so that the run is recorded."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
        self._ending = 0
        self._came = False
        self._pid = os.getpid()
        self.raised = False
        """Whether SIGTERM has raised Terminated in a run that is under way."""

    def enter(self) -> None:
        """A run begins on this thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._runs += 1
        if not self._set and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._terminate)
            self._set = True

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Around the recording of a run's end, on the thread on which it began.

        A signal meanwhile waits until that is done: the second one of an impatient supervisor must not cost the end.
        Then it raises Terminated.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._ending += 1
        try:
            yield
        finally:
            self._ending = max(0, self._ending - 1)
            self._leave()
            if self._came:
                self._came = False
                raise Terminated

    def forked(self) -> None:
        """This is a child process: ends that its parent was recording at the fork are none of its own."""
        self._pid = os.getpid()
        self._ending = 0
        self._came = self.raised = False

    def _leave(self) -> None:
        self._runs = max(0, self._runs - 1)
        if self._runs:
            return
        self.raised = False
        if self._set:
            self._set = False
            if signal.getsignal(signal.SIGTERM) == self._terminate:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        if self._ending and self._pid == os.getpid():
            self._came = True
            return
        self.raised = True
        raise Terminated
