"""One table of one query: which objects, how many bytes, and the relation DuckDB reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot import exp

from backend.local.athena.catalog import Catalog, Table
from backend.local.athena.objects import Objects, S3Object
from backend.local.athena.parquet import Footer, Footers
from backend.local.athena.plan import HIDDEN, PATH, Scan
from backend.local.athena.predicates import columns_of, weaken
from backend.local.athena.projection import Prefix, prefixes

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Runs one statement on DuckDB and returns its rows."""


@dataclass(frozen=True, slots=True)
class Input:
    """The objects a scan reads."""

    scan: Scan
    objects: Sequence[S3Object]

    @property
    def whole_bytes(self) -> int:
        """Bytes of all the objects."""
        return sum(thing.size for thing in self.objects)


def find_objects(scan: Scan, catalog: Catalog, objects: Objects, ask: Ask) -> Input:
    """The objects in the partitions that the scan's predicate leaves. Lists nothing else. Raises QueryError."""
    if not scan.used:
        return Input(scan, ())
    places = prefixes(scan.table, catalog, scan.predicate, ask)
    found = [
        thing
        for place, listed in zip(places, objects.each(lambda place: objects.under(place.location), places), strict=True)
        for thing in _placed(place, listed, scan.table)
    ]
    return Input(scan, _wanted(found, scan.predicate, ask))


def _placed(place: Prefix, listed: Sequence[S3Object], table: Table) -> list[S3Object]:
    placed = []
    for thing in listed:
        values = place.values_of(thing.uri)
        if values is not None:
            texts = tuple(values[key.name] for key in table.keys)
            placed.append(S3Object(thing.bucket, thing.key, thing.size, thing.etag, texts))
    return placed


def _wanted(found: Sequence[S3Object], predicate: exp.Expr | None, ask: Ask) -> Sequence[S3Object]:
    """Less what a condition on the objects themselves (``"$path" IN (...)``) rules out."""
    if predicate is None or not found or not columns_of(predicate) & set(HIDDEN):
        return found
    rows = ", ".join(f"({i}, {_text(thing.uri)}, {thing.size})" for i, thing in enumerate(found))
    known = weaken(predicate, HIDDEN).sql("duckdb")
    sql = f'SELECT i FROM (VALUES {rows}) v(i, "{PATH}", "$file_size") WHERE {known} ORDER BY i'
    return [found[i] for (i,) in ask(sql)]


class Reader:
    """Turns inputs into views of DuckDB, and counts what Athena would have read."""

    def __init__(self, footers: Footers) -> None:
        self._footers = footers

    def footers(self, given: Input, paths: Sequence[Path], ask: Ask) -> list[Footer]:
        """Footers of Parquet objects; none for other formats."""
        return self._footers.of(paths, ask) if given.objects and given.scan.table.format == "parquet" else []

    def scanned_bytes(self, given: Input, footers: Sequence[Footer]) -> int:
        """JSON: the objects. Parquet: footers, and the needed columns of the row groups that can matter."""
        if not footers:
            return given.whole_bytes
        return sum(footer.bytes_read(given.scan.columns, given.scan.predicate) for footer in footers)

    def view(self, given: Input, paths: Sequence[Path], footers: Sequence[Footer], ask: Ask) -> None:
        """Makes the temporary view that the scan is named after."""
        ask(f'CREATE OR REPLACE TEMP VIEW "{given.scan.name}" AS {self._relation(given, paths, footers, ask)}')

    def _relation(self, given: Input, paths: Sequence[Path], footers: Sequence[Footer], ask: Ask) -> str:
        table = given.scan.table
        if not given.objects:
            return empty_relation(table)
        files = f"{given.scan.name}_files"
        _file_table(files, table, given.objects, paths, ask)
        columns = ", ".join(
            f'CAST({self._stored(column.name, footers)} AS {column.duckdb_type}) AS "{column.name}"'
            for column in table.columns
        )
        keys = "".join(f', f."{key.name}"' for key in table.keys)
        hidden = "".join(f', f."{name}"' for name in HIDDEN)
        source = _json(table, paths) if table.format == "json" else _parquet(paths, footers)
        return f'SELECT {columns}{keys}{hidden} FROM {source} d JOIN "{files}" f ON d.filename = f."|file"'

    @staticmethod
    def _stored(name: str, footers: Sequence[Footer]) -> str:
        """A column that no object has yet is NULL."""
        absent = footers and not any(name in footer.columns for footer in footers)
        return "NULL" if absent else f'd."{name}"'


def empty_relation(table: Table) -> str:
    """The table without rows, for names and types."""
    columns = [f'CAST(NULL AS {column.duckdb_type}) AS "{column.name}"' for column in (*table.columns, *table.keys)]
    hidden = [f'CAST(NULL AS {exp.DataType.build(kind).sql("duckdb")}) AS "{name}"' for name, kind in HIDDEN.items()]
    return f"SELECT {', '.join([*columns, *hidden])} WHERE FALSE"


def _file_table(name: str, table: Table, objects: Sequence[S3Object], paths: Sequence[Path], ask: Ask) -> None:
    """Local file to partition values, path and size."""
    keys = ", ".join(f'CAST(k{i} AS {key.duckdb_type}) AS "{key.name}"' for i, key in enumerate(table.keys))
    fields = ", ".join(f"k{i}" for i in range(len(table.keys)))
    rows = ", ".join(
        "(" + ", ".join([_text(str(path)), _text(thing.uri), str(thing.size), *map(_text, thing.values)]) + ")"
        for path, thing in zip(paths, objects, strict=True)
    )
    ask(
        f'CREATE OR REPLACE TEMP TABLE "{name}" AS '
        f'SELECT a AS "|file", b AS "{PATH}", CAST(c AS BIGINT) AS "$file_size"'
        f"{', ' + keys if keys else ''} FROM (VALUES {rows}) v(a, b, c{', ' + fields if fields else ''})"
    )


def _json(table: Table, paths: Sequence[Path]) -> str:
    columns = ", ".join(f"{_text(column.name)}: {_text(column.duckdb_type)}" for column in table.columns)
    return (
        f"read_json({_list(paths)}, format='newline_delimited', columns={{{columns}}}, filename=true, "
        "maximum_object_size=33554432)"
    )


def _parquet(paths: Sequence[Path], footers: Sequence[Footer]) -> str:
    alike = len({footer.columns for footer in footers}) == 1
    return f"read_parquet({_list(paths)}, filename=true{'' if alike else ', union_by_name=true'})"


def _list(paths: Sequence[Path]) -> str:
    return "[" + ", ".join(_text(str(path)) for path in paths) + "]"


def _text(value: str) -> str:
    return str(exp.Literal.string(value).sql("duckdb"))


def named_object(message: str, inputs: Mapping[str, S3Object]) -> S3Object | None:
    """The object that an error of DuckDB is about, by its local file."""
    return next((thing for path, thing in inputs.items() if path in message), None)
