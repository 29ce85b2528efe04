"""A stand-in for Slack's Web API: the methods that Pulseboard uses, with their checks, on loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from backend.local.peers.mood import Behaviour
from backend.local.peers.pages import slack_page
from backend.local.peers.server import Answer, Asked, Peer, as_json
from backend.local.peers.slack_checks import problem_of

TOKEN: Final = "xoxb-stand-in"
"""Opens nothing but the stand-in."""
CHANNELS: Final = ("pipeline-alerts",)
PREFIX: Final = "/api/"
MOST: Final = 2_000
"""Messages that are kept; a demo of weeks does not fill the memory."""
Message = dict[str, Any]


class SlackPeer(Peer):
    """Channels and their messages. ``GET /`` shows them, ``GET /messages`` gives them as JSON, oldest first."""

    def __init__(self, port: int = 0, token: str = TOKEN, channels: Sequence[str] = CHANNELS) -> None:
        self.token = token
        self.channels = {f"C{number:09d}": name for number, name in enumerate(channels, 1)}
        self.messages: list[Message] = []
        self.refused: list[dict[str, Any]] = []
        self._last = 0.0
        super().__init__(port)

    @property
    def api_url(self) -> str:
        """What the client takes for ``https://slack.com/api/``."""
        return self.url + PREFIX

    def take(self, asked: Asked) -> Answer:
        """One method. Wrong requests are answered as Slack does, with status 200 and a code, and kept to look at."""
        method = asked.path.removeprefix(PREFIX)
        try:
            return self._act(method, asked)
        except _Refused as refused:
            why = {"method": method, "error": refused.code, "messages": refused.messages}
            self.refused = [*self.refused, why][-MOST:]
            said = {"response_metadata": {"messages": refused.messages}} if refused.messages else {}
            return as_json(200, {"ok": False, "error": refused.code, **said})

    def _act(self, method: str, asked: Asked) -> Answer:
        act = self._methods().get(method)
        if act is None:
            raise _Refused("unknown_method")
        given = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if given != self.token:
            raise _Refused("invalid_auth" if given else "not_authed")
        return act(_parameters(asked))

    def refuse(self, behaviour: Behaviour) -> Answer:
        """429, 500 or invalid_auth as Slack says them."""
        if behaviour.mode == "429":
            return as_json(429, {"ok": False, "error": "ratelimited"}, retry_after=behaviour.retry_after or "1")
        if behaviour.mode == "500":
            return as_json(500, {"ok": False, "error": "internal_error"})
        return as_json(200, {"ok": False, "error": "invalid_auth"})

    def show(self, path: str) -> Answer | None:
        """The page, and what tests look at."""
        with self.lock:
            if path == "/":
                return Answer(200, slack_page(self.channels, self.messages).encode(), "text/html; charset=utf-8")
            if path == "/messages":
                named = [{**message, "channel_name": self.channels[message["channel"]]} for message in self.messages]
                return as_json(200, {"messages": named, "refused": self.refused})
        return None

    def _methods(self) -> dict[str, Callable[[Mapping[str, Any]], Answer]]:
        return {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.list": self._list,
            "conversations.create": self._create,
        }

    def _post(self, message: Mapping[str, Any]) -> Answer:
        channel = self._channel(message.get("channel"), by_name=True)
        _check(message)
        if (thread := message.get("thread_ts")) is not None:
            self._find(channel, thread, "thread_not_found")
        kept = {name: message[name] for name in ("text", "blocks", "metadata", "thread_ts") if name in message}
        broadcast = bool(message.get("reply_broadcast"))
        entry = {"type": "message", "channel": channel, "ts": self._ts(), "broadcast": broadcast, "edits": 0, **kept}
        self.messages = [*self.messages, entry][-MOST:]
        return as_json(200, {"ok": True, "channel": channel, "ts": entry["ts"], "message": entry})

    def _update(self, message: Mapping[str, Any]) -> Answer:
        channel = self._channel(message.get("channel"))
        entry = self._find(channel, message.get("ts"), "message_not_found")
        _check(message)
        entry.update({name: message[name] for name in ("text", "blocks", "metadata") if name in message})
        entry["edits"] += 1
        return as_json(200, {"ok": True, "channel": channel, "ts": entry["ts"], "text": entry.get("text", "")})

    def _history(self, parameters: Mapping[str, Any]) -> Answer:
        channel = self._channel(parameters.get("channel"))
        oldest = float(parameters.get("oldest") or 0)
        found = [
            message
            for message in reversed(self.messages)
            if message["channel"] == channel
            and float(message["ts"]) > oldest
            and ("thread_ts" not in message or message["broadcast"])
        ]
        return _page("messages", [_seen(message, parameters) for message in found], parameters)

    def _replies(self, parameters: Mapping[str, Any]) -> Answer:
        channel = self._channel(parameters.get("channel"))
        root = self._find(channel, parameters.get("ts"), "thread_not_found")["ts"]
        found = [m for m in self.messages if m["channel"] == channel and root in (m["ts"], m.get("thread_ts"))]
        return _page("messages", [_seen(message, parameters) for message in found], parameters)

    def _list(self, parameters: Mapping[str, Any]) -> Answer:
        return _page("channels", [{"id": key, "name": name} for key, name in self.channels.items()], parameters)

    def _create(self, parameters: Mapping[str, Any]) -> Answer:
        name = str(parameters.get("name") or "")
        if name in self.channels.values():
            raise _Refused("name_taken")
        plain = name.replace("-", "").replace("_", "")
        if not 0 < len(name) <= 80 or name != name.lower() or not plain.isalnum():
            raise _Refused("invalid_name_specials" if name else "invalid_name_required")
        key = f"C{len(self.channels) + 1:09d}"
        self.channels[key] = name
        return as_json(200, {"ok": True, "channel": {"id": key, "name": name}})

    def _channel(self, given: object, *, by_name: bool = False) -> str:
        """Only posting takes a name; everything else takes ids."""
        if given in self.channels:
            return str(given)
        name = str(given or "").removeprefix("#")
        found = next((key for key, known in self.channels.items() if by_name and known == name), None)
        if found is None:
            raise _Refused("channel_not_found")
        return found

    def _find(self, channel: str, ts: object, code: str) -> Message:
        found = next((m for m in self.messages if m["channel"] == channel and m["ts"] == ts), None)
        if found is None:
            raise _Refused(code)
        return found

    def _ts(self) -> str:
        self._last = max(time.time(), self._last + 1e-6)
        return f"{self._last:.6f}"


class _Refused(Exception):  # noqa: N818 - reads as a statement where it is raised
    """Slack's error code, and what it says besides."""

    def __init__(self, code: str, messages: Sequence[str] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.messages = list(messages)


def _check(message: Mapping[str, Any]) -> None:
    if problem := problem_of(message):
        raise _Refused(*problem)


def _parameters(asked: Asked) -> dict[str, Any]:
    """A body in JSON or as a form; what is neither is none."""
    if asked.headers.get("content-type", "").startswith("application/json"):
        try:
            found = json.loads(asked.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
    return dict(parse_qsl(asked.body.decode("utf-8", "replace"), keep_blank_values=True))


def _seen(message: Message, parameters: Mapping[str, Any]) -> Message:
    """A message as a listing gives it: with metadata only where it is asked for."""
    wanted = str(parameters.get("include_all_metadata", "")).lower() in ("1", "true")
    return {name: value for name, value in message.items() if name != "metadata" or wanted}


def _page(name: str, entries: list[Any], parameters: Mapping[str, Any]) -> Answer:
    limit, start = int(parameters.get("limit") or 100), int(parameters.get("cursor") or 0)
    more = start + limit < len(entries)
    metadata = {"next_cursor": str(start + limit) if more else ""}
    return as_json(200, {"ok": True, name: entries[start : start + limit], "has_more": more,
                         "response_metadata": metadata})  # fmt: skip
