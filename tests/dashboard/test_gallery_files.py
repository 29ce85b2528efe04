"""Answers as files: what spreadsheets and notebooks read."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.gallery_files import csv_of, file_name, parquet_of
from tests.dashboard.gallery_fakes import START, answer


def test_csv_names_its_columns_with_their_units_and_leaves_unknown_cells_empty() -> None:
    head, first, second = csv.reader(io.StringIO(csv_of(answer()).decode()))

    assert head == ["host", "average_percent", "highest_percent", "lowest_percent", "samples"]
    assert first == ["server-001", "41.25", "92.0", "20.0", "288"]
    assert second[1:] == ["", "", "", "0"]


def test_csv_writes_instants_so_that_anybody_reads_them() -> None:
    rows = list(csv.reader(io.StringIO(csv_of(answer("disk_above_warning")).decode())))

    assert rows[1][1] == "2026-11-20T00:01:00Z"
    assert rows[2][1] == ""


@settings(max_examples=30)
@given(st.sampled_from("=+-@\t\r"), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_no_name_is_ever_a_formula(sign: str, rest: str) -> None:
    made = csv_of(answer(rows=((sign + rest, -1.5, None, None, 0),))).decode()
    (_, row) = csv.reader(io.StringIO(made, newline=""))

    assert row[0] == f"'{sign}{rest}"
    assert row[1] == "-1.5"  # a number stays one


def test_parquet_has_types_units_and_what_was_asked() -> None:
    table = pq.read_table(io.BytesIO(parquet_of(answer("disk_above_warning", host="server-002"))))

    assert table.schema.field("highest_percent").type == pa.float64()
    assert table.schema.field("highest_percent").metadata[b"unit"] == b"%"
    assert table.schema.field("above_since").type == pa.timestamp("ms", tz="UTC")
    assert table["above_since"].to_pylist() == [datetime.fromtimestamp(START + 60, UTC), None]
    assert table.schema.metadata[b"host"] == b"server-002"
    assert b"cut" not in table.schema.metadata
    part = pq.read_table(io.BytesIO(parquet_of(replace(answer(), cut=True))))
    assert part.schema.metadata[b"cut"] == b"the first 2 rows, there are more"


def test_parquet_of_no_rows_keeps_its_columns() -> None:
    table = pq.read_table(io.BytesIO(parquet_of(answer(rows=()))))

    assert table.num_rows == 0
    assert table.schema.field("samples").type == pa.int64()


def test_a_file_s_name_is_plain_whatever_an_environment_is_called() -> None:
    name = file_name(answer(environment='x"\r\n/../é'), "csv")

    assert name == "pulseboard-cpu_by_host-x_.._-20261120T0000-20261121T0000.csv"
