"""`pulseboard ingest` against moto."""

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
from backend.events import ingest
from pulseboard.cli import cli
from tests.metrics_table import create_table
from tests.template_resources import create_event_queues, create_event_tables


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


def run(file: Path, *arguments: str, kind: str = "metrics") -> Result:
    return CliRunner().invoke(cli, ["ingest", kind, str(file), *arguments])


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


@pytest.mark.parametrize("kind", ["metrics", "events"])
def test_a_file_that_is_not_there_is_one_line_with_the_remedy(s3: Any, tmp_path: Path, kind: str) -> None:
    result = run(tmp_path / "none.json", kind=kind)
    assert isinstance(result.exception, InvalidInput)
    assert str(result.exception).endswith("none.json' can't be read (No such file or directory); check the path")


# ----------------------------------------------------------------------------------------------------- events
@pytest.fixture
def queue(s3: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in (("AWS_REGION", "us-east-1"), ("DYNAMODB_TABLE", "InfraMetrics")):
        monkeypatch.setenv(name, value)
    # moto copies its tables for a transaction while other threads write to them.
    monkeypatch.setattr(ingest, "WORKERS", 1)
    dynamodb = boto3.client("dynamodb", "us-east-1")
    create_table(dynamodb)
    create_event_tables(dynamodb)
    url = create_event_queues(boto3.client("sqs", "us-east-1"))["event_queue_url"]
    monkeypatch.setenv("EVENT_QUEUE_URL", url)
    return url


def event(number: int, **changes: Any) -> dict[str, Any]:
    plain = {
        "source": "shop",
        "event_type": "order_placed",
        "entity_id": f"ORD-{number}",
        "occurred_at": "2026-01-02T03:04:05Z",
        "payload": {"amount": number},
    }
    return {**plain, **changes}


def waiting(url: str) -> int:
    asked: list[Any] = ["ApproximateNumberOfMessages"]
    answer = boto3.client("sqs", "us-east-1").get_queue_attributes(QueueUrl=url, AttributeNames=asked)
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.parametrize("form", ["ndjson", "array", "one"])
def test_events_go_in_once_however_often_the_file_is_imported(queue: str, tmp_path: Path, form: str) -> None:
    file, entries = tmp_path / "events.json", [event(n) for n in range(1 if form == "one" else 3)]
    texts = {"ndjson": "\n".join(map(json.dumps, entries)), "array": json.dumps(entries, indent=1)}
    file.write_text(texts.get(form) or json.dumps(entries[0], indent=2))
    first, second = run(file, kind="events"), run(file, kind="events")
    total = len(entries)
    assert first.output == f"{total} events in: {total} stored, 0 duplicates, 0 refused, 0 not stored\n"
    assert second.output == f"{total} events in: 0 stored, {total} duplicates, 0 refused, 0 not stored\n"
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert waiting(queue) == total


def test_events_that_do_not_fit_are_named_by_their_place_and_the_others_go_in(queue: str, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    lines = [json.dumps(event(1)), '{"source": ', json.dumps(event(3, occurred_at="yesterday")), json.dumps(event(4))]
    file.write_text("\n".join(lines))
    result = run(file, kind="events")
    assert result.exit_code == 1
    assert result.stdout == "4 events in: 2 stored, 0 duplicates, 2 refused, 0 not stored\n"
    assert "pulseboard: events.ndjson, [1]" in result.stderr
    assert "pulseboard: events.ndjson, [2].occurred_at: 'yesterday'" in result.stderr
    assert waiting(queue) == 2


def test_a_key_used_twice_is_named_by_its_place_in_the_file(queue: str, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    entries = [event(n, idempotency_key=f"key-{n % 205}") for n in range(210)]
    file.write_text("\n".join(map(json.dumps, entries)))
    result = run(file, kind="events")
    assert result.stdout == "210 events in: 205 stored, 0 duplicates, 5 refused, 0 not stored\n"
    assert "pulseboard: events.ndjson, [205].idempotency_key: 'key-0' was used" in result.stderr


def test_an_import_ends_where_aws_takes_nothing_and_counts_what_is_left(
    queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(json.dumps(event(n)) for n in range(250)))
    monkeypatch.setenv("GATE_TABLE", "NoSuchTable")
    result = run(file, kind="events")
    assert result.exit_code == 1
    assert result.stdout == "250 events in: 0 stored, 0 duplicates, 0 refused, 250 not stored\n"
    assert "run `pulseboard doctor`" in result.stderr
    monkeypatch.delenv("GATE_TABLE")
    assert run(file, kind="events").stdout == "250 events in: 250 stored, 0 duplicates, 0 refused, 0 not stored\n"


def test_without_a_queue_nothing_is_begun(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENT_QUEUE_URL", raising=False)
    file = tmp_path / "events.ndjson"
    file.write_text(json.dumps(event(1)))
    result = run(file, kind="events")
    assert isinstance(result.exception, InvalidInput)
    assert str(result.exception).startswith("EVENT_QUEUE_URL: '' must be set")
