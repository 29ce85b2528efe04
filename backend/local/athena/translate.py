"""Athena's SQL as DuckDB's: what sqlglot's dialects leave different, one small rule for each difference."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, TokenError, UnsupportedError
from sqlglot.tokens import TokenType

from backend.local.athena.errors import QueryError, not_served, place, syntax_error

logging.getLogger("sqlglot").setLevel(logging.ERROR)

Rule = Callable[[exp.Expr], exp.Expr]
"""Takes one node and returns it, or what stands for it."""


def parse(sql: str) -> exp.Expr:
    """One statement of Athena's DML. Raises QueryError with Athena's words and place for anything else."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, read="athena") if tree is not None]
    except ParseError as error:
        found = error.errors[0]
        offset = _offset(sql, found["line"] or 1, found["col"] or 1, len(found["highlight"] or ""))
        raise syntax_error(sql, offset, found["highlight"] or "<EOF>", "") from error
    except TokenError as error:
        raise QueryError(f"line 1:1: {str(error).splitlines()[0]}", kind=1001) from error
    if len(trees) != 1:
        raise QueryError(f"Only one sql statement is allowed. Got: {sql[:500]}", kind=1001)
    return trees[0]


def parse_query(sql: str) -> exp.Query:
    """A statement that returns rows. Raises QueryError."""
    tree = parse(sql)
    if not isinstance(tree, exp.Query):
        word = sql.split(maxsplit=1)[0] if sql.strip() else "<EOF>"
        expected = "'DESCRIBE', 'EXPLAIN', 'INSERT', 'SELECT', 'SHOW', 'UNLOAD', 'WITH', <query>"
        raise syntax_error(sql, len(sql) - len(sql.lstrip()), word, expected)
    return tree


def bind_parameters(sql: str, parameters: Sequence[str]) -> str:
    """Puts ExecutionParameters in place of ``?``: each is the text of one SQL literal. Raises QueryError."""
    try:
        tokens = sqlglot.tokenize(sql, read="athena")
    except TokenError as error:
        raise QueryError(f"line 1:1: {str(error).splitlines()[0]}", kind=1001) from error
    places = [token.start for token in tokens if token.token_type is TokenType.PLACEHOLDER]
    if len(places) != len(parameters):
        raise QueryError(
            f"INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected {len(places)} but found "
            f"{len(parameters)}"
        )
    for start, text in reversed(list(zip(places, parameters, strict=True))):
        sql = sql[:start] + _literal(text) + sql[start + 1 :]
    return sql


def _literal(text: str) -> str:
    """The text again, once it is sure that it is one value and no more. Raises QueryError."""
    try:
        value = sqlglot.parse_one(text, read="athena")
    except (ParseError, TokenError):
        value = None
    inner = value.this if isinstance(value, exp.Neg | exp.Cast | exp.Paren) else value
    if not isinstance(inner, exp.Literal | exp.Boolean | exp.Null | exp.Neg):
        raise QueryError(f"INVALID_PARAMETER_USAGE: {text[:100]} is not a literal")
    return f"({text})"


def _offset(sql: str, line: int, column: int, length: int) -> int:
    """sqlglot says where a token ends."""
    before = sum(len(text) + 1 for text in sql.split("\n")[: line - 1])
    return max(before, before + column - max(length, 1))


def to_duckdb(tree: exp.Query) -> str:
    """The query for DuckDB. Raises QueryError for what has no translation."""
    for rule in RULES:
        tree = tree.transform(rule)
    try:
        return str(tree.sql("duckdb", unsupported_level=ErrorLevel.RAISE))
    except UnsupportedError as error:
        raise not_served(str(error).splitlines()[0]) from error


def name_outputs(tree: exp.Query) -> None:
    """Calls columns that have no name ``_col0``, ``_col1``, ... as Athena does, by their place."""
    for select in tree.find_all(exp.Select):
        for index, projection in enumerate(select.expressions):
            if not isinstance(projection, exp.Alias | exp.Column | exp.Star):
                named = exp.alias_(projection.copy(), f"_col{index}", quoted=True)
                named.meta["unnamed"] = True
                projection.replace(named)


def output_names(tree: exp.Query) -> list[str]:
    """Names of the result's columns."""
    left = tree
    while isinstance(left, exp.SetOperation):
        left = left.left.unnest()
    return [
        f"_col{index}" if projection.meta.get("unnamed") else projection.alias_or_name
        for index, projection in enumerate(left.selects)
    ]


def map_unnest(node: exp.Expr) -> exp.Expr:
    """UNNEST of a map gives keys and values side by side."""
    if not isinstance(node, exp.Unnest) or len(node.expressions) != 1:
        return node
    mapped, alias = node.expressions[0], node.args.get("alias")
    names = alias.columns if alias else []
    if not (mapped.type and mapped.type.is_type(exp.DType.MAP)) or len(names) < 2:
        return node
    pairs = [
        exp.alias_(exp.func("UNNEST", exp.func(part, mapped.copy())), name.name, quoted=True)
        for part, name in zip(("MAP_KEYS", "MAP_VALUES"), names, strict=False)
    ]
    if len(names) == 3:
        count = exp.func("GENERATE_SUBSCRIPTS", exp.func("MAP_KEYS", mapped.copy()), exp.Literal.number(1))
        pairs.append(exp.alias_(count, names[2].name, quoted=True))
    return exp.Lateral(this=exp.Subquery(this=exp.select(*pairs)), alias=exp.TableAlias(this=alias.this, columns=names))


def cardinality(node: exp.Expr) -> exp.Expr:
    """CARDINALITY counts a map's entries as well as an array's elements."""
    if isinstance(node, exp.ArraySize) and node.this.type and node.this.type.is_type(exp.DType.MAP):
        return exp.func("CARDINALITY", node.this)
    return node


def reduce_with_finish(node: exp.Expr) -> exp.Expr:
    """REDUCE's last argument is applied to what the others gave."""
    if not isinstance(node, exp.Reduce) or not isinstance(finish := node.args.get("finish"), exp.Lambda):
        return node
    name = finish.expressions[0].name
    reduced = exp.func("LIST_REDUCE", node.this, node.args["merge"], node.args["initial"])

    def put(part: exp.Expr) -> exp.Expr:
        return reduced.copy() if isinstance(part, exp.Column | exp.Identifier) and part.name == name else part

    return finish.this.copy().transform(put)


_QUANTILES_WITH_EXTRAS: Final = 3


def weighted_percentile(node: exp.Expr) -> exp.Expr:
    """APPROX_PERCENTILE(x, weight, p): DuckDB's knows no weights."""
    if isinstance(node, exp.ApproxQuantile) and node.args.get("weight") is not None:
        raise not_served("approx_percentile with weights")
    return node


RULES: Final[tuple[Rule, ...]] = (map_unnest, cardinality, reduce_with_finish, weighted_percentile)

MACROS: Final = (
    "map_agg(k, v) AS map_from_entries(list(struct_pack(k := k, v := v)) FILTER (k IS NOT NULL))",
    "map_filter(m, f) AS map_from_entries(list_filter(map_entries(m), lambda e: f))",
    "at_timezone(t, zone) AS t",
    "to_iso8601(t) AS strftime(t, '%Y-%m-%dT%H:%M:%S.%gZ')",
    "width_bucket(x, low, high, n) AS "
    "CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1 "
    "ELSE CAST(floor((x - low) / (high - low) * n) AS BIGINT) + 1 END",
    "url_extract_host(u) AS nullif(regexp_extract(u, '^[a-z]+://([^/:?#]+)', 1), '')",
    "url_extract_path(u) AS regexp_extract(u, '^[a-z]+://[^/?#]*([^?#]*)', 1)",
    "infinity() AS CAST('inf' AS DOUBLE)",
    "nan() AS CAST('nan' AS DOUBLE)",
)
"""Functions of Athena that DuckDB lacks, in its own SQL."""

_COLUMN: Final = re.compile(r'Referenced column "([^"]+)" not found|does not have a column named "([^"]+)"')
_FUNCTION: Final = re.compile(r"Function with name (\S+) does not exist")
_GROUPED: Final = re.compile(r'column "([^"]+)" must appear in the GROUP BY clause')
_CAST: Final = re.compile(r"Could not convert string '(.*?)' to (\w+)")


def binder_error(message: str, sql: str, tree: exp.Expr) -> QueryError:
    """What DuckDB says of a query that it does not understand, in Athena's words."""
    first = message.splitlines()[0]
    if found := _COLUMN.search(message):
        return column_not_found(found.group(1) or found.group(2), sql, tree)
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
        return QueryError(f"INVALID_CAST_ARGUMENT: Cannot cast '{found.group(1)}' to {found.group(2)}")
    if "No function matches" in message or "Cannot compare" in message or "Cannot mix" in message:
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
