"""Values as Athena writes them: the CSV object of a result, its columns' types, and the pages of GetQueryResults."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

Texts = list[str | None]
"""One row as it is written; None is NULL."""

_TYPES: Final = {
    "BOOLEAN": ("boolean", 0, 0),
    "TINYINT": ("tinyint", 3, 0),
    "SMALLINT": ("smallint", 5, 0),
    "INTEGER": ("integer", 10, 0),
    "BIGINT": ("bigint", 19, 0),
    # Sums of bigint are DuckDB's HUGEINT; Trino's are bigint.
    "HUGEINT": ("bigint", 19, 0),
    "UBIGINT": ("bigint", 19, 0),
    "UINTEGER": ("bigint", 19, 0),
    "FLOAT": ("float", 17, 0),
    "DOUBLE": ("double", 17, 0),
    "DATE": ("date", 0, 0),
    "TIME": ("time", 3, 0),
    "TIMESTAMP": ("timestamp", 3, 0),
    "TIMESTAMP_S": ("timestamp", 3, 0),
    "TIMESTAMP_MS": ("timestamp", 3, 0),
    "TIMESTAMP_NS": ("timestamp", 3, 0),
    "TIMESTAMP WITH TIME ZONE": ("timestamp with time zone", 3, 0),
    "BLOB": ("varbinary", 1073741824, 0),
    "JSON": ("json", 0, 0),
    "INTERVAL": ("interval day to second", 0, 0),
    '"NULL"': ("unknown", 0, 0),
}
_PLAIN: Final = frozenset(name for name in _TYPES if name.endswith("INT") or "INTEGER" in name) | {"VARCHAR"}
"""Types whose values Python writes as Athena does."""
_VARCHAR: Final = ("varchar", 2147483647, 0)
_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")
ZONED: Final = "TIMESTAMP WITH TIME ZONE"
_HIVE: Final = {"varchar": "string", "integer": "int", "varbinary": "binary", "timestamp with time zone": "timestamp"}


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column of a result: name and Athena's type."""

    name: str
    type: str
    precision: int = 0
    scale: int = 0

    @property
    def hive_type(self) -> str:
        """The type as Glue keeps it for a view."""
        return _HIVE.get(self.type, self.type)

    def as_json(self) -> dict[str, Any]:
        """``ColumnInfo`` of ``ResultSetMetadata``."""
        return {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": self.type,
            "Precision": self.precision,
            "Scale": self.scale,
            "Nullable": "UNKNOWN",
            "CaseSensitive": self.type == "varchar",
        }


def column_info(name: str, duckdb_type: str) -> ColumnInfo:
    """A result's column from the type that DuckDB gives it."""
    if found := _DECIMAL.fullmatch(duckdb_type):
        return ColumnInfo(name, "decimal", int(found.group(1)), int(found.group(2)))
    if duckdb_type.endswith("]"):
        return ColumnInfo(name, "array")
    if duckdb_type.startswith("MAP("):
        return ColumnInfo(name, "map")
    if duckdb_type.startswith("STRUCT("):
        return ColumnInfo(name, "row")
    return ColumnInfo(name, *_TYPES.get(duckdb_type, _VARCHAR))


def text_of(value: Any, *, zoned: bool = False) -> str | None:
    """A value as the result's CSV has it, None for NULL. ``zoned``: a timestamp with time zone, given in UTC."""
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, datetime.datetime):
        text = value.replace(tzinfo=None).isoformat(" ", "milliseconds")
        return f"{text} UTC" if zoned else text
    if isinstance(value, datetime.timedelta):
        day = datetime.datetime.fromtimestamp(value.seconds, datetime.UTC).time()
        return f"{value.days} {day.replace(microsecond=value.microseconds).isoformat('milliseconds')}"
    if isinstance(value, datetime.time):
        return value.isoformat("milliseconds")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex(" ")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_inner(key)}={_inner(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inner, value)) + "]"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return str(value)


def texts_of(rows: Sequence[Sequence[Any]], duckdb_types: Sequence[str]) -> list[Texts]:
    """``text_of`` of every value, column by column, of which each is written in one way."""
    if not rows:
        return []
    columns = [
        [None if value is None else write(value) for value in column]
        for write, column in zip(map(_writer, duckdb_types), zip(*rows, strict=True), strict=True)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _writer(duckdb_type: str) -> Callable[[Any], str | None]:
    if duckdb_type in ("DOUBLE", "FLOAT"):
        return _double
    return str if duckdb_type in _PLAIN else partial(text_of, zoned=duckdb_type == ZONED)


def _inner(value: Any) -> str:
    text = text_of(value)
    return "null" if text is None else text


def _double(value: float) -> str:
    """As Java writes it: ``1.0E7``, ``0.001``, ``NaN``, ``Infinity``."""
    size = abs(value)
    if 1e-3 <= size < 1e7 or size == 0:
        return repr(value)
    if value != value:  # noqa: PLR0124 - the one number that differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = decimal.Decimal(repr(value)).as_tuple()
    shown = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) + int(exponent) - 1
    return f"{'-' if sign else ''}{shown[0]}.{shown[1:] or '0'}E{power}"


def to_csv(header: Sequence[str] | None, rows: Iterable[Sequence[str | None]]) -> bytes:
    """Athena's CSV: every value quoted, NULL as nothing at all."""
    lines = [] if header is None else [",".join(map(_quoted, header))]
    lines.extend(map(_line, rows))
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _line(row: Sequence[str | None]) -> str:
    if None not in row:
        text = '","'.join(row)  # type: ignore[arg-type]
        if text.count('"') == 2 * (len(row) - 1):  # no value has a quote of its own
            return f'"{text}"'
    return ",".join("" if text is None else _quoted(text) for text in row)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


_FIELD: Final = re.compile(r'("(?:[^"]|"")*"|[^,\n]*)(,|\n|$)')


def from_csv(body: bytes) -> list[Texts]:
    """The rows of ``to_csv``, the header among them."""
    text, rows, row, at = body.decode(), [], [], 0
    while at < len(text):
        found = _FIELD.match(text, at)
        if found is None:
            raise ValueError(f"no field at character {at}")
        field, end = found.groups()
        row.append(field[1:-1].replace('""', '"') if field else None)
        at = found.end()
        if end != ",":
            rows.append(row)
            row = []
    return rows


def to_text(rows: Iterable[Sequence[str | None]]) -> bytes:
    """The object of a statement that is no query: a line each, values parted by tabs."""
    return "".join("\t".join(text or "" for text in row) + "\n" for row in rows).encode()


def from_text(body: bytes) -> list[Texts]:
    """The rows of ``to_text``: every statement that is no query has one text a row."""
    return [[line] for line in body.decode().splitlines()]


def page(
    columns: Sequence[ColumnInfo], rows: Sequence[Sequence[str | None]], start: int, size: int, updated: int | None
) -> dict[str, Any]:
    """The answer of GetQueryResults: ``size`` rows from ``start``; NextToken is where the next page begins."""
    shown = rows[start : start + size]
    answer: dict[str, Any] = {
        "ResultSet": {
            "Rows": [{"Data": [{} if text is None else {"VarCharValue": text} for text in row]} for row in shown],
            "ResultSetMetadata": {"ColumnInfo": [column.as_json() for column in columns]},
        },
    }
    if updated is not None:
        answer["UpdateCount"] = updated
    if start + size < len(rows):
        answer["NextToken"] = str(start + size)
    return answer
