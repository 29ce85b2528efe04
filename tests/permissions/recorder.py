"""Writes down what clients of boto3 ask AWS for, by whom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from tests.permissions.calls import Call, calls_of

VARIABLE: Final = "RECORD_CALLS"
"""Environment variable: the folder where processes with ``HOOK`` on their path write."""
HOOK: Final = Path(__file__).parent / "hook"
"""On PYTHONPATH it makes each function of Lambda a recorded process."""
EVENT: Final = "provide-client-params"
"""botocore's event before it builds a request."""


class Recorder:
    """Handler of botocore's ``EVENT``; writes a call once, as a line of ``folder/principal``."""

    def __init__(self, folder: Path, principal: str) -> None:
        self._path = folder / f"{principal}.{os.getpid()}"
        self._seen: set[Call] = set()

    def __call__(self, params: Any, model: Any, **_: Any) -> None:
        """What is asked for; changes nothing."""
        for call in calls_of(model.service_model.service_name, model.name, params):
            if call not in self._seen:
                self._seen.add(call)
                with self._path.open("a") as lines:
                    lines.write(f"{call}\n")


def read(folder: Path) -> dict[str, set[Call]]:
    """What was recorded: principal to calls."""
    found: dict[str, set[Call]] = {}
    for path in sorted(folder.iterdir()):
        calls = found.setdefault(path.name.rpartition(".")[0], set())
        calls |= {Call.parse(line) for line in path.read_text().splitlines()}
    return found
