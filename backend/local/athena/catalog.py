"""Databases, tables and views as the Glue Data Catalog says: columns, format, partitions, location."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from botocore.exceptions import ClientError
from sqlglot import exp
from sqlglot.errors import ParseError

from backend.local.athena.errors import QueryError

CATALOG: Final = "awsdatacatalog"
_VIEW_START: Final = "/* Presto View: "
_VIEW_END: Final = " */"

Format = Literal["json", "parquet"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its Hive type, such as ``map<string,string>``."""

    name: str
    hive_type: str
    comment: str = ""

    @property
    def duckdb_type(self) -> str:
        """The type as DuckDB writes it. Raises QueryError for one that is neither Hive's nor Trino's."""
        try:
            return str(exp.DataType.build(self.hive_type, dialect="hive").sql("duckdb"))
        except (ParseError, ValueError) as error:
            raise QueryError(f"HIVE_INVALID_METADATA: {self.hive_type} of {self.name} is no type") from error


@dataclass(frozen=True, slots=True)
class Table:
    """A table or, with ``view_sql``, a view; ``parameters`` hold the partition projection."""

    database: str
    name: str
    columns: tuple[Column, ...]
    keys: tuple[Column, ...] = ()
    location: str = ""
    serde: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    view_sql: str | None = None
    entry: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def format(self) -> Format:
        """How its objects are written. Raises QueryError for what is not read here."""
        serde = self.serde.lower()
        if "parquet" in serde:
            return "parquet"
        if "json" in serde:
            return "json"
        raise QueryError(
            f"HIVE_UNSUPPORTED_FORMAT: {self.database}.{self.name} has SerDe {self.serde or 'none'}; the local Athena "
            "endpoint reads JSON and Parquet"
        )


class Catalog:
    """Reads Glue anew for each statement: tables are few, and a changed one counts at once."""

    def __init__(self, glue: Any) -> None:
        self._glue = glue

    def databases(self) -> list[dict[str, Any]]:
        """Glue's entries of all databases."""
        pages = self._glue.get_paginator("get_databases").paginate()
        return [entry for page in pages for entry in page["DatabaseList"]]

    def database(self, name: str) -> dict[str, Any] | None:
        """Glue's entry of one database; None when there is none."""
        return _found(lambda: self._glue.get_database(Name=name)["Database"])

    def tables(self, database: str) -> list[Table]:
        """Every table and view of a database, by name. None of them when the database does not exist."""
        pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=database)
        entries: Iterator[dict[str, Any]] = (entry for page in pages for entry in page["TableList"])
        return sorted((_table(entry) for entry in entries), key=lambda table: table.name)

    def table(self, database: str, name: str) -> Table | None:
        """One table or view; None when there is none."""
        entry = _found(lambda: self._glue.get_table(DatabaseName=database, Name=name)["Table"])
        return _table(entry) if entry else None

    def partitions(self, table: Table) -> list[tuple[tuple[str, ...], str]]:
        """Values and location of each partition that is registered with Glue."""
        pages = self._glue.get_paginator("get_partitions").paginate(DatabaseName=table.database, TableName=table.name)
        return [
            (tuple(entry["Values"]), entry.get("StorageDescriptor", {}).get("Location", ""))
            for page in pages
            for entry in page["Partitions"]
        ]

    def put_view(self, database: str, name: str, sql: str, columns: list[Column], *, replace: bool) -> None:
        """Keeps a view as Athena does. Raises QueryError when it exists already and is not to be replaced."""
        if (there := self.table(database, name)) and (not replace or there.view_sql is None):
            raise QueryError(f"ALREADY_EXISTS: View already exists: {database}.{name}")
        entry = {
            "Name": name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "ViewOriginalText": _encoded(sql, database, columns),
            "ViewExpandedText": "/* Presto View */",
            "StorageDescriptor": {
                "Columns": [{"Name": column.name, "Type": column.hive_type} for column in columns],
                "Location": "",
                "SerdeInfo": {},
            },
        }
        call = self._glue.update_table if there else self._glue.create_table
        call(DatabaseName=database, TableInput=entry)

    def drop(self, database: str, name: str) -> None:
        """Forgets a view."""
        self._glue.delete_table(DatabaseName=database, Name=name)


def _found(call: Any) -> dict[str, Any] | None:
    try:
        entry: dict[str, Any] = call()
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        return None
    return entry


def _table(entry: Mapping[str, Any]) -> Table:
    storage = entry.get("StorageDescriptor") or {}
    return Table(
        entry["DatabaseName"],
        entry["Name"],
        _columns(storage.get("Columns")),
        _columns(entry.get("PartitionKeys")),
        storage.get("Location") or "",
        (storage.get("SerdeInfo") or {}).get("SerializationLibrary") or "",
        {name: str(value) for name, value in (entry.get("Parameters") or {}).items()},
        _view_sql(entry.get("ViewOriginalText")) if entry.get("TableType") == "VIRTUAL_VIEW" else None,
        entry,
    )


def _columns(entries: list[dict[str, Any]] | None) -> tuple[Column, ...]:
    return tuple(Column(e["Name"].lower(), e.get("Type", "string"), e.get("Comment") or "") for e in entries or ())


def _encoded(sql: str, database: str, columns: list[Column]) -> str:
    view = {
        "originalSql": sql,
        "catalog": CATALOG,
        "schema": database,
        "columns": [{"name": column.name, "type": column.hive_type} for column in columns],
    }
    return _VIEW_START + base64.b64encode(json.dumps(view).encode()).decode() + _VIEW_END


def _view_sql(text: str | None) -> str:
    body = (text or "").removeprefix(_VIEW_START).removesuffix(_VIEW_END)
    sql: str = json.loads(base64.b64decode(body))["originalSql"]
    return sql
