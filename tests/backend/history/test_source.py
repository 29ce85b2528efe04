"""The relation of a range of days: short, pruned by month, and each sample once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from moto import mock_aws

from backend.contract.errors import InvalidInput
from backend.history.days import MOST_DAYS, MOST_NAMED, MOST_NAMED_IN_ALL, Days, LateObjects, day_start
from backend.history.ledger import days_of
from backend.history.source import COLUMNS, DAY_COLUMNS, day_predicate, relation, relation_of
from tests.backend.history.lake import BUCKET, DAY, Lake, duckdb_sql, samples, tables

NONE = LateObjects()
FIRST = date(2026, 12, 30)
NEXT = DAY + timedelta(days=1)


def sql_of(first: date, last: date, days: Days, late: LateObjects = NONE) -> str:
    return relation(first, last, days, late, bucket=BUCKET, columns=("timestamp", "value"), where="metric_type = 'x'")


@pytest.fixture
def lake() -> Iterator[Lake]:
    with mock_aws():
        yield Lake()


def test_compacted_days_are_one_term_a_month_and_only_the_columns_that_are_used() -> None:
    days = Days({FIRST + timedelta(days=number): 0 for number in range(4)})
    assert sql_of(FIRST, FIRST + timedelta(days=3), days) == (
        'SELECT "timestamp", "value" FROM infra_monitoring_db.metrics_parquet WHERE '
        "((year = 2026 AND month = 12 AND day BETWEEN 30 AND 31 AND generation = 0) OR "
        "(year = 2027 AND month = 1 AND day BETWEEN 1 AND 2 AND generation = 0)) AND (metric_type = 'x')"
    )


def test_other_generations_are_named_apart_and_days_without_data_not_at_all() -> None:
    days = Days({date(2026, 12, day): int(day == 3) for day in (1, 2, 3, 5)}, frozenset({date(2026, 12, 4)}))
    sql = sql_of(date(2026, 12, 1), date(2026, 12, 5), days)
    assert "(year = 2026 AND month = 12 AND day IN (1, 2, 5) AND generation = 0)" in sql
    assert "(year = 2026 AND month = 12 AND day = 3 AND generation = 1)" in sql
    assert "UNION" not in sql


def test_a_range_that_nothing_is_known_of_is_json_and_one_without_data_reads_nothing() -> None:
    assert "metrics_parquet" not in sql_of(FIRST, FIRST, Days())
    sql = sql_of(FIRST, FIRST, Days(empty=frozenset({FIRST})))
    assert "FROM" not in sql


def test_the_longest_range_is_a_short_statement() -> None:
    days = [FIRST + timedelta(days=number) for number in range(MOST_DAYS)]
    plain = sql_of(days[0], days[-1], Days(dict.fromkeys(days[:-1], 0)))
    assert len(plain) < 4_000
    worst = Days({day: number for number, day in enumerate(days) if number % 3})
    key = "metrics/" + "k" * 100
    crowded = {day: tuple(f"{key}{n}" for n in range(MOST_NAMED)) for day in days[: MOST_NAMED_IN_ALL // MOST_NAMED]}
    assert len(sql_of(days[0], days[-1], worst, LateObjects(crowded))) < 256_000 / 2


@pytest.fixture(scope="module")
def winter() -> duckdb.DuckDBPyConnection:
    """A sample a day across a year's end in JSON (value -1), and one in each of three generations (value 0 to 2)."""
    database = tables()
    day = "(DATE '2026-12-01' + n::int) AS d"
    parts = "year(d), month(d), day(d)"
    row = "d::varchar, epoch(d), 'x', {value}, '', 'h', 'r', 'production', NULL, NULL"
    database.execute(
        f"INSERT INTO infra_monitoring_db.metrics SELECT {row.format(value=-1)}, {parts}, 's3://x' "
        f"FROM (SELECT {day} FROM range(120) t(n))"
    )
    database.execute(
        f"INSERT INTO infra_monitoring_db.metrics_parquet SELECT {row.format(value='g')}, {parts}, g "
        f"FROM (SELECT {day} FROM range(120) t(n)), range(3) s(g)"
    )
    return database


@given(
    known=st.lists(st.tuples(st.integers(0, 60), st.integers(-1, 2)), max_size=12),
    begin=st.integers(0, 60),
    length=st.integers(0, 40),
)
@examples(max_examples=25)
def test_each_day_of_a_range_is_read_from_one_place(
    winter: duckdb.DuckDBPyConnection, known: list[tuple[int, int]], begin: int, length: int
) -> None:
    start = date(2026, 12, 1)
    wanted = [start + timedelta(days=begin + number) for number in range(length + 1)]
    generations = {start + timedelta(days=day): number for day, number in known if number >= 0}
    empty = frozenset(start + timedelta(days=day) for day, number in known if number < 0) - generations.keys()
    found = winter.execute(duckdb_sql(sql_of(wanted[0], wanted[-1], Days(generations, empty)))).fetchall()
    assert sorted(found) == [
        (float(day_start(day)), float(generations.get(day, -1))) for day in wanted if day not in empty
    ]


def test_keys_that_are_no_plain_text_never_become_part_of_a_statement() -> None:
    late = LateObjects.of([(FIRST, "metrics/it's %s.json")])
    sql = sql_of(FIRST, FIRST, Days({FIRST: 0}), late)
    assert "it's" not in sql
    assert "%" not in sql
    assert '"$path" IN' not in sql
    assert "LEFT JOIN" in sql, "all objects of the day are looked at instead"


@pytest.mark.parametrize("bucket", ["it's", "a", "UPPER-case"])
def test_what_is_no_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(InvalidInput, match="bucket"):
        relation(FIRST, FIRST, Days({FIRST: 0}), LateObjects.of([(FIRST, "k")]), bucket=bucket)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="columns"):
        relation(FIRST, FIRST, Days(), NONE, bucket=BUCKET, columns=("value); DROP",))


def test_the_day_is_yielded_too_wherever_a_sample_lies(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a"], [0]))
    lake.compaction().compact(DAY)
    key = lake.put("metrics-2", samples(["a", "b"], [0]))
    lake.put("metrics-3", samples(["a"], [0], NEXT), NEXT)
    days, late = days_of(lake.ledger.read()), LateObjects.of([(DAY, key)])
    sql = relation_of([DAY, NEXT], days, late, bucket=BUCKET, columns=("hostname", *DAY_COLUMNS))
    assert sorted(lake(sql)) == [("a", 2026, 11, 3), ("a", 2026, 11, 4), ("b", 2026, 11, 3)]


def test_the_partitions_of_any_table_are_named_by_month() -> None:
    assert day_predicate([date(2026, 11, 1), date(2026, 11, 3)]) == "(year = 2026 AND month = 11 AND day IN (1, 3))"


def test_json_yields_each_sample_once_with_the_defaults_of_what_is_absent(lake: Lake) -> None:
    one = samples(["a"], [0])[0]
    bare = one._replace(environment="", region=None, unit=None)  # type: ignore[arg-type]
    lake.put("metrics-1", [bare])
    lake.put("metrics-2", [bare._replace(value=9.0), bare._replace(metric_id=None)])  # type: ignore[arg-type]
    lake.put("metrics-3", samples(["a"], [0], environment="staging"))
    rows = lake.read(columns=COLUMNS)
    assert [(row[3], row[4], row[6], row[7]) for row in rows] == [
        (0.0, "", "us-east-1", "staging"),
        (9.0, "", "us-east-1", "production"),
    ]


def test_an_id_that_a_producer_uses_again_and_again_tells_samples_apart_by_their_time(lake: Lake) -> None:
    lake.put("metrics-1", [sample._replace(metric_id="mine") for sample in samples(["a"], [0, 1, 2])])
    assert len(lake.read()) == 3


def test_late_objects_add_what_parquet_lacks_whether_they_are_named_or_not(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a", "b"]))
    lake.compaction().compact(DAY)
    key = lake.put("metrics-2", samples(["b", "c"]) + samples(["c"], metric_type="memory_usage"))
    assert len(lake.read()) == 4
    for late in (LateObjects.of([(DAY, key)]), LateObjects.of([], [DAY])):
        assert len(lake.read(late)) == 8
        assert len(lake.read(late, where="metric_type = 'memory_usage'")) == 2
