"""The alert that speaks for many that came at once. Pure; times are epoch seconds."""

from __future__ import annotations

from backend.alerts.routing import GROUP
from backend.contract.alerts import Alert, AlertEvent, fingerprint
from backend.contract.catalogue import Severity


def group_fingerprint(severity: Severity, environment: str) -> str:
    """The fingerprint that speaks for an environment's storms of a severity."""
    return fingerprint(*GROUP.split(":"), severity, environment)


def size_title(size: int, severity: Severity) -> str:
    """How a group's alert is called."""
    return f"{size} more {severity} alert{'' if size == 1 else 's'} at the same time"


def group_alert(group: str, member: Alert, opened_at: float) -> Alert:
    """The alert that speaks for ``member`` and those that follow; ``group`` is its fingerprint."""
    return Alert(
        fingerprint=group,
        opened_at=opened_at,
        state="open",
        rule=GROUP,
        severity=member.severity,
        title="",
        source=GROUP.partition(":")[0],
        updated_at=opened_at,
        unit="alerts",
        environment=member.environment,
        page="/alerts",
        runbook="group",
        incident_id=member.incident_id,
        events=(AlertEvent(opened_at, "opened", "More alerts came at once than are told one by one"),),
        synthetic=member.synthetic,
    )
