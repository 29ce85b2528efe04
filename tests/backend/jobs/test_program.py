"""Programs run as jobs: what they are told, how long they are waited for, and what ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.jobs import program
from backend.jobs.errors import LeaseLost
from backend.jobs.program import execute
from backend.jobs.run import JobSpec, Run, new_record
from tests.backend.jobs.tracking import wait_for

ROOT = Path(__file__).parents[3]
WRAPPER = """
import os, sys
from backend.jobs.program import execute
from backend.jobs.run import JobSpec, Run, new_record
run = Run(new_record(JobSpec("killed"), 0.0, "test"), None)
execute(["sh", "-c", "echo started; exec sleep 60"], run, lambda piece: os.write(1, piece), os.environ)
"""


@pytest.fixture
def run() -> Run:
    return Run(new_record(JobSpec("program", batch="a"), 0.0, "test"), None)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A pipe with a name: who has it open lives."""
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def said_by(run: Run, *command: str) -> tuple[int, str]:
    pieces: list[bytes] = []
    return execute(command, run, pieces.append, os.environ), b"".join(pieces).decode()


def test_a_program_knows_its_run_and_its_fence(run: Run) -> None:
    told = said_by(run, "sh", "-c", "echo $PULSEBOARD_RUN_ID $PULSEBOARD_FENCE $HOME")
    assert told == (0, f"{run.run_id} 0 {os.environ['HOME']}\n")


def test_output_is_passed_on_as_it_is_and_the_last_count_of_records_is_kept(run: Run) -> None:
    code, said = said_by(run, "printf", r"a\r\npulseboard records=1\nno pulseboard records=9\n\rpulseboard records=2")
    assert (code, run.records) == (0, 2)
    assert said == "a\r\npulseboard records=1\nno pulseboard records=9\n\rpulseboard records=2"


def test_a_background_child_that_holds_the_output_does_not_hold_up_the_end(
    run: Run, monkeypatch: pytest.MonkeyPatch, fifo: Path
) -> None:
    monkeypatch.setattr(program, "DRAIN_SECONDS", 0.05)
    assert said_by(run, "sh", "-c", f"cat {fifo} & echo started; exit 4") == (4, "started\n")
    # The child has lived until here: opening this waits for it, and closing ends it.
    fifo.open("w").close()


@pytest.mark.parametrize("script", ["exec sleep 60", "sleep 60; true", "trap '' TERM; sleep 60; sleep 60"])
def test_a_lost_lease_ends_the_program_and_what_it_started(
    run: Run, monkeypatch: pytest.MonkeyPatch, fifo: Path, script: str
) -> None:
    monkeypatch.setattr(program, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(program, "STOP_SECONDS", 0.1)

    def lose(_piece: bytes) -> None:
        run.lease_lost = True

    held = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(LeaseLost, match=r"batch 'a' of job 'program' was taken over by .*; sh was ended$"):
            execute(["sh", "-c", f"exec 3>{fifo}; echo started; {script}"], run, lose, os.environ)
        wait_for(lambda: all_closed(held))
    finally:
        os.close(held)


def all_closed(held: int) -> bool:
    """Whether nobody has the pipe's other end any more."""
    try:
        return os.read(held, 1) == b""
    except BlockingIOError:
        return False


def test_an_interruption_ends_the_program_and_waits_for_its_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LOOK_SECONDS", 0.02)
    pieces: list[bytes] = []

    def interrupt(piece: bytes) -> None:
        pieces.append(piece)
        if piece == b"started\n":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        execute(["sh", "-c", "trap 'echo cleaned up; exit' TERM; echo started; sleep 60"], run, interrupt, os.environ)
    assert pieces[1:] == [b"cleaned up\n"]


def test_an_output_that_nobody_takes_ends_the_program(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LOOK_SECONDS", 0.02)

    def closed(_piece: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        execute(["sh", "-c", "echo started; exec sleep 60"], run, closed, os.environ)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's death")
def test_a_program_does_not_outlive_a_wrapper_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRAPPER], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as wrapper:
        assert wrapper.stdout is not None
        assert wrapper.stdout.readline() == b"started\n"
        wrapper.kill()
        # The program has the same standard error: it ends when both are gone.
        wrapper.communicate(timeout=20)


def test_an_interruption_while_the_program_is_started_ends_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[program._Program] = []

    class Remembered(program._Program):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(program, "_Program", Remembered)
    monkeypatch.setattr(program._Output, "start", lambda _: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        execute(["sleep", "60"], run, lambda _: None, os.environ)
    assert made[0].ended.is_set()
