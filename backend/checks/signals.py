"""What a check's result tells people: what fires, what is over, of what nobody knows. Pure.

A finding whose details name a ``kind`` speaks for itself, with its subject: a job, a dataset, an SLO. All others
speak together, as the check.
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
UNSURE: Final = "unsure"
"""Among a result's details: subjects that it could not judge, though it could others. They are not resolved."""
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
    unsure = result.details.get(UNSURE, ())
    ended = [
        _ended(entry, result, "unknown" if result.status == "unknown" or entry.subject in unsure else "resolved")
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
    return tuple(firing.values())


def _ended(entry: Firing, result: CheckResult, state: SignalState) -> Told:
    text = result.sentence
    return Told(entry.kind, entry.subject, entry.severity, state, entry.title, text, synthetic=entry.synthetic)


def _fires(check: Check, result: CheckResult) -> list[Told]:
    if result.status != "failed":
        return []
    alone = [finding for finding in result.findings if KIND in finding.details]
    together = [finding for finding in result.findings if KIND not in finding.details]
    found = {(entry.kind, entry.subject): entry for entry in (_alone(check, finding) for finding in alone)}
    if together or not alone:
        found[check.name, ""] = _together(check, result, together)
    return list(found.values())


def _alone(check: Check, finding: Finding) -> Told:
    details = dict(finding.details)
    kind, synthetic = str(details.pop(KIND)), bool(details.pop("synthetic", False))
    runbook = str(details.pop(RUNBOOK, kind))
    return Told(
        kind, finding.subject, finding.severity or check.severity, "firing", finding.sentence, finding.sentence,
        finding.page or PAGE, runbook, synthetic, details=details,
    )  # fmt: skip


def _together(check: Check, result: CheckResult, findings: Sequence[Finding]) -> Told:
    severities = {finding.severity for finding in findings if finding.severity} or {check.severity}
    severity = next((name for name in _WORST_FIRST if name in severities), check.severity)
    lines = [f"{finding.subject}: {finding.sentence}" for finding in findings[:SHOWN]]
    if len(findings) > SHOWN:
        lines.append(f"and {len(findings) - SHOWN} more")
    page = next((finding.page for finding in findings if finding.page), PAGE)
    title = f"{check.title}: {result.sentence}"
    description = "\n".join(lines)
    return Told(check.name, "", severity, "firing", title, description, page, value=result.value, unit=result.unit)
