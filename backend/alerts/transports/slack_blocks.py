"""What a Slack message looks like: Block Kit within its documented limits. Pure.

Texts of others go into ``plain_text`` objects, which Slack shows as they are: nothing in them is a link, a mention or
a format. Where Slack takes marked-up text only, in notifications, they are escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from backend.alerts.transports import links, text
from backend.alerts.transports.base import Message
from backend.contract.catalogue import Catalogue

HEADER: Final = 150
SECTION: Final = 3_000
FIELD: Final = 2_000
FALLBACK: Final = 600
"""Characters of the text of notifications; Slack takes 4,000 and phones show far less."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """``text`` is what notifications show, ``blocks`` what the channel shows, as JSON."""

    text: str
    blocks: list[dict[str, Any]]


def escape(foreign: str) -> str:
    """Text that Slack's markup leaves as it is: the three characters that begin anything there are replaced."""
    return foreign.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def root(message: Message, catalogue: Catalogue, repeated: bool = False) -> Rendered:
    """The message of an alert or of a group, as it is now. ``repeated``: it may stand in the channel already."""
    blocks = _group(message) if message.members else _single(message, catalogue)
    if repeated:
        blocks.append(_context(text.REPEATED))
    if buttons := _buttons(message):
        blocks.append(ActionsBlock(elements=buttons))
    return _rendered(text.headline(message.alert), blocks)


def reply(message: Message, repeated: bool = False) -> Rendered:
    """What is said below the message when something changed."""
    sentence = text.change_text(message)
    blocks: list[Block] = [_section(sentence)]
    if repeated:
        blocks.append(_context(text.REPEATED))
    return _rendered(sentence, blocks)


def _single(message: Message, catalogue: Catalogue) -> list[Block]:
    alert = message.alert
    rows = [
        ("State", text.state_text(message)),
        ("Value", text.value_text(alert, catalogue)),
        ("Since", text.since_text(alert, message.at)),
        ("Environment", alert.environment),
        ("Rule", alert.rule),
    ]
    blocks: list[Block] = [HeaderBlock(text=_plain(text.one_line(text.headline(alert), HEADER))), _table(rows)]
    if alert.description.strip():
        blocks.append(_section(alert.description))
    if labels := text.label_lines(alert):
        blocks.append(_section("\n".join(labels)))
    blocks.append(_context(" · ".join(_footnotes(message))))
    return blocks


def _group(message: Message) -> list[Block]:
    alert = message.alert
    places = sorted({member.environment for member in message.members})
    rows = [
        ("State", text.state_text(message)),
        ("Since", text.since_text(alert, message.at)),
        ("Environment", ", ".join(places)),
    ]
    return [
        HeaderBlock(text=_plain(text.one_line(text.headline(alert), HEADER))),
        _table(rows),
        _section("\n".join(text.member_lines(message))),
        _context("They came at the same time and are told as one; each is on the page by itself."),
    ]


def _footnotes(message: Message) -> list[str]:
    alert = message.alert
    notes = [f"Alert {alert.alert_id}"]
    if alert.fired > 1:
        notes.append(f"said {alert.fired:,} times")
    if alert.state == "open" and alert.acknowledge_by is not None:
        notes.append(f"to be acknowledged by {text.minute_text(alert.acknowledge_by)}")
    if alert.correlation_id:
        notes.append(f"correlation id {text.one_line(alert.correlation_id, 100)}")
    return [*notes, "synthetic data"] if alert.synthetic else notes


def _buttons(message: Message) -> list[ButtonElement]:
    """Links only: what they do happens on the page, where the guard, the reason and the audit log are."""
    done = message.alert.state != "open"
    return [
        ButtonElement(text=_plain("Open alert" if key == links.ALERT and done else title), action_id=key, url=url)
        for key, title, url in links.shown(message.links)
    ]


def _rendered(headline: str, blocks: list[Block]) -> Rendered:
    return Rendered(escape(text.one_line(headline, FALLBACK)), [block.to_dict() for block in blocks])


def _plain(words: str) -> PlainTextObject:
    return PlainTextObject(text=words, emoji=False)


def _section(words: str) -> SectionBlock:
    return SectionBlock(text=_plain(text.cut(words.strip(), SECTION)))


def _context(words: str) -> ContextBlock:
    return ContextBlock(elements=[_plain(text.one_line(words, SECTION))])


def _table(rows: list[tuple[str, str]]) -> SectionBlock:
    """Two columns: names in bold, what stands beside them as it is. Slack takes ten fields, so five rows."""
    return SectionBlock(
        fields=[
            field
            for name, value in rows
            if value
            for field in (MarkdownTextObject(text=f"*{name}*", verbatim=True), _plain(text.one_line(value, FIELD)))
        ]
    )
