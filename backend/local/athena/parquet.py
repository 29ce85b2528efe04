"""What a query reads of Parquet objects: the chunks of its columns in the row groups it can't rule out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlglot import exp

from backend.local.athena.predicates import Range, may_hold

KEPT: Final = 5000
"""Footers that are remembered: a local copy never changes under its name."""
_NUMBERS: Final = {"DOUBLE", "FLOAT", "INT32", "INT64"}

Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Compressed bytes by top-level column, and what the statistics say of plain columns."""

    sizes: dict[str, int]
    ranges: dict[str, Range]


@dataclass(frozen=True, slots=True)
class Footer:
    """The end of one Parquet object."""

    size: int
    columns: frozenset[str]
    groups: tuple[RowGroup, ...]

    def bytes_read(self, columns: Collection[str], predicate: exp.Expr | None) -> int:
        """Bytes that have to be read for these columns of the rows that can satisfy ``predicate``."""
        read = [group for group in self.groups if predicate is None or may_hold(predicate, group.ranges)]
        return self.size + sum(size for group in read for name, size in group.sizes.items() if name in columns)


class Footers:
    """Reads footers through DuckDB and remembers them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Path, Footer] = OrderedDict()

    def of(self, paths: Sequence[Path], ask: Ask) -> list[Footer]:
        """One for each path. What ``ask`` raises for an object that is no Parquet passes through."""
        with self._lock:
            found = {path: self._known[path] for path in paths if path in self._known}
        if missing := [path for path in paths if path not in found]:
            found |= _read(missing, ask)
        with self._lock:
            self._known.update(found)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return [found[path] for path in paths]


def _read(paths: Sequence[Path], ask: Ask) -> dict[Path, Footer]:
    files = "[" + ", ".join(exp.Literal.string(str(path)).sql("duckdb") for path in paths) + "]"
    sizes: dict[str, int] = dict(ask(f"SELECT file_name, footer_size FROM parquet_file_metadata({files})"))
    columns: dict[str, set[str]] = {}
    for file, name in ask(f"SELECT file_name, name FROM parquet_schema({files})"):
        columns.setdefault(file, set()).add(name)
    groups: dict[str, dict[int, RowGroup]] = {}
    rows = ask(
        "SELECT file_name, row_group_id, path_in_schema, type, total_compressed_size, "
        f"stats_min_value, stats_max_value FROM parquet_metadata({files})"
    )
    for file, number, path, kind, size, low, high in rows:
        group = groups.setdefault(file, {}).setdefault(number, RowGroup({}, {}))
        top = path.partition(", ")[0]
        group.sizes[top] = group.sizes.get(top, 0) + size
        if top == path and low is not None and high is not None and (known := _range(kind, low, high)):
            group.ranges[top] = known
    return {
        path: Footer(sizes[str(path)], frozenset(columns.get(str(path), ())), tuple(groups.get(str(path), {}).values()))
        for path in paths
    }


def _range(kind: str, low: str, high: str) -> Range | None:
    if kind == "BYTE_ARRAY":
        return low, high
    if kind not in _NUMBERS:
        return None
    try:
        return float(low), float(high)
    except ValueError:
        # Dates and timestamps are integers with another meaning: never used to rule anything out.
        return None
