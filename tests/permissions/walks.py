"""Ways of the product that only the recording of calls needs to go: `python -m tests.permissions.record`.

Each is a program or function under its own rights on an engine that evaluates them, so a missing right fails here.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from backend.alerts.service import AlertService
from backend.audit import AuditLog
from backend.contract.records import make_sample
from backend.history.days import day_of, day_path
from tests.local_stack import LocalStack
from tests.permissions import hosts
from tests.permissions.asking import CONFIG, ask, depth, invoke, letters, order, until

READ, HISTORY, ACT = "DashboardReadPolicyArn", "DashboardHistoryPolicyArn", "DashboardActPolicyArn"
TABS = {
    "replay": ("search", "replays", "dead-letters", "audit"),
    "alerts": ("alerts", "checks", "incidents", "silences", "tuning"),
}
PAGES = ("health", "performance", "errors", "capacity", "jobs", "replay", "alerts")


def test_metrics_of_every_kind_come_in(world: LocalStack) -> None:
    s3, settings, now = world.client("s3"), world.settings, int(time.time())
    lines = [
        orjson.dumps(make_sample(timestamp=now - n, metric_type="cpu_utilization", value=50.0, hostname="a").as_json())
        for n in range(120)
    ]
    s3.put_object(Bucket=settings.bucket, Key="metrics/good.json", Body=b"\n".join([*lines, b"not json"]))
    s3.put_object(Bucket=settings.bucket, Key="metrics/bad.json", Body=b"not json\n" * 20 + lines[0])
    s3.put_object(Bucket=settings.bucket, Key="metrics/large.json", Body=(lines[0] + b"\n") * 30_000)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    deny["Resource"] = f"arn:aws:s3:::{settings.bucket}/metrics/denied*"
    policy = orjson.dumps({"Version": "2012-10-17", "Statement": [deny]}).decode()
    s3.put_bucket_policy(Bucket=settings.bucket, Policy=policy)
    s3.put_object(Bucket=settings.bucket, Key="metrics/denied.json", Body=lines[0])
    until(world, lambda: depth(world, settings.dead_letter_queue_url) == 1)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    deny = {**deny, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{settings.bucket}/metrics/*"}
    s3.put_bucket_policy(
        Bucket=settings.bucket, Policy=orjson.dumps({"Version": "2012-10-17", "Statement": [deny]}).decode()
    )
    world.client("lambda").invoke(
        FunctionName="data-collector", Payload=orjson.dumps({"time": at, "detail-type": "Scheduled Event"})
    )
    s3.delete_bucket_policy(Bucket=settings.bucket)
    table = world.client("dynamodb")
    until(world, lambda: table.describe_table(TableName=settings.table)["Table"]["ItemCount"] > 0)
    until(world, lambda: depth(world, settings.queue_url) == 0)
    invoke(world, "metrics-merge", {})
    invoke(world, "data-collector", {"time": at, "detail-type": "Scheduled Event"})


def test_events_are_searched_replayed_cancelled_and_refused(world: LocalStack) -> None:
    settings = world.settings
    sent = [order("good", 1, correlation_id="c-1"), order("bad", "one"), order("good", 2, idempotency_key="k")]
    _, taken = ask(world, "POST", "/ingest", sent)
    good, bad, _ = (result["event_id"] for result in taken["results"])
    assert ask(world, "POST", "/ingest", sent[0])[1]["status"] == "duplicate"
    assert ask(world, "POST", "/ingest", order("good", 3, idempotency_key="k"))[0] == 409
    until(world, lambda: depth(world, settings.event_dead_letter_queue_url) == 1)
    for query in (
        "entity_id=good", "correlation_id=c-1", "event_type=order_placed", "source=shop", "status=failed",
        "error_type=validation_error",
    ):  # fmt: skip
        assert ask(world, "GET", "/events", query=query)[0] == 200
    assert ask(world, "GET", f"/events/{bad}")[0] == 200
    selection = {"selection": {"entity_id": "good"}, "reason": "tried"}
    assert ask(world, "POST", "/replay", {**selection, "dry_run": True})[0] == 200
    by_id = {"selection": {"event_ids": [good]}, "reason": "tried", "target": "others"}
    status, replay = ask(world, "POST", "/replay", by_id)
    assert status == 202, replay
    until(world, lambda: ask(world, "GET", f"/replay/{replay['replay_id']}")[1]["status"] == "succeeded")
    assert depth(world, world.client("sqs").get_queue_url(QueueName="replays-of-others")["QueueUrl"]) == 1
    _, slow = ask(world, "POST", "/replay", {**selection, "rate_per_second": 1})
    for what in ("pause", "resume", "cancel"):
        assert ask(world, "POST", f"/replay/{slow['replay_id']}/{what}", {"reason": "tried"})[0] in (200, 202, 409)
    assert ask(world, "GET", "/replay")[0] == 200
    invoke(world, "replay-runner", {"sweep": True})


def test_alerts_annotations_and_lineage_come_through_the_api(world: LocalStack) -> None:
    now = datetime.now(UTC)
    note = {"time": now.isoformat(), "title": "deploy", "kind": "deploy", "link": "https://example.com"}
    assert ask(world, "POST", "/annotations", note)[0] in (200, 201)
    for severity in ("critical", "warning"):
        alert = {
            "status": "firing", "labels": {"alertname": "Tried", "severity": severity}, "annotations": {},
            "startsAt": now.isoformat(), "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "f1",
        }  # fmt: skip
        body = {"version": "4", "status": "firing", "receiver": "r", "groupKey": "g", "groupLabels": {}}
        body |= {"commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "alerts": [alert]}
        assert ask(world, "POST", "/alerts", body)[0] in (200, 202), ask(world, "POST", "/alerts", body)
    order_of = {("3", "START"): -60, ("3", "COMPLETE"): 0}
    order_of |= {(run, kind): 0 for run in "12" for kind in ("START", "RUNNING", "COMPLETE", "FAIL")}
    for run, kinds in (("1", ("START", "RUNNING", "COMPLETE")), ("2", ("START", "FAIL")), ("3", ("COMPLETE", "START"))):
        for kind in kinds:
            facets: dict[str, Any] = {}
            if kind == "FAIL":
                facets["errorMessage"] = {
                    "message": "x" * 40_000,
                    "programmingLanguage": "python",
                    "stackTrace": "y" * 40_000,
                }
            body = {
                "eventType": kind, "eventTime": datetime.now(UTC).isoformat(), "producer": "https://example.com",
                "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
                "run": {"runId": f"0198c0de-0000-7000-8000-00000000000{run}", "facets": facets},
                "job": {"namespace": "n", "name": "lineage-job"}, "inputs": [], "outputs": [],
            }  # fmt: skip
            status, answer = ask(world, "POST", "/lineage", body)
            assert status in (200, 201, 202), answer


def test_jobs_record_fail_hold_batches_and_are_asked_again(world: LocalStack, tmp_path: Path) -> None:
    out = hosts.run(world, "job", ("JobPolicyArn",), tmp_path, "-c", JOBS)
    assert out.split() == ["failed", "pending"]


JOBS = """
import os, tempfile
from pathlib import Path
from pulseboard import job, pending, retries
with job("nightly", dataset="orders") as run:
    run.records = 1
try:
    with job("backfill", batch="2026-05"):
        raise ValueError("x" * 40_000)
except ValueError:
    print("failed")
assert pending("backfill", ["2026-04", "2026-05"]) == ["2026-04", "2026-05"]
with job("backfill", batch="2026-04") as run:
    run.records = 2
print("pending")
"""


def test_a_worker_takes_what_is_asked_again(world: LocalStack, tmp_path: Path) -> None:
    settings = world.settings
    request = {"job_name": "backfill", "batch": "2026-05", "replay_id": "r", "requested_by": "me", "attempt": 2}
    for body in (request, {**request, "job_name": "another"}):
        world.client("sqs").send_message(QueueUrl=settings.retry_queue_url, MessageBody=orjson.dumps(body).decode())
    hosts.run(world, "job", ("JobPolicyArn",), tmp_path, "-c", RETRIES)


RETRIES = """
from pulseboard import job, retries
for asked in retries("backfill", wait_seconds=1):
    with job(asked.job_name, batch=asked.batch, requested_by=asked.requested_by, again=True):
        pass
"""


def test_every_check_looks_twice(world: LocalStack) -> None:
    from backend.contract.checks import CHECKS

    for check in [*CHECKS, *CHECKS]:
        invoke(world, "pipeline-checks", {"check": check.name})


def test_days_are_compacted(world: LocalStack) -> None:
    settings, at = world.settings, time.time() - 3 * 86_400
    sample = make_sample(timestamp=at, metric_type="cpu_utilization", value=50.0, hostname="old").as_json()
    for name in ("one", "two"):
        key = f"metrics/{day_path(day_of(at))}metrics-{name}.json"
        world.client("s3").put_object(Bucket=settings.bucket, Key=key, Body=orjson.dumps(sample))
        said = invoke(world, "history-compactor", {})
        assert said.get("failed", 0) == 0, said


def test_alerts_are_told_and_told_again(world: LocalStack) -> None:
    from backend.alerts.publish import Publisher
    from tests.loggers import fresh_logger

    publisher = Publisher(world.client("sns"), world.settings, fresh_logger(), "walk")
    for severity in ("CRITICAL", "HIGH", "MEDIUM", "LOW"):
        assert publisher.send(severity, "walked", f"{severity} is walked", subject=severity)
    for number in range(30):
        publisher.send("MEDIUM", "stormed", f"{number} of a storm", subject=str(number))
    for state in ("firing", "resolved"):
        assert publisher.send("CRITICAL", "walked", "again", subject="CRITICAL", state=state)
        until(world, lambda: depth(world, world.environment["ALERT_QUEUE_URL"]) == 0)
    invoke(world, "alert-consumer", {"sweep": True})


def test_the_state_machine_runs_through(world: LocalStack) -> None:
    """One execution to its end, and one that is ended, of which the Jobs page says why."""
    states = world.client("stepfunctions")
    machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    whole, ended = (states.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(2))
    states.stop_execution(executionArn=ended, error="Walked", cause="ended by hand")
    until(world, lambda: states.describe_execution(executionArn=whole)["status"] != "RUNNING", 150)
    events = states.get_execution_history(executionArn=whole)["events"]
    entered = {event.get("stateEnteredEventDetails", {}).get("name") for event in events}
    # There it finds the alarms of a stack whose schedules are off.
    assert "ParallelMonitoring" in entered
    assert "not authorized" not in str(events)
    invoke(world, "pipeline-checks", {"check": "ratios"})


def test_the_dashboard_looks(world: LocalStack, tmp_path: Path) -> None:
    letters(world)
    _, taken = ask(world, "POST", "/ingest", order("seen", "one"))
    config = f"{CONFIG}\n[history]\nenabled = false\n"
    token = hosts.run(world, "tokens", ("DisplayTokensPolicyArn",), tmp_path, "-c", TOKENS).split()[0]
    with hosts.dashboard(world, "dashboard-read", (READ,), tmp_path, config) as client:
        for path in ("/", *(f"/{page}" for page in PAGES[1:]), "/readyz", "/metrics", "/api/v1/health"):
            client.get(path)
        for query in ("", "?from=now-6h", "?host=a"):
            for page in PAGES:
                client.get(f"/api/v1/view/{page}{query}")
        for page, tabs in TABS.items():
            for tab in tabs:
                client.get(f"/api/v1/view/{page}?tab={tab}")
        for query in (
            "entity_id=seen", "correlation_id=c-1", "event_type=order_placed", "source=shop", "status=failed",
        ):  # fmt: skip
            client.get(f"/api/v1/events?{query}")
            client.get(f"/api/v1/view/replay?tab=search&{query}")
            client.get(f"/api/v1/view/errors?{query}")
        for queue in ("event-processor-dlq", "log-processor-dlq", "alert-consumer-dlq"):
            client.get(f"/api/v1/view/replay?tab=dead-letters&queue={queue}")
        client.get(f"/api/v1/events/{taken['event_id']}")
        client.get(f"/api/v1/view/errors?event={taken['event_id']}")
        client.get("/api/v1/audit")
        client.get("/api/v1/jobs/runs")
        replay = ask(world, "GET", "/replay")[1]["replays"][0]["replay_id"]
        client.get(f"/api/v1/view/replay?tab=replays&replay={replay}")
        client.get("/api/v1/view/jobs?run=nightly&retry=backfill")
        # A refused attempt is put on record.
        assert client.act("replay", {"selection": {"entity_id": "seen"}}, token="forged")[0] == 403
        client.get(f"/display?token={token}&next=/")
        client.get("/healthz")
    assert "AccessDenied" not in (tmp_path / "dashboard-read.log").read_text()


TOKENS = """
import sys, re
from click.testing import CliRunner
from pulseboard.commands.tokens import command
said = CliRunner().invoke(command, ["create", "hall"])
assert said.exit_code == 0, (said.output, said.exception)
CliRunner().invoke(command, ["create", "attic"])
assert CliRunner().invoke(command, ["list"]).exit_code == 0
assert CliRunner().invoke(command, ["revoke", "attic"]).exit_code == 0
print(re.search("token=([^&]*)", said.output)[1])
"""


def test_the_dashboard_reads_history(world: LocalStack, tmp_path: Path) -> None:
    from backend.contract.questions import QUESTIONS

    with hosts.dashboard(world, "dashboard-history", (READ, HISTORY), tmp_path, CONFIG) as client:
        start, end = (int((datetime.now(UTC) - timedelta(days=days)).timestamp() * 1000) for days in (5, 2))
        page = f"/api/v1/view/capacity?from={start}&to={end}"
        for view in (page, *(f"{page}&ask={asked.name}" for asked in QUESTIONS)):
            until(world, lambda view=view: not client.get(view).get("awaits"))
    assert "AccessDenied" not in (tmp_path / "dashboard-history.log").read_text()


def did(client: hosts.Client, name: str, **body: Any) -> Any:
    """What an action answers; the action may have nothing to do, but is not refused."""
    status, said = client.act(name, body)
    assert status in (200, 202, 400, 404, 409), (name, said)
    return said


def test_the_dashboard_acts(world: LocalStack, tmp_path: Path) -> None:
    config = f"{CONFIG}\n[history]\nenabled = false\n"
    with hosts.dashboard(world, "dashboard-act", (READ, ACT), tmp_path, config) as client:
        act_on_replays(world, client)
        act_on_dead_letters(world, client)
        act_on_alerts(world, client)
        did(client, "job-retry", job_name="backfill", batches=["2026-05"], confirm=1)
        did(client, "pipeline-run")
        until(world, lambda: depth(world, world.settings.replay_queue_url) == 0)
    assert "AccessDenied" not in (tmp_path / "dashboard-act.log").read_text()


def act_on_replays(world: LocalStack, client: hosts.Client) -> None:
    selection = {"entity_id": "good"}
    did(client, "replay", selection=selection, dry_run=True)
    made = did(client, "replay", selection=selection, rate_per_second=1)["replay_id"]
    for what in ("pause", "resume", "cancel"):
        did(client, f"replay-{what}", replay_id=made)


def act_on_dead_letters(world: LocalStack, client: hosts.Client) -> None:
    dynamodb, sqs = world.client("dynamodb"), world.client("sqs")

    def ended(replay_id: str) -> bool:
        key = {"replay_id": {"S": replay_id}, "item": {"S": "meta"}}
        item = dynamodb.get_item(TableName=world.settings.replays_table, Key=key)["Item"]
        return item["status"]["S"] in ("succeeded", "failed", "cancelled")

    for queue, url in letters(world).items():
        client.get(f"/api/v1/view/replay?tab=dead-letters&queue={queue}")
        found = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
        did(client, "dlq-delete", queue=queue, message_ids=[message["MessageId"] for message in found])
    for queue in letters(world):
        for chosen in ({"text": "nothing like it"}, {}):
            redrive = did(client, "redrive", queue=queue, **chosen)["replay_id"]
            until(world, lambda redrive=redrive: ended(redrive))


def act_on_alerts(world: LocalStack, client: hosts.Client) -> None:
    dynamodb, settings, now = world.client("dynamodb"), world.settings, time.time()
    known = AlertService(dynamodb, world.client("sns"), settings, AuditLog(dynamodb, settings))
    first, second = sorted(alert.alert_id for alert in known.alerts(now - 900, now + 60))[:2]
    for name in ("alert-acknowledge", "alert-noise"):
        for alert in (first, second):
            did(client, name, alert_id=alert)
    did(client, "alert-silence", alert_id=first, scope="alert", minutes=30)
    did(client, "alert-resolve", alert_id=first)
    until_then = {"from": now, "to": now + 600}
    span = {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in until_then.items()}
    made = did(client, "alert-silence", rule="x", environment="production", severity="LOW", **span)
    did(client, "silence-end", silence_id=made["silence_id"])
    incident = known.incidents()[0].incident_id
    did(client, "incident-follow-up", incident_id=incident, summary="s", root_cause="r", prevention="p")
