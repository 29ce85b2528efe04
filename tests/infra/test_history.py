"""The tables of history say what is really written, and where; a query has a limit, its result an end."""

from __future__ import annotations

from typing import Any

import pytest

from backend.contract.jobs import DatasetStatus, JobRun, VolumeFinding
from backend.contract.records import Sample
from backend.contract.tables import (
    DATASET_STATUS_HISTORY,
    DATASET_STATUS_PREFIX,
    EVENTS_JSON,
    EVENTS_PREFIX,
    HISTORY_PREFIX,
    JOB_RUNS_HISTORY,
    JOB_RUNS_PREFIX,
    LEDGER_PREFIX,
    METRICS_DATABASE,
    METRICS_JSON,
    METRICS_PARQUET,
    METRICS_PREFIX,
    MONITORING_DATABASE,
    RESULTS_PREFIX,
    SAMPLES_VIEW,
    WORKGROUP,
)
from backend.events.layout import DayShards
from backend.history.days import day_of, day_path
from backend.history.ledger import KEPT_DAYS
from backend.history.listing import generation_prefix
from backend.history.source import COLUMN_TYPES
from backend.jobs.history import runs_key, status_key, status_line
from backend.local.template import load_template, properties

TEMPLATE = load_template()
AT = 1_772_706_600.0
"""2026-03-05T10:30:00Z: month and day of one digit."""
TABLES = {
    "MetricsJsonTable": (METRICS_DATABASE, METRICS_JSON, METRICS_PREFIX),
    "MetricsParquetTable": (METRICS_DATABASE, METRICS_PARQUET, HISTORY_PREFIX),
    "EventsJsonTable": (METRICS_DATABASE, EVENTS_JSON, EVENTS_PREFIX),
    "JobRunsJsonTable": (MONITORING_DATABASE, JOB_RUNS_HISTORY, JOB_RUNS_PREFIX),
    "DatasetStatusJsonTable": (MONITORING_DATABASE, DATASET_STATUS_HISTORY, DATASET_STATUS_PREFIX),
}


def table(resource: str) -> Any:
    return properties(TEMPLATE, resource, {})["TableInput"]


def columns(resource: str) -> dict[str, str]:
    return {column["Name"]: column["Type"] for column in table(resource)["StorageDescriptor"]["Columns"]}


@pytest.mark.parametrize("resource", TABLES)
def test_a_table_has_its_name_its_place_and_partitions_that_are_computed(resource: str) -> None:
    database, name, prefix = TABLES[resource]
    given, entry = properties(TEMPLATE, resource, {}), table(resource)
    named = properties(TEMPLATE, given["DatabaseName"]["Ref"], {})["DatabaseInput"]["Name"]
    assert (named, entry["Name"]) == (database, name)
    assert entry["StorageDescriptor"]["Location"]["Fn::Sub"] == f"s3://${{BucketName}}/{prefix}"
    parameters = entry["Parameters"]
    assert parameters["projection.enabled"] == "true"
    assert parameters["projection.year.range"].startswith("2000,")
    assert {parameters[f"projection.{key}.digits"] for key in ("month", "day")} == {"2"}
    types = {key["Name"]: key["Type"] for key in entry["PartitionKeys"]}
    assert {types[name] for name in ("year", "month", "day")} == {"int"}
    assert not set(types) & set(columns(resource))


@pytest.mark.parametrize(
    ("resource", "key", "more"),
    [
        ("MetricsJsonTable", f"{METRICS_PREFIX}{day_path(day_of(AT))}metrics-1.json", {}),
        ("MetricsParquetTable", generation_prefix(day_of(AT), 7) + "x", {"generation": "7"}),
        ("EventsJsonTable", DayShards(8).raw_key("shop", AT, "e"), {"source": "shop"}),
        ("JobRunsJsonTable", runs_key(AT), {}),
        ("DatasetStatusJsonTable", status_key(AT), {}),
    ],
)
def test_a_table_looks_where_objects_are_written(resource: str, key: str, more: dict[str, str]) -> None:
    place = table(resource)["Parameters"]["storage.location.template"]["Fn::Sub"]
    for name, value in {"year": "2026", "month": "03", "day": "05", **more}.items():
        place = place.replace(f"${{!{name}}}", value)
    assert place == f"s3://${{BucketName}}/{key.rpartition('/')[0]}/"


def test_the_tables_have_the_columns_that_are_written() -> None:
    athenas = {"varchar": "string", "map(varchar, varchar)": "map<string,string>", "double": "double"}
    athenas["array(array(double))"] = "array<array<double>>"
    expected = {name: athenas[kind] for name, kind in COLUMN_TYPES.items()}
    assert columns("MetricsJsonTable") == columns("MetricsParquetTable") == expected
    assert list(expected) == list(Sample._fields)
    assert set(columns("JobRunsJsonTable")) == set(JobRun("j", "r", "STARTED", AT).as_json())
    status = DatasetStatus("d", "fresh", AT, volume=VolumeFinding(AT, 1, 1, 1, 1, 1, "m"))
    assert set(columns("DatasetStatusJsonTable")) == set(status_line(status))


def test_a_query_is_limited_and_its_result_ends() -> None:
    group = properties(TEMPLATE, "HistoryWorkGroup", {"HistoryScanLimitBytes": "12000000"})
    settings = group["WorkGroupConfiguration"]
    assert group["Name"] == WORKGROUP
    assert (settings["EnforceWorkGroupConfiguration"], settings["BytesScannedCutoffPerQuery"]) == (True, 12_000_000)
    assert settings["ResultConfiguration"]["OutputLocation"]["Fn::Sub"] == f"s3://${{BucketName}}/{RESULTS_PREFIX}"
    rules = properties(TEMPLATE, "DataBucket", {})["LifecycleConfiguration"]["Rules"]
    ends = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}
    assert ends[RESULTS_PREFIX] == 7
    assert {ends[prefix] for prefix in ends if HISTORY_PREFIX.startswith(prefix)} == {KEPT_DAYS}
    assert LEDGER_PREFIX.startswith("history/")


def test_the_compactor_runs_at_night_and_writes_history_alone() -> None:
    rule = properties(TEMPLATE, "CompactionRule", {})
    assert rule["ScheduleExpression"] == "cron(30 2 * * ? *)"
    assert rule["Targets"][0]["Arn"] == {"Fn::GetAtt": "CompactorFunction.Arn"}
    statements = properties(TEMPLATE, "CompactorRole", {})["Policies"][0]["PolicyDocument"]["Statement"]
    written = [entry["Resource"]["Fn::Sub"] for entry in statements if "s3:PutObject" in entry["Action"]]
    assert [place.rpartition("}/")[2] for place in written] == ["history/*", "athena-results/*"]
    deleted = [entry for entry in statements if "s3:DeleteObject" in entry["Action"]]
    assert [entry["Resource"]["Fn::Sub"].rpartition("}/")[2] for entry in deleted] == ["history/*"]
    (view,) = [entry for entry in statements if "glue:UpdateTable" in entry["Action"]]
    tables = [place["Fn::Sub"].rpartition(":")[2] for place in view["Resource"] if ":table/" in place["Fn::Sub"]]
    assert tables == [f"table/{METRICS_DATABASE}/{SAMPLES_VIEW}"]
    assert set(view["Action"]) == {"glue:CreateTable", "glue:UpdateTable"}
