"""What PagerDuty is told: events of its Events API v2. Pure."""

from __future__ import annotations

from typing import Any, Final

from backend.alerts.transports import links, text
from backend.alerts.transports.base import Message
from backend.contract.alerts import Alert
from backend.contract.catalogue import Catalogue, Severity
from backend.contract.events import utc_text

SUMMARY: Final = 1_024
DETAIL: Final = 8_000
"""Characters of one text among the details; an event may have 512 KB in all."""
NAME: Final = 255
SEVERITY: Final[dict[Severity, str]] = {"CRITICAL": "critical", "HIGH": "error", "MEDIUM": "warning", "LOW": "info"}
CLIENT: Final = "Pulseboard"
Event = dict[str, Any]


def dedup_key(alert: Alert) -> str:
    """One opening of an alert is one incident: its later events reach that one, the next opening pages again."""
    return f"{alert.fingerprint}#{utc_text(alert.opened_at)}"


def event_of(message: Message, routing_key: str, key: str, catalogue: Catalogue, client_url: str = "") -> Event:
    """The event of a message. ``key`` is the dedup_key; ``client_url`` the dashboard's address, "" without one."""
    event: Event = {"routing_key": routing_key, "event_action": _action(message), "dedup_key": key}
    if event["event_action"] != "trigger":
        return event
    event["payload"] = _payload(message, catalogue)
    event["client"] = CLIENT
    if client_url.startswith(("http://", "https://")):
        event["client_url"] = client_url
    if shown := links.shown(message.links):
        event["links"] = [{"href": url, "text": title} for _, title, url in shown]
    return event


def _action(message: Message) -> str:
    if message.kind == "resolved":
        return "resolve"
    # A trigger that reaches an acknowledged incident pages nobody again.
    return "acknowledge" if message.kind == "acknowledged" else "trigger"


def _payload(message: Message, catalogue: Catalogue) -> Event:
    alert = message.alert
    return {
        "summary": text.one_line(f"{alert.severity}: {alert.title}", SUMMARY),
        "severity": SEVERITY[alert.severity],
        "source": text.one_line(f"pulseboard/{alert.environment}", NAME),
        "timestamp": utc_text(alert.opened_at),
        "component": text.one_line(alert.metric or alert.source, NAME),
        "group": text.one_line(alert.environment, NAME),
        "class": text.one_line(alert.rule, NAME),
        "custom_details": _details(message, catalogue),
    }


def _details(message: Message, catalogue: Catalogue) -> dict[str, str]:
    alert = message.alert
    details = {
        "alert": alert.alert_id,
        "state": text.state_text(message),
        "value": text.value_text(alert, catalogue),
        "since": text.minute_text(alert.opened_at),
        "said": f"{alert.fired:,} times" if alert.fired > 1 else "",
        "description": text.cut(alert.description, DETAIL),
        "labels": "\n".join(text.label_lines(alert)),
        "alerts": "\n".join(text.member_lines(message)),
        "correlation_id": text.one_line(alert.correlation_id, NAME),
        "synthetic": "yes" if alert.synthetic else "",
    }
    return {name: value for name, value in details.items() if value}
