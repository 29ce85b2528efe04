"""A day in S3 becomes Parquet through the function's own wiring, Athena's SQL and the tables that the template has."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import boto3
import orjson
import pytest
from pyathena import connect

from backend.alerts.publish import Publisher
from backend.contract.records import make_sample
from backend.contract.tables import HISTORY_PREFIX, METRICS_DATABASE, METRICS_PREFIX, SAMPLES_VIEW, WORKGROUP
from backend.history.days import LateObjects, day_of, day_path, day_start
from backend.history.handler import Compactor, run_statements
from backend.history.late import late_objects
from backend.history.ledger import Ledger, Recorded, days_of, late_of
from backend.history.listing import Bucket
from backend.history.source import relation
from tests.athena_engine import AthenaEngine
from tests.local_stack import LocalStack
from tests.loggers import fresh_logger

pytestmark = pytest.mark.e2e

DAY = date(2001, 3, 5)
"""Other tests of the session use the same bucket; none of theirs is closed by then."""
NIGHT = datetime(2001, 3, 6, 2, 30, tzinfo=UTC).timestamp()


def lines(minutes: range, metric_type: str = "cpu_utilization", day: date = DAY) -> bytes:
    samples = [
        make_sample(timestamp=day_start(day) + 60 * minute, metric_type=metric_type, value=float(minute), hostname=host)
        for minute in minutes
        for host in ("compact-1", "compact-2")
    ]
    return b"".join(orjson.dumps(sample.as_json()) + b"\n" for sample in samples)


class Night:
    """The compactor as the function wires it, over one bucket and clock."""

    def __init__(self, stack: LocalStack) -> None:
        self.settings, self.now = stack.settings, NIGHT
        self.s3, self.dynamodb = stack.client("s3"), stack.client("dynamodb")
        publisher = Publisher(stack.client("sns"), self.settings, fresh_logger(), "history-compactor")
        self._statements = run_statements(self.settings, self.clock, poll_seconds=0.02)
        self._run = Compactor(
            self.settings, self.s3, self.dynamodb, publisher, fresh_logger(), self._statements, self.clock
        )

    def clock(self) -> float:
        return self.now

    def __call__(self) -> dict[str, Any]:
        return self._run(900, "test")

    def put(self, name: str, body: bytes, day: date = DAY) -> str:
        key = f"{METRICS_PREFIX}{day_path(day)}{name}.json"
        self.s3.put_object(Bucket=self.settings.bucket, Key=key, Body=body)
        return key

    def recorded(self, key: str) -> tuple[Recorded, ...]:
        """What the processor recorded of the day, once that has ``key``."""
        deadline = time.monotonic() + 30
        found: tuple[Recorded, ...] = ()
        while key not in {one.key for one in found}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            found = late_objects(self.dynamodb, self.settings.table, DAY, DAY, self.now).recorded
        return found

    def view(self, where: str) -> tuple[int, int]:
        """How many samples the view has, and the bytes that were scanned for them."""
        with closing(connect(work_group=WORKGROUP, poll_interval=0.02, s3_staging_dir="")) as connection:
            cursor = connection.cursor()
            cursor.execute(f"SELECT * FROM {METRICS_DATABASE}.{SAMPLES_VIEW} WHERE {where}")
            return len(cursor.fetchall()), cursor.data_scanned_in_bytes or 0

    def read(self, late: LateObjects | None = None, where: str = "metric_type = 'cpu_utilization'") -> list[Any]:
        days = days_of(Ledger(self.s3, self.settings.bucket).read())
        columns = ("timestamp", "hostname", "value")
        bucket = self.settings.bucket
        source = relation(DAY, DAY, days, late or LateObjects(), bucket=bucket, columns=columns, where=where)
        rows = self._statements(self.now)(f"SELECT * FROM ({source}) AS samples")
        return sorted(map(tuple, rows))


@pytest.fixture
def night(stack: LocalStack, athena_environment: AthenaEngine) -> Night:
    assert boto3.Session().client("athena").meta.endpoint_url == athena_environment.url
    return Night(stack)


def test_a_day_is_compacted_and_what_comes_later_is_read_and_compacted_too(night: Night) -> None:
    night.put("metrics-1", lines(range(10)))
    night.put("metrics-2", lines(range(5, 20)) + lines(range(20), "memory_usage"))
    before = night.read()
    assert len(before) == 40, "each sample once, however often it was collected"
    assert night()["compacted"] == 1
    ledger, bucket = Ledger(night.s3, night.settings.bucket), Bucket(night.s3, night.settings.bucket)
    entry = ledger.read()[DAY]
    assert (entry.state, entry.generation, entry.rows, entry.samples, entry.objects) == ("parquet", 0, 90, 80, 2)
    (stored,) = bucket.generations(DAY)
    assert stored.keys[0].startswith(f"{HISTORY_PREFIX}{day_path(DAY)}generation=0/")
    assert stored.size == entry.parquet_bytes > 0
    assert night.read() == before

    key = night.put("metrics-3", lines(range(15, 25)))
    late = late_of(ledger.read(), night.recorded(key))
    assert len(night.read(late)) == 50, "late samples are read beside Parquet, those that are there already are not"
    assert night.read() == before, "without being told of late objects only Parquet is read"
    night.now += 86_400
    assert night()["compacted"] == 1
    assert ledger.read()[DAY].generation == 1
    assert len(night.read()) == 50
    assert [one.generation for one in bucket.generations(DAY)] == [0, 1], "a query may still be reading the first"

    open_day = day_of(night.now)
    body = lines(range(3), day=open_day) * 2
    today = night.put("metrics-5", body, open_day)
    assert night.view(f"year = 2001 AND month = 3 AND day = {open_day.day}") == (6, len(body)), (
        "each once, no more read"
    )
    samples, scanned = night.view(f"year = 2001 AND month = 3 AND day = {DAY.day}")
    assert samples == 50 + 40, "by the clock of the engine all objects came late, and none of their samples is new"
    entry = ledger.read()[DAY]
    assert entry.parquet_bytes < scanned <= 2 * entry.parquet_bytes + entry.json_bytes
    assert night.view("year = 2001 AND metric_type = 'cpu_utilization'")[0] == 50 + 6
    night.s3.delete_object(Bucket=night.settings.bucket, Key=today)


def test_a_corrupt_object_is_named_and_the_day_stays_as_it_was(night: Night) -> None:
    key = night.put("metrics-4", b'{"metric_id": "x", "timestamp": 1\n')
    night.now += 2 * 86_400
    assert night()["failed"] == 1
    entry = Ledger(night.s3, night.settings.bucket).read()[DAY]
    night.s3.delete_object(Bucket=night.settings.bucket, Key=key)
    assert key in entry.problem
    assert entry.state == "parquet"
    assert len(night.read()) == 50
