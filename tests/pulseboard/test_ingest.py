"""`pulseboard ingest metrics` against a bucket of moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from backend.contract.errors import InvalidInput
from pulseboard.cli import cli


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_ENDPOINT_URL", "PULSEBOARD_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("S3_BUCKET", "metrics-bucket")
    monkeypatch.setenv("REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3", "us-east-1")
        client.create_bucket(Bucket="metrics-bucket")
        yield client


def run(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["ingest", "metrics", str(file), *arguments])


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="metrics-bucket").get("Contents", [])]


def test_a_csv_becomes_backfill_objects_by_utc_day(s3: Any, tmp_path: Path) -> None:
    file = tmp_path / "cpu.csv"
    file.write_text("timestamp,value\n2014-02-14 23:57:00,51.8\n2014-02-15 00:02:00,44.5\n2014-02-15 00:07:00,40\n")
    for _ in range(2):
        result = run(file, "--metric", "cpu_utilization", "--host", "i-5f5533")
        assert result.exit_code == 0
        assert result.output == "3 rows in, 3 samples written in 2 objects, 0 repeats, 0 rejected\n"
    assert [key.rpartition("-")[0].rpartition("/")[0] for key in keys(s3)] == [
        "metrics/year=2014/month=02/day=14",
        "metrics/year=2014/month=02/day=15",
    ]
    assert all(key.rpartition("/")[2].startswith("backfill-139") for key in keys(s3))
    body = s3.get_object(Bucket="metrics-bucket", Key=keys(s3)[0])["Body"].read()
    assert json.loads(body)["hostname"] == "i-5f5533"


def test_bad_rows_are_told_the_good_ones_go_in_and_the_exit_code_says_so(s3: Any, tmp_path: Path) -> None:
    file = tmp_path / "cpu.csv"
    file.write_text("timestamp,value\n2014-02-14 23:57:00,51.8\nnever,1\n2014-02-14 23:59:00,high\n")
    result = run(file, "--metric", "cpu_utilization", "--host", "i-1")
    assert result.exit_code == 1
    assert "3 rows in, 1 samples written in 1 objects, 0 repeats, 2 rejected" in result.stdout
    assert "pulseboard: cpu.csv, line 3: timestamp: 'never' must be" in result.stderr
    assert "pulseboard: cpu.csv, line 4: value: 'high' must be a number" in result.stderr
    assert len(keys(s3)) == 1


def test_many_bad_rows_are_counted_instead_of_printed(s3: Any, tmp_path: Path) -> None:
    file = tmp_path / "cpu.csv"
    file.write_text("timestamp,value\n" + "never,1\n" * 50)
    result = run(file, "--metric", "cpu_utilization", "--host", "i-1")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 21
    assert "and 30 more rows" in result.stderr
    assert keys(s3) == []


def test_json_lines_bring_their_own_fields(s3: Any, tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    row = {
        "timestamp": 1_760_000_000,
        "metric_type": "dlq_records",
        "value": 3,
        "hostname": "h",
        "labels": {"error_type": "x"},
    }
    file.write_text(json.dumps(row))
    assert run(file, "--environment", "staging").exit_code == 0
    written = json.loads(s3.get_object(Bucket="metrics-bucket", Key=keys(s3)[0])["Body"].read())
    assert {name: written[name] for name in row} == row
    assert (written["environment"], written["unit"]) == ("staging", "records")


@pytest.mark.parametrize(
    ("arguments", "named"), [(["--tz", "Mars"], "^tz: 'Mars'"), (["--metric", "nope"], "^metric: 'nope'")]
)
def test_bad_options_are_refused_by_name(s3: Any, tmp_path: Path, arguments: list[str], named: str) -> None:
    file = tmp_path / "cpu.csv"
    file.write_text("timestamp,value\n")
    result = run(file, *arguments)
    assert isinstance(result.exception, InvalidInput)
    with pytest.raises(InvalidInput, match=named):
        raise result.exception
