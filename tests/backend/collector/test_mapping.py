"""Mappings: loaded loudly, applied exactly."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from backend.collector.exposition import Series
from backend.collector.mapper import Mapper, Row
from backend.collector.mapping import load_mapping, parse_mapping, ready_mappings
from backend.contract.catalogue import load_catalogue
from backend.contract.errors import InvalidInput

CATALOGUE = load_catalogue()
FLINK_OPERATOR = "flink_taskmanager_job_task_operator_"
LATENCY = "flink_taskmanager_job_task_latency_source_id_operator_id_operator_subtask_index_latency"


def flink(name: str, value: float, **labels: str) -> Series:
    """One operator subtask's line; the job is its own id."""
    merged = {
        "tm_id": "tm",
        "job_name": "a",
        "operator_name": "Map",
        "operator_id": "1f",
        "subtask_index": "0",
        **labels,
    }
    return Series(name, {**merged, "job_id": merged["job_name"]}, value)


def rows(mapping: str, *series: Series) -> list[Row]:
    mapper = Mapper(load_mapping(mapping, CATALOGUE))
    return mapper.prefixed(mapper.apply(series, "host:1", 0).rows)


def test_every_ready_mapping_loads() -> None:
    assert ready_mappings() == ["flink", "kafka_exporter", "node_exporter"]
    for name in ready_mappings():
        assert load_mapping(name, CATALOGUE).name == name


def test_a_users_own_file_is_read_by_its_path(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text('[[rule]]\nsource = "x"\nmetric = "timeouts"\ncombine = "sum"\n')
    assert load_mapping(str(own), CATALOGUE).wanted == {"x"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rule = 3", "rule: 3 must be tables"),
        ("", "has no \\[\\[rule\\]\\]"),
        ("[[rule]\n", "is not valid TOML"),
        ('[[rule]]\nsource = "x"\nmetric = "timeouts"', "combine: None is missing"),
        ('[[rule]]\nsource = "x"\nmetric = "nope"\ncombine = "sum"', "metric: 'nope' is not in the catalogue"),
        ('[[rule]]\nsource = "x"\nmetric = "timeouts"\ncombine = "mean"', "combine: 'mean' must be one of"),
        ('[[rule]]\nsource = "x"\nmetric = "records_in"\ncombine = "sum"', "lacks operator"),
        ('[[rule]]\nsource = "x"\nmetric = "timeouts"\ncombine = "sum"\nscala = 3', "scala: 3 is not a known field"),
        ('[[rule]]\nsource = "x"\nmetric = "timeouts"\ncombine = "sum"\nmatch = {a = "("}', "no regular expression"),
        ('[[rule]]\nsource = "x"\nmetric = "timeouts"\ncombine = "sum"\nmatch = {a = 1}', "1 has the wrong type"),
        ('[[rule]]\nsource = "x"\nmetric = "timeouts"\ncombine = "sum"\nhostname = "{a.b}"', "plain {label} places"),
        ('[[rule]]\nsource = "x"\nmetric = "timeouts"\ncombine = "sum"\nhostname = "{a"', "plain {label} places"),
        (
            '[[rule]]\nsource = "x"\nmetric = "timeouts"\ncombine = "sum"\n'
            '[[rule]]\nsource = "y"\nmetric = "timeouts"\ncombine = "max"',
            "differs from another rule",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_by_rule_and_field(text: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        parse_mapping(text, "mine", CATALOGUE)


def test_an_unknown_mapping_names_the_ready_ones() -> None:
    with pytest.raises(InvalidInput, match="flink, kafka_exporter, node_exporter"):
        load_mapping("nope", CATALOGUE)


def test_subtasks_are_summed_for_counters_and_the_worst_one_for_quantiles() -> None:
    got = rows(
        "flink",
        flink(FLINK_OPERATOR + "numRecordsIn", 3),
        flink(FLINK_OPERATOR + "numRecordsIn", 4, subtask_index="1"),
        flink(LATENCY, 5, quantile="0.99"),
        flink(LATENCY, 9, quantile="0.99", subtask_index="1"),
        flink(LATENCY, 99, quantile="0.999"),
    )
    labels = {"job": "a", "operator": "Map"}
    assert got == [Row("records_in", "tm", labels, 7), Row("latency_p99_ms", "tm", labels, 9)]


def test_latency_finds_the_operators_name_by_its_id_within_the_job() -> None:
    lines = [flink(FLINK_OPERATOR + "numRecordsIn", 1, job_name=job, operator_name=f"of-{job}") for job in "ab"]
    for job in "ab":
        latency = flink(LATENCY, 5, job_name=job, quantile="0.95")
        del latency.labels["operator_name"]
        lines.append(latency)
    named = {row.labels["operator"] for row in rows("flink", *lines) if row.metric == "latency_p95_ms"}
    assert named == {"a/of-a", "b/of-b"}


def test_latency_of_an_operator_without_a_name_keeps_its_id() -> None:
    line = flink(LATENCY, 5, quantile="0.95")
    del line.labels["operator_name"]
    assert [row.labels["operator"] for row in rows("flink", line)] == ["1f"]


def test_operators_of_two_jobs_are_told_apart_and_stay_so() -> None:
    mapper = Mapper(load_mapping("flink", CATALOGUE))

    def names(*jobs: str) -> list[str]:
        lines = [flink(FLINK_OPERATOR + "numRecordsIn", 1, job_name=job) for job in jobs]
        return [row.labels["operator"] for row in mapper.prefixed(mapper.apply(lines, "t", 0).rows)]

    assert names("a") == ["Map"]
    assert names("a", "b") == ["a/Map", "b/Map"]
    assert names("a") == ["a/Map"]


def test_two_operators_of_one_name_in_one_job_are_told_apart_by_id() -> None:
    lines = [flink(FLINK_OPERATOR + "numRecordsIn", 1, operator_id=n * 8) for n in "12"]
    assert {row.labels["operator"] for row in rows("flink", *lines)} == {"Map 111111", "Map 222222"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -9.223372036854776e18, 9.223372036854776e18, -1.0])
def test_no_value_yet_is_skipped_and_counted(value: float) -> None:
    mapped = Mapper(load_mapping("flink", CATALOGUE)).apply([flink(FLINK_OPERATOR + "watermarkLatency", value)], "t", 0)
    assert (mapped.rows, mapped.skipped) == ([], 1)


@pytest.mark.parametrize("maximum", [-1.0, 0.0, math.nan])
def test_a_ratio_without_a_maximum_is_skipped_and_counted(maximum: float) -> None:
    heap = "flink_taskmanager_Status_JVM_Memory_Heap_"
    series = [Series(heap + "Used", {"tm_id": "tm"}, 5), Series(heap + "Max", {"tm_id": "tm"}, maximum)]
    mapped = Mapper(load_mapping("flink", CATALOGUE)).apply(series, "t", 0)
    assert (mapped.rows, mapped.skipped) == ([], 1)


def test_kafka_lag_is_kept_by_partition_and_minus_one_is_no_lag() -> None:
    labels = {"topic": "orders", "consumergroup": "g"}
    got = rows(
        "kafka_exporter",
        Series("kafka_consumergroup_lag", {**labels, "partition": "0"}, 12),
        Series("kafka_consumergroup_lag", {**labels, "partition": "1"}, -1),
        Series("kafka_brokers", {}, 3),
    )
    ours = {"topic": "orders", "consumer_group": "g", "partition": "0"}
    assert got == [Row("consumer_lag_records", "host:1", ours, 12), Row("kafka_broker_alive_count", "host:1", {}, 3)]


def test_node_cpu_and_network_appear_with_the_second_scrape() -> None:
    mapper = Mapper(load_mapping("node_exporter", CATALOGUE))

    def scrape(at: float, idle: float, received: float) -> dict[str, float]:
        series = [
            *(Series("node_cpu_seconds_total", {"cpu": cpu, "mode": "idle"}, idle) for cpu in "01"),
            Series("node_cpu_seconds_total", {"cpu": "0", "mode": "user"}, 5000 + at),
            Series("node_network_receive_bytes_total", {"device": "eth0"}, received),
            Series("node_network_receive_bytes_total", {"device": "lo"}, 1e12 + at * 1e9),
            Series("node_uname_info", {"nodename": "web-1"}, 1),
        ]
        found = mapper.apply(series, "10.0.0.1:9100", at).rows
        assert all(row.hostname == "web-1" for row in found)
        return {row.metric: row.value for row in found}

    assert scrape(0, 1000, 0) == {}
    assert scrape(10, 1004, 12_500_000) == pytest.approx({"cpu_utilization": 60, "network_in": 10})
    assert scrape(20, 3, 5) == {}  # the machine was restarted
