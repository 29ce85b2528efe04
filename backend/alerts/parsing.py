"""From a message of the queue to a signal: CloudWatch's alarms, Pulseboard's own messages, and what is neither. Pure.

Formats: Amazon SNS developer guide, "Parsing Amazon SNS message formats" (HTTP/JSON notification); CloudWatch user
guide, "Notify users on alarm changes" (the alarm's JSON) and "Alarm events" (what Lambda is given).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from backend.alerts.routing import UNREADABLE
from backend.contract.alerts import (
    ALARM_PREFIX,
    DETAILS,
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_TITLE,
    SEVERITIES,
    Signal,
    SignalState,
    fingerprint,
)
from backend.contract.catalogue import Catalogue, Metric, Section, Severity
from backend.contract.records import OLDEST_TIMESTAMP

WAKE: Final = "wake"
"""Key of a message that says nothing but that there is something to deliver."""
UNREADABLE_SECONDS: Final = 3600.0
MAX_LABEL: Final = 1_000
MAX_LABELS: Final = 30
MAX_UNREADABLE: Final = 1_000
MAX_RULE_BYTES: Final = 1_020
"""A rule is a sort key of the table, of which DynamoDB takes 1,024 bytes."""
NO_TIME: Final = "time_refused"
"""Label of a signal whose message named no possible time."""
_STATES: Final[Mapping[str, SignalState]] = {"ALARM": "firing", "OK": "resolved", "INSUFFICIENT_DATA": "unknown"}
_DATAPOINTS: Final = re.compile(r"datapoints? (?:was |were )?\[(-?[\d.]+(?:[eE][+-]?\d+)?)")
_PAGES: Final[Mapping[Section, str]] = {
    "host": "/capacity", "kafka": "/performance", "stream": "/performance", "delivery": "/errors",
    "application": "/performance", "resources": "/capacity", "state": "/capacity", "debug": "/performance",
    "pulseboard": "/", "aws": "/capacity",
}  # fmt: skip
_PAGE_OF: Final = {
    "dlq_records": "/errors", "duplicate_records_detected": "/errors", "timeouts": "/errors",
    "kafka_deserialization_errors_total": "/errors", "job_failures": "/jobs", "hung_jobs": "/jobs",
    "stale_datasets": "/jobs", "alert_consumer_heartbeat": "/alerts", "reconciliation_match_percent": "/alerts",
    "window_completeness": "/", "lambda_error_rate": "/", "lambda_duration_percent": "/",
}  # fmt: skip
"""Pages of metrics that are not looked at on the page of their section."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message without what carried it. ``sent_at`` is when SNS or SQS took it (epoch s)."""

    text: str
    message_id: str
    sent_at: float
    topic: str = ""


def read(record: Mapping[str, Any], catalogue: Catalogue, environment: str, now: float) -> Signal | None:
    """The signal of one SQS record; None for a message that only wakes the consumer. Never raises.

    What can't be understood, for whatever reason, is a signal itself, so that somebody looks. No state began after its
    message was sent: a source whose clock is ahead would otherwise have the last word for as long. Nor did one begin
    before the year 2000: then the message's own time is taken, and a label says so.
    """
    envelope = unwrap(record, now)
    try:
        message = json.loads(envelope.text)
        if not isinstance(message, dict):
            raise ValueError("it is no JSON object")
        if set(message) == {WAKE}:
            return None
        return _timed(_signal(message, envelope, catalogue, environment), envelope.sent_at)
    except Exception as error:  # noqa: BLE001 - whatever a message provokes, somebody must see it
        return _unreadable(envelope, error, environment)


def unwrap(record: Mapping[str, Any], now: float) -> Envelope:
    """Takes SNS's envelope off; with raw delivery there is none. Nothing was sent after ``now`` (epoch s)."""
    body = str(record.get("body", ""))
    sent_at = float(record.get("attributes", {}).get("SentTimestamp", "0")) / 1000 or now
    message_id = str(record.get("messageId", ""))
    try:
        outer = json.loads(body)
        if isinstance(outer, dict) and outer.get("Type") == "Notification" and isinstance(outer["Message"], str):
            at = min(_instant(outer["Timestamp"]), sent_at)
            at = at if at >= OLDEST_TIMESTAMP else sent_at
            return Envelope(outer["Message"], str(outer["MessageId"]), at, str(outer.get("TopicArn", "")))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        pass
    return Envelope(body, message_id, sent_at)


def metric_of(rule: str, catalogue: Catalogue) -> Metric | None:
    """The metric whose alarm a rule is; None for other rules."""
    key = rule.removeprefix(ALARM_PREFIX)
    return catalogue.get(key) if key != rule else None


def clean(text: str, limit: int) -> str:
    """Text as people may see it: no control characters, cut. Markup stays text; nobody renders it."""
    kept = "".join(one if one.isprintable() or one == "\n" else " " for one in text[: 2 * limit])
    return kept if len(kept) <= limit and len(text) <= 2 * limit else kept[: limit - 1] + "…"


def _timed(signal: Signal, sent_at: float) -> Signal:
    if signal.at >= OLDEST_TIMESTAMP:
        return replace(signal, at=round(min(signal.at, sent_at), 3))
    refused = {
        NO_TIME: "its message named a time before the year 2000, or none that is a number; when it was sent counts"
    }
    return replace(signal, at=round(sent_at, 3), labels={**signal.labels, **refused})


def _signal(message: Mapping[str, Any], envelope: Envelope, catalogue: Catalogue, environment: str) -> Signal:
    # Names in a message of Pulseboard's own may be anybody's (labels of another system); CloudWatch names no kind.
    if "source" in message and "kind" in message:
        return _own(message, envelope, environment)
    if "AlarmName" in message:
        return _alarm(_Alarm.from_sns(message), envelope, catalogue, environment)
    if "alarmData" in message:
        return _alarm(_Alarm.from_event(message), envelope, catalogue, environment)
    return _own(message, envelope, environment)


@dataclass(frozen=True, slots=True)
class _Alarm:
    """What both of CloudWatch's formats say."""

    name: str
    state: SignalState
    at: float
    reason: str
    description: str
    account: str
    region: str

    @classmethod
    def from_sns(cls, message: Mapping[str, Any]) -> _Alarm:
        return cls(
            name=_text(message, "AlarmName"),
            state=_STATES[message["NewStateValue"]],
            at=_instant(message["StateChangeTime"]),
            reason=str(message.get("NewStateReason") or ""),
            description=str(message.get("AlarmDescription") or ""),
            account=str(message.get("AWSAccountId") or ""),
            # "Region" is a place's name (EU (Ireland)); the ARN has its code.
            region=_region(str(message.get("AlarmArn") or "")) or str(message.get("Region") or ""),
        )

    @classmethod
    def from_event(cls, message: Mapping[str, Any]) -> _Alarm:
        data = message["alarmData"]
        return cls(
            name=_text(data, "alarmName"),
            state=_STATES[data["state"]["value"]],
            at=_instant(data["state"]["timestamp"]),
            reason=str(data["state"].get("reason") or ""),
            description=str((data.get("configuration") or {}).get("description") or ""),
            account=str(message.get("accountId") or ""),
            region=str(message.get("region") or ""),
        )


def _alarm(alarm: _Alarm, envelope: Envelope, catalogue: Catalogue, environment: str) -> Signal:
    signal = Signal(
        fingerprint=fingerprint("cloudwatch", alarm.name, alarm.account, alarm.region),
        rule=_rule(alarm.name),
        state=alarm.state,
        severity="MEDIUM" if "warnings" in envelope.topic.rpartition(":")[2] else "HIGH",
        title=clean(alarm.name, MAX_TITLE),
        at=alarm.at,
        signal_id=envelope.message_id,
        source="cloudwatch",
        description=clean("\n".join(part for part in (alarm.description, alarm.reason) if part), MAX_DESCRIPTION),
        value=_value(alarm.reason),
        environment=environment,
        labels={"account": alarm.account, "region": alarm.region} if alarm.account else {},
    )
    metric = metric_of(alarm.name, catalogue)
    if metric is None or metric.alarm is None:
        return signal
    side = "above" if metric.alarm.comparison == ">" else "below"
    return replace(
        signal,
        severity=metric.alarm.severity,
        title=f"{metric.title} {side} {metric.alarm.threshold:,g} {metric.unit}".rstrip(),
        description=clean("\n".join((metric.alarm.meaning or alarm.description, alarm.reason)), MAX_DESCRIPTION),
        unit=metric.unit,
        metric=metric.key,
        page=_PAGE_OF.get(metric.key) or _PAGES[metric.section],
        runbook=metric.key,
        extra_route=metric.alarm.route or "",
    )


def _own(message: Mapping[str, Any], envelope: Envelope, environment: str) -> Signal:
    """A message of ``contract.alerts.signal_message``; names it does not know are labels."""
    source, kind, title = (_text(message, name) for name in ("source", "kind", "title"))
    state = message.get("state", "firing")
    if state not in ("firing", "resolved", "unknown"):
        raise ValueError(f"state {state!r} must be firing, resolved or unknown")
    severity = message["severity"]
    if severity not in SEVERITIES:
        raise ValueError(f"severity {severity!r} must be one of {', '.join(SEVERITIES)}")
    subject = str(message.get("subject", ""))
    where = str(message.get("environment") or environment)
    about = ("alertmanager", subject) if source == "alertmanager" else (source, kind, subject, where)
    lasts = message.get("lasts_seconds")
    return Signal(
        fingerprint=fingerprint(*about),
        rule=_rule(f"{_name(source)}:{_name(kind)}"),
        state=cast("SignalState", state),
        severity=cast("Severity", severity),
        title=clean(title, MAX_TITLE),
        at=_moment(message.get("at", envelope.sent_at)),
        signal_id=envelope.message_id,
        source=_name(source),
        description=clean(str(message.get("description", "")), MAX_DESCRIPTION),
        value=None if message.get("value") is None else _number(message["value"], "value"),
        unit=clean(str(message.get("unit", "")), MAX_LABEL),
        environment=clean(where, MAX_LABEL),
        labels=_labels(message, subject),
        page=_page(message.get("page", "")),
        runbook=clean(str(message.get("runbook", "")), MAX_LABEL),
        correlation_id=clean(str(message.get("correlation_id", "")), MAX_LABEL),
        lasts_seconds=None if lasts is None else max(_number(lasts, "lasts_seconds"), 60.0),
        synthetic=message.get("synthetic") is True,
    )


_FIELDS: Final = frozenset(
    {"source", "kind", "severity", "title", "state", "at", "subject", "description", "value", "unit", "environment",
     "page", "runbook", "correlation_id", "lasts_seconds", "synthetic", DETAILS}
)  # fmt: skip


def _labels(message: Mapping[str, Any], subject: str) -> dict[str, str]:
    details = message.get(DETAILS, {})
    others = details if isinstance(details, dict) else {DETAILS: details}
    others = {**others, **{name: value for name, value in message.items() if name not in _FIELDS}}
    if subject:
        others = {"subject": subject, **{name: value for name, value in others.items() if name != "subject"}}
    kept = list(others.items())[:MAX_LABELS]
    return {clean(name, MAX_LABEL): clean(_plain(value), MAX_LABEL) for name, value in kept}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _unreadable(envelope: Envelope, error: Exception, environment: str) -> Signal:
    source, _, kind = UNREADABLE.partition(":")
    return Signal(
        fingerprint=fingerprint(source, kind, "", environment),
        rule=UNREADABLE,
        state="firing",
        severity="MEDIUM",
        title="A message to the alert consumer was not understood",
        at=round(envelope.sent_at, 3),
        signal_id=envelope.message_id,
        source=source,
        description=f"{clean(f'{type(error).__name__}: {error}', 300)}\n{clean(envelope.text, MAX_UNREADABLE)}",
        environment=environment,
        labels={"message_id": envelope.message_id, "topic": envelope.topic},
        page="/alerts",
        runbook=kind,
        lasts_seconds=UNREADABLE_SECONDS,
    )


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} {value!r} must be text")
    return value


def _name(text: str) -> str:
    """A source or kind as part of a rule: one line, cut."""
    return clean(text.replace("\n", " "), MAX_NAME)


def _rule(text: str) -> str:
    """A rule as the table takes it as a key."""
    return clean(text.replace("\n", " "), len(text)).encode()[:MAX_RULE_BYTES].decode(errors="ignore")


def _moment(value: Any) -> float:
    """Epoch seconds; -infinity where the number is none that could be a time. Raises ValueError for no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"at {value!r} must be a number of seconds")
    try:
        return float(value) if math.isfinite(value) else -math.inf
    except OverflowError:
        return -math.inf


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} {value!r} must be a finite number")
    return float(value)


def _page(value: Any) -> str:
    """A path of this dashboard; anything else would be a link to somewhere else."""
    text = str(value)
    return clean(text, MAX_LABEL) if re.match(r"/(?![/\\])", text) else ""


def _instant(text: str) -> float:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return instant.timestamp()


def _region(arn: str) -> str:
    parts = arn.split(":")
    return parts[3] if len(parts) > 3 else ""


def _value(reason: str) -> float | None:
    found = _DATAPOINTS.search(reason)
    return float(found.group(1)) if found else None
