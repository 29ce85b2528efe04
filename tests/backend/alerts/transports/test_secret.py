"""Tokens: where they are read from, how often, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from backend.alerts.transports.base import TransportError
from backend.alerts.transports.build import build_transports
from backend.alerts.transports.secret import Secret
from backend.aws import Clients
from backend.settings import Settings


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield Clients("us-east-1")


def test_a_secret_is_read_once_and_again_when_it_is_refused(clients: Clients) -> None:
    arn = clients.secretsmanager.create_secret(Name="slack", SecretString="first\n")["ARN"]
    secret = Secret(arn, clients, {})
    assert secret.value() == "first"
    clients.secretsmanager.put_secret_value(SecretId=arn, SecretString='{"token": "second"}')
    assert secret.value() == "first"
    assert secret.changed()
    assert secret.value() == "second"
    assert not secret.changed()


@pytest.mark.parametrize("text", ['{"a": "x", "b": "y"}', "{broken", " ", "[]x" * 0])
def test_a_secret_without_one_token_says_so_and_not_what_it_holds(text: str, clients: Clients) -> None:
    with pytest.raises(TransportError, match="holds no token") as raised:
        Secret("env:TOKEN", clients, {"TOKEN": text}).value()
    assert raised.value.permanent
    assert "broken" not in str(raised.value)


def test_a_secret_that_is_not_there_is_permanent(clients: Clients) -> None:
    with pytest.raises(TransportError, match="ResourceNotFoundException") as raised:
        Secret("nowhere", clients, {}).value()
    assert raised.value.permanent


def test_only_transports_with_a_token_or_a_topic_are_there(clients: Clients) -> None:
    assert build_transports(Settings(), clients, {}) == {}
    settings = Settings(slack_token_secret="s", pagerduty_key_secret="p", email_topic_arn="arn:aws:sns:x:1:mails")
    built = build_transports(settings, clients, {})
    assert {name: transport.name for name, transport in built.items()} == {
        "slack": "slack", "pagerduty": "pagerduty", "email": "email",
    }  # fmt: skip
