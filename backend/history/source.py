"""The samples of a range of days as one relation in SQL, wherever they lie. Pure.

Closed days are Parquet, days still open (or not compacted yet) JSON, and what came after a day was compacted is JSON
beside its Parquet. Each sample comes once: a sample is told by environment, ``metric_id`` and timestamp, as the
processor tells them, for an id says nothing of the environment and producers may choose their own.

Only whole numbers and checked keys become part of the text. Everything else is the caller's to bind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from backend.contract.errors import InvalidInput
from backend.contract.records import DEFAULT_ENVIRONMENT, DEFAULT_REGION
from backend.contract.tables import METRICS_DATABASE, METRICS_JSON, METRICS_PARQUET
from backend.history.days import PLAIN_KEY, Days, LateObjects, by_month, days_between

COLUMN_TYPES: Final = {
    "metric_id": "varchar",
    "timestamp": "double",
    "metric_type": "varchar",
    "value": "double",
    "unit": "varchar",
    "hostname": "varchar",
    "region": "varchar",
    "environment": "varchar",
    "labels": "map(varchar, varchar)",
    "observations": "array(array(double))",
}
"""The relation's columns in the order of the tables, with their types in Athena."""
COLUMNS: Final = tuple(COLUMN_TYPES)
IDENTITY: Final = ("environment", "metric_id", "timestamp")
"""What tells samples apart; the processor's key of them."""
DAY_COLUMNS: Final = ("year", "month", "day")
"""Partition columns, whole numbers, that ``relation`` yields too where they are asked for. A sample lies in the
partitions of its own time, so these tell no more samples apart; but a condition on them gets through to the tables."""

_TYPES: Final = COLUMN_TYPES | dict.fromkeys(DAY_COLUMNS, "integer")
_JSON: Final = f"{METRICS_DATABASE}.{METRICS_JSON}"
_PARQUET: Final = f"{METRICS_DATABASE}.{METRICS_PARQUET}"
_REQUIRED: Final = ("metric_id", "timestamp", "metric_type", "value", "hostname")
_DEFAULTS: Final = {"unit": "", "region": DEFAULT_REGION, "environment": DEFAULT_ENVIRONMENT}
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def relation(
    first: date,
    last: date,
    days: Days,
    late: LateObjects,
    *,
    bucket: str,
    columns: Sequence[str] = COLUMNS,
    where: str = "",
) -> str:
    """A SELECT of the samples of UTC days ``first`` to ``last``, both included: the body of a CTE or of a subquery.

    ``columns`` are what it yields, in this order: name only what is used, for each costs bytes. ``where`` is a
    condition on what a sample is (metric_type, environment, hostname, labels, timestamp), with the caller's bound
    parameters; it becomes part of each part, so that Parquet skips other metrics. Conditions on values belong outside.

    Raises InvalidInput for a range that ends before it begins or is too long, and for an unknown column.
    """
    return relation_of(days_between(first, last), days, late, bucket=bucket, columns=columns, where=where)


def relation_of(
    wanted: Sequence[date],
    days: Days,
    late: LateObjects,
    *,
    bucket: str,
    columns: Sequence[str] = COLUMNS,
    where: str = "",
) -> str:
    """``relation`` of some UTC days, however many. Raises InvalidInput for an unknown column."""
    if not columns or set(columns) - _TYPES.keys():
        raise InvalidInput("columns", list(columns), f"must be some of {', '.join(_TYPES)}")
    parquet = {day: days.generations[day] for day in wanted if day in days.generations}
    after = late.days()
    beside = [day for day in parquet if day in after]
    json = [day for day in wanted if day not in parquet and (day not in days.empty or day in after)]
    parts = []
    if parquet:
        parts.append(_select(columns, _PARQUET, generation_predicate(parquet), where))
    if json:
        parts.append(_json_part(day_predicate(json), columns, where))
    if beside:
        objects = _late_predicate(beside, late, bucket)
        parts.append(_beside_parquet(objects, {day: parquet[day] for day in beside}, columns, where))
    return "\nUNION ALL\n".join(parts) or _nothing(columns)


def lines(day: date, days: Days, late: LateObjects, *, bucket: str) -> str:
    """What identifies each line of a day that ``relation`` reads, copies included: what a compaction is counted by."""
    if day not in days.generations:
        return _select(IDENTITY, _json_lines(day_predicate([day])))
    kept = _select(IDENTITY, _PARQUET, generation_predicate({day: days.generations[day]}))
    after = _select(IDENTITY, _json_lines(_late_predicate([day], late, bucket)))
    return f"{kept}\nUNION ALL\n{after}"


def generation(day: date, number: int) -> str:
    """What identifies each sample of one generation of a day."""
    return _select(IDENTITY, _PARQUET, generation_predicate({day: number}))


def day_predicate(days: Iterable[date]) -> str:
    """The partitions of some days: one term a month, so that pruning holds across a year's end."""
    return _any(f"({_month(year, month, numbers)})" for year, month, numbers in by_month(days))


def generation_predicate(generations: dict[date, int]) -> str:
    """The partitions of days in Parquet: one term a month and generation, and nearly every day has generation 0."""
    by_generation: dict[int, list[date]] = {}
    for day, generation in generations.items():
        by_generation.setdefault(generation, []).append(day)
    return _any(
        f"({_month(year, month, numbers)} AND generation = {int(generation)})"
        for generation in sorted(by_generation)
        for year, month, numbers in by_month(by_generation[generation])
    )


def _month(year: int, month: int, numbers: Sequence[int]) -> str:
    first, last = numbers[0], numbers[-1]
    if first == last:
        day = f"day = {first}"
    elif last - first + 1 == len(numbers):
        day = f"day BETWEEN {first} AND {last}"
    else:
        day = f"day IN ({', '.join(map(str, numbers))})"
    return f"year = {year} AND month = {month} AND {day}"


def _late_predicate(days: Sequence[date], late: LateObjects, bucket: str) -> str:
    """The late objects of days: by their keys, or whole days where these are many or no plain text."""
    if not _BUCKET.fullmatch(bucket):
        raise InvalidInput("bucket", bucket, "is not the name of a bucket")
    named = [day for day in days if day in late.keys and all(map(PLAIN_KEY.fullmatch, late.keys[day]))]
    whole = [day for day in days if day not in named]
    terms = []
    if named:
        paths = ", ".join(f"'s3://{bucket}/{key}'" for day in named for key in late.keys[day])
        terms.append(f'(({day_predicate(named)}) AND "$path" IN ({paths}))')
    if whole:
        terms.append(day_predicate(whole))
    return _any(terms)


def _json_part(partitions: str, columns: Sequence[str], where: str) -> str:
    """Samples of JSON objects, each once: of several copies the one in the object with the greatest key."""
    number = f'row_number() OVER (PARTITION BY {_names(_key(columns))} ORDER BY object DESC, "value" DESC) AS copy'
    lines = _json_lines(partitions, _days_in(columns))
    copies = f"(\n{_select_text(f'{_names(_with_identity(columns))}, {number}', lines, where)}) AS copies"
    return _select(columns, copies, "copy = 1")


def _json_lines(partitions: str, day_columns: Sequence[str] = ()) -> str:
    """Every line of some partitions' JSON that is a sample, with its object."""
    read = ", ".join([*map(_from_json, COLUMNS), *map(_name, day_columns), '"$path" AS object'])
    present = [f"{_name(name)} IS NOT NULL" for name in _REQUIRED]
    return f"(\n{_select_text(read, _JSON, partitions, *present)}) AS lines"


def _beside_parquet(objects: str, parquet: dict[date, int], columns: Sequence[str], where: str) -> str:
    """Samples of late objects that are not in their day's Parquet already."""
    late = _json_part(objects, _with_identity(columns), where)
    kept = _select(_key(columns), _PARQUET, generation_predicate(parquet))
    same = " AND ".join(f"late.{_name(name)} = kept.{_name(name)}" for name in _key(columns))
    joined = f"(\n{late}) AS late\nLEFT JOIN ({kept}) AS kept ON {same}"
    return _select_text(", ".join(f"late.{_name(name)}" for name in columns), joined, 'kept."metric_id" IS NULL')


def _with_identity(columns: Sequence[str]) -> list[str]:
    """The columns and what tells samples apart, in the order of the tables."""
    return [name for name in _TYPES if name in {*columns, *IDENTITY}]


def _days_in(columns: Sequence[str]) -> list[str]:
    return [name for name in DAY_COLUMNS if name in columns]


def _key(columns: Sequence[str]) -> list[str]:
    """What tells samples apart, with the partition columns that are yielded."""
    return [*IDENTITY, *_days_in(columns)]


def _select(columns: Iterable[str], source: str, *conditions: str) -> str:
    return _select_text(_names(columns), source, *conditions)


def _select_text(columns: str, source: str, *conditions: str) -> str:
    """A SELECT where all conditions hold; empty ones are none."""
    terms = [f"({condition})" for condition in conditions if condition]
    # Names of this module, whole numbers and checked keys; the caller's conditions have bound parameters.
    return f"SELECT {columns} FROM {source}" + (f" WHERE {' AND '.join(terms)}" if terms else "")  # noqa: S608


def _nothing(columns: Sequence[str]) -> str:
    typed = ", ".join(f"CAST(NULL AS {_TYPES[name]}) AS {_name(name)}" for name in columns)
    return f"SELECT {typed} WHERE 1 = 0"


def _from_json(name: str) -> str:
    """A column as the processor reads it: what is absent or empty has its default."""
    if name not in _DEFAULTS:
        return _name(name)
    return f"coalesce(nullif({_name(name)}, ''), '{_DEFAULTS[name]}') AS {_name(name)}"


def _name(name: str) -> str:
    """Quoted, for ``timestamp`` and ``value`` are words of SQL too."""
    return f'"{name}"'


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(_name, names))


def _any(terms: Iterable[str]) -> str:
    return " OR ".join(terms)
