"""The demo's jobs at work: each records its runs through the SDK as anybody's jobs would, and says ``synthetic``.

Threads of one process: the regular jobs and the one that always fails, a job that never ends, a stream, and the
backfill, which loads month after month, dies in the fifth, and afterwards runs what is asked for from the page.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.jobs.errors import JobError
from backend.jobs.requests import RetryRequest, retries
from backend.jobs.sdk import job, pending
from backend.local.demo_jobs import BACKFILL, BACKFILL_ERROR, DIES_IN, FAILING, HANGS, MONTHS, REGULAR, STREAM, DemoJob
from backend.local.demo_jobs import fate as fate_of

MONTH_SECONDS: Final = 4.0
"""What the backfill takes for a month."""
HANGING_SECONDS: Final = 900.0
"""Somebody kills the job that hangs, and it is started again."""
ENDING_SECONDS: Final = 3.0
PARTS: Final = 8
"""Of a run, between which its progress is told."""
STREAM_SECONDS: Final = 86400.0

Wait = Callable[[float], bool]
"""Waits so many seconds; True when the process is to end."""


class DemoJobError(Exception):
    """What a demo's job fails with."""


def failure(error: str) -> Exception:
    """An exception whose class is what stands before the colon of ``error``, as the real one's would be."""
    kind, _, text = error.partition(": ")
    made: type[Exception] = type(kind, (DemoJobError,), {})
    return made(text)


@dataclass(frozen=True, slots=True)
class Worker:
    """What a thread works with. ``now`` gives epoch seconds."""

    seed: int
    wait: Wait
    now: Callable[[], float] = time.time
    job: Callable[..., Any] = job
    pending: Callable[[str, Sequence[str]], list[str]] = pending
    retries: Callable[[str, float], Iterable[RetryRequest]] = retries

    def regular(self, work: DemoJob) -> None:
        """Runs a job at its times until the end."""
        while True:
            due = (self.now() // work.every_seconds + 1) * work.every_seconds
            if self.wait(due - self.now()):
                return
            self._tried(partial(self.once, work, due))

    def once(self, work: DemoJob, at: float) -> None:
        """One run, which goes as its time says. Raises what the run fails with."""
        going = fate_of(work, self.seed, at)
        with self.job(work.name, work.type, dataset=work.dataset, synthetic=True) as run:
            for part in range(1, PARTS + 1):
                if self.wait(going.seconds / PARTS):
                    raise failure("Stopped: the worker was told to end")
                run.progress = part / PARTS
                run.records = int(going.records * part / PARTS)
            if going.error:
                run.records = None
                raise failure(going.error)

    def endless(self, name: str, seconds: float, type: str) -> None:  # noqa: A002 - the SDK's word
        """A run of a job that goes on and on, again and again."""

        def once() -> None:
            with self.job(name, type, synthetic=True):
                if self.wait(seconds):
                    raise failure("Stopped: the worker was told to end")
                raise failure(f"Killed: ran for {seconds / 60:.0f} min without an end")

        while not self.wait(0):
            self._tried(once)
            if self.wait(20):
                return

    def backfill(self) -> None:
        """Loads the months in order until one fails; then does what is asked for from the page."""
        while not self._tried(self._months) and not self.wait(0):
            pass
        while not self.wait(0):
            self._tried(self._asked)

    def _months(self) -> None:
        for month in self.pending(BACKFILL, MONTHS):
            if not self._tried(partial(self.month, month, asked=False)):
                return

    def month(self, month: str, *, asked: bool, by: str = "") -> None:
        """One month. The fifth is too large for the machine, until it is asked for again: who asks has mended it."""
        with self.job(BACKFILL, batch=month, requested_by=by, synthetic=True) as run:
            for part in range(1, PARTS + 1):
                if self.wait(MONTH_SECONDS / PARTS):
                    raise failure("Stopped: the worker was told to end")
                run.progress, run.records = part / PARTS, 412_000 * part
                if month == DIES_IN and not asked and part == PARTS // 2:
                    raise failure(BACKFILL_ERROR)

    def _asked(self) -> None:
        for request in self.retries(BACKFILL, 1.0):
            self._tried(partial(self.month, request.batch, asked=True, by=request.requested_by))

    def _tried(self, act: Callable[[], None]) -> bool:
        """Whether it went well. A job's failure is its own matter, and a refused batch somebody else's."""
        try:
            act()
        except (DemoJobError, JobError):
            return False
        except (BotoCoreError, ClientError) as error:
            sys.stdout.write(f"AWS does not answer: {error}\n")
            return self.wait(2)
        return True


def threads(worker: Worker) -> Sequence[threading.Thread]:
    """One thread per job, not started yet."""
    acts: dict[str, Callable[[], None]] = {
        **{work.name: partial(worker.regular, work) for work in (*REGULAR, FAILING)},
        HANGS: partial(worker.endless, HANGS, HANGING_SECONDS, "batch"),
        STREAM: partial(worker.endless, STREAM, STREAM_SECONDS, "streaming"),
        BACKFILL: worker.backfill,
    }
    return [threading.Thread(target=act, name=name, daemon=True) for name, act in acts.items()]


def main() -> None:
    """Works until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    working = threads(Worker(parser.parse_args().seed, ended.wait))
    for thread in working:
        thread.start()
    ended.wait()
    # A run that is told to end says so in its record; who waits for AWS is not waited for.
    deadline = time.monotonic() + ENDING_SECONDS
    for thread in working:
        thread.join(max(0.0, deadline - time.monotonic()))


if __name__ == "__main__":
    main()
