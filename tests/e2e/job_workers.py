"""Workers in processes of their own, forked from one that runs a job itself; prints what became of each as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from backend.aws import Clients
from backend.jobs.errors import BatchBusy, BatchDone
from backend.jobs.journal import Journal
from backend.jobs.sdk import job
from backend.jobs.tracker import Tracker
from backend.settings import load_settings

BATCHES = [f"b{number}" for number in range(6)]


def forked(work: Callable[[Callable[[str], None]], None]) -> tuple[int, int]:
    """Runs ``work`` in a child, which may say words; its process id and where the words arrive."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        work(lambda word: (os.write(writing, f"{word}\n".encode()), None)[1])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def words(reading: int) -> list[str]:
    """All that a child says until its end."""
    with os.fdopen(reading) as stream:
        return stream.read().split()


def main() -> None:
    """Two racers over the same batches, one worker that is killed and one that is terminated."""
    settings = load_settings(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(Clients(settings.region, timeout=10), settings, Journal(Path(folder)), limit_seconds=30)

        def race(say: Callable[[str], None]) -> None:
            for batch in BATCHES:
                try:
                    with job("e2e-race", batch=batch, tracker=tracker):
                        say(batch)
                except (BatchBusy, BatchDone):
                    continue

        def hold(name: str) -> Callable[[Callable[[str], None]], None]:
            def work(say: Callable[[str], None]) -> None:
                with job(name, batch="a", tracker=tracker):
                    say("holding")
                    signal.pause()

            return work

        with job("e2e-parent", tracker=tracker) as run:
            run.records = 1
            racers = [forked(race) for _ in range(2)]
            ran = [words(reading) for _, reading in racers]
            codes = [os.waitpid(child, 0)[1] for child, _ in racers]
            ended = {}
            for name, number in (("e2e-killed", signal.SIGKILL), ("e2e-terminated", signal.SIGTERM)):
                child, reading = forked(hold(name))
                assert os.read(reading, 100) == b"holding\n"
                os.kill(child, number)
                ended[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    json.dump({"ran": ran, "codes": codes, "ended": ended}, sys.stdout)


if __name__ == "__main__":
    main()
