"""Calls of Slack's Web API with one meaning of what went wrong, and the looking for messages that may be there."""

from __future__ import annotations

import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.client import HTTPException
from typing import Any, Final

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from backend.alerts.transports.base import TransportError
from backend.alerts.transports.retry_after import retry_after
from backend.alerts.transports.secret import Secret

TIMEOUT_SECONDS: Final = 3
"""Of one call; a delivery is a few, a repeat up to ``PAGES`` more for each list it looks through."""
PAGES: Final = 5
"""Of a listing that are looked through; 5 pages of 200 messages are more than a channel of alerts gets in an hour."""
MORE_PAGES: Final = "more_pages"
"""Own code: what was looked for may stand on a page that was not read."""
PAGE_SIZE: Final = 200
TOKEN_ERRORS: Final = frozenset(
    {"invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive"}
)  # fmt: skip
TRANSIENT_ERRORS: Final = frozenset(
    {"ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "service_unavailable",
     "request_timeout", "external_channel_migrating", "team_added_to_org", "accesslimited"}
)  # fmt: skip
"""Codes after which Slack's documentation says to try again; all other codes need somebody."""
NOT_TAKEN: Final = frozenset({429})
"""Status of an answer that says that nothing was done: what is sent again is no repeat."""
_CODE: Final = re.compile("[a-z0-9_]{1,80}")
_CHANNEL_ID: Final = re.compile("[CGD][A-Z0-9]{8,}")
Call = Callable[[WebClient], Any]


class SlackError(TransportError):
    """What Slack answered. ``code`` is its error, such as ``channel_not_found``, "" where it gave none."""

    def __init__(
        self,
        message: str,
        permanent: bool,
        retry_after: float | None = None,
        code: str = "",
        *,
        unsure: bool = True,
    ) -> None:
        super().__init__(message, permanent, retry_after, unsure=unsure)
        self.code = code


class SlackCalls:
    """Slack's API with a token that is read again when it is refused. Tries once; thread-safe."""

    def __init__(
        self, token: Secret, base_url: str, clock: Callable[[], float] = time.time, timeout: int = TIMEOUT_SECONDS
    ) -> None:
        self._token = token
        self._base_url = base_url
        self._clock = clock
        self._timeout = timeout
        self._channels: dict[str, str] = {}
        # Made once: reading the certificates takes longer than a call.
        self._tls = ssl.create_default_context()
        # What the client would say of a failure stands in the error, without what was sent.
        self._quiet = logging.getLogger(f"{__name__}.client")
        self._quiet.setLevel(logging.CRITICAL)

    def post(self, channel: str, **what: Any) -> tuple[str, str]:
        """Posts a message; its channel's id and its ts. Raises SlackError."""
        said = {"unfurl_links": False, "unfurl_media": False, "link_names": False, "parse": "none", **what}
        answer = self._call("chat.postMessage", lambda client: client.chat_postMessage(channel=channel, **said))
        place = _text(answer, "channel", "chat.postMessage"), _text(answer, "ts", "chat.postMessage")
        self._channels[channel] = place[0]
        return place

    def update(self, channel: str, ts: str, **what: Any) -> None:
        """Replaces a message. Raises SlackError."""
        # Unlike when posting, Slack looks for links and names here unless it is told not to.
        said = {"link_names": False, "parse": "none", **what}
        self._call("chat.update", lambda client: client.chat_update(channel=channel, ts=ts, **said))

    def create_channel(self, name: str) -> str:
        """The id of a new public channel. Raises SlackError."""
        answer = self._call("conversations.create", lambda client: client.conversations_create(name=name))
        channel = answer.get("channel")
        return _text(channel if isinstance(channel, Mapping) else {}, "id", "conversations.create")

    def history(self, channel: str, oldest: float) -> Iterator[Mapping[str, Any]]:
        """Messages of a channel (by id) since ``oldest`` (epoch s), newest first, with metadata. Raises SlackError."""
        return self._pages("conversations.history", "messages", channel=channel, oldest=f"{oldest:.6f}",
                           include_all_metadata=True, limit=PAGE_SIZE)  # fmt: skip

    def replies(self, channel: str, ts: str) -> Iterator[Mapping[str, Any]]:
        """Messages of a thread with metadata, its root among them. Raises SlackError."""
        return self._pages("conversations.replies", "messages", channel=channel, ts=ts, include_all_metadata=True,
                           limit=PAGE_SIZE)  # fmt: skip

    def channel_id(self, name: str) -> str:
        """The id of a channel by its name, with or without ``#``; an id is itself. Raises SlackError."""
        if _CHANNEL_ID.fullmatch(name):
            return name
        if name not in self._channels:
            plain = name.removeprefix("#")
            found = (entry for entry in self._channel_list() if entry.get("name") == plain and entry.get("id"))
            if (entry := next(found, None)) is None:
                problem = f"slack: channel {name} is not among those the app sees; invite it, or configure the id"
                raise SlackError(problem, permanent=True, code="channel_not_found")
            self._channels[name] = str(entry["id"])
        return self._channels[name]

    def _channel_list(self) -> Iterator[Mapping[str, Any]]:
        return self._pages("conversations.list", "channels", types="public_channel,private_channel",
                           exclude_archived=True, limit=1000)  # fmt: skip

    def _pages(self, method: str, field: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        for _ in range(PAGES):
            given = {**parameters, **({"cursor": cursor} if cursor else {})}
            answer = self._call(method, partial(WebClient.api_call, api_method=method, params=given))
            entries = answer.get(field)
            yield from (entry for entry in entries if isinstance(entry, Mapping)) if isinstance(entries, list) else ()
            following = answer.get("response_metadata")
            cursor = str(following.get("next_cursor") or "") if isinstance(following, Mapping) else ""
            if not cursor:
                return
        raise SlackError(f"slack: {method} goes on after {PAGES} pages", permanent=True, code=MORE_PAGES)

    def _call(self, method: str, call: Call) -> Mapping[str, Any]:
        try:
            return self._once(method, call)
        except SlackError as error:
            # Somebody may have put a new token there since this process read it.
            if error.code not in TOKEN_ERRORS or not self._token.changed():
                raise
        return self._once(method, call)

    def _once(self, method: str, call: Call) -> Mapping[str, Any]:
        client = WebClient(self._token.value(), self._base_url, timeout=self._timeout, ssl=self._tls,
                           logger=self._quiet, retry_handlers=[])  # fmt: skip
        try:
            answer = call(client).data
        except SlackApiError as error:
            raise self._refused(method, error) from None
        except (SlackClientError, OSError, HTTPException, ValueError) as error:
            raise SlackError(f"slack: {method} had no answer ({type(error).__name__})", permanent=False) from error
        except AttributeError as error:
            # The client takes it for granted that JSON is an object.
            raise _garbage(method) from error
        if not isinstance(answer, Mapping):
            raise _garbage(method)
        return answer

    def _refused(self, method: str, error: SlackApiError) -> SlackError:
        """What an answer that is no success means. Its text is not repeated: it may be a whole page of a proxy."""
        answer = error.response
        status = int(answer.status_code)
        wait = retry_after(_header(answer.headers, "retry-after"), self._clock())
        code = answer.data.get("error") if isinstance(answer.data, Mapping) else None
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            permanent = 400 <= status < 500 and status not in (408, 429)
            words = f"slack: {method} answered {status} without a reason"
            return SlackError(words, permanent, wait, unsure=status not in NOT_TAKEN)
        permanent = status not in (408, 429) and status < 500 and code not in TRANSIENT_ERRORS
        return SlackError(f"slack: {method} answered {code}", permanent, wait, code, unsure=status not in NOT_TAKEN)


def _header(headers: Mapping[str, Any], name: str) -> str | None:
    return next((str(value) for key, value in headers.items() if key.lower() == name), None)


def _text(answer: Mapping[str, Any], field: str, method: str) -> str:
    value = answer.get(field)
    if not isinstance(value, str) or not value:
        raise _garbage(method)
    return value


def _garbage(method: str) -> SlackError:
    return SlackError(f"slack: {method} answered what is no answer of Slack's", permanent=False)
