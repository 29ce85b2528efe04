"""`pulseboard tokens`: a token is shown once, listed by name, revoked by name, and all of it is on record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from backend.contract.errors import InvalidInput
from dashboard.access.tokens import TokenStore
from pulseboard.commands.tokens import command
from tests.template_resources import create_event_tables

ENVIRON = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "REGION": "us-east-1", "PULSEBOARD_CONFIG": ""}


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("dynamodb", "us-east-1")
        create_event_tables(client)
        yield client


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def records(dynamodb: Any) -> list[tuple[str, str, str]]:
    items = dynamodb.scan(TableName="Replays")["Items"]
    return sorted((item["action"]["S"], item["subject"]["S"], item["outcome"]["S"]) for item in items)


def test_a_link_is_printed_once_and_works(dynamodb: Any) -> None:
    made = run("create", "lobby", "--url", "https://pulseboard.example.com/", "--page", "/errors?kiosk")
    link = urlsplit(made.stdout.strip())
    assert (link.netloc, link.path) == ("pulseboard.example.com", "/display")
    token = parse_qs(link.query)["token"][0]
    assert parse_qs(link.query)["next"] == ["/errors?kiosk"]
    listed = run("list")
    assert "lobby" in listed.stdout
    assert "in use" in listed.stdout
    assert "never used" in listed.stdout
    assert token not in listed.stdout
    assert token not in str(dynamodb.scan(TableName="Replays")["Items"])


def test_a_revoked_token_stays_on_the_list(dynamodb: Any) -> None:
    run("create", "lobby")
    assert "within a minute" in run("revoke", "lobby").stdout
    assert "revoked 20" in run("list").stdout
    assert all(token.revoked_at for token in TokenStore(dynamodb, "AccessTokens").all())


def test_who_made_and_revoked_is_on_record(dynamodb: Any) -> None:
    run("create", "lobby", "--reason", "new screen")
    run("revoke", "lobby")
    assert records(dynamodb) == [("token.create", "lobby", "succeeded"), ("token.revoke", "lobby", "succeeded")]


@pytest.mark.parametrize("arguments", [("create", "<b>"), ("revoke", "lobby")])
def test_what_can_not_be_done_is_named_and_on_record(dynamodb: Any, arguments: tuple[str, ...]) -> None:
    failed = run(*arguments)
    assert isinstance(failed.exception, InvalidInput)
    assert failed.exception.field == "name"
    assert [outcome for _, _, outcome in records(dynamodb)] == ["refused"]


def test_an_empty_list_says_how_to_begin(dynamodb: Any) -> None:
    empty = run("list")
    assert (empty.stdout, empty.exit_code) == ("", 0)
    assert "tokens create" in empty.stderr
