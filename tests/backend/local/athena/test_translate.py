"""Athena's SQL on DuckDB: each rule, each function that is added, and the words for what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.local.athena.catalog import Catalog
from backend.local.athena.engine import Progress, QueryEngine
from backend.local.athena.errors import QueryError

Ask = Callable[..., list[str | None]]


class NoTables(Catalog):
    """A catalogue without a table."""

    def __init__(self) -> None:
        super().__init__(None)

    def table(self, database: str, name: str) -> None:
        del database, name

    def database(self, name: str) -> dict[str, str]:
        return {"Name": name}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> QueryEngine:
    return QueryEngine(NoTables(), None, tmp_path_factory.mktemp("athena"))


@pytest.fixture
def ask(engine: QueryEngine) -> Iterator[Ask]:
    """The first row of a query, as texts."""

    def run(sql: str, *parameters: str) -> list[str | None]:
        progress = Progress()
        with engine.connection(progress) as connection:
            prepared = engine.prepare(sql, "db", parameters, connection)
            return engine.rows(prepared, connection, progress)[0]

    return run


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("from_unixtime(7200.5)", "1970-01-01 02:00:00.500 UTC"),
        ("from_unixtime(0, 'Europe/Berlin')", "1970-01-01 01:00:00.000"),
        ("to_unixtime(from_unixtime(3))", "3.0"),
        ("date_trunc('hour', from_unixtime(7300))", "1970-01-01 02:00:00.000 UTC"),
        ("date_format(from_unixtime(61), '%Y-%m-%d %H:%i:%s')", "1970-01-01 00:01:01"),
        ("format_datetime(from_unixtime(0), 'yyyy-MM-dd')", "1970-01-01"),
        ("date_add('day', 1, DATE '2026-02-28')", "2026-03-01"),
        ("date_diff('hour', TIMESTAMP '2026-01-01 00:00:00', TIMESTAMP '2026-01-02 00:00:00')", "24"),
        ("now() > TIMESTAMP '2020-01-01 00:00:00'", "true"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 / 2e0", "3.5"),
        ("100 / 7 / 2", "7"),
        ("CAST(9007199254740993 AS bigint) / 1", "9007199254740993"),
        ("1e0 / 0", "Infinity"),
        ("CASE WHEN false THEN 1 / 0 ELSE mod(5, 3) END", "2"),
        ("try(1 / 0)", None),
        ("try(ARRAY[1][2])", None),
        ("ARRAY[ARRAY[8, 6]][1][2] / 4", "1"),
        ("element_at(ARRAY[1], 2)", None),
        ("typeof(ARRAY[ARRAY[1e0]])", "array(array(double))"),
        ("typeof(MAP(ARRAY['a'], ARRAY['b']))", "map(varchar, varchar)"),
        ("typeof(ARRAY[now()])", "array(timestamp(3) with time zone)"),
        ("typeof(1.5)", "decimal(2,1)"),
        ("1e7", "1.0E7"),
        ("5e-4", "5.0E-4"),
        ("infinity()", "Infinity"),
        ("cardinality(ARRAY[1, 2])", "2"),
        ("cardinality(MAP(ARRAY['a'], ARRAY[1]))", "1"),
        ("MAP(ARRAY['a'], ARRAY[1])['a']", "1"),
        ("element_at(MAP(ARRAY['a'], ARRAY[1]), 'b')", None),
        ("element_at(ARRAY[1, 2], -1)", "2"),
        ("map_filter(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> v > 1)", "{b=2}"),
        ("transform_values(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> v + 1)", "{a=2}"),
        ("transform_keys(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> k || 'x')", "{ax=1}"),
        ("reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s * 10)", "60"),
        ("any_match(ARRAY[1, 2], x -> x > 1)", "true"),
        ("all_match(ARRAY[1, 2], x -> x > 1)", "false"),
        ("none_match(ARRAY[1, 2], x -> x > 5)", "true"),
        ('json_extract_scalar(\'{"a": {"b": "c"}}\', \'$.a.b\')', "c"),
        ("json_extract('{\"a\": [1]}', '$.a')", "[1]"),
        ("try_cast('x' AS integer)", None),
        ("width_bucket(3.0, 0.0, 10.0, 5)", "2"),
        ("url_extract_host('https://a.b/c')", "a.b"),
        ("ARRAY[ARRAY[1.5], NULL]", "[[1.5], null]"),
        ("ROW(1, 'a')", "{_0=1, _1=a}"),
        ("INTERVAL '90' MINUTE", "0 01:30:00.000"),
        ("to_utf8('ab')", "61 62"),
        ("CAST(0.1 AS decimal(10, 2))", "0.10"),
    ],
)
def test_an_expression_means_what_it_means_in_athena(ask: Ask, expression: str, expected: str | None) -> None:
    assert ask(f"SELECT {expression}") == [expected]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT approx_percentile(x, 0.5), approx_percentile(x, ARRAY[0.0, 1.0]) FROM t", ["2", "[1, 3]"]),
        ("SELECT max_by(x, -x), min_by(x, -x), approx_distinct(x), count_if(x > 1) FROM t", ["1", "3", "3", "2"]),
        ("SELECT array_agg(x ORDER BY x DESC), map_agg(x, 'v')[1], arbitrary(1) FROM t", ["[3, 2, 1]", "v", "1"]),
        ("SELECT sum(x), avg(x) FROM t WHERE x IN (SELECT 2)", ["2", "2.0"]),
        ("SELECT x, lag(x) OVER (ORDER BY x) FROM t ORDER BY x DESC LIMIT 1", ["3", "2"]),
        ("SELECT grouping(x), count(*) FROM t GROUP BY GROUPING SETS ((x), ()) ORDER BY 1 DESC", ["1", "3"]),
        ("SELECT e, n FROM UNNEST(ARRAY['a', 'b']) WITH ORDINALITY AS u(e, n) ORDER BY n DESC", ["b", "2"]),
        ("SELECT k, v FROM t CROSS JOIN UNNEST(MAP(ARRAY['a'], ARRAY[x])) AS u(k, v) WHERE x = 2", ["a", "2"]),
        ("SELECT k, v, n FROM UNNEST(MAP(ARRAY['a'], ARRAY[9])) WITH ORDINALITY AS u(k, v, n)", ["a", "9", "1"]),
        ("SELECT a, b FROM UNNEST(ARRAY[1, 2], ARRAY['x']) AS u(a, b) ORDER BY a DESC", ["2", None]),
        (
            "SELECT a[x], a[cardinality(a)], a[x - 1] FROM t, (SELECT ARRAY[5, 6] AS a) AS l WHERE x = 2",
            ["6", "6", "5"],
        ),
        ("SELECT x / least(x, 2), count(*) FROM t GROUP BY x / least(x, 2) ORDER BY 2 DESC", ["1", "3"]),
        ("SELECT typeof(max(x)) FROM t", ["integer"]),
        ("SELECT DISTINCT listagg(CAST(x AS varchar), '-') WITHIN GROUP (ORDER BY x) FROM t", ["1-2-3"]),
    ],
)
def test_a_query_means_what_it_means_in_athena(ask: Ask, query: str, expected: list[str | None]) -> None:
    assert ask(f"WITH t AS (SELECT x FROM (VALUES 1, 2, 3) AS v(x)) {query}") == expected


def test_values_are_a_query_and_columns_without_a_name_are_numbered(engine: QueryEngine) -> None:
    progress = Progress()
    with engine.connection(progress) as connection:
        values = engine.prepare("VALUES (1, 'a')", None, (), connection)
        mixed = engine.prepare("SELECT *, 1, count(*) AS N FROM (SELECT 2 AS b) GROUP BY b", None, (), connection)

    assert [column.name for column in values.columns] == ["_col0", "_col1"]
    assert [(column.name, column.type) for column in mixed.columns] == [
        ("b", "integer"),
        ("_col1", "integer"),
        ("n", "bigint"),
    ]


def test_parameters_are_bound_in_their_order(ask: Ask) -> None:
    assert ask("SELECT ?, '?', ? -- ?", "'it''s'", "-1.5") == ["it's", "?", "-1.5"]


@pytest.mark.parametrize("text", ["x", "1 OR 1", "(SELECT 1)", "1; DROP", "'a' || 'b'", "", "1, 2"])
def test_what_is_no_literal_is_no_parameter(ask: Ask, text: str) -> None:
    with pytest.raises(QueryError, match="is not a literal"):
        ask("SELECT ?", text)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1 FROM", "line 1:14: mismatched input '<EOF>'"),
        ("SELECT\n  FROM t", "line 2:3: mismatched input 'FROM'"),
        ("SELECT * FORM t WHERE x y", "mismatched input"),
        ("SELECT 'a", "line 1:1: "),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
        ("SELECT x AS a FROM (VALUES 1) t(x) WHERE a = 1", "COLUMN_NOT_FOUND: line 1:42: Column 'a' cannot be"),
        ("SELECT x AS a FROM (VALUES 1) t(x) GROUP BY a", "COLUMN_NOT_FOUND: line 1:45: Column 'a' cannot be"),
        ("SELECT x, count(*) FROM (VALUES (1, 2)) t(x, y) GROUP BY y", "EXPRESSION_NOT_AGGREGATE: line 1:8: 'x'"),
        ("SELECT CAST('abc' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast 'abc' to INT"),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT mod(x, y) FROM (VALUES (5, 0)) t(x, y)", "DIVISION_BY_ZERO: Division by zero"),
        (
            "SELECT ARRAY[1, 2][3]",
            "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length:",
        ),
        ("SELECT ARRAY[1, 2][0]", "INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1"),
        ("SELECT ARRAY[1, 2][-1]", "INVALID_FUNCTION_ARGUMENT: Array subscript is negative: -1"),
        ("SELECT 1 FROM other.db.t", "CATALOG_NOT_FOUND: line 1:15: Catalog 'other' does not exist"),
        ("SELECT approx_percentile(1, 2, 0.5)", "NOT_SUPPORTED: approx_percentile with weights"),
        ("SELECT ?", "INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected 1 but found 0"),
    ],
)
def test_what_is_wrong_is_said_in_athenas_words(ask: Ask, sql: str, reason: str) -> None:
    with pytest.raises(QueryError) as failure:
        ask(sql)

    assert reason in str(failure.value)


def test_a_query_reads_no_file_of_this_machine(ask: Ask, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"a": 1}')

    for relation in (f"read_json_auto('{secret}')", f"read_text('{secret}')", f'"{secret}"'):
        with pytest.raises(QueryError):
            ask(f"SELECT * FROM {relation}")
