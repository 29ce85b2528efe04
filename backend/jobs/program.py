"""Any program as a job: runs it, passes its output on, and ends it where its batch is lost."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Final

from backend.contract.errors import InvalidInput
from backend.jobs.errors import LeaseLost
from backend.jobs.run import Run
from backend.parent_death import die_with_parent

FENCE: Final = "PULSEBOARD_FENCE"
RUN_ID: Final = "PULSEBOARD_RUN_ID"
"""Variables of the program: the run's fence, for what it writes, and its id."""
LOOK_SECONDS: Final = 0.5
"""How often the lease is looked at; it is known to be lost by a heartbeat."""
STOP_SECONDS: Final = 10.0
"""Between SIGTERM and SIGKILL for a program whose batch is another worker's."""
DRAIN_SECONDS: Final = 1.0
"""How long output is waited for after the program's end, where something that it started still holds it open."""
_REAP_SECONDS: Final = 5.0
_RECORDS: Final = re.compile(rb"pulseboard records=(\d{1,18})\s*")
_PIECE: Final = 65_536
_MOST_LEFT: Final = 1_048_576
"""Bytes that are read of what is there when nothing is waited for any more: no usual pipe holds more."""
_MOST_LINE: Final = 4096


def execute(program: Sequence[str], run: Run, write: Callable[[bytes], object], environ: Mapping[str, str]) -> int:
    """Runs the program with ``environ`` and FENCE and RUN_ID; its exit code, 128 + the number of a signal.

    Its standard output goes to ``write`` piece by piece, on another thread; a line ``pulseboard records=42`` sets the
    run's records. What ends this call ends the program. An exception does so by SIGTERM, and by SIGKILL where another
    one comes before the program's end; a lost lease by SIGTERM, and by SIGKILL after STOP_SECONDS. On Linux the program
    also gets SIGTERM when this process is killed, so call this in the main thread.

    Raises InvalidInput for a program that can't be run, LeaseLost, and what ``write`` raises.
    """
    started = _Program(program, {**environ, FENCE: str(run.fence), RUN_ID: run.run_id})
    output = _Output(started.stdout, run, write)
    try:
        # Within: an interruption may come while the thread is being started.
        output.start()
        while not started.ended.wait(LOOK_SECONDS):
            if output.problem is not None:
                raise output.problem
            if run.lease_lost:
                raise LeaseLost(
                    f"batch {run.batch!r} of job {run.record.job_name!r} was taken over by another worker; "
                    f"{program[0]} was ended"
                )
    except BaseException:
        # It must not work on under a lease that nobody renews. While it ends, heartbeats go on.
        started.stop(lambda: run.lease_lost)
        raise
    finally:
        output.finish()
        started.close()
    if output.problem is not None:
        raise output.problem
    return started.code


class _Program:
    """The process. It has a group of its own, which is ended as a whole, unless its input is a terminal: that lets only
    its own group read, and sends it Ctrl-C."""

    def __init__(self, program: Sequence[str], environ: Mapping[str, str]) -> None:
        self._grouped = not os.isatty(0)
        try:
            self._process = subprocess.Popen(
                program,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=environ,
                process_group=0 if self._grouped else None,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - see die_with_parent
            )
        except OSError as error:
            raise InvalidInput("program", program[0], f"can't be run ({error.strerror})") from error
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._pipe = self._process.stdout
        self.stdout = self._pipe.fileno()
        self.ended = Event()
        Thread(target=self._wait, name="pulseboard-program", daemon=True).start()

    @property
    def code(self) -> int:
        """Of one that has ended."""
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    def stop(self, lost: Callable[[], bool]) -> None:
        """SIGTERM, then SIGKILL for what is left: when it has ended, when it was ``lost`` for STOP_SECONDS, or when an
        exception comes while it is waited for."""
        if self.ended.is_set():
            return
        self._signal(signal.SIGTERM)
        patience = STOP_SECONDS
        try:
            while patience > 0 and not self.ended.wait(LOOK_SECONDS):
                patience -= LOOK_SECONDS if lost() else 0
        finally:
            self._signal(signal.SIGKILL)
            self.ended.wait(_REAP_SECONDS)

    def close(self) -> None:
        """Reads no more of its output."""
        self._pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        if not self._grouped:
            self._process.send_signal(number)
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _wait(self) -> None:
        self._process.wait()
        self.ended.set()


class _Output:
    """Passes on what comes from a pipe until its end. ``problem`` is what kept it from doing so."""

    def __init__(self, source: int, run: Run, write: Callable[[bytes], object]) -> None:
        self.problem: Exception | None = None
        self._source = source
        self._run = run
        self._write = write
        self._line = b""
        self._stop, self._stopper = os.pipe()
        self._thread = Thread(target=self._pass_on, name="pulseboard-output", daemon=True)

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def finish(self) -> None:
        """Waits for the pipe's end for DRAIN_SECONDS; then takes what is there."""
        if self._thread.ident is not None:
            self._thread.join(DRAIN_SECONDS)
        os.close(self._stopper)
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._stop)

    def _pass_on(self) -> None:
        left = _MOST_LEFT
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._source, selectors.EVENT_READ)
                selector.register(self._stop, selectors.EVENT_READ)
                while left > 0:
                    ready = {key.fd for key, _ in selector.select()}
                    if self._source not in ready:
                        break
                    piece = os.read(self._source, _PIECE)
                    if not piece:
                        break
                    self._take(piece)
                    left -= len(piece) if self._stop in ready else 0
            self._count(self._line)
        except Exception as error:  # noqa: BLE001 - raised on the thread that waits for the program
            self.problem = error

    def _take(self, piece: bytes) -> None:
        self._write(piece)
        *lines, rest = re.split(rb"[\r\n]", self._line + piece)
        for line in lines:
            self._count(line)
        # A longer one is no such line.
        self._line = rest[:_MOST_LINE]

    def _count(self, line: bytes) -> None:
        if said := _RECORDS.fullmatch(line):
            self._run.records = int(said.group(1))
