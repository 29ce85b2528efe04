"""Display tokens: what an unattended screen shows instead of a login. Named, read-only, revocable.

The table holds their SHA-256 only: who reads it can't use them.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.errors import InvalidInput
from backend.contract.events import utc_seconds, utc_text
from backend.contract.tables import TOKEN_ID

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

TOKEN: Final = re.compile(r"pbd_[A-Za-z0-9_-]{43}")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
FRESH_SECONDS: Final = 30.0
"""How long a check is believed: a revocation takes effect within a minute, the slowest read included."""
RETRY_SECONDS: Final = 5.0
OUTAGE_SECONDS: Final = 3600.0
"""How long a token that was good stays good while the table can't be read: an outage must not blind the wall."""
USED_EVERY_SECONDS: Final = 3600.0
MAX_KEPT: Final = 1024


class TokensUnavailableError(Exception):
    """The table of tokens can't be read, and nothing is known of this one."""


@dataclass(frozen=True, slots=True)
class DisplayToken:
    """A token as it is listed; the token itself is known to its display alone. Times are epoch seconds."""

    token_id: str
    name: str
    created_at: float
    created_by: str
    last_used_at: float | None = None
    revoked_at: float | None = None


class TokenStore:
    """The table ``AccessTokens``."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        """``table`` is named in the settings."""
        self._dynamodb = dynamodb
        self._table = table

    def create(self, name: str, by: str, now: float) -> str:
        """Makes a token and returns it, this once. Raises InvalidInput for a name that is wrong or in use."""
        if not NAME.fullmatch(name):
            raise InvalidInput("name", name, "must begin with a letter or digit; up to 64 letters, digits and . _ -")
        if any(token.name == name and token.revoked_at is None for token in self.all()):
            raise InvalidInput("name", name, "is in use; choose another name, or revoke that token first")
        token = f"pbd_{secrets.token_urlsafe(32)}"
        item: dict[str, Any] = {
            TOKEN_ID: {"S": token_id(token)},
            "name": {"S": name},
            "created_at": {"S": utc_text(now)},
            "created_by": {"S": by},
        }
        self._dynamodb.put_item(TableName=self._table, Item=item)
        return token

    def all(self) -> tuple[DisplayToken, ...]:
        """Every token ever made, oldest first."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        found = [_token(item) for page in pages for item in page["Items"]]
        return tuple(sorted(found, key=lambda token: (token.created_at, token.token_id)))

    def revoke(self, name: str, now: float) -> int:
        """Revokes the tokens of that name and returns how many. Raises InvalidInput where none is in use."""
        active = [token for token in self.all() if token.name == name and token.revoked_at is None]
        if not active:
            raise InvalidInput("name", name, "is not the name of a token in use; see pulseboard tokens list")
        for token in active:
            self._set(token.token_id, "revoked_at", now)
        return len(active)

    def find(self, ident: str) -> DisplayToken | None:
        """The token of that hash. Raises boto3's errors."""
        answer = self._dynamodb.get_item(TableName=self._table, Key={TOKEN_ID: {"S": ident}}, ConsistentRead=True)
        return _token(answer["Item"]) if "Item" in answer else None

    def used(self, ident: str, at: float) -> None:
        """Notes when it was last used."""
        self._set(ident, "last_used_at", at)

    def _set(self, ident: str, name: str, at: float) -> None:
        self._dynamodb.update_item(
            TableName=self._table,
            Key={TOKEN_ID: {"S": ident}},
            UpdateExpression="SET #name = :at",
            ConditionExpression=f"attribute_exists({TOKEN_ID})",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":at": {"S": utc_text(at)}},
        )


@dataclass(slots=True)
class _Known:
    token: DisplayToken | None
    checked_at: float
    tried_at: float


class DisplayTokens:
    """Checks tokens, with a short memory; safe to use from several threads."""

    def __init__(self, store: TokenStore, clock: Callable[[], float]) -> None:
        """``clock`` gives epoch seconds."""
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def name_of(self, token: str) -> str | None:
        """The display's name; None for a token that was never made or is revoked. Raises TokensUnavailableError."""
        if not TOKEN.fullmatch(token):
            return None
        ident, now = token_id(token), self._clock()
        with self._lock:
            known = self._known.get(ident)
            if known is not None and (
                now - known.checked_at < FRESH_SECONDS
                or (now - known.tried_at < RETRY_SECONDS and now - known.checked_at < OUTAGE_SECONDS)
            ):
                return _name(known.token)
            if known is not None:
                known.tried_at = now  # the others don't wait for this read
        return _name(self._check(ident, known, now))

    def _check(self, ident: str, known: _Known | None, now: float) -> DisplayToken | None:
        try:
            found = self._store.find(ident)
        except (BotoCoreError, ClientError) as error:
            if known is not None and now - known.checked_at < OUTAGE_SECONDS:
                logger.warning("display tokens can't be read (%s); the last answer counts", type(error).__name__)
                return known.token
            raise TokensUnavailableError(type(error).__name__) from error
        with self._lock:
            self._known[ident] = _Known(found, now, now)
            self._known.move_to_end(ident)
            while len(self._known) > MAX_KEPT:
                self._known.popitem(last=False)
        if found is not None and found.revoked_at is None and now - (found.last_used_at or 0) > USED_EVERY_SECONDS:
            self._note_use(ident, now)
        return found

    def _note_use(self, ident: str, now: float) -> None:
        try:
            self._store.used(ident, now)
        except (BotoCoreError, ClientError):
            logger.warning("the use of a display token could not be noted", exc_info=True)


def token_id(token: str) -> str:
    """What the table knows of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _name(token: DisplayToken | None) -> str | None:
    return token.name if token is not None and token.revoked_at is None else None


def _token(item: Mapping[str, Any]) -> DisplayToken:
    def at(name: str) -> float | None:
        return utc_seconds(item[name]["S"]) if name in item else None

    return DisplayToken(
        token_id=item[TOKEN_ID]["S"],
        name=item["name"]["S"],
        created_at=utc_seconds(item["created_at"]["S"]),
        created_by=item["created_by"]["S"],
        last_used_at=at("last_used_at"),
        revoked_at=at("revoked_at"),
    )
