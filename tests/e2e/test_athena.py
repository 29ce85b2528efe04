"""The local Athena endpoint as PyAthena sees it: every cursor, real bytes, real errors, real cancellation."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from tests.athena_engine import DAYS, METRIC_COLUMNS, AthenaEngine, projection

pytestmark = pytest.mark.e2e

DATABASE = "athena_cursors"


def sample(metric_type: str, value: float | None, at: float, **more: Any) -> str:
    return json.dumps(
        {
            "metric_id": f"{metric_type}-{at:g}",
            "timestamp": at,
            "metric_type": metric_type,
            "value": value,
            "hostname": "server-001",
            "labels": {"operator": "sink"},
            **more,
        }
    )


@pytest.fixture(scope="module")
def metrics(athena: AthenaEngine) -> dict[int, int]:
    """A table with three days of November 2026; the bytes of each day."""
    athena.table(DATABASE, "metrics", METRIC_COLUMNS, DAYS, "cursors/metrics/", parameters=projection())
    sizes = {}
    for day in (1, 2, 3):
        lines = [sample("cpu", 10.0 * day + i, 86400.0 * day + i) for i in range(3)] + [sample("mem", None, 86400.0)]
        key = f"cursors/metrics/year=2026/month=11/day={day:02d}/metrics-{day}.json"
        sizes[day] = athena.put(key, "\n".join(lines) + "\n")
    return sizes


@pytest.mark.usefixtures("metrics")
def test_every_cursor_of_pyathena_reads_the_same_rows(
    athena_environment: AthenaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.fs
    from pyathena.arrow.cursor import ArrowCursor
    from pyathena.async_cursor import AsyncCursor
    from pyathena.cursor import DictCursor
    from pyathena.pandas.cursor import PandasCursor

    connection = athena_environment.connect(schema_name=DATABASE)
    sql = "SELECT metric_type, max(value) AS top, count(*) AS n FROM metrics WHERE year = 2026 GROUP BY 1 ORDER BY 1"
    expected = [("cpu", 32.0, 9), ("mem", None, 3)]

    assert connection.cursor().execute(sql).fetchall() == expected
    assert connection.cursor(DictCursor).execute(sql).fetchone() == {"metric_type": "cpu", "top": 32.0, "n": 9}
    # Arrow's own client of S3 knows no AWS_ENDPOINT_URL_S3 (apache/arrow#49643), and PyAthena passes it none.
    here = partial(pyarrow.fs.S3FileSystem, endpoint_override=athena_environment.engine.endpoint)
    monkeypatch.setattr(pyarrow.fs, "S3FileSystem", here)
    arrow = connection.cursor(ArrowCursor).execute(sql).as_arrow()
    assert [tuple(row.values()) for row in arrow.to_pylist()] == expected
    unloaded = connection.cursor(ArrowCursor, unload=True).execute(sql).as_arrow()
    assert [tuple(row.values()) for row in unloaded.to_pylist()] == expected
    frame = connection.cursor(PandasCursor).execute(sql).as_pandas()
    assert frame["top"].isna().tolist() == [False, True]
    assert frame["n"].tolist() == [9, 3]
    _, future = connection.cursor(AsyncCursor).execute(sql)
    assert future.result().fetchall() == expected


def test_a_query_scans_the_bytes_of_the_partitions_it_names_and_of_no_others(
    athena_environment: AthenaEngine, metrics: dict[int, int]
) -> None:
    cursor = athena_environment.connect(schema_name=DATABASE).cursor()

    cursor.execute("SELECT count(*) FROM metrics WHERE year = 2026 AND month = 11 AND day BETWEEN 2 AND 3")

    assert cursor.data_scanned_in_bytes == metrics[2] + metrics[3]
