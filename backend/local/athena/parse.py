"""A statement's text as a tree: one statement, its parameters bound, its result's columns named."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import TokenType

from backend.local.athena.errors import QueryError, syntax_error

_STARTS: Final = ("SELECT", "WITH", "VALUES", "TABLE", "(", "--", "/*")
_EXPECTED: Final = "'DESCRIBE', 'EXPLAIN', 'INSERT', 'SELECT', 'SHOW', 'UNLOAD', 'WITH', <query>"

logging.getLogger("sqlglot").setLevel(logging.ERROR)


def parse(sql: str) -> exp.Expr:
    """One statement of Athena's DML. Raises QueryError with Athena's words and place for anything else."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, read="athena") if tree is not None]
    except ParseError as error:
        raise _complaint(sql, error) from error
    except TokenError as error:
        raise QueryError(f"line 1:1: {str(error).splitlines()[0]}", kind=1001) from error
    if len(trees) != 1:
        raise QueryError(f"Only one sql statement is allowed. Got: {sql[:500]}", kind=1001)
    return trees[0]


def _complaint(sql: str, error: ParseError) -> QueryError:
    start = len(sql) - len(sql.lstrip())
    first = (sql.split(maxsplit=1) or ["<EOF>"])[0]
    if not first.upper().startswith(_STARTS):
        return syntax_error(sql, start, first, _EXPECTED)
    found = error.errors[0]
    word = found["highlight"] or ""
    if not (found["end_context"] or "").strip() and _wants_more(sql):
        return syntax_error(sql, len(sql), "<EOF>", "")
    return syntax_error(sql, _offset(sql, found["line"] or 1, found["col"] or 1, len(word)), word or "<EOF>", "")


def _wants_more(sql: str) -> bool:
    """Whether the end is what is wrong: then anything that follows is wrong instead."""
    try:
        sqlglot.parse(sql + " ]", read="athena")
    except ParseError as error:
        return bool(error.errors[0]["highlight"] == "]")
    except TokenError:
        return True
    return False


def parse_query(sql: str) -> exp.Query:
    """A statement that returns rows. Raises QueryError."""
    tree = parse(sql)
    if isinstance(tree, exp.Values):
        tree = _selected(tree)
    _refuse_empty_select(sql)
    if not isinstance(tree, exp.Query):
        word = sql.split(maxsplit=1)[0]
        raise syntax_error(sql, len(sql) - len(sql.lstrip()), word, _EXPECTED)
    return tree


def _refuse_empty_select(sql: str) -> None:
    """sqlglot's dialects share a parser, and some of them select nothing."""
    tokens = sqlglot.tokenize(sql, read="athena")
    for token, after in pairwise(tokens):
        if token.token_type is TokenType.SELECT and after.token_type is TokenType.FROM:
            raise syntax_error(sql, after.start, after.text, "'*', 'ALL', 'DISTINCT', <expression>")


def _selected(values: exp.Values) -> exp.Select:
    """VALUES by itself, with Athena's names."""
    row = values.expressions[0]
    width = len(row.expressions) if isinstance(row, exp.Tuple) else 1
    names = [exp.to_identifier(f"_col{index}", quoted=True) for index in range(width)]
    values.set("alias", exp.TableAlias(this=exp.to_identifier("rows"), columns=names))
    return exp.select("*").from_(values)


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
