"""Deploying, changing and failing on the embedded engine, through its change sets, in an account of its own.

The engine's change sets differ from AWS': they list what a condition leaves out, and know for few properties whether a
change replaces the resource. What AWS says instead is in test_changes.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.deployment.commands import Console, Wanted, deploy, teardown
from backend.deployment.plan import Plan
from backend.deployment.stack import DeploymentError
from backend.local.engine import Engine
from backend.local.package import write_zip
from backend.local.template import template_path
from tests.accounts import clients_of

pytestmark = pytest.mark.e2e

SMALL = """
Parameters:
  CodeBucket: {Type: String}
  CodeKey: {Type: String, Default: none}
  BucketName: {Type: String, Default: small-data}
  EventsRetentionDays: {Type: Number, Default: 90}
  Named: {Type: String, Default: first}
  Seconds: {Type: Number, Default: 30}
Resources:
  Kept:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: RetainExceptOnCreate
    Properties:
      TableName: small-kept
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  DataBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    Properties:
      BucketName: !Ref BucketName
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "small-${Named}", VisibilityTimeout: !Ref Seconds}
Outputs:
  QueueUrl: {Value: !Ref Queue}
"""


@dataclass
class World:
    """A stack of two resources, what was said about it, and the answer to each question."""

    clients: Clients
    wanted: Wanted
    said: list[str] = field(default_factory=list)
    agrees: bool = True

    def deploy(self, *, allow: bool = False, adopt: bool = False, **parameters: str) -> Any:
        self.said.clear()
        plan = Plan("small", "small-code", parameters)
        wanted = replace(self.wanted, plan=plan, allow_replacement=allow, adopt=adopt)
        return deploy(self.clients, wanted, self.console)

    @property
    def console(self) -> Console:
        return Console(self.said.append, lambda _: self.agrees)

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    def parameters(self) -> dict[str, str]:
        (stack,) = self.clients.cloudformation.describe_stacks(StackName="small")["Stacks"]
        return {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}


def has(clients: Clients, bucket: str) -> bool:
    return bucket in [entry["Name"] for entry in clients.s3.list_buckets()["Buckets"]]


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> Iterator[World]:
    template, package = tmp_path / "small.yaml", tmp_path / "functions.zip"
    template.write_text(SMALL)
    package.write_bytes(write_zip({"a.py": b"1"}))
    with clients_of(engine, "210000000001") as clients:
        clients.s3.create_bucket(Bucket="small-code")
        made = World(clients, Wanted(Plan(), "us-east-1", template, package, retention_days=90, poll=0.02))
        yield made
        clients.cloudformation.delete_stack(StackName="small")
        for table in clients.dynamodb.list_tables()["TableNames"]:
            clients.dynamodb.delete_table(TableName=table)
        for bucket in ("small-code", "small-data"):
            for entry in clients.s3.list_objects_v2(Bucket=bucket).get("Contents", ()) if has(clients, bucket) else ():
                clients.s3.delete_object(Bucket=bucket, Key=entry["Key"])
            if has(clients, bucket):
                clients.s3.delete_bucket(Bucket=bucket)


def test_a_stack_is_made_changed_refused_and_taken_away(world: World) -> None:
    outputs = world.deploy(Seconds="60")
    assert outputs["QueueUrl"].endswith("/small-first")
    assert "3 added, 0 changed, 0 removed" in world.said[3]
    assert "CREATE_COMPLETE" in world.text
    assert world.parameters()["CodeKey"].startswith("pulseboard/functions-")

    world.deploy()
    assert world.said[-1] == "Nothing to change: the stack is as it should be."

    world.deploy(EventsRetentionDays="120")
    assert "  parameter EventsRetentionDays: 90 -> 120" in world.said
    assert (world.parameters()["Seconds"], world.parameters()["Named"]) == ("60", "first")

    with pytest.raises(DeploymentError, match=r"queue Queue .* replaced by an empty one because of QueueName"):
        world.deploy(Named="second")
    assert world.parameters()["Named"] == "first"
    assert world.deploy(Named="second", allow=True)["QueueUrl"].endswith("/small-second")


def test_what_a_teardown_leaves_is_taken_in_by_a_new_stack_as_it_is(world: World) -> None:
    world.deploy()
    world.clients.dynamodb.put_item(TableName="small-kept", Item={"id": {"S": "kept"}})
    world.clients.s3.put_object(Bucket="small-data", Key="kept", Body=b"1")
    removals = teardown(world.clients, "small", world.console, poll=0.02)
    assert removals == ["aws s3 rb --force s3://small-data", "aws dynamodb delete-table --table-name small-kept"]
    with pytest.raises(DeploymentError, match=r"DataBucket .* already exists"):
        world.deploy()
    teardown(world.clients, "small", world.console, poll=0.02)

    world.deploy(adopt=True, BucketName="small-data")
    assert any("1 added, 0 changed, 0 removed, 2 adopted" in line for line in world.said)
    assert world.clients.dynamodb.scan(TableName="small-kept")["Items"] == [{"id": {"S": "kept"}}]
    assert world.clients.s3.get_object(Bucket="small-data", Key="kept")["Body"].read() == b"1"
    world.deploy()
    assert world.said[-1] == "Nothing to change: the stack is as it should be."


def test_the_products_template_names_its_bucket_where_adoption_looks() -> None:
    text = template_path().read_text("utf-8")
    assert text.count("\n      BucketName: !Ref BucketName\n") == 1


def test_a_failure_names_the_resource_and_the_rollback(world: World) -> None:
    with pytest.raises(DeploymentError, match=r"Queue .*failed first.*rolled back.*make teardown"):
        world.deploy(Seconds="50000")
    with pytest.raises(DeploymentError, match=r"ROLLBACK_COMPLETE: what is left of a failed attempt"):
        world.deploy()


def test_what_cloudformation_refuses_before_it_begins_is_named_too(world: World) -> None:
    taken = "Resources:\n  Data: {Type: AWS::S3::Bucket, Properties: {BucketName: small-code}}\n"
    world.wanted.template.write_text(SMALL.replace("Resources:\n", taken))
    with pytest.raises(DeploymentError, match=r"Data \(AWS::S3::Bucket\) failed first: .*already exists"):
        world.deploy()


def test_who_does_not_agree_changes_nothing(world: World) -> None:
    world.agrees = False
    with pytest.raises(DeploymentError, match="not carried out; nothing was changed"):
        world.deploy()
    with pytest.raises(InvalidInput, match="does not exist in this region"):
        teardown(world.clients, "small", world.console)


def test_a_package_that_is_not_there_is_named(world: World, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="run `make package`"):
        deploy(world.clients, replace(world.wanted, plan=Plan("small", "small-code"), package=tmp_path), world.console)
    with pytest.raises(InvalidInput, match="is not in small-code"):
        world.deploy(CodeKey="pulseboard/functions-none.zip")
    with pytest.raises(InvalidInput, match="is not in the template"):
        world.deploy(Secnds="30")
    assert "Contents" not in world.clients.s3.list_objects_v2(Bucket="small-code")
    with pytest.raises(InvalidInput, match="code_bucket"):
        deploy(world.clients, replace(world.wanted, plan=Plan("small", "no-such-bucket")), world.console)
