"""What a message says, in words that every transport shares. Pure."""

from __future__ import annotations

import re
from typing import Final

from backend.alerts.transports.base import Message
from backend.contract.alerts import Alert
from backend.contract.catalogue import Catalogue, Severity
from backend.contract.events import utc_text
from backend.contract.verdict import amount, duration

SEVERITY_SHAPE: Final[dict[Severity, str]] = {"CRITICAL": "🛑", "HIGH": "🔶", "MEDIUM": "🟨", "LOW": "🔵"}
"""Told apart by shape too: octagon, diamond, square, circle."""
STATE_SHAPE: Final = {"open": "", "acknowledged": "👀", "resolved": "✅", "unknown": "❔"}
SHOWN_LABELS: Final = 10
SHOWN_MEMBERS: Final = 20
REPEATED: Final = "May have been told before: how the last try ended is not known."
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What can't be seen and changes how the rest is read, direction marks among it; line feed and tab stay."""


def cut(text: str, limit: int) -> str:
    """The text without control characters, at most ``limit`` characters; a cut is said at its end."""
    return _fitted(text[: limit + 1], limit, len(text))


def one_line(text: str, limit: int) -> str:
    """The text with every white space a single blank, at most ``limit`` characters; a cut is said at its end."""
    # Of a megabyte only its beginning is looked at; white space may take most of that.
    head = text[: 4 * limit + 1]
    line = " ".join(head.split())
    return _fitted(line, limit, len(line) if len(head) == len(text) else len(text))


def _fitted(head: str, limit: int, total: int) -> str:
    clean = _CONTROLS.sub(" ", head)
    if total <= limit:
        return clean
    note = f"… (cut, {total:,} characters in all)"
    return clean[: limit - len(note)] + note if limit > 2 * len(note) else clean[: limit - 1] + "…"


def minute_text(seconds: float) -> str:
    """``2026-11-21 15:46 UTC``."""
    return utc_text(seconds)[:16].replace("T", " ") + " UTC"


def state_word(alert: Alert) -> str:
    """``open``, ``acknowledged``, ``resolved``, or ``unknown`` where an open alert's source says nothing."""
    return "unknown" if alert.state != "resolved" and alert.unknown_since is not None else alert.state


def headline(alert: Alert) -> str:
    """Shape, severity, state and title in one line: ``🛑 CRITICAL open: Dead letters above 100 per minute``."""
    state = state_word(alert)
    shape = STATE_SHAPE[state] or SEVERITY_SHAPE[alert.severity]
    return f"{shape} {alert.severity} {state}: {one_line(alert.title, 300)}"


def state_text(message: Message) -> str:
    """The state with who and since when."""
    alert = message.alert
    if alert.state == "resolved":
        ended = alert.updated_at if alert.resolved_at is None else alert.resolved_at
        return f"✅ Resolved {minute_text(ended)}, open for {duration(ended - alert.opened_at)}"
    text = "open"
    if alert.state == "acknowledged" and alert.acknowledged_at is not None:
        text = f"acknowledged by {one_line(alert.acknowledged_by, 100)} {minute_text(alert.acknowledged_at)}"
    if alert.unknown_since is not None:
        text += f"; ❔ its source says nothing since {minute_text(alert.unknown_since)}, so it stays open"
    if alert.flapping:
        text += "; comes and goes"
    return text[:1].upper() + text[1:]


def since_text(alert: Alert, at: float) -> str:
    """When it began, and how long ago that is while it lasts."""
    text = minute_text(alert.opened_at)
    return text if alert.state == "resolved" else f"{text} ({duration(max(0.0, at - alert.opened_at))})"


def value_text(alert: Alert, catalogue: Catalogue) -> str:
    """``61,234 records, alerts above 50,000 records``; "" where the alert has no value."""
    if alert.value is None:
        return ""
    if alert.metric not in catalogue:
        return amount(alert.value, alert.unit).strip()
    metric = catalogue[alert.metric]
    text = amount(alert.value, alert.unit or metric.unit)
    if metric.alarm is None:
        return text
    side = "above" if metric.alarm.comparison == ">" else "below"
    return f"{text}, alerts {side} {amount(metric.alarm.threshold, metric.unit)}"


def label_lines(alert: Alert) -> list[str]:
    """``name: value`` of the first labels; how many more there are is the last line."""
    names = sorted(alert.labels)
    lines = [f"{one_line(name, 60)}: {one_line(alert.labels[name], 200)}" for name in names[:SHOWN_LABELS]]
    return lines + ([f"and {len(names) - SHOWN_LABELS} more labels"] if len(names) > SHOWN_LABELS else [])


def member_lines(message: Message) -> list[str]:
    """A line per alert that a group speaks for; how many more there are is the last line.

    The group's own value is how many they are: ``members`` may be a part of them.
    """
    lines = [
        f"• {one_line(member.title, 90)}, {member.environment}, {member.state} since {minute_text(member.opened_at)}"
        for member in message.members[:SHOWN_MEMBERS]
    ]
    more = max(len(message.members), int(message.alert.value or 0)) - len(lines)
    return lines + ([f"and {more:,} more"] if more > 0 and lines else [])


def change_text(message: Message) -> str:
    """One sentence on what changed, for who was told of the alert before."""
    alert = message.alert
    lasted = duration(max(0.0, message.at - alert.opened_at))
    if message.kind == "renotified":
        nobody = "" if alert.state == "acknowledged" else ", and nobody has acknowledged it"
        return f"{SEVERITY_SHAPE[alert.severity]} Still open after {lasted}{nobody}: {one_line(alert.title, 200)}"
    if message.kind == "acknowledged":
        return f"👀 Acknowledged by {one_line(alert.acknowledged_by, 100) or 'somebody'}"
    if message.kind == "unknown":
        return "❔ Its source says nothing any more. That resolves nothing: the alert stays open."
    if message.kind == "resolved":
        ended = message.at if alert.resolved_at is None else alert.resolved_at
        return f"✅ Resolved after {duration(max(0.0, ended - alert.opened_at))}"
    return headline(alert)
