"""Objects travel S3 -> SQS -> Lambda -> DynamoDB on the embedded engine, through the template that goes to AWS."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from backend.contract.records import make_sample
from backend.contract.tables import LIVE, METRIC_TYPE_INDEX, METRICS_PREFIX, QUARANTINE_PREFIX, partition
from tests.local_stack import LocalStack

pytestmark = pytest.mark.e2e


def eventually(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true answer of ``look``; its last answer when the time is up."""
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def line(environment: str, at: int, host: str, value: float) -> bytes:
    sample = make_sample(
        timestamp=at, metric_type="cpu_utilization", value=value, hostname=host, unit="%", environment=environment
    )
    return orjson.dumps({name: entry for name, entry in sample._asdict().items() if entry is not None})


def put(stack: LocalStack, body: bytes) -> str:
    key = f"{METRICS_PREFIX}year=2026/month=01/day=01/metrics 1+{uuid.uuid4().hex}.json"
    stack.client("s3").put_object(Bucket=stack.settings.bucket, Key=key, Body=body)
    return key


def items(stack: LocalStack, index_key: str) -> list[dict[str, Any]]:
    answer = stack.client("dynamodb").query(
        TableName=stack.settings.table,
        IndexName=METRIC_TYPE_INDEX,
        KeyConditionExpression="metric_type = :key",
        ExpressionAttributeValues={":key": {"S": index_key}},
    )
    found: list[dict[str, Any]] = answer["Items"]
    return found


def quarantined(stack: LocalStack, key: str) -> list[dict[str, Any]]:
    s3, bucket = stack.client("s3"), stack.settings.bucket
    records: list[dict[str, Any]] = []
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix=QUARANTINE_PREFIX).get("Contents", []):
        body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        records += [record for record in map(orjson.loads, body.splitlines()) if record["object"] == key]
    return records


def test_an_object_becomes_items_of_the_index(stack: LocalStack) -> None:
    environment, now = f"e2e-{uuid.uuid4().hex[:8]}", int(time.time())
    put(stack, line(environment, now, "server-a", 41.5) + b"\n" + line(environment, now, "server-b", 43.5))
    live = eventually(lambda: items(stack, partition("cpu_utilization", LIVE, environment)))
    series = orjson.loads(live[0]["data"]["S"])
    assert sorted((entry[0], entry[3]) for entry in series) == [("server-a", [41.5]), ("server-b", [43.5])]
    raw = [item for item in items(stack, "cpu_utilization") if item["environment"]["S"] == environment]
    assert sorted(float(item["value"]["N"]) for item in raw) == [41.5, 43.5]
    assert all(int(item["expires_at"]["N"]) > now for item in raw)


def test_bad_lines_are_quarantined_and_good_ones_kept(stack: LocalStack) -> None:
    environment, now = f"e2e-{uuid.uuid4().hex[:8]}", int(time.time())
    key = put(stack, b"not json\n" + line(environment, now, "server-a", 12.25))
    live = eventually(lambda: items(stack, partition("cpu_utilization", LIVE, environment)))
    assert orjson.loads(live[0]["data"]["S"])[0][3] == [12.25]
    (record,) = eventually(lambda: quarantined(stack, key))
    assert record["line"] == 1
    assert record["text"] == "not json"


def test_the_same_object_again_changes_nothing(stack: LocalStack) -> None:
    environment, now = f"e2e-{uuid.uuid4().hex[:8]}", int(time.time())
    body = line(environment, now, "server-a", 7.5)
    key = put(stack, body)
    index_key = partition("cpu_utilization", LIVE, environment)
    first = eventually(lambda: items(stack, index_key))
    stack.client("s3").put_object(Bucket=stack.settings.bucket, Key=key, Body=body)
    put(stack, line(environment, now + 120, "server-a", 8.5))
    assert eventually(lambda: len(items(stack, index_key)) == 2)
    assert [item["metric_id"] for item in items(stack, index_key) if item["timestamp"] == first[0]["timestamp"]] == [
        first[0]["metric_id"]
    ]


def test_the_merge_function_answers(stack: LocalStack) -> None:
    answer = stack.client("lambda").invoke(FunctionName="metrics-merge", Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
