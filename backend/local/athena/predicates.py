"""What a WHERE clause says about partitions, objects and row groups before a row has been read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from sqlglot import exp

Range = tuple[Any, Any]
"""Smallest and largest value of a column in a row group; None for either when it is not known."""

_UNKNOWABLE: Final = (exp.Subquery, exp.Query, exp.AggFunc, exp.Window, exp.Rand, exp.CurrentTimestamp, exp.Uuid)


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """The parts that all have to be true."""
    if condition is None:
        return []
    condition = condition.unnest()
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def weaken(condition: exp.Expr, known: Collection[str]) -> exp.Expr:
    """What remains of ``condition`` when only the ``known`` columns have values: TRUE stands for all else.

    Never excludes a row that ``condition`` would keep.
    """
    if isinstance(condition, exp.Paren):
        return weaken(condition.this, known)
    if isinstance(condition, exp.And):
        sides = [side for side in (weaken(condition.left, known), weaken(condition.right, known)) if not _is_true(side)]
        return exp.and_(*sides) if sides else exp.true()
    if isinstance(condition, exp.Or):
        left, right = weaken(condition.left, known), weaken(condition.right, known)
        return exp.true() if _is_true(left) or _is_true(right) else exp.or_(left, right)
    if condition.find(*_UNKNOWABLE):
        return exp.true()
    names = {column.name for column in condition.find_all(exp.Column)}
    return _bare(condition) if names and names <= set(known) else exp.true()


def columns_of(condition: exp.Expr | None) -> set[str]:
    """Names of the columns that are mentioned."""
    return {column.name for column in condition.find_all(exp.Column)} if condition else set()


def literals_of(condition: exp.Expr | None, column: str) -> list[str]:
    """The values that ``column`` may have by equality or IN in each case; empty when it is not bound so."""
    for part in conjuncts(condition):
        if isinstance(part, exp.EQ) and _is_column(part.this, column) and isinstance(part.expression, exp.Literal):
            return [part.expression.name]
        if isinstance(part, exp.In) and _is_column(part.this, column):
            return [value.name for value in part.expressions if isinstance(value, exp.Literal)]
    return []


def may_hold(condition: exp.Expr, ranges: Mapping[str, Range]) -> bool:
    """False only when no row whose values lie in ``ranges`` can satisfy ``condition``."""
    if isinstance(condition, exp.Paren):
        return may_hold(condition.this, ranges)
    if isinstance(condition, exp.And):
        return may_hold(condition.left, ranges) and may_hold(condition.right, ranges)
    if isinstance(condition, exp.Or):
        return may_hold(condition.left, ranges) or may_hold(condition.right, ranges)
    if isinstance(condition, exp.In) and isinstance(condition.this, exp.Column) and not condition.args.get("query"):
        return any(_compare(exp.EQ, condition.this, value, ranges) for value in condition.expressions)
    if isinstance(condition, exp.Between):
        low = _compare(exp.GTE, condition.this, condition.args["low"], ranges)
        return low and _compare(exp.LTE, condition.this, condition.args["high"], ranges)
    if isinstance(condition, (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE)):
        kind, left, right = type(condition), condition.this, condition.expression
        if isinstance(right, exp.Column) and not isinstance(left, exp.Column):
            kind, left, right = _MIRRORED[kind], right, left
        return _compare(kind, left, right, ranges)
    return True


_MIRRORED: Final[dict[type[exp.Expr], type[exp.Expr]]] = {
    exp.EQ: exp.EQ,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
}
_FITS: Final[dict[type[exp.Expr], Callable[[Any, Any, Any], bool]]] = {
    exp.EQ: lambda low, high, value: low <= value <= high,
    exp.GT: lambda _low, high, value: high > value,
    exp.GTE: lambda _low, high, value: high >= value,
    exp.LT: lambda low, _high, value: low < value,
    exp.LTE: lambda low, _high, value: low <= value,
}


def _compare(kind: type[exp.Expr], column: exp.Expr, value: exp.Expr, ranges: Mapping[str, Range]) -> bool:
    if not isinstance(column, exp.Column):
        return True
    low, high = ranges.get(column.name, (None, None))
    constant = _constant(value)
    if low is None or high is None or constant is None or isinstance(constant, str) != isinstance(low, str):
        return True
    return _FITS[kind](low, high, constant)


def _constant(value: exp.Expr) -> Any:
    """A number or a text; None for anything that has to be computed."""
    value = value.unnest()
    if isinstance(value, exp.Cast) and value.to.this in exp.DataType.NUMERIC_TYPES:
        value = value.this
    if isinstance(value, exp.Neg):
        inner = _constant(value.this)
        return -inner if isinstance(inner, int | float) else None
    if not isinstance(value, exp.Literal):
        return None
    return value.name if value.is_string else float(value.name)


def _is_true(condition: exp.Expr) -> bool:
    return isinstance(condition, exp.Boolean) and bool(condition.this)


def _is_column(node: exp.Expr, name: str) -> bool:
    return isinstance(node, exp.Column) and node.name == name


def _bare(condition: exp.Expr) -> exp.Expr:
    """The same with columns by their own name only."""
    return condition.transform(
        lambda node: exp.column(node.name, quoted=True) if isinstance(node, exp.Column) else node
    )
