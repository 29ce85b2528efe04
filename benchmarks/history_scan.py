"""What history scans, in bytes that the Athena endpoint counts, over the reference load: ten servers, five host
metrics, an object every five minutes.

*Partitions*: a query of two days, one on each side of a year's end, with a further day before and after it in the
bucket, has to scan the bytes of these two days' objects and no other. *Columns*: the question of one metric, over a day
as it was collected and over the same day as it was compacted by the function's own code.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from backend.collector.core import encode, pack
from backend.collector.sources.synthetic import HOST_METRICS, SyntheticSource
from backend.contract.catalogue import load_catalogue
from backend.contract.tables import HISTORY_PREFIX, METRICS_DATABASE, METRICS_PREFIX, WORKGROUP
from backend.history.compaction import Compaction
from backend.history.days import DAY_SECONDS, Days, LateObjects, day_path, day_start
from backend.history.handler import run_statements
from backend.history.ledger import Ledger, days_of
from backend.history.listing import Bucket
from backend.history.source import day_predicate, relation
from backend.local.athena.server import AthenaServer
from backend.local.deploy import deploy
from backend.local.engine import Engine
from backend.local.seed import without_notifications
from backend.settings import Settings, load_settings

NEW_YEAR = date(2026, 1, 1)
DAYS = tuple(NEW_YEAR + timedelta(days=number) for number in (-2, -1, 0, 1))
ASKED = (NEW_YEAR - timedelta(days=1), NEW_YEAR)
EVERY_SECONDS = 300
MOST_PERCENT = 15.0
COLUMNS = ("timestamp", "hostname", "value")
WHERE = "metric_type = 'cpu_utilization' AND environment = 'production'"


class Athena:
    """Statements on the endpoint, with the bytes that each one scanned."""

    def __init__(self, settings: Settings) -> None:
        from pyathena.connection import Connection

        self._bucket = settings.bucket
        self._connection = Connection(
            s3_staging_dir="",
            region_name=settings.region,
            work_group=WORKGROUP,
            schema_name=METRICS_DATABASE,
            poll_interval=0.05,
        )

    def scanned(self, sql: str) -> tuple[list[Any], int]:
        """The rows and the bytes of a statement."""
        cursor = self._connection.cursor()
        cursor.execute(sql)
        rows = [tuple(row) for row in cursor.fetchall()]
        return sorted(rows), int(cursor.data_scanned_in_bytes or 0)

    def one_metric(self, day: date, days: Days) -> tuple[list[Any], int]:
        """Average, lowest and highest CPU by host on a day."""
        source = relation(day, day, days, LateObjects(), bucket=self._bucket, columns=COLUMNS, where=WHERE)
        figures = 'hostname, round(avg("value"), 6), min("value"), max("value"), count(*)'
        return self.scanned(f"SELECT {figures} FROM ({source}) AS samples GROUP BY hostname")


def load(s3: Any, bucket: str) -> None:
    """The reference load of each day, as the collector writes it."""
    source = SyntheticSource(load_catalogue())
    with without_notifications(s3, bucket):
        for at in _instants(DAYS):
            samples = [sample for sample in source.collect(at, at).samples if sample.metric_type in HOST_METRICS]
            for packed in pack(map(encode, samples), identity=f"reference-{at}", spacing=EVERY_SECONDS):
                s3.put_object(Bucket=bucket, Key=packed.key, Body=packed.body)


def _instants(days: Sequence[date]) -> Iterator[int]:
    for day in days:
        yield from range(day_start(day), day_start(day) + DAY_SECONDS, EVERY_SECONDS)


def stored(s3: Any, bucket: str, prefix: str, day: date) -> int:
    """Bytes of a day's objects under a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}{day_path(day)}")
    return sum(entry["Size"] for page in pages for entry in page.get("Contents", ()))


def partitions(s3: Any, bucket: str, athena: Athena) -> bool:
    """Whether a query scans exactly the partitions that it names."""
    table = f"{METRICS_DATABASE}.metrics"
    rows, scanned = athena.scanned(f"SELECT count(*) FROM {table} WHERE {day_predicate(ASKED)}")
    expected = sum(stored(s3, bucket, METRICS_PREFIX, day) for day in ASKED)
    total = sum(stored(s3, bucket, METRICS_PREFIX, day) for day in DAYS)
    good = scanned == expected
    print(f"  partitions: {rows[0][0]:,} samples of {ASKED[0]} and {ASKED[1]}, {scanned:,} bytes scanned")
    print(f"    their objects have {expected:,} of {total:,} bytes (must be equal): {'ok' if good else 'MISSED'}")
    return good


def columns(s3: Any, settings: Settings, athena: Athena) -> bool:
    """Whether a question of one metric scans little enough of a compacted day, and answers the same."""
    now = day_start(DAYS[-1]) + 2.5 * DAY_SECONDS
    ledger, bucket = Ledger(s3, settings.bucket), Bucket(s3, settings.bucket)
    statements = run_statements(settings, lambda: now, poll_seconds=0.05)(now)
    compaction = Compaction(ledger, bucket, statements, lambda: now)
    results = [compaction.compact(day).result for day in compaction.plan()]
    before, json = athena.one_metric(NEW_YEAR, Days())
    after, parquet = athena.one_metric(NEW_YEAR, days_of(ledger.read()))
    percent = 100 * parquet / json
    good = percent <= MOST_PERCENT and before == after and len(before) == 10 and results == ["compacted"] * len(DAYS)
    size = stored(s3, settings.bucket, HISTORY_PREFIX, NEW_YEAR)
    print(f"  compacted: {', '.join(results)}; a day has {json:,} bytes of JSON, {size:,} of Parquet")
    print(f"  one metric of {NEW_YEAR}: {parquet:,} bytes scanned of Parquet, {json:,} of JSON, {percent:.1f} %")
    equal = "equal" if before == after else "DIFFERENT"
    print(f"    at most {MOST_PERCENT:g} %, and answers are {equal}: {'ok' if good else 'MISSED'}")
    return good


def main() -> None:
    """Prints the figures; the exit code is 1 where one does not hold."""
    print("history: bytes scanned")
    with tempfile.TemporaryDirectory() as directory, Engine(log=Path(directory, "engine.log")) as engine:
        os.environ.update(engine.environment())
        outputs = deploy(engine.client, parameters={"MergeSchedule": "rate(1 day)", "ChecksEnabled": "DISABLED"})
        with AthenaServer(0, engine.endpoint, Path(directory)) as server:
            os.environ["AWS_ENDPOINT_URL_ATHENA"] = server.url
            settings, s3 = load_settings({**os.environ, **outputs}), engine.client("s3")
            load(s3, settings.bucket)
            athena = Athena(settings)
            good = [partitions(s3, settings.bucket, athena), columns(s3, settings, athena)]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
