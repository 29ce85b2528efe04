"""What could not be recorded, kept on this machine until it can: JSON Lines, flushed to disk entry by entry.

Processes share the folder. One appends under the file's lock; who delivers moves the file aside first, so that nobody
appends to what is being read, and holds the folder's lock meanwhile. An entry is blanked where it stands as soon as it
was delivered: a process that ends in the middle leaves the rest, and at most the one under way is repeated.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal

VARIABLE: Final = "PULSEBOARD_JOURNAL"
DEFAULT: Final = "~/.local/state/pulseboard/jobs"
CURRENT: Final = "jobs.jsonl"
MOVED: Final = "sending-*.jsonl"
REFUSED: Final = "refused.jsonl"
LOCK: Final = "lock"

Entry = dict[str, Any]
_Outcome = Literal["delivered", "refused", "kept", "away"]


class Away(Exception):  # noqa: N818 - reads as a statement where it is raised
    """An entry can't be delivered now; it and those after it stay."""


class Later(Exception):  # noqa: N818 - reads as a statement where it is raised
    """An entry can't be delivered now; those after it can all the same."""


class Unacceptable(Exception):  # noqa: N818 - reads as a statement where it is raised
    """An entry can never be delivered; it is put aside."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of the journal: entries delivered, put aside as ``refused``, and left for later."""

    delivered: int = 0
    refused: int = 0
    left: int = 0


def journal_folder(environ: Mapping[str, str]) -> Path:
    """``PULSEBOARD_JOURNAL``, by default a folder of the user's state directory."""
    return Path(environ.get(VARIABLE) or DEFAULT).expanduser()


class Journal:
    """The journal in a folder, which is made when there is something to keep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def waiting(self) -> bool:
        """Whether there are entries to deliver."""
        return (self.folder / CURRENT).exists() or any(self.folder.glob(MOVED))

    def add(self, entry: Mapping[str, Any]) -> None:
        """Keeps an entry; it is on the disk when this returns. Raises OSError where it can't be."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _appending(self.folder / CURRENT) as file:
            _write(file, json.dumps(entry, separators=(",", ":")).encode())
        _sync(self.folder)

    def deliver(self, send: Callable[[Entry], None], seconds: float = math.inf) -> Delivered:
        """Gives the entries to ``send`` in their order, until it raises Away or ``seconds`` are over; what it took is
        forgotten, what it raises Later for is kept.

        Another process that is at it already is left to it. Raises OSError where the folder can't be used.
        """
        if not self.waiting:
            return Delivered()
        with (self.folder / LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Delivered(left=sum(1 for _ in self.entries()))
            try:
                return self._deliver(list(self._files()), send, time.monotonic() + seconds)
            finally:
                # A child that was forked meanwhile has the lock's file too: closing it here would not free it.
                fcntl.flock(lock, fcntl.LOCK_UN)

    def entries(self) -> Iterator[Entry]:
        """What waits, the oldest first; lines that were cut by a crash are left out."""
        for path in [*sorted(self.folder.glob(MOVED)), self.folder / CURRENT]:
            try:
                lines = path.read_bytes().splitlines()
            except FileNotFoundError:
                continue
            yield from (entry for line in lines if (entry := _read(line)) is not None)

    def _files(self) -> Iterator[Path]:
        """What to deliver: files moved aside before, then the current one, moved aside now."""
        yield from sorted(self.folder.glob(MOVED))
        current = self.folder / CURRENT
        moved = self.folder / f"sending-{time.time_ns():020}.jsonl"
        try:
            with current.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                current.rename(moved)
        except FileNotFoundError:
            return
        yield moved

    def _deliver(self, paths: Sequence[Path], send: Callable[[Entry], None], ends: float) -> Delivered:
        found: Counter[_Outcome] = Counter()
        kept: list[bytes] = []
        for path in paths:
            with path.open("r+b", buffering=0) as file:
                for at, line in _lines(file.read()):
                    over = found["away"] or time.monotonic() >= ends
                    outcome: _Outcome = "kept" if over else self._offer(line, send)
                    found[outcome] += 1
                    if outcome in ("kept", "away"):
                        kept.append(line)
                    else:
                        os.pwrite(file.fileno(), b" " * len(line), at)
        if kept and (len(paths) > 1 or found["delivered"] or found["refused"]):
            _replace(paths[0], kept)
        for path in paths[1:] if kept else paths:
            path.unlink()
        left = sum(1 for _ in self.entries()) if kept else 0
        return Delivered(found["delivered"], found["refused"], left)

    def _offer(self, line: bytes, send: Callable[[Entry], None]) -> _Outcome:
        try:
            entry = _read(line)
            if entry is None:
                raise Unacceptable("the line is no JSON object")
            send(entry)
        except Unacceptable:
            self._put_aside(line)
            return "refused"
        except Later:
            return "kept"
        except Away:
            return "away"
        return "delivered"

    def _put_aside(self, line: bytes) -> None:
        with _appending(self.folder / REFUSED) as file:
            _write(file, line)


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, each with where it begins."""
    at = 0
    for line in data.split(b"\n"):
        if line.strip():
            yield at, line
        at += len(line) + 1


def _read(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


@contextmanager
def _appending(path: Path) -> Iterator[IO[bytes]]:
    """The file, locked. Who delivers may have moved it aside between its opening and its locking."""
    while True:
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                same = path.stat().st_ino == os.fstat(file.fileno()).st_ino
            except FileNotFoundError:
                same = False
            try:
                if same:
                    yield file
                    return
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)


def _write(file: IO[bytes], line: bytes) -> None:
    """Appends a line and flushes it to the disk. After one that a crash cut short it begins anew."""
    if file.seek(0, os.SEEK_END):
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            line = b"\n" + line
    file.write(line + b"\n")
    file.flush()
    os.fsync(file.fileno())


def _replace(path: Path, lines: list[bytes]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """A new or renamed file's name is on the disk when its folder is."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
