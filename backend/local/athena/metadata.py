"""SHOW and DESCRIBE: the catalogue as rows of text."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from backend.local.athena.catalog import CATALOG, Catalog, Table
from backend.local.athena.errors import QueryError
from backend.local.athena.objects import Objects
from backend.local.athena.plan import Scan
from backend.local.athena.results import ColumnInfo, Texts
from backend.local.athena.scan import Ask, find_objects
from backend.local.athena.statements import Statement, name_parts

_WIDTH = 20


def _text(name: str) -> ColumnInfo:
    return ColumnInfo(name, "string")


def table_name(text: str, database: str | None) -> tuple[str, str]:
    """Database and table of a name, which may leave the database to the session's. Raises QueryError."""
    parts = name_parts(text)
    if len(parts) == 1 and not database:
        raise QueryError("MISSING_SCHEMA_NAME: line 1:1: Schema must be specified when session schema is not set")
    return (parts[-2] if len(parts) > 1 else str(database).lower()), parts[-1]


def found_table(catalog: Catalog, text: str, database: str | None) -> Table:
    """The table of a name. Raises QueryError."""
    schema, name = table_name(text, database)
    table = catalog.table(schema, name)
    if table is None:
        raise QueryError(f"TABLE_NOT_FOUND: line 1:1: Table '{CATALOG}.{schema}.{name}' does not exist")
    return table


def show(
    catalog: Catalog, statement: Statement, database: str | None, objects: Objects, ask: Ask
) -> tuple[tuple[ColumnInfo, ...], list[Texts]]:
    """Columns and rows of a SHOW or DESCRIBE. Raises QueryError."""
    parts, kind = statement.parts, statement.kind
    like = (parts.get("like") or "*").replace("%", "*")
    if kind == "SHOW_DATABASES":
        names = sorted(entry["Name"] for entry in catalog.databases())
        return (_text("database_name"),), _named(names, like)
    if kind in ("SHOW_TABLES", "SHOW_VIEWS"):
        given = parts.get("table")
        schema = name_parts(given)[0] if given else (database or "default")
        if catalog.database(schema) is None:
            raise QueryError(f"SCHEMA_NOT_FOUND: line 1:1: Schema '{schema}' does not exist")
        tables = [t.name for t in catalog.tables(schema) if kind == "SHOW_TABLES" or t.view_sql is not None]
        return (_text("tab_name" if kind == "SHOW_TABLES" else "views"),), _named(tables, like)
    if of := parts.get("database"):
        database = name_parts(of)[0]
    table = found_table(catalog, parts["table"] or "", database)
    if kind == "SHOW_PARTITIONS":
        return (_text("partition"),), _partitions(catalog, table, objects, ask)
    if kind == "SHOW_COLUMNS":
        return (_text("field"),), [[f"{column.name:<{_WIDTH}}"] for column in (*table.columns, *table.keys)]
    return (_text("col_name"), _text("data_type"), _text("comment")), _described(table)


def _named(names: Sequence[str], like: str) -> list[Texts]:
    return [[name] for name in names if fnmatch.fnmatchcase(name, like)]


def _partitions(catalog: Catalog, table: Table, objects: Objects, ask: Ask) -> list[Texts]:
    """The partitions that hold objects: projection knows of no others, registered ones count as they are."""
    if not table.keys:
        raise QueryError(f"INVALID_TABLE: {table.database}.{table.name} is not a partitioned table")
    if table.parameters.get("projection.enabled", "").lower() != "true":
        values = {found for found, _ in catalog.partitions(table)}
    else:
        scan = Scan("shown", table, frozenset(), None, True)
        values = {thing.values for thing in find_objects(scan, catalog, objects, ask).objects}
    names = [key.name for key in table.keys]
    return [["/".join(f"{n}={v}" for n, v in zip(names, texts, strict=True))] for texts in sorted(values)]


def _described(table: Table) -> list[Texts]:
    def line(*values: str) -> Texts:
        return ["\t".join(f"{value:<{_WIDTH}}" for value in values)]

    rows = [line(column.name, column.hive_type, column.comment) for column in (*table.columns, *table.keys)]
    if table.keys:
        rows += [line("", "", ""), line("# Partition Information", "", ""), line("# col_name", "data_type", "comment")]
        rows += [line(column.name, column.hive_type, column.comment) for column in table.keys]
    return rows
