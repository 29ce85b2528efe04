"""Runs one statement: its plan, its objects, its rows, what it writes, and what it would have cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlglot import exp
from sqlglot.errors import OptimizeError

from backend.local.athena.catalog import CATALOG, Catalog, Table
from backend.local.athena.diagnosis import binder_error, column_not_found
from backend.local.athena.errors import CANCELLED, CancelError, QueryError, place
from backend.local.athena.objects import Objects, S3Object
from backend.local.athena.parquet import Footers
from backend.local.athena.parse import bind_parameters, name_outputs, output_names, parse_query
from backend.local.athena.plan import Scan, plan, plan_without_names, qualified
from backend.local.athena.results import ZONED, ColumnInfo, Texts, column_info, texts_of
from backend.local.athena.scan import Input, Reader, empty_relation, find_objects, named_object
from backend.local.athena.translate import MACROS, to_duckdb
from backend.local.athena.types import check_types

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

THREADS: Final = 2
MEMORY: Final = "512MB"
SPILL: Final = "2GB"
MAX_VIEW_DEPTH: Final = 8
OVER_LIMIT: Final = "Query cancelled! : Bytes scanned limit was exceeded"


@dataclass(slots=True)
class Progress:
    """What is known of a statement while it runs; ``stopped`` ends it."""

    scanned_bytes: int = 0
    planning_seconds: float = 0.0
    limit_bytes: int | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    connection: DuckDBPyConnection | None = None

    def stop(self) -> None:
        """Ends the statement, wherever it is."""
        self.stopped.set()
        if (connection := self.connection) is not None:
            connection.interrupt()

    def check(self) -> None:
        """Raises CancelError once it was stopped."""
        if self.stopped.is_set():
            raise CancelError(CANCELLED)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query that DuckDB has understood: its SQL there, its result's columns, the tables it reads."""

    sql: str
    columns: tuple[ColumnInfo, ...]
    duckdb_types: tuple[str, ...]
    scans: Mapping[str, Scan]


class QueryEngine:
    """One DuckDB in memory for all statements, so that its threads and memory are bounded together."""

    def __init__(self, catalog: Catalog, s3: Any, directory: Path) -> None:
        self.catalog = catalog
        self.objects = Objects(s3, directory / "objects")
        self.directory = directory
        self._reader = Reader(Footers())
        self._lock = threading.Lock()
        self._root: DuckDBPyConnection | None = None

    @contextmanager
    def connection(self, progress: Progress) -> Iterator[DuckDBPyConnection]:
        """A connection of its own with its own temporary tables; ``progress.stop`` interrupts it."""
        with self._lock:
            if self._root is None:
                self._root = _open(self.directory)
            own = self._root.cursor()
        progress.connection = own
        try:
            progress.check()
            yield own
        finally:
            progress.connection = None
            own.close()

    def prepare(
        self, sql: str, database: str | None, parameters: Sequence[str], connection: DuckDBPyConnection
    ) -> Prepared:
        """Understands a query without reading any object. Raises QueryError."""
        sql = bind_parameters(sql, parameters)
        tree = parse_query(sql)
        scans = self._name_scans(tree, sql, database)
        for scan in scans.values():
            connection.execute(f'CREATE OR REPLACE TEMP VIEW "{scan.name}" AS {empty_relation(scan.table)}')
        name_outputs(tree)
        named = _qualified_or_none(tree, scans, sql)
        if named is not None:
            check_types(named, sql)
        translated = to_duckdb(named or tree)
        try:
            described = connection.execute(f"DESCRIBE {translated}").fetchall()
        except connection_error() as error:
            raise binder_error(str(error), sql, tree) from error
        if named is None:
            plan_without_names(scans)
        else:
            plan(named, scans)
        names = output_names(named) if named is not None else [row[0] for row in described]
        types = tuple(row[1] for row in described)
        columns = tuple(column_info(name, kind) for name, kind in zip(names, types, strict=True))
        return Prepared(translated, columns, types, scans)

    @contextmanager
    def reading(self, prepared: Prepared, connection: DuckDBPyConnection, progress: Progress) -> Iterator[None]:
        """Within the block the query's tables hold the objects that its partitions name.

        Raises QueryError, naming the object that can't be read; CancelError.
        """
        started = time.monotonic()

        def ask(sql: str) -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
            return rows

        inputs = [find_objects(scan, self.catalog, self.objects, ask) for scan in prepared.scans.values()]
        progress.planning_seconds = time.monotonic() - started
        progress.check()
        things = list({thing.uri: thing for given in inputs for thing in given.objects}.values())
        _refuse_too_much(inputs, progress)
        with self.objects.local(things, progress.stopped) as paths:
            progress.check()
            local = {thing.uri: path for thing, path in zip(things, paths, strict=True)}
            files = {str(path): thing for thing, path in zip(things, paths, strict=True)}
            with _blaming(files, progress):
                for given in inputs:
                    self._open(given, [local[thing.uri] for thing in given.objects], ask, progress)
                yield

    def _open(self, given: Input, paths: Sequence[Path], ask: Any, progress: Progress) -> None:
        footers = self._reader.footers(given, paths, ask)
        progress.scanned_bytes += self._reader.scanned_bytes(given, footers)
        if progress.limit_bytes is not None and progress.scanned_bytes > progress.limit_bytes:
            raise CancelError(OVER_LIMIT)
        self._reader.view(given, paths, footers, ask)

    def rows(self, prepared: Prepared, connection: DuckDBPyConnection, progress: Progress) -> list[Texts]:
        """The result as texts. Raises QueryError, CancelError."""
        with self.reading(prepared, connection, progress):
            fetched = connection.execute(_fetchable(prepared)).fetchall()
        return texts_of(fetched, prepared.duckdb_types)

    def _name_scans(self, tree: exp.Query, sql: str, database: str | None) -> dict[str, Scan]:
        """Gives every reference to a table a name of its own, and writes views out."""
        scans: dict[str, Scan] = {}
        for _ in range(MAX_VIEW_DEPTH):
            views = False
            for node in list(tree.find_all(exp.Table)):
                if not node.name or node.name in scans or _is_common_table(node):
                    continue
                table = self._table(node, sql, database)
                if table.view_sql is None:
                    name = f"scan_{len(scans)}"
                    scans[name] = Scan(name, table)
                    _rename(node, name)
                else:
                    views = True
                    _write_out(node, table)
            if not views:
                return scans
        raise QueryError(f"VIEW_IS_RECURSIVE: views are nested deeper than {MAX_VIEW_DEPTH}")

    def _table(self, node: exp.Table, sql: str, database: str | None) -> Table:
        where = place(sql, min((int(part.meta.get("start", 0)) for part in node.parts), default=0))
        catalog, schema, name = node.catalog.lower(), (node.db or database or "").lower(), node.name.lower()
        if catalog not in ("", CATALOG):
            raise QueryError(f"CATALOG_NOT_FOUND: {where}: Catalog '{node.catalog}' does not exist")
        if not schema:
            raise QueryError(f"MISSING_SCHEMA_NAME: {where}: Schema must be specified when session schema is not set")
        table = self.catalog.table(schema, name)
        if table is None:
            if self.catalog.database(schema) is None:
                raise QueryError(f"SCHEMA_NOT_FOUND: {where}: Schema '{schema}' does not exist")
            raise QueryError(f"TABLE_NOT_FOUND: {where}: Table '{CATALOG}.{schema}.{name}' does not exist")
        return table


def _open(directory: Path) -> DuckDBPyConnection:
    import duckdb

    spill = directory / "spill"
    root = duckdb.connect(
        config={
            "threads": THREADS,
            "memory_limit": MEMORY,
            "temp_directory": str(spill),
            "max_temp_directory_size": SPILL,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    for statement in (
        "SET TimeZone = 'UTC'",
        # A statement reads what was fetched for it, and nothing else of this machine.
        f"SET allowed_directories = ['{directory}']",
        "SET enable_external_access = false",
        *(f"CREATE MACRO {macro}" for macro in MACROS),
        "SET lock_configuration = true",
    ):
        root.execute(statement)
    return root


def connection_error() -> type[Exception]:
    """What DuckDB raises; DuckDB is loaded by the first statement, not by the start."""
    import duckdb

    error: type[Exception] = duckdb.Error
    return error


def _is_common_table(node: exp.Table) -> bool:
    """Whether the name is one of a WITH clause around it."""
    if node.db:
        return False
    above: exp.Expr | None = node
    while above is not None:
        with_ = above.args.get("with_") or above.args.get("with")
        if with_ and any(cte.alias.lower() == node.name.lower() for cte in with_.expressions):
            return True
        above = above.parent
    return False


def _rename(node: exp.Table, name: str) -> None:
    if not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(node.name.lower(), quoted=True)))
    node.set("this", exp.to_identifier(name, quoted=True))
    node.set("db", None)
    node.set("catalog", None)


def _write_out(node: exp.Table, view: Table) -> None:
    """A view's query in place of its name, its own tables in its own database."""
    query = parse_query(view.view_sql or "")
    for inner in query.find_all(exp.Table):
        if inner.name and not inner.db and not _is_common_table(inner):
            inner.set("db", exp.to_identifier(view.database, quoted=True))
    alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(view.name, quoted=True))
    written = exp.Subquery(this=query, alias=alias)
    for name in ("joins", "laterals", "sample"):
        if node.args.get(name):
            written.set(name, node.args[name])
    node.replace(written)


def _qualified_or_none(tree: exp.Query, scans: Mapping[str, Scan], sql: str) -> exp.Query | None:
    """None when names can't be resolved although DuckDB may: then everything is read. Raises QueryError."""
    try:
        return qualified(tree, scans)
    except OptimizeError as error:
        name = str(error).partition("'")[2].partition("'")[0].rpartition(".")[2].strip('"')
        # DuckDB would let GROUP BY and WHERE use an alias of the same SELECT; Athena does not.
        if any(alias.alias.lower() == name.lower() for alias in tree.find_all(exp.Alias)):
            raise column_not_found(name, sql, tree) from error
        return None


def _fetchable(prepared: Prepared) -> str:
    """DuckDB's client needs another package for timestamps with a zone; they are all in UTC here."""
    if not any(ZONED in kind for kind in prepared.duckdb_types):
        return prepared.sql
    names = [f"c{i}" for i in range(len(prepared.duckdb_types))]
    shown = [
        f"timezone('UTC', {name})" if kind == ZONED else f"CAST({name} AS VARCHAR)" if ZONED in kind else name
        for name, kind in zip(names, prepared.duckdb_types, strict=True)
    ]
    return f"SELECT {', '.join(shown)} FROM ({prepared.sql}) AS r({', '.join(names)})"


def _refuse_too_much(inputs: Sequence[Input], progress: Progress) -> None:
    """A limit that JSON alone exceeds is known before anything is fetched."""
    sure = sum(given.whole_bytes for given in inputs if given.objects and given.scan.table.format == "json")
    if progress.limit_bytes is not None and sure > progress.limit_bytes:
        progress.scanned_bytes = progress.limit_bytes
        raise CancelError(OVER_LIMIT)


@contextmanager
def _blaming(files: Mapping[str, S3Object], progress: Progress) -> Iterator[None]:
    """Errors of DuckDB while objects are read, as Athena says them, with the object."""
    try:
        yield
    except connection_error() as error:
        progress.check()
        raise _data_error(str(error), files) from error


def _data_error(message: str, files: Mapping[str, S3Object]) -> QueryError:
    first = message.splitlines()[0]
    thing = named_object(message, files)
    if thing is None:
        return binder_error(message, "", exp.select())
    for path, other in files.items():
        first = first.replace(path, other.uri)
    if "JSON" in first and "alformed" in first:
        return QueryError(f"HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: {first} [{thing.uri}]")
    if "JSON" in first:
        return QueryError(f"HIVE_BAD_DATA: Error parsing field value: {first} [{thing.uri}]")
    return QueryError(f"HIVE_BAD_DATA: Malformed Parquet file: {first} [{thing.uri}]")
