"""Importing files: good rows in, bad rows named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from backend.collector.backfill import Defaults, Imported, read_file, unique
from backend.contract.catalogue import load_catalogue
from backend.contract.errors import InvalidInput
from backend.contract.records import Sample, make_sample

CATALOGUE = load_catalogue()
NOW = datetime(2026, 11, 16, tzinfo=UTC).timestamp()
UTC_DEFAULTS = Defaults("cpu_utilization", "i-1", None, "production", "us-east-1", ZoneInfo("UTC"))


def read(text: str, defaults: Defaults = UTC_DEFAULTS) -> Imported:
    return read_file(text.encode(), defaults, CATALOGUE, NOW)


def epoch(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


def cpu(value: float, *when: int) -> Sample:
    return make_sample(timestamp=epoch(*when), metric_type="cpu_utilization", value=value, unit="%", hostname="i-1")


def test_a_csv_of_times_and_values_becomes_samples() -> None:
    got = read("timestamp,value\n2014-02-14 14:27:00,51.846\n2014-02-14 14:32:00,44.508\n")
    assert got.rejected == []
    assert got.samples == [
        make_sample(
            timestamp=epoch(2014, 2, 14, 14, 27), metric_type="cpu_utilization", value=51.846, unit="%", hostname="i-1"
        ),
        make_sample(
            timestamp=epoch(2014, 2, 14, 14, 32), metric_type="cpu_utilization", value=44.508, unit="%", hostname="i-1"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-07-01 12:00:00", "Europe/Berlin", (2026, 7, 1, 10)),
        ("2026-07-01T12:00:00+01:00", "Europe/Berlin", (2026, 7, 1, 11)),
        ("2026-07-01T12:00:00Z", "Europe/Berlin", (2026, 7, 1, 12)),
        ("1782907200", "Europe/Berlin", (2026, 7, 1, 12)),
        ("2026-07-01", "UTC", (2026, 7, 1)),
    ],
)
def test_times_without_a_zone_are_in_the_one_given(text: str, zone: str, expected: tuple[int, ...]) -> None:
    got = read(f"timestamp,value\n{text},1\n", UTC_DEFAULTS._replace(zone=ZoneInfo(zone)))
    assert [s.timestamp for s in got.samples] == [epoch(*expected)]


def test_bad_rows_of_a_csv_are_named_by_line_and_kept_out() -> None:
    got = read(
        "timestamp,value\n"
        "2014-02-14 14:27:00,51.8\n"
        "2014-02-14 14:32:00,n/a\n"
        "yesterday,1\n"
        "\n"
        "2014-02-14 14:37:00\n"
        "1999-12-31 23:59:59,1\n"
        "2027-01-01 00:00:00,1\n"
        "2014-02-14 14:42:00,nan\n"
        "2014-02-14 14:47:00,1e39\n"
        "2014-02-14 14:52:00,7\n"
    )
    assert [s.value for s in got.samples] == [51.8, 7]
    assert got.rows == len(got.samples) + len(got.rejected) == 9
    assert [number for number, _ in got.rejected] == [3, 4, 6, 7, 8, 9, 10]
    reasons = [reason for _, reason in got.rejected]
    assert reasons[0] == "value: 'n/a' must be a number"
    assert reasons[1].startswith("timestamp: 'yesterday' must be epoch seconds or a date and time")
    assert reasons[2] == "row: '2014-02-14 14:37:00' must have 2 cells"
    assert reasons[3] == "timestamp: '1999-12-31 23:59:59' lies before the year 2000 or in the future"
    assert reasons[5].startswith("value: nan must be finite")


def test_a_csv_may_name_metric_and_host_itself() -> None:
    got = read("hostname,value,timestamp,metric_type\ndb-1,3,2014-02-14,disk_usage\n")
    assert [(s.hostname, s.metric_type, s.value) for s in got.samples] == [("db-1", "disk_usage", 3)]


@pytest.mark.parametrize("array", [False, True], ids=["lines", "array"])
def test_json_samples_come_in_as_they_are(array: bool) -> None:
    samples = [
        make_sample(
            timestamp=NOW - n,
            metric_type="dlq_records",
            value=n,
            hostname="h",
            unit="records",
            labels={"error_type": "x"},
        )
        for n in range(3)
    ]
    records = [sample.as_json() for sample in samples]
    text = json.dumps(records) if array else "\n".join(map(json.dumps, records))
    got = read(text)
    assert (got.rows, got.rejected) == (3, [])
    assert got.samples == samples


def test_bad_lines_of_json_are_named_and_kept_out() -> None:
    good = {"timestamp": "2026-01-01 00:00", "value": 1}
    got = read("\n".join(['{"timestamp": 1', json.dumps(good), "3", json.dumps({**good, "metric_type": "nope"}),
                          json.dumps({"value": 1}), json.dumps({**good, "value": "1"})]))  # fmt: skip
    assert len(got.samples) == 1
    assert [number for number, _ in got.rejected] == [1, 3, 4, 5, 6]
    assert got.rejected[0][1] == "line: '{\"timestamp\": 1' is not JSON"
    assert got.rejected[2][1].startswith("metric_type: 'nope' is not in the catalogue")
    assert got.rejected[3][1].startswith("timestamp: None is required")
    assert got.rejected[4][1] == "value: '1' must be a JSON number"


def test_a_row_without_metric_or_host_says_which_option_names_them() -> None:
    got = read("timestamp,value\n2014-02-14,1\n", UTC_DEFAULTS._replace(metric=None))
    assert "--metric" in got.rejected[0][1]
    got = read("timestamp,value\n2014-02-14,1\n", UTC_DEFAULTS._replace(hostname=None))
    assert "--host" in got.rejected[0][1]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"time,value\n1,2\n", "lacks the column timestamp"),
        (b"[1, 2", "is not a JSON array"),
        (b"timestamp,value\n\xff\xfe,1\n", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_refused(data: bytes, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        read_file(data, UTC_DEFAULTS, CATALOGUE, NOW)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    got = read_file(b"\xef\xbb\xbftimestamp,value\r\n2014-02-14,1\r\n", UTC_DEFAULTS, CATALOGUE, NOW)
    assert (len(got.samples), got.rejected) == (1, [])


def test_of_repeats_the_last_counts() -> None:
    samples: list[Sample] = read("timestamp,value\n2014-02-14,1\n2014-02-15,5\n2014-02-14,2\n").samples
    assert [s.value for s in unique(samples)] == [2, 5]


def test_one_id_at_two_times_or_in_two_environments_is_as_many_samples() -> None:
    first = cpu(1.0, 2014, 2, 14)
    later = first._replace(timestamp=first.timestamp + 100, value=2.0)
    elsewhere = first._replace(environment="staging", value=3.0)
    assert unique([first, later, elsewhere, first._replace(value=4.0)]) == [first._replace(value=4.0), later, elsewhere]
