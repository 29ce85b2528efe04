"""An earlier release with data in it is upgraded in place, rolled back, upgraded again and taken away.

``tests/data/releases`` has the earlier release's template and code. The engine takes no account of IAM, and its change
sets know less than AWS' (tests/backend/deployment/test_deploy.py); what is kept, and what the functions of one release
make of the other's data, is the same code as on AWS.
"""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from backend.aws import Clients
from backend.contract.records import make_sample
from backend.contract.tables import METRICS_PREFIX
from backend.deployment.commands import Console, Wanted, deploy, teardown
from backend.deployment.plan import Plan
from backend.local.api_server import event_of
from backend.local.engine import Engine
from backend.local.package import code_entries, write_zip
from backend.local.template import template_path
from tests.accounts import clients_of

pytestmark = pytest.mark.e2e

RELEASE = Path(__file__).parents[1] / "data" / "releases" / "events.tar.xz"
BUCKET = "upgrade-data"
QUIET = {
    "BucketName": BUCKET,
    "MergeSchedule": "rate(1 day)",
    "CollectorEnabled": "DISABLED",
    "ProcessorConcurrency": "2",
    "EventProcessorConcurrency": "2",
    "ReplayConcurrency": "2",
    "LogLevel": "WARNING",
}
NEWER = {"ChecksEnabled": "DISABLED", "CompositeAlarm": "false"}
OLD_TABLES = ("InfraMetrics", "EventGate", "PipelineEvents", "Aggregates", "Replays", "AccessTokens")


class Account:
    """An account with one stack. ``items`` and ``objects`` are all that is stored, to be compared."""

    def __init__(self, clients: Clients, directory: Path) -> None:
        self.clients = clients
        self.said: list[str] = []
        with tarfile.open(RELEASE) as archive:
            archive.extractall(directory, filter="data")
        code = {str(path.relative_to(directory)): path.read_bytes() for path in directory.glob("backend/**/*.*")}
        self.old_template, self.old_package = directory / "infra/template.yaml", directory / "old.zip"
        self.new_package = directory / "new.zip"
        self.old_package.write_bytes(write_zip(code))
        self.new_package.write_bytes(write_zip(code_entries()))

    @property
    def console(self) -> Console:
        return Console(self.said.append, lambda _: True)

    def deploy(self, template: Path, package: Path, **parameters: str) -> Mapping[str, str]:
        self.said.clear()
        plan = Plan("pulseboard", "upgrade-code", parameters)
        wanted = Wanted(plan, "us-east-1", template, package, retention_days=90, poll=0.3)
        outputs = deploy(self.clients, wanted, self.console)
        # The engine keeps the number as text, which stops the sources (backend/local/deploy.py).
        for source in self.clients.lambda_.list_event_source_mappings()["EventSourceMappings"]:
            self.clients.lambda_.update_event_source_mapping(
                UUID=source["UUID"], ScalingConfig={"MaximumConcurrency": 2}
            )
        return outputs

    def call(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        """A request to the API's function."""
        sent = b"" if body is None else json.dumps(body).encode()
        event = event_of(method, target, [("content-type", "application/json")], sent, time.time())
        answer = self.clients.lambda_.invoke(FunctionName="ingest-api", Payload=json.dumps(event).encode())
        response = json.loads(answer["Payload"].read())
        return response["statusCode"], json.loads(response["body"])

    def ingest(self, number: int) -> tuple[int, Any]:
        return self.call("POST", "/ingest", {
            "source": "shop", "event_type": "order_placed", "entity_id": f"ORD-{number}",
            "occurred_at": "2026-11-21T12:00:00Z", "payload": {"order_id": f"ORD-{number}", "amount": 12.5},
        })  # fmt: skip

    def status(self, number: int) -> str:
        code, answer = self.call("GET", f"/events?entity_id=ORD-{number}")
        assert code == 200, answer
        return answer["events"][0]["status"] if answer["events"] else "none"

    def processed(self, *numbers: int) -> bool:
        return eventually(lambda: all(self.status(number) == "processed" for number in numbers))

    def put_sample(self, host: str) -> None:
        sample = make_sample(
            timestamp=int(time.time()), metric_type="cpu_utilization", value=50, hostname=host, unit="%"
        )
        line = json.dumps({name: value for name, value in sample._asdict().items() if value is not None})
        key = f"{METRICS_PREFIX}year=2026/month=11/day=21/metrics-{host}.json"
        self.clients.s3.put_object(Bucket=BUCKET, Key=key, Body=line.encode())

    def stored(self, host: str) -> bool:
        """Whether the host's raw sample has come into the table."""
        return eventually(lambda: any(item.get("hostname") == {"S": host} for item in self.items("InfraMetrics")))

    def items(self, table: str) -> list[dict[str, Any]]:
        pages = self.clients.dynamodb.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def everything(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {table: self.items(table) for table in OLD_TABLES}
        objects = self.clients.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
        return found | {"objects": [(entry["Key"], entry["ETag"]) for entry in objects]}

    def waiting(self, queue: str) -> int:
        url = self.clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        answer = self.clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def listen(self, *, events: bool) -> None:
        """Lets the event processor take messages, or lets them wait."""
        for source in self.clients.lambda_.list_event_source_mappings()["EventSourceMappings"]:
            if source["FunctionArn"].endswith(":event-processor"):
                self.clients.lambda_.update_event_source_mapping(UUID=source["UUID"], Enabled=events)


def eventually(look: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def lost(before: Mapping[str, list[Any]], after: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """What was there before and is not, unchanged, there afterwards."""
    missing = {name: [entry for entry in entries if entry not in after[name]] for name, entries in before.items()}
    return {name: entries for name, entries in missing.items() if entries}


@pytest.fixture
def account(engine: Engine, tmp_path: Path) -> Iterator[Account]:
    with clients_of(engine, "210000000002") as clients:
        clients.s3.create_bucket(Bucket="upgrade-code")
        yield Account(clients, tmp_path)
        clients.cloudformation.delete_stack(StackName="pulseboard")


def test_nothing_is_lost_on_the_way_to_a_new_release_and_back(account: Account) -> None:
    # The earlier release, with something in everything it has.
    account.deploy(account.old_template, account.old_package, **QUIET)
    account.put_sample("server-old")
    assert account.ingest(1)[0] == account.ingest(2)[0] == 201
    assert account.processed(1, 2)
    assert account.stored("server-old")
    replayed = account.call("POST", "/replay", {"selection": {"entity_id": "ORD-1"}, "reason": "before the upgrade"})
    assert replayed[0] == 202
    replay = f"/replay/{replayed[1]['replay_id']}"
    assert eventually(lambda: account.call("GET", replay)[1]["status"] == "succeeded")
    account.clients.dynamodb.put_item(TableName="AccessTokens", Item={"token_id": {"S": "a" * 64}, "name": {"S": "x"}})
    letters = account.clients.sqs.get_queue_url(QueueName="log-processor-dlq")["QueueUrl"]
    account.clients.sqs.send_message(QueueUrl=letters, MessageBody="{}")
    account.listen(events=False)
    assert account.ingest(3)[0] == 201
    assert eventually(lambda: account.waiting("event-processor-queue") == 1)
    before = account.everything()
    assert all(before.values())

    # The present one, in place: no table, bucket or queue is replaced, or this would raise.
    account.deploy(template_path(), account.new_package, **NEWER)
    assert lost(before, account.everything()) == {}
    assert (account.waiting("event-processor-queue"), account.waiting("log-processor-dlq")) == (1, 1)
    (stack,) = account.clients.cloudformation.describe_stacks(StackName="pulseboard")["Stacks"]
    parameters = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}
    assert QUIET.items() <= parameters.items()

    # Its functions go on with what they find.
    account.listen(events=True)
    assert account.processed(1, 2, 3)
    assert (account.ingest(1)[0], account.ingest(1)[1]["status"]) == (200, "duplicate")
    assert account.ingest(4)[0] == 201
    account.put_sample("server-new")
    assert account.processed(4)
    assert account.stored("server-new")
    assert account.call("GET", replay)[1]["status"] == "succeeded"

    # Back to the earlier code, which has to live with what the newer one has written.
    (key,) = [line.split()[2] for line in account.said if line.startswith("  parameter CodeKey:")]
    middle = account.everything()
    account.deploy(template_path(), account.new_package, CodeKey=key)
    assert lost(middle, account.everything()) == {}
    assert account.ingest(4)[1]["status"] == "duplicate"
    assert account.ingest(5)[0] == 201
    assert account.processed(3, 4, 5)

    # And on again.
    middle = account.everything()
    account.deploy(template_path(), account.new_package)
    assert lost(middle, account.everything()) == {}

    # A teardown leaves what can't be made again. Taking it in again: tests/backend/deployment/test_deploy.py.
    last = account.everything()
    removals = teardown(account.clients, "pulseboard", account.console, poll=0.3)
    assert {f"aws dynamodb delete-table --table-name {table}" for table in OLD_TABLES} < set(removals)
    assert f"aws s3 rb --force s3://{BUCKET}" in removals
    assert lost(last, account.everything()) == {}
