"""INSERT INTO and UNLOAD: a query's rows as Parquet objects."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from sqlglot import exp

from backend.local.athena import metadata
from backend.local.athena.catalog import Table
from backend.local.athena.engine import Prepared, QueryEngine
from backend.local.athena.errors import QueryError, not_served
from backend.local.athena.executions import Execution, Outcome
from backend.local.athena.objects import split
from backend.local.athena.projection import partition_location
from backend.local.athena.results import ColumnInfo
from backend.local.athena.statements import Statement, name_parts, options_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_PARTITIONS: Final = 100
CODECS: Final = ("zstd", "snappy", "gzip", "none")
_RESULT: Final = "written_rows"


class Writer:
    """Writes one object for each partition: this machine's tables are small."""

    def __init__(self, engine: QueryEngine) -> None:
        self._engine = engine

    def insert(self, execution: Execution, statement: Statement) -> Outcome:
        """INSERT INTO a table of Parquet, its partition columns last. Raises QueryError, CancelError."""
        table = metadata.found_table(self._engine.catalog, statement.parts["table"] or "", execution.database)
        if table.view_sql is not None or table.format != "parquet":
            raise not_served(f"INSERT INTO {table.database}.{table.name}, which is not a table of Parquet,")
        query = statement.parts["query"] or ""
        names = name_parts(statement.parts["columns"] or "") or [c.name for c in (*table.columns, *table.keys)]
        codec = table.parameters.get("parquet.compression", table.parameters.get("write.compression", "gzip")).lower()
        with self._engine.connection(execution.progress) as connection:
            prepared = self._engine.prepare(query, execution.database, execution.parameters, connection)
            _check(table, names, prepared.columns)
            count = self._materialize(prepared, connection, execution)
            written = self._partitions(table, names, connection, codec, execution)
        manifest = self._manifest(execution, written, table.location.rstrip("/") + "/")
        return Outcome(location=f"{execution.output}{execution.id}", updated=count, manifest=manifest)

    def unload(self, execution: Execution, statement: Statement) -> Outcome:
        """UNLOAD (query) TO 's3://...' WITH (format = 'PARQUET'). Raises QueryError, CancelError."""
        options = options_of(statement.parts["options"])
        if (
            options.get("format", "parquet") != "parquet"
            or "partitioned_by" in (statement.parts["options"] or "").lower()
        ):
            raise not_served("UNLOAD in another format than PARQUET, or partitioned,")
        location = statement.parts["location"] or ""
        folder = location if location.endswith("/") else location + "/"
        if self._engine.objects.under(folder):
            raise QueryError(f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{location}' already exists")
        with self._engine.connection(execution.progress) as connection:
            query = statement.parts["query"] or ""
            prepared = self._engine.prepare(query, execution.database, execution.parameters, connection)
            count = self._materialize(prepared, connection, execution)
            names = ", ".join(f'"{column.name}"' for column in prepared.columns)
            codec = options.get("compression", "gzip")
            sql = f'SELECT {names} FROM "{_RESULT}"'
            written = [self._object(folder, sql, connection, codec)] if count else []
        manifest = self._manifest(execution, written, folder)
        return Outcome(prepared.columns, f"{execution.output}{execution.id}", count, manifest)

    def _materialize(self, prepared: Prepared, connection: DuckDBPyConnection, execution: Execution) -> int:
        names = ", ".join(f'"{column.name}"' for column in prepared.columns)
        with self._engine.reading(prepared, connection, execution.progress):
            connection.execute(f'CREATE TEMP TABLE "{_RESULT}" AS SELECT * FROM ({prepared.sql}) AS r({names})')
        execution.progress.check()
        row = connection.execute(f'SELECT count(*) FROM "{_RESULT}"').fetchone()
        return int(row[0]) if row else 0

    def _partitions(
        self, table: Table, names: Sequence[str], connection: DuckDBPyConnection, codec: str, execution: Execution
    ) -> list[str]:
        source = f'(SELECT * FROM "{_RESULT}") AS r({", ".join(_quoted(name) for name in names)})'
        kept = ", ".join(
            f"CAST({_quoted(c.name) if c.name in names else 'NULL'} AS {c.duckdb_type}) AS {_quoted(c.name)}"
            for c in table.columns
        )
        keys = ", ".join(f"CAST({_quoted(key.name)} AS VARCHAR)" for key in table.keys)
        found: list[tuple[Any, ...]] = [()]
        if table.keys:
            found = connection.execute(f"SELECT DISTINCT {keys} FROM {source} ORDER BY ALL").fetchall()
        if len(found) > MAX_PARTITIONS:
            text = f"Exceeded limit of {MAX_PARTITIONS} open writers for partitions/buckets"
            raise QueryError(f"HIVE_TOO_MANY_OPEN_PARTITIONS: {text}")
        written = []
        for values in found:
            execution.progress.check()
            texts = {key.name: str(value) for key, value in zip(table.keys, values, strict=True)}
            if None in values:
                raise QueryError("HIVE_INVALID_PARTITION_VALUE: Invalid partition value: null")
            here = " AND ".join(
                f"CAST({_quoted(name)} AS VARCHAR) = {exp.Literal.string(text).sql('duckdb')}"
                for name, text in texts.items()
            )
            sql = f"SELECT {kept} FROM {source}{' WHERE ' + here if here else ''}"
            written.append(self._object(partition_location(table, texts), sql, connection, codec))
        return written

    def _object(self, folder: str, sql: str, connection: DuckDBPyConnection, codec: str) -> str:
        if codec not in CODECS:
            raise not_served(f"compression {codec}")
        name = f"{time.strftime('%Y%m%d_%H%M%S', time.gmtime())}_{secrets.token_hex(12)}"
        bucket, prefix = split(folder)
        with TemporaryDirectory(dir=self._engine.directory) as directory:
            path = Path(directory) / name
            target, how = exp.Literal.string(str(path)).sql("duckdb"), "uncompressed" if codec == "none" else codec
            connection.execute(f"COPY ({sql}) TO {target} (FORMAT parquet, COMPRESSION {how})")
            try:
                self._engine.objects.s3.upload_file(str(path), bucket, prefix + name)
            except Exception as error:
                raise QueryError(f"HIVE_WRITER_CLOSE_ERROR: Error committing write to {folder}: {error}") from error
        return f"s3://{bucket}/{prefix}{name}"

    def _manifest(self, execution: Execution, written: Sequence[str], folder: str) -> str:
        location = f"{execution.output or folder}{execution.id}-manifest.csv"
        bucket, key = split(location)
        self._engine.objects.s3.put_object(Bucket=bucket, Key=key, Body="".join(f"{uri}\n" for uri in written).encode())
        return location


def _check(table: Table, names: Sequence[str], given: Sequence[ColumnInfo]) -> None:
    known = {column.name for column in (*table.columns, *table.keys)}
    if unknown := [name for name in names if name not in known]:
        raise QueryError(f"COLUMN_NOT_FOUND: line 1:1: Insert column name does not exist in target table: {unknown[0]}")
    if len(names) != len(given):
        raise QueryError(
            f"TYPE_MISMATCH: line 1:1: Insert query has {len(given)} expression(s) but expected {len(names)} target "
            "column(s)"
        )


def _quoted(name: str) -> str:
    return f'"{name}"'
