"""Which partitions and row groups a query can need, and which columns of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from backend.local.athena.catalog import Catalog, Column, Table
from backend.local.athena.errors import QueryError
from backend.local.athena.plan import Scan, plan, qualified
from backend.local.athena.predicates import may_hold, weaken
from backend.local.athena.projection import partition_location, prefixes
from tests.athena_engine import projection

Prune = Callable[[str], list[str]]
KEYS = ("year", "month", "day", "generation")
TEMPLATE = "s3://b/h/year=${year}/month=${month}/day=${day}/generation=${generation}/"
NO_CATALOG = Catalog(None)


def table(names: tuple[str, ...] = KEYS, **parameters: str) -> Table:
    given = {**projection(tuple(name for name in names if name in KEYS)), **parameters}
    kinds = {name: "int" if name in KEYS else "string" for name in names}
    columns = (Column("value", "double"), Column("metric_type", "string"), Column("labels", "map<string,string>"))
    return Table("d", "t", columns, tuple(Column(n, k) for n, k in kinds.items()), "s3://b/h", "parquet", given)


@pytest.fixture(scope="module")
def ask() -> Callable[[str], list[tuple[Any, ...]]]:
    connection = duckdb.connect(config={"threads": 1})
    return lambda sql: connection.execute(sql).fetchall()


def places(where: str, of: Table, ask: Callable[[str], list[tuple[Any, ...]]]) -> list[str]:
    condition = parse_one(where, read="trino") if where else None
    return [place.location.removeprefix("s3://b/h/") for place in prefixes(of, NO_CATALOG, condition, ask)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (
            "(year = 2026 AND month = 12 AND day BETWEEN 30 AND 31 AND generation = 0)"
            " OR (year = 2027 AND month = 1 AND day IN (1, 40) AND generation = 7)",
            [
                "year=2026/month=12/day=30/generation=0/",
                "year=2026/month=12/day=31/generation=0/",
                "year=2027/month=01/day=01/generation=7/",
            ],
        ),
        ("year = 2026 AND month = 2 AND value > 3", ["year=2026/month=02/day="]),
        (
            "year = 2026 AND (month < 2 OR metric_type = 'x' AND month = 3)",
            ["year=2026/month=01/day=", "year=2026/month=03/day="],
        ),
        ("year > 2039 AND NOT month > 1", ["year=2040/month=01/day="]),
        ("year * 100 + month = 202611", ["year=2026/month=11/day="]),
        ("year = 1999", []),
        ("year = 2026 OR value = 1", ["year="]),
        ("", ["year="]),
        ("year IN (SELECT 2026)", ["year="]),
    ],
)  # fmt: skip
def test_only_prefixes_that_can_match_are_listed(
    ask: Callable[[str], list[tuple[Any, ...]]], where: str, expected: list[str]
) -> None:
    assert places(where, table(**{"storage.location.template": TEMPLATE}), ask) == expected


def test_a_prefix_above_the_partitions_tells_its_objects_apart(ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
    [place] = prefixes(table(), NO_CATALOG, parse_one("year = 2026 AND month = 1", read="trino"), ask)

    assert place.values_of("s3://b/h/year=2026/month=01/day=09/generation=3/x") == {
        "year": "2026",
        "month": "01",
        "day": "09",
        "generation": "3",
    }
    for other in ("day=9/generation=3/x", "day=32/generation=3/x", "day=01/x", "day=01/generation=-1/x"):
        assert place.values_of(f"s3://b/h/year=2026/month=01/{other}") is None


def test_thousands_of_prefixes_are_listed_from_above_and_sorted_out(
    ask: Callable[[str], list[tuple[Any, ...]]],
) -> None:
    found = prefixes(table(), NO_CATALOG, parse_one("generation = 5 AND day <> 3", read="trino"), ask)

    assert len(found) <= 500
    place = next(place for place in found if place.location.startswith("s3://b/h/year=2026/month=01"))
    assert place.values_of("s3://b/h/year=2026/month=01/day=02/generation=5/x") is not None
    assert place.values_of("s3://b/h/year=2026/month=01/day=02/generation=6/x") is None
    assert place.values_of("s3://b/h/year=2026/month=01/day=03/generation=5/x") is None


def test_other_kinds_of_projection(ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
    of = table(
        ("kind", "source", "dt"),
        **{
            "projection.kind.type": "enum",
            "projection.kind.values": "a, b",
            "projection.source.type": "injected",
            "projection.dt.type": "date",
            "projection.dt.range": "2026-01-30,NOW",
            "projection.dt.format": "yyyy-MM-dd",
        },
    )

    where = "source = 'web' AND dt BETWEEN '2026-01-31' AND '2026-02-01' AND kind <> 'a'"
    assert places(where, of, ask) == ["kind=b/source=web/dt=2026-01-31/", "kind=b/source=web/dt=2026-02-01/"]
    with pytest.raises(QueryError, match="CONSTRAINT_VIOLATION: For the injected projected partition column source"):
        places("kind = 'a'", of, ask)


def test_partitions_registered_with_glue_are_pruned_too(ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
    class Registered(Catalog):
        def partitions(self, table: Table) -> list[tuple[tuple[str, ...], str]]:
            del table
            return [(("2025",), "s3://b/old"), (("2026",), "s3://b/new/")]

    of = Table("d", "t", (), (Column("year", "int"),), "s3://b/h", "json")
    condition = parse_one("year >= 2026", read="trino")

    assert [place.location for place in prefixes(of, Registered(None), condition, ask)] == ["s3://b/new/"]


def test_a_partition_is_written_where_it_is_read() -> None:
    values = {"year": "2026", "month": "3", "day": "7", "generation": "0"}

    assert partition_location(table(), values) == "s3://b/h/year=2026/month=03/day=07/generation=0/"


_COMPARISONS = st.builds(
    "{} {} {}".format, st.sampled_from(["a", "b"]), st.sampled_from(["=", "<", ">=", "<>"]), st.integers(0, 3)
)
_CONDITIONS = st.recursive(
    _COMPARISONS,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=25)
@given(where=_CONDITIONS)
def test_pruning_never_loses_a_row(ask: Callable[[str], list[tuple[Any, ...]]], where: str) -> None:
    condition = parse_one(where, read="trino")
    values = " CROSS JOIN ".join(f"(VALUES (0), (1), (2), (3)) {name}({name})" for name in ("a", "b"))
    kept = ask(f"SELECT DISTINCT a FROM {values} WHERE {where}")
    allowed = ask(f"SELECT DISTINCT a FROM {values} WHERE {weaken(condition, ['a']).sql('duckdb')}")
    assert set(kept) <= set(allowed)
    if not may_hold(condition, {"a": (0.0, 3.0), "b": (0.0, 3.0)}):
        assert kept == []


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("m = 'b'", True),
        ("m = 'd'", False),
        ("m IN ('d', 'e')", False),
        ("m = 'd' OR v > 5", True),
        ("m = 'd' AND v > 5", False),
        ("v > 10", False),
        ("v >= 10", True),
        ("12 < v", False),
        ("v BETWEEN 11 AND 12", False),
        ("v = -1", False),
        ("unknown = 1", True),
        ("length(m) = 99", True),
        ("NOT m = 'b'", True),
        ("m = 5", True),
    ],
)
def test_row_groups_are_ruled_out_by_their_statistics(where: str, holds: bool) -> None:
    assert may_hold(parse_one(where, read="trino"), {"m": ("a", "c"), "v": (1.0, 10.0)}) is holds


def planned(sql: str) -> dict[str, tuple[set[str], str]]:
    """Scan to its columns and its condition."""
    tree = parse_one(sql, read="athena")
    assert isinstance(tree, exp.Query)
    scans = {name: Scan(name, table()) for name in ("s", "r")}
    plan(qualified(tree, scans), scans)
    return {
        name: (set(scan.columns), scan.predicate.sql("trino") if scan.predicate else "")
        for name, scan in scans.items()
        if scan.used
    }


@pytest.mark.parametrize(
    ("sql", "columns", "condition"),
    [
        ("SELECT max(value) FROM s WHERE year = 1", {"value", "year"}, "year = 1"),
        ("SELECT count(*) FROM s", set(), ""),
        ("SELECT v FROM (SELECT value AS v, year AS y, labels FROM s) WHERE y = 1", {"value", "year"}, "year) = 1"),
        ("WITH c AS (SELECT * FROM s) SELECT value FROM c WHERE year = 1", {"value", "year"}, "year) = 1"),
        ("WITH c AS (SELECT * FROM s) SELECT 1 FROM c WHERE year = 1 UNION SELECT 2 FROM c", {"year"}, ""),
        ("SELECT year FROM (SELECT year, count(*) FROM s GROUP BY 1) WHERE year = 1", {"year"}, "year) = 1"),
        ("SELECT * FROM (SELECT year, count(*) AS n FROM s GROUP BY 1) WHERE n = 1", {"year"}, ""),
        ("SELECT * FROM (SELECT year FROM s LIMIT 1) WHERE year = 1", {"year"}, ""),
        ("SELECT * FROM (SELECT year, row_number() OVER () AS n FROM s) WHERE year = 1", {"year"}, ""),
        (
            "SELECT value FROM (SELECT value, year, row_number() OVER (PARTITION BY year, day ORDER BY value) AS n "
            "FROM (SELECT * FROM s) AS x) AS y WHERE n = 1 AND year = 1",
            {"value", "year", "day"},
            "year)) = 1",
        ),
        (
            "SELECT value FROM (SELECT value, year, row_number() OVER (PARTITION BY day ORDER BY value) AS n, "
            "count(*) OVER (PARTITION BY year) AS m FROM s) AS y WHERE n = m AND year = 1",
            {"value", "year", "day"},
            "",
        ),
        ("SELECT * FROM (SELECT year FROM s GROUP BY ROLLUP (year)) WHERE year = 1", {"year"}, ""),
        ("SELECT value FROM s WHERE EXISTS (SELECT 1 FROM r WHERE r.year = 2)", {"value"}, ""),
    ],
)
def test_a_scan_is_asked_for_what_the_query_needs(sql: str, columns: set[str], condition: str) -> None:
    found = planned(sql)["s"]

    assert found[0] == columns
    assert (condition in found[1].replace('"', "").replace("s.", "")) if condition else found[1] == ""


def test_conditions_reach_both_sides_of_a_union_and_no_optional_side_of_a_join() -> None:
    both = planned("SELECT value FROM (SELECT value, year FROM s UNION ALL SELECT value, year FROM r) WHERE year = 1")
    joined = planned(
        "SELECT s.value FROM s LEFT JOIN r ON s.day = r.day AND r.month = 2 WHERE s.year = 1 AND r.year = 3"
    )

    assert [condition.count("= 1") for _, condition in both.values()] == [1, 1]
    assert "= 1" in joined["s"][1]
    assert "= 2" in joined["r"][1]
    assert "= 3" not in joined["r"][1]


def test_a_condition_reaches_the_optional_side_of_a_join_through_what_is_equal_there() -> None:
    joined = planned(
        "SELECT s.value FROM s LEFT JOIN r ON s.day = r.day AND s.month > r.month "
        "WHERE s.day = 1 AND s.month = 2 AND s.day + s.month = 3 AND r.value IS NULL"
    )["r"][1]
    assert '"r"."day" = 1' in joined
    assert "= 2" not in joined
    assert "= 3" not in joined
    assert "IS NULL" not in joined
