"""What Trino refuses for its operands' types and DuckDB would convert: text against anything that is none.

Types are those that sqlglot gives the nodes of a ``qualified`` query. What it can't tell is let through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import sqlglot
from sqlglot import exp

from backend.local.athena.errors import QueryError, place

Check = Callable[[exp.Expr], str | None]
"""Takes one node and says what Trino says against it, if anything."""

TEXT: Final = "text"
_KINDS: Final = (
    (TEXT, exp.DataType.TEXT_TYPES),
    ("number", exp.DataType.NUMERIC_TYPES),
    ("boolean", {exp.DType.BOOLEAN}),
    ("time", {exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ}),
)
_NAMES: Final = {"timestamp": "timestamp(3)", "timestamp with time zone": "timestamp(3) with time zone"}
_COMPARED: Final[dict[type[exp.Expr], str]] = {
    exp.EQ: "=",
    exp.NEQ: "=",
    exp.LT: "<",
    exp.GT: "<",
    exp.LTE: "<=",
    exp.GTE: "<=",
}
"""Trino has three operators, and names one of them whichever was written."""
_CALCULATED: Final[dict[type[exp.Expr], str]] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}
_WRITTEN: Final[dict[type[exp.Expr], tuple[str, ...]]] = {
    **{kind: (sign,) for kind, sign in _CALCULATED.items()},
    exp.EQ: ("=",),
    exp.NEQ: ("<>", "!="),
    exp.LT: ("<",),
    exp.GT: (">",),
    exp.LTE: ("<=",),
    exp.GTE: (">=",),
    exp.DPipe: ("||",),
    exp.Between: ("BETWEEN",),
    exp.In: ("IN",),
    exp.Concat: ("CONCAT",),
}


def check_types(tree: exp.Query, sql: str) -> None:
    """Raises QueryError with Trino's words for the first operands of a ``qualified`` query that don't go together."""
    for node in tree.find_all(*_WRITTEN):
        for check in CHECKS:
            if said := check(node):
                raise QueryError(f"TYPE_MISMATCH: {place(sql, _offset(node, sql))}: {said}")


def comparison(node: exp.Expr) -> str | None:
    """Text is compared with text only."""
    sign = _COMPARED.get(type(node))
    if sign is None or not _apart(node.this, node.expression):
        return None
    return f"Cannot apply operator: {_named(node.this)} {sign} {_named(node.expression)}"


def between(node: exp.Expr) -> str | None:
    """The bounds of BETWEEN are of the value's kind."""
    if not isinstance(node, exp.Between):
        return None
    low, high = node.args["low"], node.args["high"]
    if not _apart(node.this, low) and not _apart(node.this, high):
        return None
    return f"Cannot check if {_named(node.this)} is BETWEEN {_named(low)} and {_named(high)}"


def membership(node: exp.Expr) -> str | None:
    """The values of IN are of the value's kind."""
    if not isinstance(node, exp.In) or not any(_apart(node.this, value) for value in node.expressions):
        return None
    return f"IN value and list items must be the same type: {_named(node.this)}"


def calculation(node: exp.Expr) -> str | None:
    """Nothing is calculated with text."""
    sign = _CALCULATED.get(type(node))
    kinds = (_kind(node.this), _kind(node.expression)) if sign else ()
    if TEXT not in kinds or None in kinds:
        return None
    return f"Cannot apply operator: {_named(node.this)} {sign} {_named(node.expression)}"


def concatenation(node: exp.Expr) -> str | None:
    """``||`` and CONCAT join text with text; what is none has to be cast."""
    if not isinstance(node, exp.DPipe | exp.Concat):
        return None
    parts = _joined(node)
    kinds = {_kind(part) for part in parts}
    if None in kinds or kinds == {TEXT}:
        return None
    return f"Unexpected parameters ({', '.join(map(_named, parts))}) for function concat"


CHECKS: Final[tuple[Check, ...]] = (comparison, between, membership, calculation, concatenation)


def _apart(left: exp.Expr, right: exp.Expr) -> bool:
    """Whether one of two is text and the other is surely none."""
    kinds = {_kind(left), _kind(right)}
    return TEXT in kinds and len(kinds) == 2 and None not in kinds


def _kind(node: exp.Expr) -> str | None:
    """``text``, ``number``, ``boolean``, ``time``; None for every other type and for what is not known."""
    node = node.unnest()
    # ANY and ALL are compared row by row; sqlglot takes them for a truth.
    if isinstance(node, exp.SubqueryPredicate):
        return None
    # sqlglot takes whatever is joined for text, arrays too.
    if isinstance(node, exp.DPipe | exp.Concat) and any(_kind(part) != TEXT for part in _joined(node)):
        return None
    found = _type(node)
    return next((name for name, types in _KINDS if found and found.this in types), None)


def _joined(node: exp.Expr) -> list[exp.Expr]:
    return [node.this, node.expression] if isinstance(node, exp.DPipe) else node.expressions


def _type(node: exp.Expr) -> exp.DataType | None:
    if isinstance(node, exp.Bracket) and (whole := node.this.type) and whole.is_type(exp.DType.MAP):
        return whole.expressions[1] if len(whole.expressions) == 2 else None
    return node.type


def _named(node: exp.Expr) -> str:
    """The type as Trino writes it, a literal's with its length."""
    node = node.unnest()
    if isinstance(node, exp.Literal):
        return f"varchar({len(node.name)})" if node.is_string else _number(node.name)
    found = _type(node)
    name = found.sql("trino").lower() if found else "unknown"
    return _NAMES.get(name, name)


def _number(text: str) -> str:
    if "e" in text.lower():
        return "double"
    whole, point, part = text.partition(".")
    if point:
        return f"decimal({len(whole.lstrip('0')) + len(part)},{len(part)})"
    return "integer" if int(text) < 2**31 else "bigint"


def _offset(node: exp.Expr, sql: str) -> int:
    """Where the operator is: the first one that is written so after the first name that it is about."""
    first = min(_offsets(node), default=0)
    if isinstance(node, exp.Concat):
        return first
    for token in sqlglot.tokenize(sql, read="athena"):
        if token.start >= first and token.text.upper() in _WRITTEN[type(node)]:
            return int(token.start)
    return first


def _offsets(node: exp.Expr) -> Iterator[int]:
    for part in node.find_all(exp.Identifier):
        if "start" in part.meta:
            yield int(part.meta["start"])
