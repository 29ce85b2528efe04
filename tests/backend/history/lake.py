"""The tables of history without Athena: objects in moto's S3, their rows in DuckDB, the product's own SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain
from typing import Any, Final

import duckdb
import sqlglot

from backend.aws import Clients
from backend.contract.records import Sample, make_sample
from backend.contract.tables import METRICS_DATABASE, METRICS_JSON, METRICS_PARQUET, METRICS_PREFIX
from backend.history.compaction import Compaction
from backend.history.days import LateObjects, day_path, day_start
from backend.history.ledger import Ledger, days_of
from backend.history.listing import Bucket, generation_prefix
from backend.history.source import COLUMN_TYPES, COLUMNS, relation

BUCKET: Final = "history-tests"
DAY: Final = date(2026, 11, 3)
NIGHT: Final = day_start(DAY) + 86_400 + 2.5 * 3600
DAY_COLUMNS: Final = "year int, month int, day int"
_PLACE: Final = re.compile(r'^SELECT .*"observations", (\d+), (\d+), (\d+), (\d+) FROM', re.MULTILINE)
"""Where a statement inserts to."""


class Crash(Exception):  # noqa: N818 - the function ends here
    """Where a run dies."""


def tables() -> duckdb.DuckDBPyConnection:
    """Both tables of metrics, empty."""
    database = duckdb.connect(config={"threads": 1})
    kinds = {"array(array(double))": "double[][]"}
    columns = ", ".join(f'"{name}" {kinds.get(kind, kind)}' for name, kind in COLUMN_TYPES.items())
    database.execute(f"CREATE SCHEMA {METRICS_DATABASE}")
    database.execute(f'CREATE TABLE {METRICS_DATABASE}.{METRICS_JSON} ({columns}, {DAY_COLUMNS}, "$path" varchar)')
    database.execute(f"CREATE TABLE {METRICS_DATABASE}.{METRICS_PARQUET} ({columns}, {DAY_COLUMNS}, generation int)")
    return database


def duckdb_sql(sql: str) -> str:
    """A statement of Athena's as DuckDB takes it."""
    # Without types sqlglot takes every cardinality for that of an array.
    return sqlglot.transpile(sql, read="trino", write="duckdb")[0].replace(
        "ARRAY_LENGTH(labels)", "CARDINALITY(labels)"
    )


class Lake:
    """Both tables of metrics and the bucket. ``now`` is the clock; ``before`` is called before each statement."""

    def __init__(self, now: float = NIGHT) -> None:
        self.now = now
        self.s3 = Clients("us-east-1").s3
        self.s3.create_bucket(Bucket=BUCKET)
        self._athenas = Clients("us-east-1").s3
        self.before: Callable[[str], None] = lambda _: None
        self.statements: list[str] = []
        self._db = tables()
        self.ledger = Ledger(self.s3, BUCKET, sleep=lambda _: None)
        self.bucket = Bucket(self.s3, BUCKET)

    def compaction(self) -> Compaction:
        return Compaction(self.ledger, self.bucket, self, lambda: self.now)

    def put(self, name: str, samples: Sequence[Sample], day: date = DAY) -> str:
        """An object of samples, in the bucket and in the table."""
        key = f"{METRICS_PREFIX}{day_path(day)}{name}.json"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body="\n".join(map(repr, samples)).encode())
        place = [day.year, day.month, day.day, f"s3://{BUCKET}/{key}"]
        rows = [[*(getattr(one, name) for name in COLUMNS), *place] for one in samples]
        marks = ", ".join("?" * (len(COLUMNS) + len(place)))
        if rows:
            values = ", ".join([f"({marks})"] * len(rows))
            self._db.execute(
                f"INSERT INTO {METRICS_DATABASE}.{METRICS_JSON} VALUES {values}", [*chain.from_iterable(rows)]
            )
        return key

    def expire(self, key: str) -> None:
        """What the bucket's lifecycle does with an object."""
        self.s3.delete_object(Bucket=BUCKET, Key=key)
        self._db.execute(f'DELETE FROM {METRICS_DATABASE}.{METRICS_JSON} WHERE "$path" = ?', [f"s3://{BUCKET}/{key}"])

    def lose_parquet(self) -> None:
        """Half of what was written is gone."""
        self._db.execute(f"DELETE FROM {METRICS_DATABASE}.{METRICS_PARQUET} WHERE value = 0")

    def __call__(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs one statement as Athena does; what it inserts lies where Hive puts it."""
        self.before(sql)
        self.statements.append(sql)
        rows = self._db.execute(duckdb_sql(sql)).fetchall()
        if place := _PLACE.search(sql):
            year, month, number, generation = map(int, place.groups())
            key = f"{generation_prefix(date(year, month, number), generation, hive=True)}part.parquet"
            self._athenas.put_object(Bucket=BUCKET, Key=key, Body=b"parquet")
        return rows

    def read_raw(self) -> list[tuple[Any, ...]]:
        """Every line of JSON."""
        return self._db.execute(f"SELECT metric_id FROM {METRICS_DATABASE}.{METRICS_JSON}").fetchall()

    def read(self, late: LateObjects | None = None, **options: Any) -> list[tuple[Any, ...]]:
        """What pages read of the day, sorted."""
        options.setdefault("columns", ("metric_id", "environment", "value"))
        days = days_of(self.ledger.read())
        sql = relation(DAY, DAY, days, late or LateObjects(), bucket=BUCKET, **options)
        return sorted(self._db.execute(duckdb_sql(sql)).fetchall())


def samples(hosts: Sequence[str], minutes: Sequence[int] = (0, 1), day: date = DAY, **fields: Any) -> list[Sample]:
    """One sample of CPU a host and minute; its value is the minute."""
    return [
        make_sample(
            timestamp=day_start(day) + 60 * minute,
            hostname=host,
            **{"metric_type": "cpu_utilization", "value": float(minute), **fields},
        )
        for host in hosts
        for minute in minutes
    ]
