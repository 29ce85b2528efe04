"""What DuckDB says of a query that it does not understand, in Athena's words."""

from __future__ import annotations

import re
from typing import Final

from sqlglot import exp

from backend.local.athena.errors import QueryError, place

_COLUMN: Final = re.compile(r'Referenced column "([^"]+)" (?:was )?not found|does not have a column named "([^"]+)"')
_AMBIGUOUS: Final = re.compile(r'Ambiguous reference to column name "([^"]+)"')
_FUNCTION: Final = re.compile(r"Function with name (\S+) does not exist")
_GROUPED: Final = re.compile(r'column "([^"]+)" must appear in the GROUP BY clause')
_MISMATCHES: Final = ("No function matches", "Cannot compare", "Cannot mix", "Could not choose a best candidate")
_CASTS: Final = {"INT32": "INT", "INT64": "BIGINT", "INT16": "SMALLINT", "INT8": "TINYINT"}
_OWN: Final = re.compile(r"(?:DIVISION_BY_ZERO|INVALID_FUNCTION_ARGUMENT): [^\n]*")
"""What the macros of ``translate`` fail with."""
_CAST: Final = re.compile(r"Could not convert string '(.*?)' to (\w+)")


def binder_error(message: str, sql: str, tree: exp.Expr) -> QueryError:
    """What DuckDB says of a query that it does not understand, in Athena's words."""
    first = message.splitlines()[0]
    if found := _OWN.search(first):
        return QueryError(found.group())
    if found := _COLUMN.search(message):
        return column_not_found(found.group(1) or found.group(2), sql, tree)
    if found := _AMBIGUOUS.search(message):
        where = place(sql, column_offset(tree, found.group(1)))
        return QueryError(f"AMBIGUOUS_NAME: {where}: Column '{found.group(1)}' is ambiguous")
    if found := _FUNCTION.search(message):
        name = found.group(1)
        at = re.search(rf"\b{re.escape(name)}\s*\(", sql, re.IGNORECASE)
        return QueryError(
            f"FUNCTION_NOT_FOUND: {place(sql, at.start() if at else 0)}: Function '{name}' not registered"
        )
    if found := _GROUPED.search(message):
        name = found.group(1)
        where = place(sql, column_offset(tree, name))
        text = f"'{name}' must be an aggregate expression or appear in GROUP BY clause"
        return QueryError(f"EXPRESSION_NOT_AGGREGATE: {where}: {text}")
    if found := _CAST.search(message):
        return QueryError(
            f"INVALID_CAST_ARGUMENT: Cannot cast '{found.group(1)}' to {_CASTS.get(found.group(2), found.group(2))}"
        )
    if any(words in message for words in _MISMATCHES):
        return QueryError(f"TYPE_MISMATCH: line 1:1: {first.partition(': ')[2] or first}")
    return QueryError(f"GENERIC_USER_ERROR: {first}")


def column_not_found(name: str, sql: str, tree: exp.Expr) -> QueryError:
    """Athena's words for a column that is not there, with the place where the statement says it."""
    where = place(sql, column_offset(tree, name))
    return QueryError(f"COLUMN_NOT_FOUND: {where}: Column '{name}' cannot be resolved")


def column_offset(tree: exp.Expr, name: str) -> int:
    """Where a column is first said, as a character offset; 0 when it is not."""
    wanted = name.rpartition(".")[2].lower()
    for column in tree.find_all(exp.Column):
        if column.name.lower() == wanted:
            return min((int(part.meta["start"]) for part in column.parts if "start" in part.meta), default=0)
    return 0
