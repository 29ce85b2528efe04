"""`pulseboard collect` against a bucket of moto."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from backend.contract.errors import InvalidInput
from pulseboard.cli import cli

AT = 1_795_259_410


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


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["collect", *arguments])


def records(s3: Any) -> list[dict[str, Any]]:
    (entry,) = s3.list_objects_v2(Bucket="metrics-bucket")["Contents"]
    body = s3.get_object(Bucket="metrics-bucket", Key=entry["Key"])["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def test_one_run_writes_one_object_and_says_where(s3: Any) -> None:
    result = run("--source", "synthetic", "--at", str(AT), "--environment", "staging")
    assert result.exit_code == 0
    (entry,) = s3.list_objects_v2(Bucket="metrics-bucket")["Contents"]
    assert entry["Key"].startswith(f"metrics/year=2026/month=11/day=21/metrics-{AT}-")
    assert f"s3://metrics-bucket/{entry['Key']}" in result.output
    written = records(s3)
    assert f"{len(written)} samples, 0 skipped" in result.output
    assert {(r["timestamp"], r["environment"]) for r in written} == {(AT, "staging")}


def test_repeating_a_run_overwrites(s3: Any) -> None:
    for _ in range(2):
        assert run("--source", "synthetic", "--at", str(AT)).exit_code == 0
    assert len(s3.list_objects_v2(Bucket="metrics-bucket")["Contents"]) == 1


def test_an_endpoint_that_is_down_is_written_as_up_0_and_told(s3: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        name = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("--source", "prometheus", "--mapping", "flink", "--url", f"http://{name}/metrics", "--at", str(AT))
    assert result.exit_code == 0
    assert f"pulseboard: {name} could not be read (Connection refused)" in result.stderr
    assert [(r["metric_type"], r["value"], r["labels"]) for r in records(s3)] == [("up", 0, {"target": name})]


def test_this_machine_may_be_given_another_name(s3: Any) -> None:
    assert run("--source", "host", "--host-label", "edge-1").exit_code == 0
    assert {r["hostname"] for r in records(s3)} == {"edge-1"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--source", "prometheus", "--mapping", "flink"], r"^url: "),
        (["--source", "prometheus", "--url", "http://a/metrics"], r"^mapping: None is needed; use flink"),
        (["--source", "prometheus", "--url", "http://a/", "--mapping", "x"], r"^mapping: 'x' is neither a file nor"),
        (["--source", "synthetic", "--at", "noon"], r"^at: 'noon' must be epoch seconds"),
    ],
)
def test_bad_options_are_refused_by_name(s3: Any, arguments: list[str], named: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, InvalidInput)
    with pytest.raises(InvalidInput, match=named):
        raise result.exception


def test_a_bucket_that_does_not_exist_is_one_clear_line(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_BUCKET", "no-such-bucket")
    result = run("--source", "synthetic")
    assert isinstance(result.exception, InvalidInput)
    assert str(result.exception).startswith("bucket: 'no-such-bucket' does not take objects")
