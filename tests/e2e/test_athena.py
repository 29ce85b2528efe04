"""The local Athena endpoint as PyAthena sees it: every cursor, real bytes, real errors, real cancellation."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from botocore.config import Config

from tests.athena_engine import DAYS, METRIC_COLUMNS, AthenaEngine, projection, wait_until

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


@pytest.mark.usefixtures("metrics")
def test_results_that_athena_manages_need_no_client_of_s3(athena_environment: AthenaEngine) -> None:
    from pyathena.arrow.cursor import ArrowCursor

    managed = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    workgroups = athena_environment.engine.client("athena")
    workgroups.create_work_group(Name="managed", Configuration=managed)
    connection = athena_environment.connect(schema_name=DATABASE, work_group="managed", s3_staging_dir=None)

    cursor = connection.cursor(ArrowCursor).execute("SELECT max(value) AS top FROM metrics WHERE year = 2026")

    assert cursor.as_arrow().to_pylist() == [{"top": 32.0}]
    assert cursor.output_location is None


def test_a_query_scans_the_bytes_of_the_partitions_it_names_and_of_no_others(
    athena_environment: AthenaEngine, metrics: dict[int, int]
) -> None:
    cursor = athena_environment.connect(schema_name=DATABASE).cursor()

    cursor.execute("SELECT count(*) FROM metrics WHERE year = 2026 AND month = 11 AND day BETWEEN 2 AND 3")

    assert cursor.data_scanned_in_bytes == metrics[2] + metrics[3]


def test_result_reuse_scans_nothing_and_says_so(athena_environment: AthenaEngine, metrics: dict[int, int]) -> None:
    connection = athena_environment.connect(schema_name=DATABASE, result_reuse_enable=True)
    sql = "SELECT max(value) FROM metrics WHERE year = 2026 AND month = 11 AND day = 1"

    first, second = (connection.cursor().execute(sql) for _ in range(2))

    assert (first.reused_previous_result, first.data_scanned_in_bytes) == (False, metrics[1])
    assert (second.reused_previous_result, second.data_scanned_in_bytes) == (True, 0)
    assert first.fetchall() == second.fetchall() == [(12.0,)]


@pytest.mark.usefixtures("metrics")
def test_results_come_in_pages_and_lie_in_s3_as_athena_writes_them(athena_environment: AthenaEngine) -> None:
    cursor = athena_environment.connect(schema_name=DATABASE).cursor(arraysize=2)
    cursor.execute("SELECT metric_type, value FROM metrics WHERE year = 2026 AND month = 11 AND day = 1 ORDER BY 1, 2")

    assert cursor.fetchall() == [("cpu", 10.0), ("cpu", 11.0), ("cpu", 12.0), ("mem", None)]
    key = cursor.output_location.removeprefix(f"s3://{athena_environment.bucket}/")
    assert key == f"athena-results/{cursor.query_id}.csv"
    body = athena_environment.engine.client("s3").get_object(Bucket=athena_environment.bucket, Key=key)["Body"].read()
    assert body.decode() == '"metric_type","value"\n"cpu","10.0"\n"cpu","11.0"\n"cpu","12.0"\n"mem",\n'


@pytest.mark.usefixtures("metrics")
@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT FROM metrics", "line 1:8: mismatched input"),
        ("SELEC 1", "line 1:1: mismatched input 'SELEC'"),
        ("SELECT nope FROM metrics", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        (
            "SELECT 1 FROM nowhere",
            f"TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{DATABASE}.nowhere' does not exist",
        ),
        ("SELECT 1 FROM nobody.knows", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nobody' does not exist"),
        ("SELECT frobnicate(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'frobnicate' not registered"),
        ("MERGE INTO metrics", "NOT_SUPPORTED"),
        ("SELECT * FROM '/etc/passwd'", "line 1:15"),
        ("SELECT * FROM read_text('/etc/hostname')", ""),
    ],
)
def test_a_query_that_is_wrong_fails_in_athenas_words(athena_environment: AthenaEngine, sql: str, reason: str) -> None:
    from pyathena.error import OperationalError

    with pytest.raises(OperationalError) as failure:
        athena_environment.connect(schema_name=DATABASE).cursor().execute(sql)

    assert reason in str(failure.value)


def test_what_has_no_partitions_is_empty_and_costs_nothing(athena_environment: AthenaEngine, metrics: object) -> None:
    del metrics
    cursor = athena_environment.connect(schema_name=DATABASE).cursor()

    cursor.execute("SELECT * FROM metrics WHERE year = 2031")

    assert (cursor.fetchall(), cursor.data_scanned_in_bytes) == ([], 0)


def test_objects_without_a_newer_column_have_null_in_it(athena_environment: AthenaEngine) -> None:
    columns = {"id": "string", "since": "double"}
    athena_environment.table(DATABASE, "grown", columns, DAYS, "grown/", parameters=projection())
    athena_environment.put("grown/year=2026/month=01/day=01/a.json", '{"id": "old"}\n')
    athena_environment.put("grown/year=2026/month=01/day=02/b.json", '{"id": "new", "since": 2.5}\n')

    rows = athena_environment.connect(schema_name=DATABASE).cursor().execute("SELECT id, since FROM grown ORDER BY id")

    assert rows.fetchall() == [("new", 2.5), ("old", None)]


@pytest.mark.parametrize("parquet", [False, True])
def test_a_corrupt_object_is_named(athena_environment: AthenaEngine, parquet: bool) -> None:
    from pyathena.error import OperationalError

    name = "corrupt_parquet" if parquet else "corrupt_json"
    athena_environment.table(DATABASE, name, {"id": "string"}, {}, f"{name}/", parquet=parquet)
    athena_environment.put(f"{name}/bad.obj", '{"id": "x"}\n{"id": "brok\n')

    with pytest.raises(OperationalError) as failure:
        athena_environment.connect(schema_name=DATABASE).cursor().execute(f"SELECT * FROM {name}")

    assert f"s3://{athena_environment.bucket}/{name}/bad.obj" in str(failure.value)
    assert str(failure.value).startswith("HIVE_BAD_DATA" if parquet else "HIVE_CURSOR_ERROR")
    assert "/objects/" not in str(failure.value)


def test_an_insert_writes_partitions_where_the_projection_says(
    athena_environment: AthenaEngine, metrics: dict[int, int]
) -> None:
    keys = {**DAYS, "generation": "int"}
    place = f"s3://{athena_environment.bucket}/inserted/"
    template = f"{place}year=${{year}}/month=${{month}}/day=${{day}}/generation=${{generation}}/"
    parameters = {
        **projection(tuple(keys)), "storage.location.template": template, "parquet.compression": "ZSTD"
    }  # fmt: skip
    athena_environment.table(
        DATABASE, "inserted", METRIC_COLUMNS, keys, "inserted/", parquet=True, parameters=parameters
    )
    cursor = athena_environment.connect(schema_name=DATABASE).cursor()

    cursor.execute(
        f"INSERT INTO inserted SELECT {', '.join(METRIC_COLUMNS)}, year, month, day, 0 FROM metrics "
        "WHERE year = 2026 AND month = 11 ORDER BY metric_type, timestamp"
    )

    assert (cursor.rowcount, cursor.data_scanned_in_bytes) == (12, sum(metrics.values()))
    listed = athena_environment.engine.client("s3").list_objects_v2(Bucket=athena_environment.bucket, Prefix="inserted")
    folders = [entry["Key"].rpartition("/")[0] for entry in listed["Contents"]]
    assert folders == [f"inserted/year=2026/month=11/day=0{day}/generation=0" for day in (1, 2, 3)]
    one = "SELECT count(value), max(labels['operator']) FROM inserted WHERE year = 2026 AND month = 11 AND day = 2"
    assert cursor.execute(one).fetchall() == [(3, "sink")]
    whole = sum(entry["Size"] for entry in listed["Contents"] if "day=02" in entry["Key"])
    few = cursor.execute(one.replace(", max(labels['operator'])", "")).data_scanned_in_bytes
    assert 0 < few < whole
    # Row groups whose statistics rule the metric out are not read: nothing but the footer is.
    none = cursor.execute(f"{one} AND metric_type = 'zzz'").data_scanned_in_bytes
    assert 0 < none < few + whole / 2


def test_a_stopped_query_is_cancelled_and_stops(athena_environment: AthenaEngine) -> None:
    from pyathena.async_cursor import AsyncCursor

    cursor = athena_environment.connect().cursor(AsyncCursor)
    heavy = "SELECT count(*) FROM UNNEST(sequence(1, 300000)) a(x), UNNEST(sequence(1, 300000)) b(y) WHERE x * y = -1"

    query_id, future = cursor.execute(heavy)
    wait_until(lambda: athena_environment.server.executions.get(query_id).state == "RUNNING")
    cursor.cancel(query_id).result()

    assert (future.result().state, future.result().state_change_reason) == ("CANCELLED", "Query cancelled by user")
    assert athena_environment.connect().cursor().execute("SELECT 1").fetchall() == [(1,)]


def test_a_workgroup_limits_what_is_scanned_and_where_results_go(
    athena_environment: AthenaEngine, metrics: dict[int, int]
) -> None:
    from pyathena.error import OperationalError

    # The least that AWS takes is 10 MB.
    session, unchecked = athena_environment.session, Config(parameter_validation=False)
    workgroups = session.client("athena", endpoint_url=athena_environment.engine.endpoint, config=unchecked)
    configuration = {
        "EnforceWorkGroupConfiguration": True,
        "BytesScannedCutoffPerQuery": metrics[1] + 1,
        "ResultConfiguration": {"OutputLocation": f"s3://{athena_environment.bucket}/enforced/"},
    }
    workgroups.create_work_group(Name="limited", Configuration=configuration)
    cursor = athena_environment.connect(schema_name=DATABASE, work_group="limited").cursor()

    within = cursor.execute("SELECT 1 FROM metrics WHERE year = 2026 AND month = 11 AND day = 1")
    assert within.output_location.startswith(f"s3://{athena_environment.bucket}/enforced/")
    with pytest.raises(OperationalError, match="Bytes scanned limit was exceeded"):
        cursor.execute("SELECT 1 FROM metrics WHERE year = 2026")
    client = athena_environment.client()
    ids = client.list_query_executions(WorkGroup="limited")["QueryExecutionIds"]
    found = client.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"]
    assert [one["Status"]["State"] for one in found] == ["CANCELLED", "SUCCEEDED"]


def test_parameters_are_bound_as_literals_and_nothing_else(
    athena_environment: AthenaEngine, metrics: dict[int, int]
) -> None:
    from pyathena.error import OperationalError

    cursor = athena_environment.connect(schema_name=DATABASE).cursor()
    sql = "SELECT count(*) FROM metrics WHERE year = ? AND month = ? AND day = ? AND metric_type = ?"

    cursor.execute(sql, ["2026", "11", "3", "'cpu'"], paramstyle="qmark")

    assert (cursor.fetchall(), cursor.data_scanned_in_bytes) == ([(3,)], metrics[3])
    with pytest.raises(OperationalError, match="is not a literal"):
        cursor.execute(sql, ["2026", "11", "3", "'cpu' OR 1 = 1"], paramstyle="qmark")


def test_views_prepared_statements_and_the_catalogue_are_served(
    athena_environment: AthenaEngine, metrics: dict[int, int]
) -> None:
    cursor = athena_environment.connect(schema_name=DATABASE).cursor()

    cursor.execute("CREATE OR REPLACE VIEW cpu AS SELECT * FROM metrics WHERE metric_type = 'cpu'")
    cursor.execute("SELECT max(value) FROM cpu WHERE year = 2026 AND month = 11 AND day = 2")
    assert (cursor.fetchall(), cursor.data_scanned_in_bytes) == ([(22.0,)], metrics[2])
    assert ("cpu",) in cursor.execute("SHOW TABLES").fetchall()
    cursor.execute("DROP VIEW cpu")
    assert ("cpu",) not in cursor.execute("SHOW TABLES").fetchall()
    cursor.execute("PREPARE by_type FROM SELECT count(*) FROM metrics WHERE metric_type = ? AND year = ?")
    assert cursor.execute("EXECUTE by_type USING 'cpu', 2026").fetchall() == [(9,)]
    assert cursor.execute("SHOW PARTITIONS metrics").fetchall()[0] == ("year=2026/month=11/day=01",)
    assert cursor.get_table_metadata("metrics").partition_keys[0].name == "year"
    assert DATABASE in [database.name for database in cursor.list_databases(catalog_name="AwsDataCatalog")]


def test_the_endpoint_misbehaves_when_it_is_told_to(athena_environment: AthenaEngine) -> None:
    from botocore.exceptions import ClientError

    client, faults = athena_environment.client(), athena_environment.server.faults
    asked = {"QueryString": "SELECT 1", "ResultConfiguration": {"OutputLocation": athena_environment.staging}}
    try:
        faults.set({"mode": "fail"})
        failed = athena_environment.finished(client.start_query_execution(**asked)["QueryExecutionId"])
        assert failed["Status"]["AthenaError"]["Retryable"] is True
        faults.set({"mode": "throttle"})
        with pytest.raises(ClientError, match="ThrottlingException"):
            athena_environment.client(attempts=1).list_work_groups()
    finally:
        faults.set({"mode": "ok"})


def test_requests_that_are_wrong_are_refused(athena_environment: AthenaEngine) -> None:
    client = athena_environment.client()
    missing = {"OutputLocation": "s3://no-such-bucket-anywhere/x/"}

    for call, words in (
        (lambda: client.get_query_execution(QueryExecutionId="nobody"), "was not found"),
        (lambda: client.start_query_execution(QueryString="SELECT 1", WorkGroup="nowhere"), "is not found"),
        (lambda: client.start_query_execution(QueryString="SELECT 1"), "No output location provided"),
        (lambda: client.start_query_execution(QueryString="SELECT 1", ResultConfiguration=missing), "output bucket"),
        (lambda: client.create_named_query(Name="n", Database="d", QueryString="SELECT 1"), "is not served"),
    ):
        with pytest.raises(client.exceptions.InvalidRequestException, match=words):
            call()
