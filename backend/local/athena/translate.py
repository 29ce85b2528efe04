"""Athena's SQL as DuckDB's: what sqlglot's dialects leave different, one small rule for each difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError
from sqlglot.optimizer.annotate_types import annotate_types

from backend.local.athena.dates import strftime
from backend.local.athena.errors import not_served

Rule = Callable[[exp.Expr], exp.Expr]
"""Takes one node and returns it, or what stands for it."""


def to_duckdb(tree: exp.Query) -> str:
    """The query for DuckDB; types help where they are known. Raises QueryError for what has no translation."""
    # One copy for all rules: a copy for each took longer than the query.
    tree = tree.copy()
    for rule in RULES:
        tree = tree.transform(rule, copy=False)
    try:
        return str(tree.sql("duckdb", unsupported_level=ErrorLevel.RAISE))
    except UnsupportedError as error:
        raise not_served(str(error).splitlines()[0]) from error


def unnest_side_by_side(node: exp.Expr) -> exp.Expr:
    """UNNEST of a map gives keys and values, of several arrays their elements, side by side."""
    if not isinstance(node, exp.Unnest) or (alias := node.args.get("alias")) is None:
        return node
    lists = [part for unnested in node.expressions for part in _lists(unnested)]
    if len(lists) < 2:
        return node
    names = [column.name for column in alias.columns]
    offset = node.args.get("offset")
    if isinstance(offset, exp.Identifier):
        names.append(offset.name)
    made: list[exp.Expr] = [exp.func("UNNEST", part) for part in lists]
    if len(names) > len(lists):
        made.append(exp.func("UNNEST", exp.func("RANGE", exp.Literal.number(1), _longest(lists))))
    columns = [exp.alias_(part, name, quoted=True) for part, name in zip(made, names, strict=False)]
    plain = exp.TableAlias(this=alias.this, columns=[exp.to_identifier(name, quoted=True) for name in names])
    return exp.Lateral(this=exp.Subquery(this=exp.select(*columns)), alias=plain)


def _lists(unnested: exp.Expr) -> list[exp.Expr]:
    if _is(unnested, exp.DType.MAP):
        return [exp.func("MAP_KEYS", unnested.copy()), exp.func("MAP_VALUES", unnested.copy())]
    return [unnested.copy()]


def _longest(lists: list[exp.Expr]) -> exp.Expr:
    lengths = [exp.func("LEN", part.copy()) for part in lists]
    return exp.Add(this=exp.Anonymous(this="greatest", expressions=lengths), expression=exp.Literal.number(1))


def cardinality(node: exp.Expr) -> exp.Expr:
    """CARDINALITY counts a map's entries as well as an array's elements."""
    if isinstance(node, exp.ArraySize) and _is(node.this, exp.DType.MAP):
        return exp.func("CARDINALITY", node.this)
    return node


def reduce_with_finish(node: exp.Expr) -> exp.Expr:
    """REDUCE's last argument is applied to what the others gave."""
    if not isinstance(node, exp.Reduce) or not isinstance(finish := node.args.get("finish"), exp.Lambda):
        return node
    reduced = exp.func("LIST_REDUCE", node.this, node.args["merge"], node.args["initial"])
    return _applied(finish, reduced)


def matches(node: exp.Expr) -> exp.Expr:
    """ANY_MATCH, ALL_MATCH, NONE_MATCH count the elements that a lambda keeps."""
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    if name not in ("any_match", "all_match", "none_match"):
        return node
    array, test = node.expressions
    count = exp.func("LEN", exp.func("LIST_FILTER", array.copy(), test))
    if name == "all_match":
        return exp.EQ(this=count, expression=exp.func("LEN", array.copy()))
    return (exp.GT if name == "any_match" else exp.EQ)(this=count, expression=exp.Literal.number(0))


def map_lambdas(node: exp.Expr) -> exp.Expr:
    """MAP_FILTER, TRANSFORM_KEYS and TRANSFORM_VALUES work on the list of a map's entries."""
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    if name not in ("map_filter", "transform_keys", "transform_values"):
        return node
    mapped, given = node.expressions
    key, value = (exp.column(part, table="entry") for part in ("key", "value"))
    body = _applied(given, key, value)
    entries = exp.func("MAP_ENTRIES", mapped)
    if name == "map_filter":
        return exp.func("MAP_FROM_ENTRIES", exp.func("LIST_FILTER", entries, _lambda(body)))
    pair = {"key": body, "value": value} if name == "transform_keys" else {"key": key, "value": body}
    made = exp.Struct(expressions=[exp.PropertyEQ(this=exp.to_identifier(k), expression=v) for k, v in pair.items()])
    return exp.func("MAP_FROM_ENTRIES", exp.func("LIST_TRANSFORM", entries, _lambda(made)))


def _lambda(body: exp.Expr) -> exp.Expr:
    return exp.Lambda(this=body, expressions=[exp.to_identifier("entry")])


def _applied(given: exp.Expr, *values: exp.Expr) -> exp.Expr:
    """A lambda's body with its parameters replaced."""
    by_name: Mapping[str, exp.Expr] = dict(zip((part.name for part in given.expressions), values, strict=True))

    def put(part: exp.Expr) -> exp.Expr:
        alone = isinstance(part, exp.Identifier) and not isinstance(part.parent, exp.Column | exp.Dot)
        if alone or (isinstance(part, exp.Column) and not part.table):
            return by_name[part.name].copy() if part.name in by_name else part
        return part

    return given.this.copy().transform(put)


def percentile(node: exp.Expr) -> exp.Expr:
    """APPROX_PERCENTILE of one percentage or of an array of them; DuckDB's knows no weights."""
    if not isinstance(node, exp.ApproxQuantile):
        return node
    if node.args.get("weight") is not None:
        raise not_served("approx_percentile with weights")
    return exp.Anonymous(this="approx_quantile", expressions=[node.this, node.args["quantile"]])


def plain_timestamp(node: exp.Expr) -> exp.Expr:
    """A timestamp without parts of a second is no type of its own."""
    if isinstance(node, exp.DataType) and node.this in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ):
        return exp.DataType(this=node.this)
    return node


def date_stays_date(node: exp.Expr) -> exp.Expr:
    """DATE_ADD of days to a date gives a date."""
    if isinstance(node, exp.DateAdd) and _is(node.this, exp.DType.DATE) and not isinstance(node.parent, exp.Cast):
        return exp.cast(node.copy(), exp.DType.DATE)
    return node


def unixtime_in_zone(node: exp.Expr) -> exp.Expr:
    """FROM_UNIXTIME's second argument is where the time is shown."""
    if isinstance(node, exp.UnixToTime) and (zone := node.args.get("zone")):
        return exp.AtTimeZone(this=exp.UnixToTime(this=node.this), zone=zone)
    return node


def joda_format(node: exp.Expr) -> exp.Expr:
    """FORMAT_DATETIME and PARSE_DATETIME have Java's patterns."""
    if isinstance(node, exp.ParseDatetime):
        function, value, given = "STRPTIME", node.this, node.args.get("format")
    elif isinstance(node, exp.Anonymous) and node.name.lower() == "format_datetime":
        function, (value, given) = "STRFTIME", node.expressions
    else:
        return node
    if not isinstance(given, exp.Literal):
        raise not_served("a pattern that is computed")
    pattern = exp.Literal.string(strftime(given.name, SSS="%g"))
    return exp.Anonymous(this=function, expressions=[value, pattern])


def whole_division(node: exp.Expr) -> exp.Expr:
    """Integers divide to an integer, and by zero not at all. In TRY, which takes no macro that fails, DuckDB gives NULL
    by itself."""
    if not isinstance(node, exp.Div | exp.Mod) or node.find_ancestor(exp.Try):
        return node
    if not (_is_integer(node.this) and _is_integer(node.expression)):
        return node
    name = "divided" if isinstance(node, exp.Div) else "remainder"
    return _call(name, whole_division, node, node.this, node.expression)


def array_bounds(node: exp.Expr) -> exp.Expr:
    """A subscript beyond an array's ends fails; ELEMENT_AT gives NULL, and so does TRY."""
    if not isinstance(node, exp.Bracket) or node.args.get("safe") or len(node.expressions) != 1:
        return node
    subscript = _subscript(node.expressions[0])
    if _is(node.this, exp.DType.ARRAY) and not node.find_ancestor(exp.Try):
        return _call("subscript", array_bounds, node, node.this, subscript)
    # As it was written: DuckDB counts from 1 too.
    node.set("expressions", [subscript])
    node.set("offset", 1)
    return node


def _subscript(read: exp.Expr) -> exp.Expr:
    """A subscript as it was written: sqlglot counts from 0 where it could tell a number while it parsed."""
    if isinstance(read, exp.Slice):
        return read
    alone = annotate_types(read.copy(), dialect="trino")
    if not _is_integer(alone):
        return read
    return exp.Literal.number(int(read.to_py()) + 1) if read.is_int else read + 1


def type_names(node: exp.Expr) -> exp.Expr:
    """TYPEOF answers with Trino's names."""
    return exp.Anonymous(this="type_name", expressions=[node.copy()]) if isinstance(node, exp.Typeof) else node


def _call(name: str, rule: Rule, node: exp.Expr, *parts: exp.Expr) -> exp.Expr:
    """A macro's call in place of ``node``. A rule is not asked about what is inside of what it gave: it looks there
    now."""
    call = exp.Anonymous(this=name, expressions=[part.copy().transform(rule) for part in parts])
    call.type = node.type
    return call


def _is_integer(node: exp.Expr) -> bool:
    return bool(node.type and node.type.is_type(*exp.DataType.INTEGER_TYPES))


def _is(node: exp.Expr, kind: exp.DType) -> bool:
    return bool(node.type and node.type.is_type(kind))


RULES: Final[tuple[Rule, ...]] = (
    unnest_side_by_side,
    cardinality,
    reduce_with_finish,
    matches,
    map_lambdas,
    percentile,
    plain_timestamp,
    date_stays_date,
    unixtime_in_zone,
    joda_format,
    array_bounds,
    whole_division,
    type_names,
)

_ELEMENT: Final = r"([a-z]+(?:\(\d+(?:,\d+)?\))?(?: with time zone)?)"
MACROS: Final = (
    "map_agg(k, v) AS map_from_entries(list(struct_pack(k := k, v := v)) FILTER (k IS NOT NULL))",
    "at_timezone(t, zone) AS timezone(zone, t)",
    "to_iso8601(t) AS strftime(t, '%Y-%m-%dT%H:%M:%S.%gZ')",
    "width_bucket(x, low, high, n) AS "
    "CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1 "
    "ELSE CAST(floor((x - low) / (high - low) * n) AS BIGINT) + 1 END",
    "url_extract_host(u) AS nullif(regexp_extract(u, '^[a-z]+://([^/:?#]+)', 1), '')",
    "url_extract_path(u) AS regexp_extract(u, '^[a-z]+://[^/?#]*([^?#]*)', 1)",
    "infinity() AS CAST('inf' AS DOUBLE)",
    "nan() AS CAST('nan' AS DOUBLE)",
    "e() AS exp(1.0)",
    "codepoint(c) AS unicode(c)",
    "every(x) AS bool_and(x)",
    "set_agg(x) AS list(DISTINCT x)",
    "last_day_of_month(d) AS last_day(d)",
    "divided(a, b) AS CASE WHEN b = 0 THEN error('DIVISION_BY_ZERO: Division by zero') ELSE a // b END",
    "remainder(a, b) AS CASE WHEN b = 0 THEN error('DIVISION_BY_ZERO: Division by zero') ELSE a % b END",
    "subscript(a, i) AS CASE "
    "WHEN i = 0 THEN error('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1') "
    "WHEN i < 0 THEN error('INVALID_FUNCTION_ARGUMENT: Array subscript is negative: ' || i) "
    "WHEN i > len(a) "
    "THEN error('INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: ' "
    "|| i || ' > ' || len(a)) ELSE a[i] END",
    # Lists from the inside outwards: a list of lists has two pairs of brackets behind its elements' type.
    "type_name(t) AS regexp_replace(regexp_replace(replace(replace(lower(t), 'struct(', 'row('), "
    f"'timestamp', 'timestamp(3)'), '{_ELEMENT}\\[\\]\\[\\]', 'array(array(\\1))', 'g'), "
    f"'{_ELEMENT}\\[\\]', 'array(\\1)', 'g')",
    "array_except(a, b) AS list_filter(list_distinct(a), lambda x: NOT list_contains(b, x))",
)
"""Functions of Athena that DuckDB lacks, in its own SQL."""
