"""A change set as people read it: what loses data stands first and by name."""

from __future__ import annotations

from typing import Any

import pytest

from backend.deployment.changes import Change, losses, parse_change, summary, table

TABLE = "AWS::DynamoDB::Table"
QUEUE = "AWS::SQS::Queue"
BUCKET = "AWS::S3::Bucket"


def entry(action: str, kind: str, replacement: str = "", names: tuple[str, ...] = (), policy: str = "") -> Any:
    details = [{"Target": {"Attribute": "Properties", "Name": name}} for name in names]
    change = {"Action": action, "LogicalResourceId": "Thing", "ResourceType": kind, "Details": details}
    return {"ResourceChange": change | ({"Replacement": replacement} if replacement else {}) | {"PolicyAction": policy}}


@pytest.mark.parametrize(
    ("given", "loses"),
    [
        (entry("Add", TABLE), False),
        (entry("Modify", TABLE, "False", ("TimeToLiveSpecification",)), False),
        (entry("Modify", TABLE, "True", ("TableName",)), True),
        (entry("Modify", TABLE, "Conditional", ("AttributeDefinitions", "GlobalSecondaryIndexes")), False),
        (entry("Modify", TABLE, "Conditional", ("KeySchema",)), True),
        (entry("Modify", TABLE, "Conditional"), True),
        (entry("Remove", TABLE), True),
        (entry("Remove", QUEUE), True),
        (entry("Modify", BUCKET, "Conditional", ("BucketName",)), True),
        (entry("Modify", BUCKET, "Conditional", ("LifecycleConfiguration",)), False),
        (entry("Modify", "AWS::Lambda::Permission", "True", ("SourceArn",)), False),
        (entry("Remove", "AWS::CloudWatch::Alarm"), False),
    ],
)
def test_it_knows_what_loses_data(given: Any, loses: bool) -> None:
    assert parse_change(given).loses is loses


def test_a_loss_is_a_sentence_with_its_cause_and_its_consequence() -> None:
    changes = [
        parse_change(entry("Remove", QUEUE, policy="Delete")),
        parse_change(entry("Remove", TABLE, policy="Retain")),
        parse_change(entry("Modify", BUCKET, "True", ("BucketName",), "ReplaceAndRetain")),
    ]
    assert losses(changes) == [
        "queue Thing leaves the stack; what it holds is deleted",
        "table Thing leaves the stack; what it holds stays on the account",
        "bucket Thing is replaced by an empty one because of BucketName; the old one stays on the account, unused",
    ]


def test_the_table_is_aligned_and_begins_with_what_loses_data() -> None:
    changes = [
        Change("Add", "NewAlarm", "AWS::CloudWatch::Alarm"),
        Change("Modify", "Service", "AWS::ECS::Service", "False", stack="DashboardStack", causes=("TaskDefinition",)),
        Change("Remove", "OldQueue", QUEUE),
    ]
    assert table(changes, colour=False).splitlines() == [
        "action  resource                type                    replacement",
        "REMOVE  OldQueue                AWS::SQS::Queue",
        "add     NewAlarm                AWS::CloudWatch::Alarm",
        "modify  DashboardStack/Service  AWS::ECS::Service       no (TaskDefinition)",
    ]
    red = [line for line in table(changes, colour=True).splitlines() if "\033" in line]
    assert [line.split()[1] for line in red] == ["OldQueue"]
    assert summary(changes) == "1 added, 1 changed, 1 removed"
