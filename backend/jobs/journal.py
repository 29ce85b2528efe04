"""What could not be recorded, kept on this machine until it can: JSON Lines, flushed to disk entry by entry.

Processes share the folder. One appends under the file's lock; who delivers moves the file aside first, so that nobody
appends to what is being read, and holds the folder's lock meanwhile. An entry goes only after it was delivered, so a
crash repeats some: what they write is the same again.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

VARIABLE: Final = "PULSEBOARD_JOURNAL"
DEFAULT: Final = "~/.local/state/pulseboard/jobs"
CURRENT: Final = "jobs.jsonl"
MOVED: Final = "sending-*.jsonl"
REFUSED: Final = "refused.jsonl"
LOCK: Final = "lock"

Entry = dict[str, Any]


class Away(Exception):  # noqa: N818 - reads as a statement where it is raised
    """An entry can't be delivered now; it and those after it stay."""


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
            file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _sync(self.folder)

    def deliver(self, send: Callable[[Entry], None]) -> Delivered:
        """Gives the entries to ``send`` in their order, until it raises Away; what it took is forgotten.

        Another process that is at it already is left to it. Raises OSError where the folder can't be used.
        """
        if not self.waiting:
            return Delivered()
        with (self.folder / LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Delivered(left=sum(1 for _ in self.entries()))
            done = Delivered()
            for path in self._files():
                done = self._deliver(path, send, done)
                if done.left:
                    return Delivered(done.delivered, done.refused, sum(1 for _ in self.entries()))
            return done

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

    def _deliver(self, path: Path, send: Callable[[Entry], None], before: Delivered) -> Delivered:
        lines = path.read_bytes().splitlines()
        delivered, refused = before.delivered, before.refused
        for number, line in enumerate(lines):
            try:
                entry = _read(line)
                if entry is None:
                    raise Unacceptable("the line is no JSON object")
                send(entry)
                delivered += 1
            except Unacceptable:
                self._put_aside(line)
                refused += 1
            except Away:
                _replace(path, lines[number:])
                return Delivered(delivered, refused, len(lines) - number)
        path.unlink()
        return Delivered(delivered, refused)

    def _put_aside(self, line: bytes) -> None:
        with _appending(self.folder / REFUSED) as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())


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
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                same = path.stat().st_ino == os.fstat(file.fileno()).st_ino
            except FileNotFoundError:
                same = False
            if same:
                yield file
                return


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
