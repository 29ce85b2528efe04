"""What a running demo tells other shells: its directory, its lock and its endpoints."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from backend.contract.errors import InvalidInput

DIRECTORY: Final = Path(".demo")
_LOCK: Final = "lock"
_STATE: Final = "state.json"


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Makes this process the directory's one demo. Raises InvalidInput when another one runs there."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InvalidInput(
                "demo", str(directory), "belongs to a demo that is running; stop it or use another directory"
            ) from None
        try:
            yield
        finally:
            (directory / _STATE).unlink(missing_ok=True)


def publish(directory: Path, environment: Mapping[str, str]) -> None:
    """Writes the running demo's environment variables for ``read``."""
    (directory / _STATE).write_text(json.dumps(dict(environment), indent=1), "utf-8")


def read(directory: Path) -> dict[str, str]:
    """The environment variables of the demo running in ``directory``. Raises InvalidInput when none is."""
    with suppress(OSError, ValueError), (directory / _LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            environment: dict[str, str] = json.loads((directory / _STATE).read_text("utf-8"))
            return environment
    raise InvalidInput("demo", str(directory), "has no running demo; start `make demo` and wait until it is ready")
