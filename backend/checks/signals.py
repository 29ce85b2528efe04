"""What a check's result tells people: what fires, what is over, of what nobody knows. Pure.

Findings whose details name a ``kind`` speak for their subject: a job, a dataset, an SLO, an hour. All others speak
together, as the check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from backend.contract.alerts import SignalState
from backend.contract.catalogue import Severity
from backend.contract.checks import Check, CheckResult, Finding

KIND: Final = "kind"
RUNBOOK: Final = "runbook"
"""Among a finding's details: a key of docs/runbooks/ other than its kind."""
JUDGED: Final = "judged"
"""Among a result's details: the subjects that it could judge, where these need not be all. What fired about others is
not resolved."""
MOST_FIRING: Final = 200
"""Of a check. Beyond, the oldest are left to people: an hour that is not looked at any more stays until somebody ends
its alert."""
SHOWN: Final = 20
"""Findings that a description lists."""
PAGE: Final = "/alerts?tab=checks"
_WORST_FIRST: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


class Publishes(Protocol):
    """``backend.alerts.publish.Publisher``."""

    def send(
        self,
        severity: Severity,
        kind: str,
        title: str,
        *,
        state: SignalState = "firing",
        subject: str = "",
        at: float | None = None,
        description: str = "",
        value: float | None = None,
        unit: str = "",
        environment: str = "",
        page: str = "",
        runbook: str = "",
        synthetic: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> bool:
        """Sends a signal; whether it was sent. Never raises."""


class Firing(NamedTuple):
    """One thing that was told and is not resolved."""

    kind: str
    subject: str
    severity: Severity
    title: str
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One signal to send."""

    kind: str
    subject: str
    severity: Severity
    state: SignalState
    title: str
    description: str = ""
    page: str = PAGE
    runbook: str = ""
    synthetic: bool = False
    value: float | None = None
    unit: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def firing(self) -> Firing:
        """What is kept until it is resolved."""
        return Firing(self.kind, self.subject, self.severity, self.title, self.synthetic)

    def send(self, publisher: Publishes, at: float, environment: str) -> bool:
        """Sends it as of ``at``; whether it was sent."""
        return publisher.send(
            self.severity, self.kind, self.title, state=self.state, subject=self.subject, at=at,
            description=self.description, value=self.value, unit=self.unit, environment=environment, page=self.page,
            runbook=self.runbook or self.kind, synthetic=self.synthetic, details=self.details,
        )  # fmt: skip


def told(check: Check, result: CheckResult, before: Sequence[Firing]) -> list[Told]:
    """The signals of a result, given what was firing before it.

    What fails fires again each time: the consumer counts it. What fired and is not found any more is resolved, unless
    the check could not look: then it is unknown.
    """
    firing = _fires(check, result)
    now = {(entry.kind, entry.subject) for entry in firing}
    judged = result.details.get(JUDGED)
    known = result.status != "unknown"
    ended = [
        _ended(entry, result, "resolved" if known and (judged is None or entry.subject in judged) else "unknown")
        for entry in before
        if (entry.kind, entry.subject) not in now
    ]
    return [*firing, *ended]


def still_firing(before: Sequence[Firing], sent: Iterable[tuple[Told, bool]]) -> tuple[Firing, ...]:
    """What is firing once the signals were sent, or were not: a resolution that was not sent is sent again."""
    firing = {(entry.kind, entry.subject): entry for entry in before}
    for signal, arrived in sent:
        key = (signal.kind, signal.subject)
        if signal.state == "firing":
            firing[key] = signal.firing
        elif signal.state == "resolved" and arrived:
            firing.pop(key, None)
    return tuple(firing.values())[-MOST_FIRING:]


def _ended(entry: Firing, result: CheckResult, state: SignalState) -> Told:
    text = result.sentence
    return Told(entry.kind, entry.subject, entry.severity, state, entry.title, text, synthetic=entry.synthetic)


def _fires(check: Check, result: CheckResult) -> list[Told]:
    if result.status != "failed":
        return []
    alone: dict[tuple[str, str], list[Finding]] = {}
    for finding in result.findings:
        if KIND in finding.details:
            alone.setdefault((finding.details[KIND], finding.subject), []).append(finding)
    together = [finding for finding in result.findings if KIND not in finding.details]
    found = [_alone(check, findings) for findings in alone.values()]
    return [*found, _together(check, result, together)] if together or not alone else found


def _alone(check: Check, findings: Sequence[Finding]) -> Told:
    """What findings of one kind about one subject say: the first, and all of them below it."""
    first = findings[0]
    details = dict(first.details)
    kind, synthetic = str(details.pop(KIND)), bool(details.pop("synthetic", False))
    runbook = str(details.pop(RUNBOOK, kind))
    others = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    # Under a kind of its own a sentence names its subject.
    title = f"{check.title}: {first.subject}: {first.sentence}" if kind == check.name else first.sentence
    return Told(
        kind, first.subject, first.severity or check.severity, "firing", title + others,
        _lines([finding.sentence for finding in findings]), first.page or PAGE, runbook, synthetic, details=details,
    )  # fmt: skip


def _together(check: Check, result: CheckResult, findings: Sequence[Finding]) -> Told:
    severities = {finding.severity for finding in findings if finding.severity} or {check.severity}
    severity = next((name for name in _WORST_FIRST if name in severities), check.severity)
    page = next((finding.page for finding in findings if finding.page), PAGE)
    title = f"{check.title}: {result.sentence}"
    description = _lines([f"{finding.subject}: {finding.sentence}" for finding in findings])
    return Told(check.name, "", severity, "firing", title, description, page, value=result.value, unit=result.unit)


def _lines(sentences: Sequence[str]) -> str:
    more = [f"and {len(sentences) - SHOWN} more"] if len(sentences) > SHOWN else []
    return "\n".join([*sentences[:SHOWN], *more])
