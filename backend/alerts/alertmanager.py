"""Alertmanager's webhooks: from their payload (version 4) to what is published. Pure.

Format: Alertmanager's documentation, "webhook_config". Version 4 is what every release since 0.8 sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from backend.contract.alerts import SEVERITIES, SignalState, fingerprint
from backend.contract.catalogue import Severity
from backend.contract.errors import InvalidInput

SOURCE: Final = "alertmanager"
VERSION: Final = "4"
TRUNCATED: Final = "truncated"
"""Kind of the alert that says that Alertmanager left alerts out."""
TRUNCATED_SECONDS: Final = 5 * 3600.0
"""It ends by itself: Alertmanager says an open group again every four hours unless it is told otherwise."""
MOST_ALERTS: Final = 200
"""Of one webhook. Each is published by itself, and Alertmanager waits for the answer."""
NAME: Final = 200
_SEVERITY_WORDS: Final[Mapping[Severity, str]] = {
    "CRITICAL": "critical page emergency fatal disaster crit p1",
    "HIGH": "high error major ticket urgent p2",
    "MEDIUM": "medium warning warn minor average p3",
    "LOW": "low info information informational notice debug none ok p4 p5",
}
SEVERITY_OF: Final[Mapping[str, Severity]] = {
    word: severity for severity, words in _SEVERITY_WORDS.items() for word in words.split()
}
"""The label ``severity``, in small letters; any other word, and none at all, is MEDIUM."""
_SUBJECT: Final = "subject"
"""Under this name the alert's own fingerprint is shown: a label of this name is told as ``label_subject``."""
_NAMES: Final = ("summary", "title", "message")
_TEXTS: Final = ("description", "message")
_YEAR_ONE: Final = 1
"""Of Go's zero time: no time was given."""
_FIRST_YEAR: Final = 2_000


@dataclass(frozen=True, slots=True)
class Incoming:
    """One alert as ``Publisher.send`` takes it; ``at`` is epoch seconds, None where the payload gives none."""

    severity: Severity
    kind: str
    title: str
    state: SignalState
    subject: str
    at: float | None
    description: str = ""
    environment: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    lasts_seconds: float | None = None


def incoming(payload: Mapping[str, Any]) -> tuple[Incoming, ...]:
    """The alerts of a payload, and one more where Alertmanager left some out. Raises InvalidInput for the first that
    can't be taken: nothing of such a payload is published."""
    version = payload.get("version")
    if version != VERSION:
        raise InvalidInput("version", version, f'must be "{VERSION}", what Alertmanager sends since 0.8')
    alerts = payload.get("alerts")
    if not isinstance(alerts, list):
        raise InvalidInput("alerts", alerts, "must be a list of Alertmanager's alerts")
    if len(alerts) > MOST_ALERTS:
        remedy = f"are more than {MOST_ALERTS}; set max_alerts: {MOST_ALERTS} at the webhook, or group by more labels"
        raise InvalidInput("alerts", f"{len(alerts)} alerts", remedy, "too_large")
    found = tuple(_incoming(alert, f"alerts[{index}]") for index, alert in enumerate(alerts))
    return found + _left_out(payload, found)


def _incoming(alert: object, place: str) -> Incoming:
    if not isinstance(alert, Mapping):
        raise InvalidInput(place, alert, "must be a JSON object with one alert")
    status = alert.get("status")
    if status not in ("firing", "resolved"):
        raise InvalidInput(f"{place}.status", status, "must be firing or resolved")
    labels, annotations = _texts(alert, "labels", place), _texts(alert, "annotations", place)
    if not labels:
        raise InvalidInput(f"{place}.labels", labels, "must name the alert: give alertname at least")
    starts, ends = _moment(alert, "startsAt", place), _moment(alert, "endsAt", place)
    resolved = status == "resolved"
    name = labels.get("alertname") or "unnamed"
    links = {
        "generator_url": _text(alert, "generatorURL", place),
        "runbook_url": annotations.get("runbook_url") or labels.get("runbook_url") or "",
    }
    return Incoming(
        severity=SEVERITY_OF.get(labels.get("severity", "").strip().lower(), "MEDIUM"),
        kind=name[:NAME],
        title=_first(annotations, _NAMES) or " ".join(part for part in (name, labels.get("instance")) if part),
        state="resolved" if resolved else "firing",
        subject=(_text(alert, "fingerprint", place) or _own_fingerprint(labels))[:NAME],
        at=ends if resolved else starts,
        description=_first(annotations, _TEXTS),
        environment=(labels.get("environment") or labels.get("env") or "")[:NAME],
        details=_details(labels) | {key: url for key, url in links.items() if url},
    )


def _left_out(payload: Mapping[str, Any], found: tuple[Incoming, ...]) -> tuple[Incoming, ...]:
    """What says that there are alerts that nobody here was told of: a part is not taken for the whole."""
    number = payload.get("truncatedAlerts", 0)
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise InvalidInput("truncatedAlerts", number, "must be a number of alerts, 0 or more")
    if not number:
        return ()
    group = _text(payload, "groupKey", "")
    title = f"Alertmanager left out {number:,} alerts of a group"
    remedy = f"Its webhook has max_alerts set; what was left out is not shown here. Group: {group}"
    severities: list[Severity] = [alert.severity for alert in found] or ["MEDIUM"]
    severity = min(severities, key=SEVERITIES.index)
    subject = fingerprint(TRUNCATED, group)
    return (
        Incoming(severity, TRUNCATED, title, "firing", subject, None, remedy, lasts_seconds=TRUNCATED_SECONDS),
    )  # fmt: skip


def _details(labels: Mapping[str, str]) -> dict[str, str]:
    return {f"label_{name}" if name == _SUBJECT else name: value for name, value in labels.items()}


def _own_fingerprint(labels: Mapping[str, str]) -> str:
    """For senders that give none: equal labels are the same alert, as they are for Alertmanager."""
    return fingerprint(*(part for pair in sorted(labels.items()) for part in pair))


def _first(annotations: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((annotations[name].strip() for name in names if annotations.get(name, "").strip()), "")


def _texts(alert: Mapping[str, Any], name: str, place: str) -> dict[str, str]:
    value = alert.get(name, {})
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{place}.{name}", value, "must be a JSON object of texts")
    for key, text in value.items():
        if not isinstance(text, str):
            raise InvalidInput(f"{place}.{name}.{key[:64]}", text, "must be a text")
    return dict(value)


def _text(record: Mapping[str, Any], name: str, place: str) -> str:
    value = record.get(name, "")
    if not isinstance(value, str):
        raise InvalidInput(f"{place}.{name}".lstrip("."), value, "must be a text")
    return value


def _moment(alert: Mapping[str, Any], name: str, place: str) -> float | None:
    """Epoch seconds of RFC 3339; None for Go's zero time and where there is none."""
    text = _text(alert, name, place)
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{place}.{name}", text, "must be RFC 3339, such as 2026-11-21T15:46:35Z") from None
    if instant.tzinfo is None:
        raise InvalidInput(f"{place}.{name}", text, "has no zone; append Z for UTC")
    if instant.year == _YEAR_ONE:
        return None
    if instant.year < _FIRST_YEAR:
        raise InvalidInput(f"{place}.{name}", text, "lies before the year 2000; check the sender's clock")
    return instant.timestamp()
