"""Slack: one message an alert, kept up to date in place, and what changed in its thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.alerts.transports import slack_blocks
from backend.alerts.transports.base import Delivered, Message
from backend.alerts.transports.slack_calls import SlackCalls, SlackError
from backend.contract.alerts import Alert, Delivery
from backend.contract.catalogue import Catalogue
from backend.contract.events import utc_text
from backend.settings_alerts import Slack

EVENT_TYPE: Final = "pulseboard_alert"
"""Of the metadata that its messages carry: by it a message is found again."""
SKEW_SECONDS: Final = 300.0
"""Slack's clock and this one may differ by so much."""
_FIRST: Final = ("opened", "renotified", "group")
"""What may be the first that Slack hears of an alert; the others belong below something."""
_REPLIED: Final = ("renotified", "acknowledged", "unknown", "resolved")
_GONE: Final = frozenset({"message_not_found", "thread_not_found"})
_FIXED: Final = frozenset({"edit_window_closed", "cant_update_message"})


class SlackTransport:
    """Tells Slack. A message's reference is ``<channel id>:<ts>``."""

    name = "slack"

    def __init__(self, calls: SlackCalls, config: Slack, catalogue: Catalogue) -> None:
        self._calls = calls
        self._config = config
        self._catalogue = catalogue

    def deliver(self, message: Message, sent: Delivery | None) -> Delivered:
        """Posts, or updates what was posted and says in its thread what changed. Raises TransportError."""
        if message.kind == "incident":
            return self._incident(message)
        channel, _, ts = (sent.reference if sent else "").partition(":")
        if ts:
            try:
                return self._follow(message, channel, ts)
            except SlackError as error:
                if error.code not in _GONE:
                    raise
                # Somebody deleted the message; what is still open is said anew.
        return self._first(message) if message.kind in _FIRST else Delivered("")

    def _first(self, message: Message) -> Delivered:
        channel = self._channel(message.alert)
        doubtful = False
        if message.repeat:
            known, doubtful = self._lookup(message, channel)
            if known:
                # What was found says how things were then; this one may stand for later ones too.
                place, _, ts = known.partition(":")
                return Delivered(known, self._update(message, place, ts))
        shown = slack_blocks.root(message, self._catalogue, doubtful)
        place, ts = self._calls.post(channel, text=shown.text, blocks=shown.blocks, metadata=_metadata(message))
        return Delivered(f"{place}:{ts}")

    def _follow(self, message: Message, channel: str, ts: str) -> Delivered:
        problem = self._update(message, channel, ts)
        if message.kind in _REPLIED:
            self._reply(message, channel, ts)
        return Delivered(f"{channel}:{ts}", problem)

    def _update(self, message: Message, channel: str, ts: str) -> str:
        shown = slack_blocks.root(message, self._catalogue)
        try:
            self._calls.update(channel, ts, text=shown.text, blocks=shown.blocks, metadata=_metadata(message))
        except SlackError as error:
            if error.code not in _FIXED:
                raise
            return f"Slack does not let the message be changed ({error.code}); its thread says what is new"
        return ""

    def _reply(self, message: Message, channel: str, ts: str) -> None:
        doubtful = False
        if message.repeat:
            try:
                if _delivered(self._calls.replies(channel, ts), message, below=ts):
                    return
            except SlackError as error:
                if not error.permanent or error.code in _GONE:
                    raise
                doubtful = True
        shown = slack_blocks.reply(message, doubtful)
        # To whom nobody answered in the thread it is said in the channel once more.
        self._calls.post(channel, thread_ts=ts, reply_broadcast=message.kind == "renotified", text=shown.text,
                         blocks=shown.blocks, metadata=_metadata(message))  # fmt: skip

    def _lookup(self, message: Message, channel: str) -> tuple[str, bool]:
        """The reference of this very delivery where an earlier try got through, and whether nobody can know.

        Raises TransportError where Slack should be asked again later.
        """
        try:
            place = self._calls.channel_id(channel)
            found = _delivered(self._calls.history(place, message.at - SKEW_SECONDS), message)
        except SlackError as error:
            if not error.permanent:
                raise
            return "", True
        return (f"{place}:{found}" if found else ""), False

    def _incident(self, message: Message) -> Delivered:
        """A channel of its own with the alert's message in it. A repeat does not make a second one."""
        name = channel_name(message.alert)
        try:
            channel = self._calls.create_channel(name)
        except SlackError as error:
            if error.code != "name_taken":
                raise
            channel = self._calls.channel_id(name)
            if _delivered(self._calls.history(channel, message.at - SKEW_SECONDS), message):
                return Delivered(name)
        shown = slack_blocks.root(message, self._catalogue)
        self._calls.post(channel, text=shown.text, blocks=shown.blocks, metadata=_metadata(message))
        return Delivered(name)

    def _channel(self, alert: Alert) -> str:
        own = {"CRITICAL": self._config.critical_channel, "LOW": self._config.low_channel}.get(alert.severity, "")
        return own or self._config.channel


def channel_name(alert: Alert) -> str:
    """The name of an incident's channel: ``inc-20261121-1f2e3d4c5b6a``."""
    return f"inc-{utc_text(alert.opened_at)[:10].replace('-', '')}-{alert.alert_id}"


def _metadata(message: Message) -> dict[str, Any]:
    alert = message.alert
    payload = {
        "fingerprint": alert.fingerprint,
        "opened_at": utc_text(alert.opened_at),
        "delivery_id": message.delivery_id,
    }
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def _delivered(messages: Iterator[Mapping[str, Any]], message: Message, below: str = "") -> str:
    """The ts of the message that this delivery brought, "" where there is none. ``below``: not the thread's root."""
    for entry in messages:
        metadata = entry.get("metadata")
        if not isinstance(metadata, Mapping) or metadata.get("event_type") != EVENT_TYPE or entry.get("ts") == below:
            continue
        payload = metadata.get("event_payload")
        if isinstance(payload, Mapping) and payload.get("delivery_id") == message.delivery_id:
            return str(entry.get("ts") or "")
    return ""
