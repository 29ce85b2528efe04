"""Answers of the query gallery as files: CSV for spreadsheets, Parquet with types and units. Pure."""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Final

from backend.contract.events import utc_text
from backend.contract.questions import Answer, Column, Kind, Value
from dashboard.components.times import iso
from dashboard.events_api import FORMULA

_TYPES: Final[dict[Kind, str]] = {"text": "string", "number": "float64", "count": "int64"}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def file_name(answer: Answer, ending: str) -> str:
    """``pulseboard-cpu_by_host-production-20261120T0000-20261121T0000.csv``: ASCII, whatever names are."""
    asked = answer.asked
    days = [re.sub(r"[-:]", "", utc_text(at)[:16]) for at in (asked.start, asked.end)]
    parts = ["pulseboard", asked.question.name, asked.environment if asked.follows("environment") else "", *days]
    return "-".join(_UNSAFE.sub("_", part) for part in parts if part) + f".{ending}"


def csv_of(answer: Answer) -> bytes:
    """The rows under the columns' names, which end in their units; times in ISO 8601. No text is ever a formula."""
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    columns = answer.asked.question.columns
    lines.writerow([column.name for column in columns])
    for row in answer.rows:
        lines.writerow([_cell(value, column) for value, column in zip(row, columns, strict=True)])
    return text.getvalue().encode()


def parquet_of(answer: Answer) -> bytes:
    """The rows as typed columns; each field carries its title and unit, the schema what was asked."""
    import pyarrow as pa  # a third of a second that no start of the dashboard needs
    import pyarrow.parquet as pq

    def type_of(kind: Kind) -> Any:
        return pa.timestamp("ms", tz="UTC") if kind == "time" else pa.type_for_alias(_TYPES[kind])

    asked = answer.asked
    columns = asked.question.columns
    fields = [
        pa.field(column.name, type_of(column.kind), metadata={"title": column.title, "unit": column.unit})
        for column in columns
    ]
    about = {
        "question": asked.question.title,
        "from": utc_text(asked.start),
        "to": utc_text(asked.end),
        **{name: getattr(asked, name) for name in ("environment", "host") if asked.follows(name)},
        **({"cut": f"the first {len(answer.rows)} rows, there are more"} if answer.cut else {}),
    }
    values = zip(*answer.rows, strict=True) if answer.rows else [()] * len(columns)
    arrays = [
        pa.array([_instant(value, column) for value in column_values], type=field.type)
        for column, field, column_values in zip(columns, fields, values, strict=True)
    ]
    target = io.BytesIO()
    pq.write_table(pa.table(arrays, schema=pa.schema(fields, metadata=about)), target, compression="zstd")
    return target.getvalue()


def _cell(value: Value, column: Column) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return iso(value) if column.kind == "time" else str(value)


def _instant(value: Value, column: Column) -> Any:
    """Parquet's timestamps are whole milliseconds."""
    return round(value * 1000) if column.kind == "time" and isinstance(value, int | float) else value
