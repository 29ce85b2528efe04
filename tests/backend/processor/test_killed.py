"""The processor dies in the middle of an object: after the next delivery nothing shows that it did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backend.local.engine import Engine

pytestmark = pytest.mark.e2e

CHILD = """
import os, signal, sys, json
from backend.processor import handler

class Context:
    aws_request_id = "request-1"
    def get_remaining_time_in_millis(self):
        return 110_000

def die(**_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "killed":
    # After the first batch was written, before anything else happens.
    store = handler._wired()._store
    store._client.meta.events.register("after-call.dynamodb.BatchWriteItem", die)
print(json.dumps(handler.handler(json.load(sys.stdin), Context())))
"""
ROOT = Path(__file__).parents[3]
EVENT = ROOT / "tests" / "data" / "aws-events" / "s3SqsEvent.json"
BUCKET = "infra-monitoring-pipeline-data"
KEY = "metrics/a.json"


def event() -> str:
    """The event that announces the object."""
    message: dict[str, Any] = json.loads(EVENT.read_text())
    body = json.loads(message["Records"][0]["body"])
    body["Records"][0]["s3"] |= {"bucket": {"name": BUCKET}, "object": {"key": KEY}}
    message["Records"][0]["body"] = json.dumps(body)
    return json.dumps(message)


def run(engine: Engine, table: str, how: str) -> subprocess.CompletedProcess[str]:
    """The function in a process of its own, as Lambda runs it."""
    variables = {"PATH": os.environ["PATH"], "DYNAMODB_TABLE": table, "S3_BUCKET": BUCKET, **engine.environment()}
    command = [sys.executable, "-c", CHILD, how]
    return subprocess.run(
        command, input=event(), env=variables, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def items(engine: Engine, table: str) -> list[str]:
    """The table's items without their times of expiry, which count from the write."""
    pages = engine.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    found = [item for page in pages for item in page["Items"]]
    return sorted(json.dumps({k: v for k, v in item.items() if k != "expires_at"}, sort_keys=True) for item in found)


def test_killed_after_the_first_batch_it_leaves_no_trace_after_redelivery(
    table_in: Any, samples: Any, body: Any
) -> None:
    with Engine() as engine:
        s3, dynamodb = engine.client("s3"), engine.client("dynamodb")
        s3.create_bucket(Bucket=BUCKET)
        now = int(time.time())
        records = [samples(timestamp=now - 5, hostname=f"server-{n:03}") for n in range(80)]
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=body(records))
        for table in ("Disturbed", "Undisturbed"):
            table_in(dynamodb, table)

        assert run(engine, "Disturbed", "killed").returncode == -signal.SIGKILL
        assert len(items(engine, "Disturbed")) == 25
        again = run(engine, "Disturbed", "whole")
        assert json.loads(again.stdout.splitlines()[-1]) == {"batchItemFailures": []}, again.stderr
        run(engine, "Undisturbed", "whole")

        assert items(engine, "Disturbed") == items(engine, "Undisturbed")
        assert sum('"value"' in item for item in items(engine, "Disturbed")) == 80
