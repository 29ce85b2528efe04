"""`pulseboard replay` against moto, with the runner run by hand."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.contract.event_items import EventMessage, event_item
from backend.contract.events import EventError, EventRecord
from backend.replay.handler import build
from backend.settings import Settings
from pulseboard.cli import cli, main
from tests.loggers import fresh_logger
from tests.template_resources import create_event_queues, create_event_tables


class Context:
    """The part of Lambda's context that the runner reads."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_ENDPOINT_URL", "PULSEBOARD_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        clients = Clients("us-east-1")
        clients.s3.create_bucket(Bucket=Settings().bucket)
        create_event_tables(clients.dynamodb)
        urls = create_event_queues(clients.sqs)
        for name, url in urls.items():
            monkeypatch.setenv(name.upper(), url)
        yield clients


@pytest.fixture
def events(clients: Clients) -> list[EventRecord]:
    """Three failed orders of one customer."""
    now = time.time()
    made = [
        EventRecord(
            f"{number:064x}", "order-1", "order_placed", "shop-web", "failed", now - 60, now - 50 + number, "c-1",
            f"events/{number}.json", "0" * 64, 300,
            error=EventError("parse_error", "customer_id is missing", "normalise", now - 40),
        )
        for number in range(3)
    ]  # fmt: skip
    for one in made:
        clients.dynamodb.put_item(TableName="PipelineEvents", Item=event_item(one, 2_000_000_000, 8))
    return made


def settings(clients: Clients) -> Settings:
    url = clients.sqs.get_queue_url
    return replace(
        Settings(),
        event_queue_url=url(QueueName="event-processor-queue")["QueueUrl"],
        event_dead_letter_queue_url=url(QueueName="event-processor-dlq")["QueueUrl"],
        replay_queue_url=url(QueueName="replay-runner-queue")["QueueUrl"],
    )


def run_runner(clients: Clients) -> None:
    """The function, for every message of the replay queue."""
    known = settings(clients)
    function = build(known, clients, fresh_logger())
    messages = clients.sqs.receive_message(QueueUrl=known.replay_queue_url, MaxNumberOfMessages=10)["Messages"]
    function({"Records": [{"body": message["Body"]} for message in messages]}, Context())  # type: ignore[arg-type]


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["replay", *arguments], input=stdin)


def created(*arguments: str) -> str:
    result = run("create", "--entity-id", "order-1", "--reason", "fixed the parser", *arguments)
    assert result.exit_code == 0, result.output
    return result.output.split("replay ", 1)[1].split()[0]


def test_a_dry_run_counts(events: list[EventRecord]) -> None:
    result = run("create", "--status", "failed", "--error-type", "parse_error", "--max", "2", "--dry-run")
    assert result.exit_code == 0
    assert result.output.startswith("3 events match, received from ")
    assert "; 2 would be sent (cut by the maximum)" in result.output
    assert run("list").output == "no replays in the last 90 days\n"


def test_from_creation_to_results(clients: Clients, events: list[EventRecord]) -> None:
    replay_id = created()
    assert run("status", replay_id).output.startswith("pending: 0 of 3 done")
    run_runner(clients)
    assert run("status", replay_id, "--watch").output.startswith("succeeded: 3 of 3 done, 3 sent, 0 failed, 0 skipped")
    lines = [line.split("\t") for line in run("results", replay_id).output.splitlines()]
    assert sorted((line[0], line[1]) for line in lines) == [("sent", one.event_id) for one in events]
    assert run("results", replay_id, "--outcome", "failed").output == ""
    answer = json.loads(run("status", replay_id, "--json").output)
    assert (answer["status"], answer["sent"], answer["reason"]) == ("succeeded", 3, "fixed the parser")
    assert json.loads(run("list", "--json").output)[0]["replay_id"] == replay_id


def test_steering(clients: Clients, events: list[EventRecord]) -> None:
    replay_id = created()
    assert run("pause", replay_id, "--reason", "lunch").output.startswith("paused: 0 of 3 done")
    assert run("resume", replay_id).output.startswith("pending: 0 of 3 done")
    assert run("cancel", replay_id).output.startswith("cancelled: 0 of 3 done")
    assert run("status", replay_id, "--watch").exit_code == 1
    with pytest.raises(InvalidInput, match=r"cancelled\) and can't be paused"):
        CliRunner().invoke(cli, ["replay", "pause", replay_id], catch_exceptions=False)


def test_the_audit_log_as_text_csv_and_json(events: list[EventRecord]) -> None:
    replay_id = created()
    run("cancel", replay_id, "--reason", '=wrong, "one"')
    text = run("audit").output.splitlines()
    assert [line.split("  ")[1] for line in text] == ["replay.cancel", "replay.create"]
    rows = list(csv.DictReader(io.StringIO(run("audit", "--csv").output)))
    assert [(row["action"], row["outcome"]) for row in rows] == [
        ("replay.cancel", "succeeded"), ("replay.create", "cancelled"),
    ]  # fmt: skip
    assert rows[0]["reason"] == '=wrong, "one"'
    (entry,) = json.loads(run("audit", "--json", "--action", "replay.create").output)
    assert (entry["subject"], entry["details"]["status"]) == (replay_id, "cancelled")
    assert entry["who"].startswith("arn:aws:")


def test_more_than_a_thousand_need_their_number(
    monkeypatch: pytest.MonkeyPatch, clients: Clients, events: list[EventRecord]
) -> None:
    monkeypatch.setattr("backend.replay.service.CONFIRM_ABOVE", 2)
    monkeypatch.setattr("pulseboard.commands.replay.CONFIRM_ABOVE", 2)
    asked = ["replay", "create", "--entity-id", "order-1", "--reason", "fixed the parser"]
    with pytest.raises(InvalidInput, match="give --confirm 3 or --yes"):
        CliRunner().invoke(cli, asked, catch_exceptions=False)
    with pytest.raises(InvalidInput, match="must be the number of events: 3 would be sent again"):
        CliRunner().invoke(cli, [*asked, "--confirm", "4"], catch_exceptions=False)
    assert run(*asked[1:], "--confirm", "3").exit_code == 0
    assert run(*asked[1:], "--yes").exit_code == 0


def test_dead_letters_are_listed_redriven_and_deleted(clients: Clients, events: list[EventRecord]) -> None:
    url = settings(clients).event_dead_letter_queue_url
    for one in events:
        body = EventMessage(one.event_id, one.raw_key, one.sha256, one.correlation_id).as_text()
        clients.sqs.send_message(QueueUrl=url, MessageBody=body)
    junk = clients.sqs.send_message(QueueUrl=url, MessageBody="junk\x1b[31m")["MessageId"]
    listed = run("dlq", "list").output.splitlines()
    assert listed[0] == "event-processor-dlq: about 4 messages, 0 being looked at"
    assert listed[1] == "log-processor-dlq: DEAD_LETTER_QUEUE_URL is not set"
    shown = run("dlq", "show", "event-processor-dlq").output
    assert shown.count("parse_error order_placed order-1") == 3
    assert '"junk\\u001b[31m"' in shown
    assert "4 shown; 4 of about 4 were looked at" in shown
    gone = run("dlq", "delete", "event-processor-dlq", "--message-id", junk, "--reason", "junk", stdin="y\n")
    assert gone.output.endswith("1 of 1 messages deleted\n")
    arguments = ("--error-type", "parse_error", "--reason", "fixed the parser")
    assert "about 3 messages" in run("dlq", "redrive", "event-processor-dlq", *arguments).output
    run_runner(clients)
    assert "succeeded: 3 of 3 done, 3 sent, 0 failed, 0 skipped" in run("list").output
    assert run("dlq", "list").output.startswith("event-processor-dlq: about 0 messages")


def test_a_redrive_of_everything_has_to_be_said(events: list[EventRecord]) -> None:
    asked = ["replay", "dlq", "redrive", "event-processor-dlq", "--reason", "because"]
    for more in ([], ["--all", "--text", "x"]):
        with pytest.raises(InvalidInput, match="give either filters or --all"):
            CliRunner().invoke(cli, [*asked, *more], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("status", "nowhere"), "replay_id: 'nowhere' is not known; pulseboard replay list shows them"),
        (("results", "nowhere"), "replay_id: 'nowhere' is not known"),
        (("create", "--reason", "x"), "reason: 'x' must say why"),
        (("create", "--reason", "because", "--target", "elsewhere"), "target: 'elsewhere' is not a known queue"),
        (("create", "--reason", "because", "--event-id", "../x"), "event_ids: '../x' is not an event id"),
        (("dlq", "show", "nowhere"), "queue: 'nowhere' is not a known dead-letter queue"),
    ],
)
def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clients: Clients,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["pulseboard", "replay", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"pulseboard: {says}")


def test_without_the_stack_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENT_QUEUE_URL", raising=False)
    with pytest.raises(InvalidInput, match="EVENT_QUEUE_URL: '' is not set"):
        CliRunner().invoke(cli, ["replay", "list"], catch_exceptions=False)
