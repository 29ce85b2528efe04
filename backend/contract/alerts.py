"""Alerts as data: what comes in (signals), what is kept (alerts, silences, incidents) and what is told. No I/O.

A signal is one statement about one thing: it fires, it is resolved, or nobody knows. Signals of one ``fingerprint``
make one alert, from its opening to its end. Times are epoch seconds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from backend.contract.catalogue import Severity

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""Worst first."""
SignalState = Literal["firing", "resolved", "unknown"]
AlertState = Literal["open", "acknowledged", "resolved"]
ALERT_STATES: Final[tuple[AlertState, ...]] = get_args(AlertState)
ACKNOWLEDGE_SECONDS: Final[Mapping[str, int]] = {"CRITICAL": 300, "HIGH": 3600, "MEDIUM": 14400}
"""How soon somebody must acknowledge; LOW needs nobody."""
CRITICAL_TOPIC: Final = frozenset({"CRITICAL", "HIGH"})
"""Severities that go to ``pipeline-alerts``; the others go to ``pipeline-warnings``."""
ALARM_PREFIX: Final = "pulseboard-"
"""How the names of the catalogue's alarms begin; the rest is the metric's key."""
VERDICT_ALARM: Final = "pulseboard-verdict"
"""The composite alarm's name in CloudWatch."""
COVERED: Final = "covered by "
"""How ``silenced_by`` begins, followed by a rule, where an alert of that rule says the same with more words."""
MAX_TITLE: Final = 300
MAX_DESCRIPTION: Final = 8_000
"""Characters; SNS takes 256 KB, Slack 3,000 a block, people less."""
MAX_NAME: Final = 200
"""Characters of a source, of a kind and of a detail's name."""
MAX_FIELD: Final = 1_000
"""Characters of any other field."""
MAX_MESSAGE: Final = 250_000
"""Bytes of UTF-8; SNS takes 262,144 with the attributes."""
DETAILS: Final = "details"
"""Key of a message under which its sender's details are, apart from what the message itself says."""
LEFT_OUT: Final = "left_out"
"""Detail that names those that were left out of a message that was too large."""
_NOT_SENT: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""What is no character in UTF-8, or none that SQS takes."""
LONGEST_SILENCE: Final = 90 * 86_400
"""Seconds: what is silenced for longer is a rule that should not be."""
MAX_FOLLOW_UP: Final = 10_000
"""Characters of each answer of an incident's follow-up."""
LOOK_BACK_SECONDS: Final = 900
"""A link from an alert opens its page from so long before the alert began."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What one message says. ``rule`` is what fired: an alarm's name, or the ``<source>:<kind>`` of any
    other message (``jobs:job_failed``, ``checks:burn_rate``).

    ``at`` is when the state began at its source, ``signal_id`` tells a second delivery from a second signal.
    ``page`` is where to look, with its filters and without a range (``/errors?error_type=timeout``).
    ``runbook`` is a key of ``docs/runbooks/``. ``lasts_seconds`` closes what nobody ever resolves; None: never.
    """

    fingerprint: str
    rule: str
    state: SignalState
    severity: Severity
    title: str
    at: float
    signal_id: str
    source: str
    description: str = ""
    value: float | None = None
    unit: str = ""
    metric: str = ""
    """Key of the catalogue, "" where it is none of its metrics."""
    environment: str = "production"
    labels: Mapping[str, str] = field(default_factory=dict)
    page: str = ""
    runbook: str = ""
    correlation_id: str = ""
    extra_route: str = ""
    """A transport that is told besides those of the severity: ``email``, ``slack``, ``pagerduty``."""
    lasts_seconds: float | None = None
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One line of an alert's timeline: ``opened``, ``updated``, ``renotified``, ``acknowledged``, ``silenced``,
    ``flapping``, ``unknown``, ``resolved``, ``delivered``, ``delivery_failed``, ``noise``, ``note``."""

    at: float
    kind: str
    text: str
    who: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one transport knows of an alert. ``reference`` is the message there: a Slack ts, a PagerDuty dedup_key.

    ``delivered_at`` is when something last arrived, ``failed_at`` when something after that was given up. ``problem``
    is why, or, without ``failed_at``, what went wrong beside what arrived.
    """

    transport: str
    reference: str = ""
    delivered_at: float | None = None
    attempts: int = 0
    problem: str = ""
    failed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert from its opening to its end, as the pages show it.

    ``unknown_since`` is set while its source says nothing: it stays open. ``flapping`` while it comes and goes.
    ``silenced_by`` is the silence or maintenance window that keeps it quiet, "" when none does. ``noise`` is who
    marked it as false. ``events`` is its timeline, oldest first, cut at the store's limit.
    """

    fingerprint: str
    opened_at: float
    state: AlertState
    rule: str
    severity: Severity
    title: str
    source: str
    updated_at: float
    description: str = ""
    value: float | None = None
    unit: str = ""
    metric: str = ""
    environment: str = "production"
    labels: Mapping[str, str] = field(default_factory=dict)
    page: str = ""
    runbook: str = ""
    correlation_id: str = ""
    fired: int = 1
    """Signals that said so: repetitions are counted, not told."""
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    resolved_at: float | None = None
    unknown_since: float | None = None
    flapping: bool = False
    silenced_by: str = ""
    noise: str = ""
    incident_id: str = ""
    group: str = ""
    """Fingerprint of the alert that speaks for it, where many came at once."""
    deliveries: tuple[Delivery, ...] = ()
    events: tuple[AlertEvent, ...] = ()
    synthetic: bool = False

    @property
    def alert_id(self) -> str:
        """Names this alert in URLs and actions: twelve hex digits of fingerprint and opening."""
        return alert_id(self.fingerprint, self.opened_at)

    @property
    def acknowledge_by(self) -> float | None:
        """When somebody must have acknowledged; None where nobody need."""
        limit = ACKNOWLEDGE_SECONDS.get(self.severity)
        return None if limit is None else self.opened_at + limit


CONFIGURED: Final = "configuration-"
"""How ids of maintenance windows of ``pulseboard.toml`` begin: they can't be ended on a page."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Keeps alerts quiet that match, from ``starts_at`` to ``ends_at``. All matchers given must hold.

    ``kind`` ``maintenance`` is a window known beforehand, of the configuration or of the page. Silenced alerts are
    recorded and shown; who is still open at the end is told.
    """

    silence_id: str
    kind: Literal["silence", "maintenance"]
    starts_at: float
    ends_at: float
    reason: str
    created_by: str
    created_at: float
    rule: str = ""
    fingerprint: str = ""
    environment: str = ""
    severity: str = ""
    ended_by: str = ""

    @property
    def configured(self) -> bool:
        """Whether it stands in ``pulseboard.toml``."""
        return self.silence_id.startswith(CONFIGURED)

    def covers(self, alert: Alert | Signal, at: float) -> bool:
        """Whether it keeps an alert quiet at ``at``."""
        wanted = (("rule", self.rule), ("fingerprint", self.fingerprint), ("environment", self.environment),
                  ("severity", self.severity))  # fmt: skip
        return self.starts_at <= at < self.ends_at and all(
            not value or getattr(alert, name) == value for name, value in wanted
        )


@dataclass(frozen=True, slots=True)
class Incident:
    """The record that a CRITICAL alert opens. The follow-up form is empty until somebody fills it."""

    incident_id: str
    title: str
    opened_at: float
    alert_id: str
    fingerprint: str
    environment: str
    closed_at: float | None = None
    summary: str = ""
    root_cause: str = ""
    prevention: str = ""
    followed_up_by: str = ""
    slack_channel: str = ""
    events: tuple[AlertEvent, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleWeek:
    """How one rule did in one ISO week (``2026-W47``): what is tuned by."""

    rule: str
    week: str
    fired: int
    acknowledged_in_time: int
    noise: int

    @property
    def tune(self) -> bool:
        """More than five false ones a week."""
        return self.noise > 5


@dataclass(frozen=True, slots=True)
class Annotation:
    """A mark on every time chart: a deploy, an alert, anything someone posted. ``at`` is epoch seconds.

    ``environment`` is the one it is about, "" is all of them.
    """

    at: float
    title: str
    kind: str
    link: str = ""
    severity: str = ""
    until: float | None = None
    environment: str = ""


@dataclass(frozen=True, slots=True)
class FoundAnnotations:
    """Annotations, oldest first. ``cut``: there are more, of which only the newest were read."""

    found: tuple[Annotation, ...] = ()
    cut: bool = False


def alarm_name(key: str) -> str:
    """The name in CloudWatch of a metric's alarm."""
    return ALARM_PREFIX + key


def fingerprint(*parts: str) -> str:
    """Hex SHA-256 over the parts, 32 digits: the same thing gives the same alert wherever it is said."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def alert_id(alert_fingerprint: str, opened_at: float) -> str:
    """The short name of one alert, from its first day to its last."""
    return hashlib.sha256(f"{alert_fingerprint}#{opened_at:.6f}".encode()).hexdigest()[:12]


def signal_message(
    *,
    source: str,
    kind: str,
    severity: Severity,
    title: str,
    at: float,
    state: SignalState = "firing",
    subject: str = "",
    description: str = "",
    value: float | None = None,
    unit: str = "",
    environment: str = "production",
    page: str = "",
    runbook: str = "",
    correlation_id: str = "",
    lasts_seconds: float | None = None,
    synthetic: bool = False,
    details: Mapping[str, Any] | None = None,
) -> str:
    """The JSON of Pulseboard's own messages to the two topics; the alert consumer reads it back.

    ``source`` and ``kind`` are the rule, ``subject`` the thing it is about (a job's name and batch, a dataset): the
    three make the fingerprint. ``details`` are shown as labels. Texts are cut to what people read, and the largest
    details left out of a message that SNS would not take.
    """
    wanted: dict[str, Any] = {
        "source": source[:MAX_NAME],
        "kind": kind[:MAX_NAME],
        "severity": severity,
        "title": title[:MAX_TITLE],
        "state": state,
        "at": at,
        "subject": _distinct(subject),
        "description": description[:MAX_DESCRIPTION],
        "value": value,
        "unit": unit[:MAX_FIELD],
        "environment": environment[:MAX_FIELD],
        "page": page[:MAX_FIELD],
        "runbook": runbook[:MAX_FIELD],
        "correlation_id": correlation_id[:MAX_FIELD],
        "lasts_seconds": lasts_seconds,
        "synthetic": synthetic,
    }
    given = {name: entry for name, entry in wanted.items() if entry not in (None, "", False)}
    return _fitting(given, details or {})


def _distinct(subject: str) -> str:
    """A long subject is cut, and stays another one than those that begin alike."""
    if len(subject) <= MAX_FIELD:
        return subject
    digest = hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest()[:32]
    return f"{subject[: MAX_FIELD - 33]}…{digest}"


def _fitting(given: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    """The JSON with as many details as fit, the smallest first; without any it always fits."""
    texts = {name: _text({str(name)[:MAX_NAME]: entry}) for name, entry in details.items()}
    sizes = {name: len(text.encode()) + 1 for name, text in texts.items()}
    # Room for the message itself, for the names that are left out, and for what is around them.
    room = MAX_MESSAGE - len(_text(given).encode()) - 6 * (MAX_FIELD + MAX_NAME)
    kept: set[str] = set()
    for name in sorted(sizes, key=sizes.__getitem__):
        room -= sizes[name]
        if room < 0:
            break
        kept.add(name)
    told = {str(name)[:MAX_NAME]: entry for name, entry in details.items() if name in kept}
    if len(kept) < len(details):
        told[LEFT_OUT] = ", ".join(str(name)[:MAX_NAME] for name in details if name not in kept)[:MAX_FIELD]
    return _text({**given, DETAILS: told} if told else given)


def _text(message: Mapping[str, Any]) -> str:
    return _NOT_SENT.sub("\ufffd", json.dumps(message, default=str, ensure_ascii=False))
