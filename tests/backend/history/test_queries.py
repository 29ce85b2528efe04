"""Named queries and the statements made of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyathena.formatter import DefaultParameterFormatter

from backend.contract.errors import InvalidInput
from backend.contract.history import HistoryQuestion, MetricWanted
from backend.history.days import Days, LateObjects
from backend.history.queries import Part, named_query, query_names, query_of
from backend.history.series import Place, series_statements
from backend.history.statements import statement
from backend.settings import Settings


def test_every_file_of_sql_is_a_query_and_no_other_name_is() -> None:
    for name in query_names():
        assert named_query(name).name == name
    with pytest.raises(KeyError):
        named_query("../secrets")


def test_what_queries_share_is_in_each_of_them() -> None:
    query = named_query("gauges")

    assert query.sql.count("Each instant of a series counts once") == 1
    assert query.parts == {"samples", "asked", "pinned"}


def test_a_statement_binds_its_own_values_and_those_of_its_parts() -> None:
    asked = query_of("example", "SELECT * FROM {metrics} WHERE hostname = %(host)s AND note LIKE '5%%'")

    made = statement(asked, {"host": "a"}, {"metrics": Part("(SELECT * FROM t WHERE day = %(day)s)", {"day": 1})})

    assert "FROM (SELECT * FROM t WHERE day = %(day)s) WHERE" in made.sql
    assert made.values == {"host": "a", "day": 1}
    assert made.key == statement(asked, {"host": "a"}, {"metrics": Part(
        "(SELECT * FROM t WHERE day = %(day)s)", {"day": 1})}).key  # fmt: skip


def test_what_is_missing_or_asked_by_nobody_is_refused() -> None:
    asked = query_of("example", "SELECT * FROM {metrics} WHERE hostname = %(host)s")
    metrics = {"metrics": Part("t")}

    for values, parts in (({}, metrics), ({"host": "a", "more": "b"}, metrics), ({"host": "a"}, {})):
        with pytest.raises(ValueError, match="example"):
            statement(asked, values, parts)
    with pytest.raises(ValueError, match="bound twice"):
        statement(asked, {"host": "a"}, {"metrics": Part("t", {"host": "b"})})


@pytest.mark.parametrize("value", [math.nan, math.inf, True, None, "a\0b", ["a"]])
def test_a_value_that_can_not_be_bound_is_named(value: object) -> None:
    asked = query_of("example", "SELECT %(limit)s")

    with pytest.raises(InvalidInput, match="limit"):
        statement(asked, {"limit": value})  # type: ignore[dict-item]


def test_a_per_cent_sign_that_binds_nothing_is_refused_when_the_query_is_read() -> None:
    with pytest.raises(ValueError, match="%%"):
        query_of("example", "SELECT '5%'")


def sql_for(text: str) -> str:
    """What Athena gets where a viewer chose ``text`` as environment and as host."""
    wanted = MetricWanted("cpu_utilization", pinned=(text,))
    asked = HistoryQuestion(text, (wanted,), 1_795_132_800, 1_795_219_200, 60)
    place = Place(Days(), LateObjects(), "bucket")
    (made,) = series_statements(asked, Settings().catalogue, place).values()
    sql: str = DefaultParameterFormatter().format(made.sql, dict(made.values))
    return sql


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20))
@settings(max_examples=20, deadline=None)
def test_no_text_becomes_sql(hostile: str) -> None:
    for text in (f"x{hostile}", f"x{hostile}' OR 1=1 --", f"x\\'; DROP TABLE t; -- %(a)s {{samples}}{hostile}"):
        quoted = "'" + text.replace("'", "''") + "'"

        assert sql_for(text).replace(quoted, "'plain'") == sql_for("plain")
