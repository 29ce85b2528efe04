"""Each function's role is enough for its work, on an engine that evaluates roles as AWS does."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from backend.contract.records import make_sample
from backend.local.deploy import deploy
from backend.local.engine import Engine
from tests.local_stack import LocalStack

pytestmark = pytest.mark.e2e

DENIED = re.compile(r"not authorized to perform: ([a-z0-9]+:\w+)")
UNKNOWN_TO_THE_ENGINE = {"cloudwatch:PutMetricData"}
"""The engine does not fill in the condition key ``cloudwatch:namespace``, so it denies what AWS allows."""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    log: Path = tmp_path_factory.mktemp("strict") / "engine.log"
    with Engine(log=log, enforce_permissions=True, level="INFO") as engine:
        outputs = deploy(engine.client, parameters={"CollectorEnabled": "DISABLED", "LogLevel": "INFO"})
        # It refuses whatever is not TLS, and the engine speaks HTTP on loopback.
        engine.client("s3").delete_bucket_policy(Bucket=outputs["S3_BUCKET"])
        yield LocalStack(engine, {**engine.environment(), **outputs})


def test_the_roles_allow_the_whole_metrics_path(strict: LocalStack) -> None:
    now = int(time.time())
    sample = make_sample(timestamp=now, metric_type="cpu_utilization", value=50.0, hostname="server-a", unit="%")
    body = orjson.dumps(sample.as_json()) + b"\nnot json"
    s3, bucket = strict.client("s3"), strict.settings.bucket
    s3.put_object(Bucket=bucket, Key="metrics/one.json", Body=body)
    dynamodb, deadline = strict.client("dynamodb"), time.monotonic() + 30
    while not dynamodb.describe_table(TableName=strict.settings.table)["Table"]["ItemCount"]:
        assert time.monotonic() < deadline, strict.engine.log.read_text()[-3000:]
        time.sleep(0.05)
    merged = strict.client("lambda").invoke(FunctionName="metrics-merge", Payload=b"{}")
    assert "FunctionError" not in merged, merged["Payload"].read()
    time_of_event = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    event = orjson.dumps({"time": time_of_event, "detail-type": "Scheduled Event"})
    collected = strict.client("lambda").invoke(FunctionName="data-collector", Payload=event)
    assert "FunctionError" not in collected, collected["Payload"].read()
    assert s3.list_objects_v2(Bucket=bucket, Prefix="quarantine/")["KeyCount"] == 1
    assert set(DENIED.findall(strict.engine.log.read_text())) <= UNKNOWN_TO_THE_ENGINE


def test_a_role_that_lacks_a_permission_is_noticed(strict: LocalStack) -> None:
    iam = strict.client("iam")
    (role,) = [role["RoleName"] for role in iam.list_roles()["Roles"] if "MergeRole" in role["RoleName"]]
    iam.delete_role_policy(RoleName=role, PolicyName="metrics-merge")
    answer = strict.client("lambda").invoke(FunctionName="metrics-merge", Payload=b"{}")
    assert "FunctionError" in answer
