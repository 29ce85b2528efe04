"""From an execution to its outcome: each kind of statement, and where its result is put."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

import sqlglot

from backend.local.athena import metadata
from backend.local.athena.catalog import Column
from backend.local.athena.engine import QueryEngine
from backend.local.athena.errors import QueryError, not_served
from backend.local.athena.executions import Execution, Outcome
from backend.local.athena.faults import Faults
from backend.local.athena.results import ColumnInfo, Texts, to_csv, to_text
from backend.local.athena.statements import Statement, classify, name_parts
from backend.local.athena.stored import Results
from backend.local.athena.write import Writer

PLAN: Final = ColumnInfo("Query Plan", "varchar", 2147483647)


class Runner:
    """Runs executions; keeps prepared statements by workgroup and name."""

    def __init__(self, engine: QueryEngine, results: Results, faults: Faults) -> None:
        self._engine = engine
        self._faults = faults
        self._results = results
        self._writer = Writer(engine)
        self._lock = threading.Lock()
        self._prepared: dict[tuple[str, str], str] = {}
        self._kinds: dict[str, Callable[[Execution, Statement], Outcome]] = {
            "SELECT": lambda execution, _: self._select(execution, execution.sql, execution.parameters),
            "EXECUTE": self._execute,
            "EXPLAIN": self._explain,
            "INSERT": self._writer.insert,
            "UNLOAD": self._writer.unload,
            "PREPARE": self._prepare,
            "DEALLOCATE_PREPARE": self._deallocate,
            "CREATE_VIEW": self._create_view,
            "DROP_VIEW": self._drop_view,
        }

    def __call__(self, execution: Execution) -> Outcome:
        """Raises QueryError, CancelError."""
        self._faults.meet_query(execution.progress.stopped)
        statement = classify(execution.sql)
        if statement.kind == "OTHER":
            raise not_served(f"{statement.parts['word']} in this form")
        run = self._kinds.get(statement.kind)
        return run(execution, statement) if run else self._show(execution, statement)

    def _select(self, execution: Execution, sql: str, parameters: Sequence[str]) -> Outcome:
        with self._engine.connection(execution.progress) as connection:
            prepared = self._engine.prepare(sql, execution.database, parameters, connection)
            rows = self._engine.rows(prepared, connection, execution.progress)
        execution.progress.check()
        header: Texts = [column.name for column in prepared.columns]
        body = to_csv([column.name for column in prepared.columns], rows)
        location = self._results.put(execution.output, f"{execution.id}.csv", body, [header, *rows])
        return Outcome(prepared.columns, location)

    def _execute(self, execution: Execution, statement: Statement) -> Outcome:
        name = name_parts(statement.parts["name"] or "")[0]
        with self._lock:
            sql = self._prepared.get((execution.workgroup, name))
        if sql is None:
            raise QueryError(f"NOT_FOUND: Prepared statement not found: {name}")
        values = statement.parts["values"]
        given = [part.sql("athena") for part in _values(values)] if values else execution.parameters
        return self._select(execution, sql, given)

    def _prepare(self, execution: Execution, statement: Statement) -> Outcome:
        name = name_parts(statement.parts["name"] or "")[0]
        with self._lock:
            self._prepared[execution.workgroup, name] = statement.parts["query"] or ""
        return self._said(execution, (), [])

    def _deallocate(self, execution: Execution, statement: Statement) -> Outcome:
        name = name_parts(statement.parts["name"] or "")[0]
        with self._lock:
            if self._prepared.pop((execution.workgroup, name), None) is None:
                raise QueryError(f"NOT_FOUND: Prepared statement not found: {name}")
        return self._said(execution, (), [])

    def _explain(self, execution: Execution, statement: Statement) -> Outcome:
        with self._engine.connection(execution.progress) as connection:
            query = statement.parts["query"] or ""
            prepared = self._engine.prepare(query, execution.database, execution.parameters, connection)
        lines = ["Query Plan", f"Output[{', '.join(column.name for column in prepared.columns)}]"]
        for scan in prepared.scans.values():
            lines.append(f"  TableScan[{scan.table.database}.{scan.table.name}]")
            lines.append(f"    columns: {', '.join(sorted(scan.columns)) or 'none'}")
            lines.append(f"    rows: {scan.predicate.sql('trino') if scan.predicate else 'all'}")
        return self._said(execution, (PLAN,), [[line] for line in lines])

    def _create_view(self, execution: Execution, statement: Statement) -> Outcome:
        database, name = self._name(execution, statement)
        query = (statement.parts["query"] or "").rstrip().rstrip(";")
        with self._engine.connection(execution.progress) as connection:
            prepared = self._engine.prepare(query, execution.database, (), connection)
        columns = [Column(column.name, column.hive_type) for column in prepared.columns]
        self._engine.catalog.put_view(database, name, query, columns, replace=bool(statement.parts["replace"]))
        return self._said(execution, (), [])

    def _drop_view(self, execution: Execution, statement: Statement) -> Outcome:
        database, name = self._name(execution, statement)
        table = self._engine.catalog.table(database, name)
        if table is not None and table.view_sql is not None:
            self._engine.catalog.drop(database, name)
        elif not statement.parts["exists"]:
            raise QueryError(f"TABLE_NOT_FOUND: line 1:1: View 'awsdatacatalog.{database}.{name}' does not exist")
        return self._said(execution, (), [])

    def _show(self, execution: Execution, statement: Statement) -> Outcome:
        with self._engine.connection(execution.progress) as connection:
            columns, rows = metadata.show(
                self._engine.catalog,
                statement,
                execution.database,
                self._engine.objects,
                lambda sql: connection.execute(sql).fetchall(),
            )
        return self._said(execution, columns, rows)

    def _name(self, execution: Execution, statement: Statement) -> tuple[str, str]:
        return metadata.table_name(statement.parts["table"] or "", execution.database)

    def _said(self, execution: Execution, columns: tuple[ColumnInfo, ...], rows: list[Texts]) -> Outcome:
        location = self._results.put(execution.output, f"{execution.id}.txt", to_text(rows), rows)
        return Outcome(columns, location)


def _values(text: str) -> list[sqlglot.exp.Expr]:
    tree = sqlglot.parse_one(f"SELECT {text}", read="athena")
    return list(tree.expressions)
