"""What pages ask of the alert service (``backend.alerts.service.AlertService``), as far as they use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from backend.contract.alerts import Alert, FoundAnnotations, Incident, RuleWeek, Silence
from backend.contract.checks import CheckResult
from dashboard.data.replay_sources import Shared


class Alerts(Protocol):
    """Alerts, silences, incidents, tuning figures and check results. Times are epoch seconds."""

    def open_alerts(self, environment: str | None = None) -> tuple[Alert, ...]:
        """Alerts that are open or acknowledged; of all environments where none is named."""

    def alerts(
        self,
        start: float,
        end: float,
        *,
        environment: str | None = None,
        state: str | None = None,
        severity: str | None = None,
        rule: str | None = None,
        limit: int = 500,
    ) -> tuple[Alert, ...]:
        """Alerts opened in the range, newest first."""

    def find(self, alert_id: str) -> Alert | None:
        """One alert by its short id."""

    def acknowledge(self, alert_id: str, by: str, reason: str) -> Alert:
        """Somebody takes care of it. Raises KeyError."""

    def mark_noise(self, alert_id: str, by: str, reason: str) -> Alert:
        """It should not have fired. Raises KeyError."""

    def resolve(self, alert_id: str, by: str, reason: str) -> Alert:
        """Ends it by hand. Raises KeyError."""

    def silences(self, now: float) -> tuple[Silence, ...]:
        """Those that were not over at ``now``, which may be past; those of the configuration too."""

    def silence(self, silence: Silence, by: str, reason: str) -> Silence:
        """Keeps matching alerts quiet for a while. Raises InvalidInput."""

    def end_silence(self, silence_id: str, by: str, reason: str) -> Silence:
        """Ends it early. Raises KeyError."""

    def incidents(self, limit: int = 50) -> tuple[Incident, ...]:
        """The newest first."""

    def follow_up(self, incident_id: str, by: str, summary: str, root_cause: str, prevention: str) -> Incident:
        """Fills the form that every incident ends with. Raises KeyError."""

    def weeks(self, weeks: int = 4) -> tuple[RuleWeek, ...]:
        """How each rule did in the newest weeks."""

    def incident(self, incident_id: str) -> Incident | None:
        """One incident; None for an unknown one."""

    def annotations(self, start: float, end: float, environment: str | None = None) -> FoundAnnotations:
        """Posted marks and alerts of the range, and alerts that opened before it and are not over."""

    def checks(self, start: float, end: float, check: str | None = None) -> tuple[CheckResult, ...]:
        """Results of the range, of all checks where none is named."""

    def latest_checks(self) -> dict[str, CheckResult]:
        """The newest result of each check that ever ran, by its name."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the Alerts page reads. ``alerts`` None is not connected.

    ``match_limit`` is the match in percent that an hour of the reconciliation needs, ``rules`` are those that are
    known without an alert.
    """

    alerts: Alerts | None
    shared: Shared
    environments: tuple[str, ...]
    match_limit: float
    rules: tuple[str, ...] = ()
