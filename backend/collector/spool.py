"""Objects that wait on disk until S3 has them. The file name alone decides the key.

Written as a temporary file, flushed to disk, then renamed: a file that has its final name is whole. Whatever kills
the process, the next one finds it and sends the same bytes under the same key.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Final, NamedTuple, Self

from backend.collector.core import Outgoing
from backend.contract.errors import InvalidInput
from backend.contract.tables import SPACING_METADATA

SUFFIX: Final = ".object"
PARTIAL: Final = ".partial"
LOCK: Final = "lock"


class SpoolFull(Exception):  # noqa: N818 - reads as a statement where it is raised
    """Taking one more object would exceed the spool's size."""


class Entry(NamedTuple):
    """A spooled object: files sort by the order they were written in."""

    path: Path
    key: str
    spacing: str
    size: int


class Spool:
    """A folder of objects, at most ``max_bytes`` in all, owned by one process at a time.

    One thread may add while another reads and removes; ``count`` and ``bytes`` are what waits. Raises InvalidInput
    when the folder can't be used or another process has it.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._owner = (folder / LOCK).open("w")
        except OSError as error:
            remedy = f"can't be used ({error.strerror}); give a writable --spool"
            raise InvalidInput("spool", str(folder), remedy) from error
        try:
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._owner.close()
            remedy = "is in use by another agent; stop it or give another --spool"
            raise InvalidInput("spool", str(folder), remedy) from error
        for leftover in folder.glob(f"*{PARTIAL}"):
            leftover.unlink()
        waiting = self.pending()
        self.bytes = sum(entry.size for entry in waiting)
        self.count = len(waiting)
        self._totals = threading.Lock()
        self._last = int(waiting[-1].path.name.split(",", 1)[0]) if waiting else 0

    def add(self, outgoing: Outgoing) -> None:
        """Keeps an object. It survives a crash once this returns. Raises SpoolFull, OSError."""
        if self.bytes + len(outgoing.body) > self.max_bytes:
            raise SpoolFull(f"{self.folder} holds {self.bytes:,} of {self.max_bytes:,} bytes")
        self._last = max(self._last + 1, time.time_ns())
        spacing = outgoing.metadata.get(SPACING_METADATA, "")
        path = self.folder / f"{self._last:020d},{spacing},{outgoing.key.replace('/', ',')}{SUFFIX}"
        partial = path.with_suffix(PARTIAL)
        with partial.open("wb") as file:
            file.write(outgoing.body)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        self._sync_folder()
        self._total(1, len(outgoing.body))

    def pending(self) -> list[Entry]:
        """What waits, oldest first."""
        entries = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            _, spacing, key = path.name.removesuffix(SUFFIX).split(",", 2)
            entries.append(Entry(path, key.replace(",", "/"), spacing, path.stat().st_size))
        return entries

    def read(self, entry: Entry) -> Outgoing:
        """The object of an entry. Raises OSError."""
        metadata = {SPACING_METADATA: entry.spacing} if entry.spacing else {}
        return Outgoing(entry.key, entry.path.read_bytes(), metadata)

    def remove(self, entry: Entry) -> None:
        """Forgets an object that arrived."""
        entry.path.unlink()
        self._total(-1, -entry.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets the next process have the folder."""
        self._owner.close()

    def _total(self, count: int, size: int) -> None:
        with self._totals:
            self.count += count
            self.bytes += size

    def _sync_folder(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
