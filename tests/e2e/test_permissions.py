"""Each function's role is enough for its work, on an engine that evaluates roles as AWS does."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
from botocore.exceptions import ClientError

from backend.alerts.publish import Publisher
from backend.alerts.service import AlertService
from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.checks import CHECKS
from backend.contract.event_query import parse_query
from backend.contract.jobs import JobRun
from backend.contract.records import make_sample
from backend.contract.replays import DeadLetterFilter
from backend.events.investigation import Investigation
from backend.history.days import day_of, day_path
from backend.history.ledger import Ledger
from backend.jobs.clock import ServerClock
from backend.jobs.requests import request_of
from backend.jobs.store import JobStore
from backend.local.api_server import event_of
from backend.local.deploy import STACK
from backend.replay.dead_letters import DeadLetters
from backend.replay.request import parse_replay_request
from backend.replay.service import ReplayService
from backend.settings import Settings
from dashboard.access.tokens import TokenStore
from tests.local_stack import LocalStack
from tests.loggers import fresh_logger
from tests.permissions.exceptions import EXCEPTIONS
from tests.permissions.record import load
from tests.permissions.recorder import HOOK, VARIABLE, read
from tests.permissions.strict import for_the_engine, strict_stack

pytestmark = pytest.mark.e2e

DENIED = re.compile(r"not authorized to perform: ([a-z0-9]+:\w+)")
DENIED_TO_ROLES = re.compile(r"assumed-role/\S+ is " + DENIED.pattern)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    config = '[events.types.order_placed]\nfields = { amount = "number" }\n'
    config += "[jobs.backfill]\nremediation = { max_attempts = 3, backoff_minutes = 0.001 }\n"
    with pytest.MonkeyPatch.context() as patch:
        if VARIABLE not in os.environ:
            patch.setenv(VARIABLE, str(tmp_path_factory.mktemp("calls")))
            patch.setenv("PYTHONPATH", str(HOOK))
        with strict_stack(tmp_path_factory.mktemp("strict") / "engine.log", config) as stack:
            yield stack


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
    assert set(DENIED.findall(strict.engine.log.read_text())) == set()


def request(method: str, path: str, body: object = None, query: str = "") -> bytes:
    """An event of API Gateway, signed by nobody: what the API asks for is checked where it stands."""
    content = orjson.dumps(body) if body is not None else b""
    headers = [("content-type", "application/json")]
    return orjson.dumps(event_of(method, f"{path}?{query}", headers, content, time.time()))


def ask(strict: LocalStack, *arguments: Any, **options: Any) -> Any:
    payload = request(*arguments, **options)
    answer = strict.client("lambda").invoke(FunctionName="ingest-api", Payload=payload)
    content = answer["Payload"].read()
    assert "FunctionError" not in answer, content
    result = orjson.loads(content)
    return result["statusCode"], orjson.loads(result["body"])


def until(strict: LocalStack, done: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (answer := done()):
        assert time.monotonic() < deadline, strict.engine.log.read_text()[-3000:]
        time.sleep(0.1)
    return answer


def event(entity: str, amount: object) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    names = {"source": "shop", "event_type": "order_placed", "entity_id": entity, "occurred_at": at}
    return {**names, "payload": {"amount": amount}}


def test_the_roles_allow_events_to_be_taken_processed_refused_and_replayed(strict: LocalStack) -> None:
    status, taken = ask(strict, "POST", "/ingest", [event("good", 1), event("bad", "one"), event("bad", "two")])
    assert (status, [result["status"] for result in taken["results"]]) == (207, ["stored"] * 3), (
        strict.engine.log.read_text()[-3000:]
    )
    good, bad, _ = (result["event_id"] for result in taken["results"])
    again = ask(strict, "POST", "/ingest", event("good", 1))
    assert again[0] == 201

    def statuses(entity: str) -> list[str]:
        found = ask(strict, "GET", "/events", query=f"entity_id={entity}")
        assert found[0] == 200, found
        return [entry["status"] for entry in found[1]["events"]]

    assert until(strict, lambda: statuses("good") == ["processed"] * 2)
    # Three receives each, until the dead letters have them.
    letters = strict.settings.event_dead_letter_queue_url
    sqs = strict.client("sqs")
    assert until(strict, lambda: depth(sqs, letters) == 2)
    status, detail = ask(strict, "GET", f"/events/{good}")
    assert (status, detail["intact"]) == (200, True)
    status, failed = ask(strict, "GET", f"/events/{bad}")
    assert (status, failed["error"]["dead_lettered"]) == (200, True)
    wanted = {"selection": {"entity_id": "good"}, "reason": "permissions are tried"}
    status, replay = ask(strict, "POST", "/replay", wanted)
    assert (status, replay["matched"]) == (202, 2)

    def ended() -> bool:
        return bool(ask(strict, "GET", f"/replay/{replay['replay_id']}")[1]["status"] == "succeeded")

    assert until(strict, ended)
    swept = strict.client("lambda").invoke(FunctionName="replay-runner", Payload=b'{"sweep": true}')
    assert "FunctionError" not in swept, swept["Payload"].read()
    assert set(DENIED.findall(strict.engine.log.read_text())) == set()


def depth(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]])


def clients_of(strict: LocalStack, *outputs: str) -> Clients:
    """Clients of a new user who has the managed policies of these outputs and nothing else."""
    stack = strict.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    arns = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    iam, name = strict.client("iam"), "-".join(outputs)
    iam.create_user(UserName=name)
    for output in outputs:
        version = iam.get_policy(PolicyArn=arns[output])["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arns[output], VersionId=version)["PolicyVersion"]["Document"]
        iam.put_user_policy(UserName=name, PolicyName=output, PolicyDocument=for_the_engine(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    clients = Clients("us-east-1")
    for service in ("dynamodb", "s3", "sqs", "cloudwatch"):
        setattr(clients, service, session.client(service, endpoint_url=strict.engine.endpoint))
    return clients


class Dashboard:
    """The services as the dashboard wires them, over the clients of one user."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self.events = Investigation(clients.dynamodb, clients.s3, settings)
        self.audit = AuditLog(clients.dynamodb, settings)
        self.replays = ReplayService(clients.dynamodb, clients.sqs, clients.s3, self.events, self.audit, settings)
        self.letters = DeadLetters(
            clients.sqs, clients.cloudwatch, clients.dynamodb, self.events, self.audit, self.replays, settings
        )
        self.tokens = TokenStore(clients.dynamodb, settings.tokens_table)


def test_the_dashboards_policies_are_enough_to_look_and_to_act_and_looking_is_not_acting(strict: LocalStack) -> None:
    settings, now = strict.settings, time.time()
    looking = Dashboard(clients_of(strict, "DashboardReadPolicyArn"), settings)
    acting = Dashboard(clients_of(strict, "DashboardReadPolicyArn", "DashboardActPolicyArn"), settings)
    letters = settings.event_dead_letter_queue_url
    before = depth(strict.client("sqs"), letters)
    _, taken = ask(strict, "POST", "/ingest", event("seen", "one"))
    until(strict, lambda: depth(strict.client("sqs"), letters) > before)
    query = parse_query({"entity_id": "seen"}, now + 60)
    for dashboard in (looking, acting):
        assert len(dashboard.events.search(query).events) == 1
        detail = dashboard.events.detail(taken["event_id"])
        assert detail is not None
        assert (detail.intact, detail.problem) == (True, "")
        dashboard.events.known()
        dashboard.events.errors(now - 600, now + 60)
        dashboard.replays.recent()
        assert all(queue.problem == "" for queue in dashboard.letters.queues())
        assert dashboard.letters.listing("event-processor-dlq", DeadLetterFilter()).seen >= 1
        dashboard.audit.entries(now - 600, now + 60)
        dashboard.tokens.find("pbd_unknown")
    replay = parse_replay_request({"selection": {"entity_id": "seen"}, "reason": "tried"}, now + 60, settings)
    with pytest.raises(ClientError, match="not authorized"):
        looking.replays.create(replay, "viewer")
    assert acting.replays.create(replay, "operator").matched == 1
    seen = DeadLetterFilter(entity_id="seen")
    redrive = acting.letters.redrive("event-processor-dlq", seen, "operator", "tried").replay_id
    until(strict, lambda: acting.replays.get(redrive).status == "succeeded")
    # Its first failure, and that of its replay where that was quick enough.
    assert acting.replays.get(redrive).sent >= 1, acting.replays.results(redrive)
    keeping = Dashboard(clients_of(strict, "DisplayTokensPolicyArn"), settings)
    keeping.tokens.create("hall", "operator", now)
    keeping.tokens.revoke("hall", now)
    # Left out is what the viewer was refused above, as himself and not as a function.
    assert set(DENIED_TO_ROLES.findall(strict.engine.log.read_text())) == set()


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_the_role_of_the_checks_allows_each_of_them(strict: LocalStack, check: str) -> None:
    answer = strict.client("lambda").invoke(FunctionName="pipeline-checks", Payload=orjson.dumps({"check": check}))
    said = answer["Payload"].read().decode()
    assert "FunctionError" not in answer, said
    assert "not authorized" not in said
    assert "Could not look" not in said
    assert set(DENIED_TO_ROLES.findall(strict.engine.log.read_text())) == set()


def test_a_policy_of_a_job_reaches_its_workers_under_the_roles_of_the_checks_and_of_the_runner(
    strict: LocalStack,
) -> None:
    settings, now = strict.settings, time.time()
    clock = ServerClock(time.time)
    store = JobStore(strict.client("dynamodb"), settings.job_runs_table, clock)
    store.plan("backfill", ["2026-04", "2026-05"], now)
    run, _ = store.take(JobRun("backfill", "r1", "STARTED", now - 5, batch="2026-05"), again=False)
    store.end(replace(run, status="FAILED", ended_at=now - 4), note=False)
    payload = orjson.dumps({"check": "jobs"})
    answer = strict.client("lambda").invoke(FunctionName="pipeline-checks", Payload=payload)
    assert "FunctionError" not in answer, answer["Payload"].read()
    sqs = strict.client("sqs")
    until(strict, lambda: depth(sqs, settings.retry_queue_url) == 1)
    (message,) = sqs.receive_message(QueueUrl=settings.retry_queue_url)["Messages"]
    asked = request_of(message["Body"])
    assert asked is not None
    assert (asked.batch, asked.requested_by, asked.attempt) == ("2026-05", "policy: backfill", 2)
    assert set(DENIED_TO_ROLES.findall(strict.engine.log.read_text())) == set()


def test_the_role_of_the_alert_consumer_allows_alerts_to_be_kept_mailed_and_swept(strict: LocalStack) -> None:
    settings, now = strict.settings, time.time()
    dynamodb, sns = strict.client("dynamodb"), strict.client("sns")
    alerts = AlertService(dynamodb, sns, settings, AuditLog(dynamodb, settings))
    publisher = Publisher(sns, settings, fresh_logger(), "strict")
    for severity in ("CRITICAL", "MEDIUM"):
        assert publisher.send(severity, "tried", f"{severity} is tried", subject=severity)
    until(strict, lambda: len(alerts.alerts(now - 60, now + 60, rule="strict:tried")) == 2)
    mailed = partial(alerts.alerts, now - 60, now + 60, rule="strict:tried", severity="MEDIUM")
    until(strict, lambda: any(alert.deliveries for alert in mailed()))
    assert [(delivery.transport, delivery.problem) for delivery in mailed()[0].deliveries] == [("email", "")]
    answer = strict.client("lambda").invoke(FunctionName="alert-consumer", Payload=b'{"sweep": true}')
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert len(alerts.incidents()) >= 1
    assert set(DENIED_TO_ROLES.findall(strict.engine.log.read_text())) == set()


def test_the_role_of_the_compactor_allows_a_day_to_be_looked_at_asked_for_and_noted(strict: LocalStack) -> None:
    """As far as to the statement's end: the engine does not look up which workgroup a started one belongs to."""
    settings = strict.settings
    key = f"metrics/{day_path(day_of(time.time() - 3 * 86_400))}metrics-1.json"
    strict.client("s3").put_object(Bucket=settings.bucket, Key=key, Body=b"{}")
    answer = strict.client("lambda").invoke(FunctionName="history-compactor", Payload=b"{}")
    said = answer["Payload"].read()
    assert "FunctionError" not in answer, said
    assert orjson.loads(said)["failed"] == 1
    (entry,) = (entry for entry in Ledger(strict.client("s3"), settings.bucket).read().values() if entry.problem)
    assert DENIED.findall(entry.problem) == ["athena:GetQueryExecution"]
    assert set(DENIED_TO_ROLES.findall(strict.engine.log.read_text())) <= {"athena:GetQueryExecution"}


@pytest.mark.usefixtures("strict")
def test_no_function_asks_for_what_was_never_recorded() -> None:
    excepted = {(entry.principal, entry.action, entry.resource.removesuffix("*")) for entry in EXCEPTIONS}
    seen, recorded = read(Path(os.environ[VARIABLE])), load()
    assert seen
    new = [
        f"{name} {call}"
        for name, calls in seen.items()
        for call in sorted(calls - recorded[name])
        if (name, call.action, call.resource) not in excepted
    ]
    assert new == [], "run make record"


def test_a_role_that_lacks_a_permission_is_noticed(strict: LocalStack) -> None:
    iam = strict.client("iam")
    (role,) = [role["RoleName"] for role in iam.list_roles()["Roles"] if "MergeRole" in role["RoleName"]]
    iam.delete_role_policy(RoleName=role, PolicyName="metrics-merge")
    answer = strict.client("lambda").invoke(FunctionName="metrics-merge", Payload=b"{}")
    assert "FunctionError" in answer
