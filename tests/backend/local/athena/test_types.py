"""Operands that Trino refuses for their types, and those that nothing is known against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from backend.local.athena.catalog import Catalog, Column, Table
from backend.local.athena.engine import Prepared, Progress, QueryEngine
from backend.local.athena.errors import QueryError

Prepare = Callable[[str], Prepared]

TABLE: Final = Table(
    "db",
    "m",
    (
        Column("host", "string"),
        Column("value", "double"),
        Column("labels", "map<string,string>"),
        Column("seen", "array<array<double>>"),
        Column("day", "date"),
        Column("at", "timestamp"),
    ),
    (Column("year", "int"),),
    "s3://bucket/m",
    "org.openx.data.jsonserde.JsonSerDe",
)


class OneTable(Catalog):
    """A catalogue with ``db.m``."""

    def __init__(self) -> None:
        super().__init__(None)

    def table(self, database: str, name: str) -> Table:
        del database, name
        return TABLE


@pytest.fixture(scope="module")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Understands a query of ``m`` and reads nothing."""
    engine = QueryEngine(OneTable(), None, tmp_path_factory.mktemp("athena"))

    def run(sql: str) -> Prepared:
        progress = Progress()
        with engine.connection(progress) as connection:
            return engine.prepare(sql, "db", (), connection)

    return run


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1 FROM m WHERE year='2026'", "line 1:27: Cannot apply operator: integer = varchar(4)"),
        ("SELECT 1 FROM m\nWHERE value > '80'", "line 2:13: Cannot apply operator: double < varchar(2)"),
        ("SELECT 1 FROM m WHERE host <> 5", "line 1:28: Cannot apply operator: varchar = integer"),
        ("SELECT 1 FROM m WHERE labels['a'] >= 1.5", "Cannot apply operator: varchar <= decimal(2,1)"),
        ("SELECT 1 FROM m WHERE day >= '2026-01-01'", "Cannot apply operator: date <= varchar(10)"),
        ("SELECT 1 FROM m WHERE at < '2026-01-01'", "Cannot apply operator: timestamp(3) < varchar(10)"),
        ("SELECT 1 FROM m a JOIN m b ON a.host = b.value", "Cannot apply operator: varchar = double"),
        ("SELECT 1 FROM m WHERE value BETWEEN '1' AND 2", "Cannot check if double is BETWEEN varchar(1) and integer"),
        ("SELECT 1 FROM m WHERE year IN (2025, '2026')", "IN value and list items must be the same type: integer"),
        ("SELECT value + '1' FROM m", "line 1:14: Cannot apply operator: double + varchar(1)"),
        ("SELECT host - host FROM m", "Cannot apply operator: varchar - varchar"),
        ("SELECT value || 'x' FROM m", "line 1:14: Unexpected parameters (double, varchar(1)) for function concat"),
        ("SELECT concat('a', 'b' || year) FROM m", "Unexpected parameters (varchar(1), integer) for function concat"),
        ("SELECT a FROM (SELECT avg(value) AS a FROM m) AS t WHERE a = '1'", "operator: double = varchar(1)"),
    ],
)
def test_text_against_what_is_none_is_refused(prepare: Prepare, sql: str, reason: str) -> None:
    with pytest.raises(QueryError) as failure:
        prepare(sql)

    assert str(failure.value).startswith("TYPE_MISMATCH: line ")
    assert reason in str(failure.value)


@pytest.mark.parametrize(
    "condition",
    [
        "value > 80 AND year = 2026 AND year < 2026.5",
        "host = 'a' AND host IN ('a', NULL) AND host || '-' || labels['a'] LIKE 'a%'",
        "CAST(year AS varchar) = '2026' AND year = CAST('2026' AS integer)",
        "day >= DATE '2026-01-01' AND at > day AND at < now() - INTERVAL '1' HOUR",
        "date_format(at, '%Y') = '2026' AND date_trunc('hour', at) = at",
        "json_extract_scalar(host, '$.a') = '1' AND to_unixtime(at) > 5 AND split(host, '-')[1] = 'a'",
        "seen[1][1] > 1 AND any_match(seen, pair -> pair[1] > 1) AND seen || seen = seen",
        "host > ANY (SELECT host FROM m) AND host <> ALL (VALUES 'a') AND value > (SELECT 5)",
        "any_match(ARRAY[1], host -> host > 0)",
        "NULL = 'a' AND value = NULL AND coalesce(NULL, 'a') = 'a'",
        '"$path" IN (\'s3://bucket/a\') AND "$file_size" > 5',
        "CASE WHEN value > 1 THEN host ELSE 'x' END = 'x' AND map_keys(labels)[1] = 'a'",
    ],
)
def test_what_goes_together_or_is_not_known_is_let_through(prepare: Prepare, condition: str) -> None:
    assert prepare(f"SELECT 1 FROM m WHERE {condition}").columns[0].type == "integer"
