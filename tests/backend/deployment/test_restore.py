"""A table is restored beside the present one and takes its place, on the embedded engine.

The engine has no history of a table: its restore to a moment copies what is there. On AWS it is what was there then.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.deployment.restore import Restorer, parse_time
from backend.local.engine import Engine
from backend.local.template import load_template
from tests.accounts import clients_of
from tests.template_resources import create_tables

TEMPLATE = load_template()
TABLE = "EventGate"


@pytest.fixture
def clients(engine: Engine) -> Iterator[Clients]:
    with clients_of(engine, "210000000003") as made:
        create_tables(made.dynamodb, ("GateTable",))
        made.dynamodb.put_item(TableName=TABLE, Item={"event_id": {"S": "good"}})
        yield made
        for table in made.dynamodb.list_tables()["TableNames"]:
            made.dynamodb.delete_table(TableName=table)


@pytest.mark.e2e
def test_a_restored_table_takes_the_place_of_the_damaged_one(clients: Clients) -> None:
    said: list[str] = []
    restorer = Restorer(clients.dynamodb, TEMPLATE, said.append, poll=0.01)
    assert restorer.restore(TABLE, datetime(2026, 11, 22, tzinfo=UTC)) == "EventGate-restored"
    with pytest.raises(InvalidInput, match="EventGate-restored' is there already"):
        restorer.restore(TABLE, None)
    clients.dynamodb.put_item(TableName=TABLE, Item={"event_id": {"S": "damage"}})

    restorer.switch(TABLE)
    assert clients.dynamodb.scan(TableName=TABLE)["Items"] == [{"event_id": {"S": "good"}}]
    expiry = clients.dynamodb.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires_at")
    backups = clients.dynamodb.describe_continuous_backups(TableName=TABLE)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert clients.dynamodb.list_tables()["TableNames"] == [TABLE]
    with pytest.raises(InvalidInput, match="restore it first"):
        restorer.switch(TABLE)


@pytest.mark.e2e
def test_a_switch_that_was_cut_off_goes_on(clients: Clients) -> None:
    restorer = Restorer(clients.dynamodb, TEMPLATE, lambda _: None, poll=0.01)
    restorer.restore(TABLE, None)
    clients.dynamodb.delete_table(TableName=TABLE)
    restorer.switch(TABLE)
    assert clients.dynamodb.scan(TableName=TABLE)["Items"] == [{"event_id": {"S": "good"}}]


def test_only_tables_of_the_stack_are_restored_to_times_with_a_zone() -> None:
    with pytest.raises(InvalidInput, match=r"is none of .*InfraMetrics"):
        Restorer(None, TEMPLATE, lambda _: None).restore("Orders", None)  # type: ignore[arg-type]
    assert parse_time("2026-11-22T10:00:00Z") == datetime(2026, 11, 22, 10, tzinfo=UTC)
    for text in ("2026-11-22T10:00:00", "yesterday"):
        with pytest.raises(InvalidInput, match="must be a time with its zone"):
            parse_time(text)


def test_every_table_that_can_not_be_made_again_is_backed_up_and_kept() -> None:
    for name, entry in TEMPLATE["Resources"].items():
        if entry["Type"] == "AWS::DynamoDB::Table":
            recovery = entry["Properties"]["PointInTimeRecoverySpecification"]
            assert recovery == {"PointInTimeRecoveryEnabled": True}, name
            assert (entry["DeletionPolicy"], entry["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain"), name
