"""Objects of S3 as local files: listed by prefix, fetched in parallel, kept by ETag within a limit."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from backend.local.athena.errors import QueryError

LIMIT_BYTES: Final = 512 * 1024 * 1024
PARALLEL: Final = 8
ENDING: Final = ".obj"
"""Marks the name of a local copy, so that an error of DuckDB can be traced to its object."""

_UNFINISHED: Final = "part-"


@dataclass(frozen=True, slots=True)
class S3Object:
    """One object as a listing gave it; ``values`` are the texts of its partition columns, in the table's order."""

    bucket: str
    key: str
    size: int
    etag: str
    values: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        """``s3://bucket/key``, which ``"$path"`` shows."""
        return f"s3://{self.bucket}/{self.key}"


def split(location: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``. Raises QueryError for another kind of location."""
    scheme, _, rest = location.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "s3a", "s3n") or not bucket:
        raise QueryError(f"HIVE_INVALID_METADATA: {location or 'no location'} is no s3:// location")
    return bucket, key


class Objects:
    """A cache directory of its own, which it may fill up to ``limit_bytes``. Thread-safe."""

    def __init__(self, s3: Any, directory: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.s3 = s3
        self._directory = directory
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._held: dict[Path, int] = {}
        self._pool = ThreadPoolExecutor(PARALLEL, "objects")
        directory.mkdir(parents=True, exist_ok=True)

    def each(self, call: Callable[[Any], Any], things: Iterable[Any]) -> Iterator[Any]:
        """``call`` of every thing in parallel, in their order."""
        return self._pool.map(call, things)

    def under(self, location: str) -> list[S3Object]:
        """Every object under a prefix that Athena would read: not what begins with ``_`` or ``.``, nor folders."""
        bucket, prefix = split(location)
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        try:
            entries = [entry for page in pages for entry in page.get("Contents", ())]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise QueryError(f"HIVE_FILESYSTEM_ERROR: Failed to list {location}: {code}", kind=1100) from error
        return [
            S3Object(bucket, entry["Key"], entry["Size"], entry["ETag"].strip('"'))
            for entry in entries
            if not entry["Key"].endswith("/") and not entry["Key"].rpartition("/")[2].startswith(("_", "."))
        ]

    @contextmanager
    def local(self, objects: Sequence[S3Object], stopped: threading.Event) -> Iterator[list[Path]]:
        """Local copies of all, in their order, safe from removal until the block is left."""
        paths = [self._path(thing) for thing in objects]
        with self._lock:
            for path in paths:
                self._held[path] = self._held.get(path, 0) + 1
        try:
            list(self._pool.map(self._fetch, objects, paths, repeat(stopped)))
            yield paths
        finally:
            with self._lock:
                for path in paths:
                    self._held[path] -= 1
                    if not self._held[path]:
                        del self._held[path]
            self._make_room()

    def _path(self, thing: S3Object) -> Path:
        name = hashlib.sha256(f"{thing.uri}\n{thing.etag}".encode()).hexdigest()[:32]
        compressed = "".join(end for end in (".gz", ".zst") if thing.key.endswith(end))
        return self._directory / f"{name}{ENDING}{compressed}"

    def _fetch(self, thing: S3Object, path: Path, stopped: threading.Event) -> None:
        if stopped.is_set():
            return
        with suppress(FileNotFoundError):
            os.utime(path)
            return
        try:
            body = self.s3.get_object(Bucket=thing.bucket, Key=thing.key)["Body"].read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise QueryError(
                f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split {thing.uri}: {code}", kind=1100
            ) from error
        beside = path.with_name(f"{_UNFINISHED}{threading.get_ident()}-{path.name}")
        beside.write_bytes(body)
        beside.replace(path)

    def _make_room(self) -> None:
        with self._lock:
            files = [(entry.stat(), Path(entry.path)) for entry in os.scandir(self._directory)]
            files = [(stat, path) for stat, path in files if not path.name.startswith(_UNFINISHED)]
            excess = sum(stat.st_size for stat, _ in files) - self._limit
            for stat, path in sorted(files, key=lambda pair: pair[0].st_mtime):
                if excess <= 0:
                    break
                if path not in self._held:
                    path.unlink(missing_ok=True)
                    excess -= stat.st_size
