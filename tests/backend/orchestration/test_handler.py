"""The function pipeline-steps over moto: receipts as the processor leaves them, steps by name."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.orchestration.handler import Steps
from backend.orchestration.receipts import BATCH, Receipts
from backend.orchestration.render import DEFINITION
from backend.processor.items import receipt_item
from backend.processor.store import MetricsStore
from backend.settings import Settings
from tests.loggers import fresh_logger
from tests.template_resources import ALERT_TABLES, create_tables

SETTINGS = Settings()
COUNTS = {"samples": 3, "stored": 3, "merged": 0, "quarantined": 0}
NOW = 1_795_000_000.0


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(SETTINGS.region)
        create_tables(clients.dynamodb, ("MetricsTable", *ALERT_TABLES))
        yield clients


@pytest.fixture(scope="module")
def steps(clients: Clients) -> Steps:
    return Steps(SETTINGS, clients, fresh_logger(), lambda: NOW + 9)


def document(*keys: str) -> dict[str, Any]:
    return {"generated": {"at": NOW, "ended_at": NOW + 1, "samples": 3 * len(keys), "objects": list(keys)}}


def test_receipts_are_found_by_the_keys_of_their_objects(clients: Clients) -> None:
    keys = [f"metrics/{number}.json" for number in range(BATCH + 5)]
    # Kept by DynamoDB for two weeks, from now.
    items = [receipt_item(key, COUNTS, {"up"}, int(time.time())) for key in keys[1:]]
    MetricsStore(clients.dynamodb, SETTINGS.table).write(items)
    found = {receipt.key: receipt for receipt in Receipts(clients.dynamodb, SETTINGS.table).of(keys)}
    assert sorted(found) == sorted(keys[1:])
    assert (found[keys[1]].samples, found[keys[1]].metrics) == (3, ("up",))
    assert Receipts(clients.dynamodb, SETTINGS.table).of([]) == []


def test_processing_is_complete_once_the_receipt_is_there(clients: Clients, steps: Steps) -> None:
    asked = {"step": "processing", "within_seconds": 300, "document": document("metrics/late.json")}
    assert steps(asked)["processing"]["status"] == "waiting"
    item = receipt_item("metrics/late.json", COUNTS, {"up"}, int(time.time()))
    MetricsStore(clients.dynamodb, SETTINGS.table).write([item])
    answer = steps(asked)
    assert answer["processing"]["status"] == "complete"
    json.dumps(answer)
    judged = steps({"step": "quality", "document": answer})
    assert judged["failure"]["Cause"].startswith("required metrics are missing: cpu_utilization")


def test_the_steps_are_those_of_the_definition(steps: Steps) -> None:
    text = DEFINITION.read_text("utf-8")
    assert all(f'"step": "{name}"' in text for name in steps.steps)
    assert text.count('"step": "') == len(steps.steps)


def test_alarms_that_do_not_exist_are_a_failure(steps: Steps) -> None:
    answer = steps({"step": "alarms", "document": {}})
    assert answer["status"] == "failed"
    assert answer["sentence"].startswith("Alarms do not exist: pulseboard-s3_upload_failures")


def test_checks_that_never_ran_are_no_failure(steps: Steps) -> None:
    answer = steps({"step": "checks", "expected": "ENABLED", "document": {}})
    assert (answer["status"], answer["sentence"][:18]) == ("passed", "0 of 9 scheduled c")


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"step": "guess", "document": {}}, "step"),
        ({}, "step"),
        ({"step": "quality", "document": []}, "document"),
        ({"step": "processing", "within_seconds": True, "document": {}}, "within_seconds"),
        ({"step": "processing", "within_seconds": 0, "document": {}}, "within_seconds"),
    ],
)
def test_what_is_no_step_is_refused_by_name(steps: Steps, event: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        steps(event)
    assert refused.value.field == field
