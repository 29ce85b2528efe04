"""The collector function: the schedule's time, repeats that overwrite, failures that are told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from backend.collector import handler as module
from backend.collector.core import Outgoing
from backend.collector.handler import Collector, handler, schedule_time
from backend.collector.sources.base import Collected, Source
from backend.collector.sources.synthetic import SyntheticSource
from backend.contract.catalogue import load_catalogue
from backend.contract.errors import InvalidInput

CATALOGUE = load_catalogue()
TIME = "2026-11-16T12:05:00Z"
AT = 1_794_830_700
EVENT = {"id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "time": TIME, "source": "aws.events"}
CONTEXT = SimpleNamespace(
    function_name="data-collector", memory_limit_in_mb=128, invoked_function_arn="arn", aws_request_id="r"
)


class Broken:
    name = "broken"

    def collect(self, at: float, since: float | None) -> Collected:
        raise RuntimeError("out of order")


class CloudWatch:
    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.told: list[tuple[str, str, float]] = []

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803
        if self.down:
            raise ConnectionError("CloudWatch is down")
        self.told += [(Namespace, m["MetricName"], m["Value"]) for m in MetricData]


def collector(put: Any, *sources: Source, cloudwatch: CloudWatch | None = None) -> Collector:
    client: Any = cloudwatch or CloudWatch()
    scheduled = [(source, 300.0) for source in sources or (SyntheticSource(CATALOGUE),)]
    return Collector(scheduled, put, lambda: client, CATALOGUE, environment="production", region="us-east-1")


def test_running_twice_for_one_schedule_event_overwrites() -> None:
    written: list[Outgoing] = []
    for _ in range(2):
        collector(written.append).run(AT)
    assert written[0] == written[1]
    assert written[0].key.startswith(f"metrics/year=2026/month=11/day=16/metrics-{AT}-")
    assert written[0].metadata == {"spacing-seconds": "300"}
    assert {json.loads(line)["timestamp"] for line in written[0].body.splitlines()} == {AT}


def test_another_schedule_time_writes_another_object() -> None:
    written: list[Outgoing] = []
    for at in (AT, AT + 300):
        collector(written.append).run(at)
    assert written[0].key != written[1].key


def test_a_source_that_fails_costs_only_itself() -> None:
    written: list[Outgoing] = []
    answer = collector(written.append, Broken(), SyntheticSource(CATALOGUE)).run(AT)
    assert answer["objects"] == [written[0].key]
    assert answer["samples"] > 100


def test_all_sources_failing_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="out of order"):
        collector(lambda outgoing: None, Broken()).run(AT)


def test_a_failed_put_is_told_to_cloudwatch_and_raised_for_a_retry() -> None:
    def put(outgoing: Outgoing) -> None:
        raise ConnectionError("S3 is down")

    cloudwatch = CloudWatch()
    with pytest.raises(ConnectionError, match="S3 is down"):
        collector(put, cloudwatch=cloudwatch).run(AT)
    assert cloudwatch.told == [("Pulseboard", "S3UploadFailures", 1)]


def test_a_failure_that_could_not_be_told_is_a_sample_of_the_next_object() -> None:
    written: list[Outgoing] = []
    down = [True]

    def put(outgoing: Outgoing) -> None:
        if down[0]:
            raise ConnectionError("S3 is down")
        written.append(outgoing)

    one = collector(put, cloudwatch=CloudWatch(down=True))
    for _ in range(2):
        with pytest.raises(ConnectionError):
            one.run(AT)
    down[0] = False
    one.run(AT + 300)
    one.run(AT + 600)
    records = [json.loads(line) for outgoing in written for line in outgoing.body.splitlines()]
    assert [(r["timestamp"], r["value"]) for r in records if r["metric_type"] == "s3_upload_failures"] == [
        (AT + 300, 2)
    ]


def test_the_time_is_the_schedules() -> None:
    assert schedule_time(EVENT, 5) == AT
    assert schedule_time({}, 5) == 5
    for wrong in ("yesterday", "2026-11-16T12:05:00", 12):
        with pytest.raises(InvalidInput, match=r"^time: "):
            schedule_time({"time": wrong}, 5)


def test_the_function_writes_to_its_bucket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "pulseboard.toml"
    config.write_text('environment = "staging"\n[[collect]]\nsource = "synthetic"\ninterval_seconds = 60\n')
    for name, value in {
        "S3_BUCKET": "metrics-bucket", "REGION": "eu-west-1", "PULSEBOARD_CONFIG": str(config),
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    module._collector.cache_clear()
    with mock_aws():
        s3 = boto3.client("s3", "eu-west-1")
        s3.create_bucket(Bucket="metrics-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        answers = [handler(EVENT, CONTEXT) for _ in range(2)]  # type: ignore[arg-type]
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="metrics-bucket")["Contents"]]
        head = s3.head_object(Bucket="metrics-bucket", Key=keys[0])
        body = s3.get_object(Bucket="metrics-bucket", Key=keys[0])["Body"].read()
    module._collector.cache_clear()
    assert answers[0]["objects"] == answers[1]["objects"] == keys
    assert head["Metadata"] == {"spacing-seconds": "60"}
    assert {json.loads(line)["environment"] for line in body.splitlines()} == {"staging"}
