"""Results of checks: how long they are kept."""

from __future__ import annotations

import boto3
from moto import mock_aws

from backend.checks.store import CheckStore
from backend.contract.check_items import check_partition
from backend.contract.checks import CheckResult
from backend.settings import Settings
from tests.template_resources import ALERT_TABLES, create_tables

NOW = 1_795_262_400


@mock_aws
def test_what_an_earlier_result_knew_is_found_behind_those_that_could_not_look() -> None:
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    create_tables(dynamodb, ALERT_TABLES)
    store = CheckStore(dynamodb, Settings())
    store.put(CheckResult("jobs", NOW, "passed", "All is well", details={"memory": 1}))
    for minute in (1, 2):
        store.put(CheckResult("jobs", NOW + 60 * minute, "unknown", "Could not look"))
    found = store.latest("jobs", NOW + 180, "memory")
    assert found is not None
    assert found.at == NOW
    assert store.latest("jobs", NOW, "memory") is None


@mock_aws
def test_what_comes_each_minute_is_kept_for_days_and_what_comes_each_hour_for_the_whole_retention() -> None:
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    create_tables(dynamodb, ALERT_TABLES)
    kept = {}
    for check in ("canary", "reconciliation"):
        CheckStore(dynamodb, Settings()).put(CheckResult(check, NOW, "passed", "All is well"))
        items = dynamodb.query(
            TableName="Alerts",
            KeyConditionExpression="fingerprint = :check",
            ExpressionAttributeValues={":check": {"S": check_partition(check)}},
        )["Items"]
        kept[check] = (int(items[0]["expires_at"]["N"]) - NOW) // 86400
    assert kept == {"canary": 14, "reconciliation": 400}
