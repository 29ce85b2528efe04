"""Runs what exercises every path of every principal with their calls recorded: ``make record``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import orjson

from tests.permissions.calls import Call
from tests.permissions.exceptions import recordable
from tests.permissions.recorder import HOOK, VARIABLE, read

ROOT: Final = Path(__file__).parents[2]
RECORDED: Final = ROOT / "tests/infra/recorded_calls.json"
RUNS: Final = (
    "tests/permissions/walks.py",
    "tests/e2e/test_permissions.py",
    "tests/e2e/test_event_processor.py",
)
"""Tests on the engine whose functions take the ways there are, and the walks that only recording needs."""

COMPARES: Final = "tests/e2e/test_permissions.py::test_no_function_asks_for_what_was_never_recorded"
"""Compares with what was recorded before."""


def load() -> dict[str, set[Call]]:
    """The recorded calls in the repository: principal to calls."""
    found: dict[str, list[str]] = orjson.loads(RECORDED.read_bytes())
    return {principal: {Call.parse(text) for text in calls} for principal, calls in found.items()}


def render(calls: dict[str, set[Call]]) -> bytes:
    """As they are committed: sorted, one a line."""
    lists = {
        principal: sorted(str(call) for call in found if recordable(principal, call))
        for principal, found in sorted(calls.items())
    }
    return orjson.dumps(lists, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def record(runs: list[str], folder: Path) -> int:
    """Runs pytest on ``runs`` with recording on; returns its exit code."""
    environment = {**os.environ, VARIABLE: str(folder), "PYTHONPATH": str(HOOK)}
    command = [sys.executable, "-m", "pytest", "-q", "--deselect", COMPARES, *runs]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    """Writes the file anew, or with ``--add`` what these runs saw besides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--add", action="store_true", help="keep what is recorded, and add to it")
    parser.add_argument("runs", nargs="*", default=RUNS, help="tests to run, by default all that are needed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if code := record(list(arguments.runs), Path(folder)):
            return code
        calls = read(Path(folder))
    if arguments.add:
        for principal, found in load().items():
            calls.setdefault(principal, set()).update(found)
    RECORDED.write_bytes(render(calls))
    sys.stdout.write(
        f"{RECORDED.relative_to(ROOT)}: {sum(map(len, calls.values()))} calls of {len(calls)} principals\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
