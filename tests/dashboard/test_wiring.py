"""The dashboard wired to AWS as it runs: actions reach the services, and each leaves exactly one entry in the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from flask.testing import FlaskClient
from moto import mock_aws
from werkzeug.test import TestResponse

from backend.contract.event_items import event_item
from dashboard.access.tokens import TokenStore
from dashboard.app import create_server
from tests.dashboard.guarded import EVENT_ID, record
from tests.template_resources import create_event_queues, create_event_tables

ORIGIN = {"Origin": "http://localhost"}
REASON = "the release is fixed"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with mock_aws():
        clients = {name: boto3.client(name, "us-east-1") for name in ("dynamodb", "sqs", "s3")}
        create_event_tables(clients["dynamodb"])
        clients["s3"].create_bucket(Bucket="infra-monitoring-pipeline-data")
        clients["environ"] = {name.upper(): url for name, url in create_event_queues(clients["sqs"]).items()}
        item = event_item(record(), 4_000_000_000, 8)
        clients["dynamodb"].put_item(TableName="PipelineEvents", Item=item)
        yield clients


@pytest.fixture
def client(aws: dict[str, Any]) -> FlaskClient:
    return create_server(aws["environ"]).test_client()


def act(client: FlaskClient, name: str, **body: Any) -> TestResponse:
    session: Any = client.get("/api/v1/session").json
    return client.post(f"/api/v1/actions/{name}", json=body, headers={**ORIGIN, "X-Pulseboard-Token": session["token"]})


def log(client: FlaskClient) -> list[tuple[str, str, str]]:
    """The audit log as exported, oldest first: action, who, outcome."""
    answer: Any = client.get("/api/v1/audit").json
    return [(entry["action"], entry["who"], entry["outcome"]) for entry in reversed(answer["entries"])]


def test_an_event_is_found_and_replayed_with_one_entry_in_the_log(aws: dict[str, Any], client: FlaskClient) -> None:
    found: Any = client.get(f"/api/v1/events?event_ids={EVENT_ID}").json
    assert [event["event_id"] for event in found["events"]] == [EVENT_ID]
    tried: Any = act(client, "replay", selection={"event_ids": [EVENT_ID]}, dry_run=True).json
    assert (tried["matched"], log(client)) == (1, [])
    started: Any = act(client, "replay", selection={"event_ids": [EVENT_ID]}, reason=REASON).json
    assert started["matched"] == 1
    assert log(client) == [("replay.create", "local", "started")]
    waiting = aws["sqs"].receive_message(QueueUrl=aws["environ"]["REPLAY_QUEUE_URL"])["Messages"]
    assert started["replay_id"] in waiting[0]["Body"]


def test_each_step_of_a_replay_has_one_entry(client: FlaskClient) -> None:
    started: Any = act(client, "replay", selection={"event_ids": [EVENT_ID]}, reason=REASON).json
    for name, outcome in (("replay-pause", "paused"), ("replay-resume", "pending"), ("replay-cancel", "cancelled")):
        answer: Any = act(client, name, replay_id=started["replay_id"], reason=REASON).json
        assert answer["replay"]["status"] == outcome
    assert sorted(action for action, _, _ in log(client)) == [
        "replay.cancel", "replay.create", "replay.pause", "replay.resume",
    ]  # fmt: skip


def test_what_the_service_refuses_has_one_entry(client: FlaskClient) -> None:
    answer = act(client, "replay", selection={"event_ids": ["ef" * 32]}, reason=REASON)
    assert answer.status_code == 400
    assert log(client) == [("replay.create", "local", "refused")]


def test_a_cross_site_attempt_has_one_entry_too(client: FlaskClient) -> None:
    client.post("/api/v1/actions/redrive", json={}, headers={"Origin": "https://evil.example"})
    assert log(client) == [("dead_letters.redrive", "local", "refused")]


def test_dead_letters_are_deleted_with_their_bodies_on_record(aws: dict[str, Any], client: FlaskClient) -> None:
    url = aws["environ"]["EVENT_DEAD_LETTER_QUEUE_URL"]
    sent = aws["sqs"].send_message(QueueUrl=url, MessageBody="broken")
    answer = act(client, "dlq-delete", queue="event-processor-dlq", message_ids=[sent["MessageId"]], reason=REASON)
    assert answer.json["message"] == "1 message deleted"  # type: ignore[index]
    assert log(client) == [("dead_letters.delete", "local", "succeeded")]
    assert "broken" in client.get("/api/v1/audit").text


def test_dead_letters_that_are_not_there_are_no_success(client: FlaskClient) -> None:
    answer: Any = act(client, "dlq-delete", queue="event-processor-dlq", message_ids=["gone"], reason=REASON)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    assert "nothing was deleted" in answer.json["error"]["message"]
    assert log(client) == [("dead_letters.delete", "local", "failed")]


def test_a_display_token_of_the_table_opens_the_dashboard(aws: dict[str, Any], client: FlaskClient) -> None:
    token = TokenStore(aws["dynamodb"], "AccessTokens").create("lobby", "ann", 1_795_270_500.0)
    assert client.get("/display", query_string={"token": token}).status_code == 302
    session: Any = client.get("/api/v1/session").json
    assert (session["name"], session["role"]) == ("display lobby", "display")
    assert act_as_display(client).status_code == 403
    noted = TokenStore(aws["dynamodb"], "AccessTokens").all()[0].last_used_at
    assert noted is not None


def act_as_display(client: FlaskClient) -> TestResponse:
    return client.post("/api/v1/actions/replay", json={}, headers=ORIGIN)
