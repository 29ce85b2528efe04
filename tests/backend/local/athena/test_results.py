"""How results are written, read again and cut into pages."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.local.athena.results import ColumnInfo, Texts, column_info, from_csv, page, text_of, texts_of, to_csv
from backend.local.athena.stored import Results


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        (True, "true"),
        (3, "3"),
        (0.0, "0.0"),
        (-0.001, "-0.001"),
        (0.00099, "9.9E-4"),
        (9999999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (123456789012.0, "1.23456789012E11"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (decimal.Decimal("1E+2"), "100"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 6000, datetime.UTC), "2026-01-02 03:04:05.006"),
        (datetime.timedelta(days=1, milliseconds=1), "1 00:00:00.001"),
        (b"ab", "61 62"),
        ([1, None, "x"], "[1, null, x]"),
        ({"a": [1.0]}, "{a=[1.0]}"),
    ],
)
def test_a_value_is_written_as_athena_writes_it(value: Any, text: str | None) -> None:
    assert text_of(value) == text


def test_columns_are_written_as_their_values_are() -> None:
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    columns = {
        "DOUBLE": [0.0, None, 1e7, -0.5], "BIGINT": [1, None, 10**18, -3], "VARCHAR": ["", None, 'a "b"', "c,d"],
        "BOOLEAN": [True, None, False, True], "TIMESTAMP WITH TIME ZONE": [at, None, at, at],
        "DOUBLE[]": [[1.0], None, [], [None]],
    }  # fmt: skip
    rows = list(zip(*columns.values(), strict=True))
    zoned = [kind.endswith("ZONE") for kind in columns]
    expected = [[text_of(value, zoned=zone) for value, zone in zip(row, zoned, strict=True)] for row in rows]

    assert texts_of(rows, list(columns)) == expected
    assert from_csv(to_csv(None, expected)) == expected
    assert texts_of([], list(columns)) == []


@settings(max_examples=50)
@given(st.lists(st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=5), min_size=2, max_size=2)))
def test_a_result_reads_back_as_it_was_with_null_apart_from_empty(rows: list[Texts]) -> None:
    header: Texts = ["a", "b"]

    assert from_csv(to_csv(["a", "b"], rows)) == [header, *rows]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("BIGINT", ("bigint", 19, 0)),
        ("HUGEINT", ("bigint", 19, 0)),
        ("DECIMAL(10,2)", ("decimal", 10, 2)),
        ("VARCHAR", ("varchar", 2147483647, 0)),
        ("TIMESTAMP WITH TIME ZONE", ("timestamp with time zone", 3, 0)),
        ("DOUBLE[][]", ("array", 0, 0)),
        ("MAP(VARCHAR, INTEGER)", ("map", 0, 0)),
        ("STRUCT(a INTEGER)", ("row", 0, 0)),
    ],
)
def test_columns_have_athenas_types(kind: str, expected: tuple[str, int, int]) -> None:
    column = column_info("c", kind)

    assert (column.type, column.precision, column.scale) == expected


def test_pages_follow_each_other_to_the_end() -> None:
    rows: list[Texts] = [["a"], ["1"], [None]]
    columns = [ColumnInfo("a", "integer")]

    first = page(columns, rows, 0, 2, None)
    last = page(columns, rows, int(first["NextToken"]), 2, None)

    assert first["ResultSet"]["Rows"] == [{"Data": [{"VarCharValue": "a"}]}, {"Data": [{"VarCharValue": "1"}]}]
    assert last["ResultSet"]["Rows"] == [{"Data": [{}]}]
    assert "NextToken" not in last


def test_a_result_that_left_memory_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.local.athena.stored.KEPT_BYTES", 10)
    results = Results(None, tmp_path)
    rows: list[list[Texts]] = [[["a"], [str(number)]] for number in range(2)]

    places = [results.put("", f"{i}.csv", to_csv(["a"], found[1:]), found) for i, found in enumerate(rows)]

    assert [results.rows(place) for place in places] == rows
