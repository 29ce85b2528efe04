"""The record of an incident: opened by a CRITICAL alert, joined by others of its storm, closed with the last. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from backend.alerts.state import KnownIncident
from backend.contract.alerts import Alert, AlertEvent, Incident
from backend.contract.events import utc_text

MAX_EVENTS: Final = 200


def new_incident(alert: Alert, now: float, links: dict[str, str]) -> KnownIncident:
    """The incident that an alert opens. Its id sorts by time."""
    incident = Incident(
        incident_id=f"{utc_text(now)[:19].replace(':', '').replace('-', '')}-{alert.alert_id}",
        title=alert.title,
        opened_at=now,
        alert_id=alert.alert_id,
        fingerprint=alert.fingerprint,
        environment=alert.environment,
        events=(AlertEvent(alert.opened_at, "opened", alert.title),),
        links=links,
    )
    return KnownIncident(incident, frozenset({alert.alert_id}))


def joined(known: KnownIncident, alert: Alert) -> KnownIncident:
    """The incident with one more alert."""
    said = noted(known, AlertEvent(alert.opened_at, "opened", alert.title))
    return replace(said, open_alerts=known.open_alerts | {alert.alert_id})


def left(known: KnownIncident, alert: Alert, now: float) -> KnownIncident:
    """The incident without an alert that was resolved; without any it is closed."""
    remaining = known.open_alerts - {alert.alert_id}
    said = noted(known, AlertEvent(alert.resolved_at or now, "resolved", alert.title))
    closed_at = known.incident.closed_at if remaining or known.incident.closed_at is not None else now
    return replace(said, incident=replace(said.incident, closed_at=closed_at), open_alerts=remaining)


def noted(known: KnownIncident, event: AlertEvent) -> KnownIncident:
    """The incident with a line more; of too many the oldest but the first goes."""
    events = (*known.incident.events, event)
    if len(events) > MAX_EVENTS:
        events = (events[0], *events[-(MAX_EVENTS - 1) :])
    return replace(known, incident=replace(known.incident, events=events))
