"""Display tokens: made once, checked from a short memory, gone within a minute when revoked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from backend.contract.errors import InvalidInput
from dashboard.access.tokens import DisplayTokens, TokenStore, TokensUnavailableError
from tests.dashboard.data.feeding import Clock
from tests.template_resources import create_event_tables

NOW = 1_795_270_500.0


class Reads:
    """A table that counts its reads and can be away."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self.count = 0
        self.uses: list[float] = []
        self.away = False

    def find(self, ident: str) -> Any:
        """As TokenStore.find."""
        self.count += 1
        if self.away:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        return self._store.find(ident)

    def used(self, ident: str, at: float) -> None:
        """As TokenStore.used."""
        self.uses.append(at)
        self._store.used(ident, at)


@pytest.fixture
def store() -> Iterator[TokenStore]:
    with mock_aws():
        client = boto3.client("dynamodb", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        create_event_tables(client)
        yield TokenStore(client, "AccessTokens")


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def reads(store: TokenStore) -> Reads:
    return Reads(store)


@pytest.fixture
def tokens(reads: Any, clock: Clock) -> DisplayTokens:
    return DisplayTokens(reads, clock)


def test_a_token_is_known_by_its_name(store: TokenStore, tokens: DisplayTokens) -> None:
    token = store.create("lobby", "ann", NOW)
    assert tokens.name_of(token) == "lobby"


def test_the_table_never_holds_a_token(store: TokenStore) -> None:
    token = store.create("lobby", "ann", NOW)
    items = store._dynamodb.scan(TableName="AccessTokens")["Items"]
    assert len(items) == 1
    assert token not in json.dumps(items)
    assert token.removeprefix("pbd_") not in json.dumps(items)


@pytest.mark.parametrize(
    "token", ["", "pbd_", "pbd_" + "x" * 43, "x" * 47, "pbd_" + "x" * 42 + "\n", "pbd_" + "é" * 43]
)
def test_what_was_never_made_is_nothing(tokens: DisplayTokens, token: str) -> None:
    assert tokens.name_of(token) is None


def test_what_can_be_no_token_costs_no_read(tokens: DisplayTokens, reads: Reads) -> None:
    tokens.name_of("nonsense")
    assert reads.count == 0


def test_a_revoked_token_is_refused_within_a_minute(store: TokenStore, tokens: DisplayTokens, clock: Clock) -> None:
    token = store.create("lobby", "ann", NOW)
    assert tokens.name_of(token) == "lobby"
    assert store.revoke("lobby", NOW + 1) == 1
    clock.now += 59
    assert tokens.name_of(token) is None


def test_a_check_is_remembered_shortly(store: TokenStore, tokens: DisplayTokens, reads: Reads, clock: Clock) -> None:
    token = store.create("lobby", "ann", NOW)
    for _ in range(10):
        tokens.name_of(token)
        clock.now += 2
    assert reads.count == 1


def test_an_outage_of_the_table_blinds_no_display_that_was_good(
    store: TokenStore, tokens: DisplayTokens, reads: Reads, clock: Clock
) -> None:
    token, other = store.create("lobby", "ann", NOW), store.create("office", "ann", NOW)
    tokens.name_of(token)
    reads.away = True
    clock.now += 600
    assert tokens.name_of(token) == "lobby"
    with pytest.raises(TokensUnavailableError):
        tokens.name_of(other)
    clock.now += 3600
    with pytest.raises(TokensUnavailableError):
        tokens.name_of(token)


def test_a_table_that_is_away_is_not_asked_for_every_request(
    store: TokenStore, tokens: DisplayTokens, reads: Reads, clock: Clock
) -> None:
    token = store.create("lobby", "ann", NOW)
    tokens.name_of(token)
    reads.away = True
    clock.now += 40
    for _ in range(10):
        tokens.name_of(token)
    assert reads.count == 2


def test_an_outage_makes_no_revoked_token_good(
    store: TokenStore, tokens: DisplayTokens, reads: Reads, clock: Clock
) -> None:
    token = store.create("lobby", "ann", NOW)
    store.revoke("lobby", NOW)
    assert tokens.name_of(token) is None
    reads.away = True
    clock.now += 40
    assert tokens.name_of(token) is None


def test_its_use_is_noted_once_an_hour(store: TokenStore, tokens: DisplayTokens, reads: Reads, clock: Clock) -> None:
    token = store.create("lobby", "ann", NOW)
    for _ in range(130):
        tokens.name_of(token)
        clock.now += 60
    assert len(reads.uses) == 3
    assert [entry.last_used_at for entry in store.all()] == [reads.uses[-1]]


def test_a_name_is_in_use_once(store: TokenStore) -> None:
    store.create("lobby", "ann", NOW)
    with pytest.raises(InvalidInput, match="is in use"):
        store.create("lobby", "bob", NOW)
    store.revoke("lobby", NOW)
    store.create("lobby", "bob", NOW + 1)
    assert [(token.name, token.revoked_at is None) for token in store.all()] == [("lobby", False), ("lobby", True)]


@pytest.mark.parametrize("name", ["", " lobby", "<b>", "x" * 65, "a\nb", "=cmd"])
def test_names_are_plain(store: TokenStore, name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        store.create(name, "ann", NOW)


def test_revoking_what_is_not_there_is_an_error(store: TokenStore) -> None:
    with pytest.raises(InvalidInput, match="tokens list"):
        store.revoke("lobby", NOW)
