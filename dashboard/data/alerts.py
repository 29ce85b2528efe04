"""What the Alerts page shows: one dataclass for each of its tabs, read by ``load`` for the open one only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from backend.contract.alerts import (
    ALERT_STATES,
    SEVERITIES,
    VERDICT_ALARM,
    Alert,
    Incident,
    RuleWeek,
    Silence,
    alarm_name,
)
from backend.contract.catalogue import Metric
from backend.contract.checks import CHECKS
from backend.contract.errors import InvalidInput
from dashboard.data.alerts_sources import Alerts, Sources
from dashboard.data.checks import ChecksData, load_checks
from dashboard.data.replay_sources import Shared
from dashboard.data.request import ViewRequest

Tab = Literal["alerts", "checks", "incidents", "silences", "tuning", "overview"]
TABS: Final[tuple[Tab, ...]] = ("alerts", "checks", "incidents", "silences", "tuning")
FILTERS: Final = ("severity", "state", "rule")
PARAMETERS: Final = ("tab", "alert", "incident", "hours", *FILTERS)
"""The page's own parameters; the range and the environment are common to all pages."""
MOST_ALERTS: Final = 200
ON_DISPLAYS: Final = 14
"""Open alerts that a display shows: as many as fit without scrolling."""
WEEKS: Final = 4
MOST_INCIDENTS: Final = 50
OPEN_SECONDS: Final = 10.0
"""Open alerts are read this often at most, once for every page that counts them."""
ENDED_SECONDS: Final = 7 * 86400.0
"""How long silences are shown after their end."""
SLOW_SECONDS: Final = 30.0
"""What changes with people's work, not with signals."""


@dataclass(frozen=True, slots=True)
class AlertsList:
    """Alerts that pass the filters: those that are open, worst first, then those of the range that are resolved.

    ``cut``: more were resolved than are shown. ``counts`` are all open ones of the environment by severity, and
    ``elsewhere`` open ones by other environment.
    """

    open: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    cut: bool
    counts: Mapping[str, int]
    elsewhere: Mapping[str, int]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenedAlert:
    """The alert that the drawer shows; ``alert`` is None where there is none of that id."""

    alert_id: str
    alert: Alert | None
    incident: Incident | None = None
    silence: Silence | None = None
    """What keeps it quiet, where that is a silence that is known."""


@dataclass(frozen=True, slots=True)
class IncidentsData:
    """The newest incidents, or the chosen one. ``missing``: the chosen one's id is wrong."""

    recent: tuple[Incident, ...]
    chosen: Incident | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class SilencesData:
    """Silences and maintenance windows; ``rules`` are suggestions for the form."""

    running: tuple[Silence, ...]
    coming: tuple[Silence, ...]
    ended: tuple[Silence, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertsData:
    """One look at the page. A tab's part is None where it is not open or the service is not connected."""

    request: ViewRequest
    tab: Tab
    at: float
    environments: tuple[str, ...]
    connected: bool
    match_limit: float = 100.0
    alerts: AlertsList | None = None
    opened: OpenedAlert | None = None
    checks: ChecksData | None = None
    incidents: IncidentsData | None = None
    silences: SilencesData | None = None
    weeks: tuple[RuleWeek, ...] | None = None

    @property
    def acts(self) -> bool:
        """Whether who looks may act."""
        return self.request.role == "operator"

    @property
    def synthetic(self) -> bool:
        """Whether an alert of a generator's data is among those shown."""
        return self.alerts is not None and any(alert.synthetic for alert in (*self.alerts.open, *self.alerts.resolved))


def load(sources: Sources, request: ViewRequest, now: float) -> AlertsData:
    """Reads what the open tab shows. Raises InvalidInput naming the parameter that is wrong."""
    tab = _tab(request)
    _check_filters(request)
    service = sources.alerts
    data = AlertsData(request, tab, now, sources.environments, service is not None, sources.match_limit)
    if service is None:
        return data
    if tab in ("alerts", "overview"):
        data = replace(data, alerts=_alerts(service, sources.shared, request, now))
    elif tab == "checks":
        data = replace(data, checks=load_checks(service, sources.shared, request, now))
    elif tab == "incidents":
        data = replace(data, incidents=_incidents(service, sources.shared, request))
    elif tab == "silences":
        data = replace(data, silences=_silences(service, sources, now))
    else:
        data = replace(data, weeks=sources.shared("alert weeks", lambda: service.weeks(WEEKS), SLOW_SECONDS))
    return replace(data, opened=_opened(service, sources.shared, request, now))


def open_alerts(service: Alerts, shared: Shared) -> tuple[Alert, ...]:
    """Every open alert of every environment, read once for all pages that count or list them."""
    return shared("open alerts", service.open_alerts, OPEN_SECONDS)


def by_severity(alerts: Iterable[Alert], environment: str) -> dict[str, int]:
    """How many alerts of the environment are open by severity, worst first, zeros included."""
    found = Counter(alert.severity for alert in alerts if alert.environment == environment)
    return {severity: found.get(severity, 0) for severity in SEVERITIES}


def known_rules(catalogue: Mapping[str, Metric]) -> frozenset[str]:
    """Rules that are known without an alert: of the catalogue's alarms, and of the checks."""
    alarms = (alarm_name(key) for key, metric in catalogue.items() if metric.alarm is not None)
    return frozenset({VERDICT_ALARM, *alarms, *(rule for check in CHECKS for rule in check.rules)})


def _tab(request: ViewRequest) -> Tab:
    """The open tab. A display has no way to change it and sees what can be read from across the room."""
    if request.role == "display":
        return "overview"
    named = request.get("tab") or "alerts"
    tab = next((tab for tab in TABS if tab == named), None)
    if tab is None:
        raise InvalidInput("tab", named, f"must be one of {', '.join(TABS)}")
    return tab


def _check_filters(request: ViewRequest) -> None:
    for name, known in (("severity", SEVERITIES), ("state", ALERT_STATES)):
        value = request.get(name)
        if value is not None and value not in known:
            raise InvalidInput(name, value, f"must be one of {', '.join(known)}")


def _alerts(service: Alerts, shared: Shared, request: ViewRequest, now: float) -> AlertsList:
    everywhere = open_alerts(service, shared)
    here = [alert for alert in everywhere if alert.environment == request.environment]
    overview = request.role == "display"
    wanted = {} if overview else {name: value for name in FILTERS if (value := request.get(name))}
    shown = [alert for alert in here if all(getattr(alert, name) == value for name, value in wanted.items())]
    shown.sort(key=lambda alert: (SEVERITIES.index(alert.severity), -alert.opened_at))
    resolved: tuple[Alert, ...] = ()
    if not overview and wanted.get("state", "resolved") == "resolved":
        resolved = _resolved(service, shared, request, now)
    elsewhere = Counter(alert.environment for alert in everywhere if alert.environment != request.environment)
    return AlertsList(
        open=tuple(shown),
        resolved=resolved[:MOST_ALERTS],
        cut=len(resolved) > MOST_ALERTS,
        counts=by_severity(here, request.environment),
        elsewhere=dict(sorted(elsewhere.items())),
        rules=tuple(sorted({alert.rule for alert in (*here, *resolved)})),
    )


def _resolved(service: Alerts, shared: Shared, request: ViewRequest, now: float) -> tuple[Alert, ...]:
    wanted = request.range(now)
    severity, rule = request.get("severity"), request.get("rule")

    def read() -> tuple[Alert, ...]:
        return service.alerts(
            wanted.start, wanted.end, environment=request.environment, state="resolved", severity=severity, rule=rule,
            limit=MOST_ALERTS + 1,
        )  # fmt: skip

    return shared(f"resolved alerts {request.environment} {request.start} {request.end} {severity} {rule}", read)


def _opened(service: Alerts, shared: Shared, request: ViewRequest, now: float) -> OpenedAlert | None:
    """The alert of the drawer; none for displays, which have none."""
    alert_id = request.get("alert")
    if alert_id is None or request.role == "display":
        return None
    alert = service.find(alert_id)
    if alert is None:
        return OpenedAlert(alert_id, None)
    incident = _incident(service, shared, alert.incident_id) if alert.incident_id else None
    quiet = _read_silences(service, shared, now) if alert.silenced_by else ()
    silence = next((one for one in quiet if one.silence_id == alert.silenced_by), None)
    return OpenedAlert(alert_id, alert, incident, silence)


def _incident(service: Alerts, shared: Shared, incident_id: str) -> Incident | None:
    return shared(f"incident {incident_id}", lambda: service.incident(incident_id))


def _incidents(service: Alerts, shared: Shared, request: ViewRequest) -> IncidentsData:
    recent = shared("incidents", lambda: service.incidents(MOST_INCIDENTS))
    wanted = request.get("incident")
    if wanted is None:
        return IncidentsData(recent)
    chosen = _incident(service, shared, wanted)
    return IncidentsData(recent, chosen, None if chosen else wanted)


def _read_silences(service: Alerts, shared: Shared, now: float) -> tuple[Silence, ...]:
    return shared("silences", lambda: service.silences(now - ENDED_SECONDS))


def _silences(service: Alerts, sources: Sources, now: float) -> SilencesData:
    found = _read_silences(service, sources.shared, now)
    seen = (alert.rule for alert in open_alerts(service, sources.shared))
    rules = {*sources.rules, *seen}
    return SilencesData(
        running=tuple(one for one in found if one.starts_at <= now < one.ends_at),
        coming=tuple(sorted((one for one in found if now < one.starts_at < one.ends_at), key=lambda s: s.starts_at)),
        ended=tuple(sorted((one for one in found if one.ends_at <= now), key=lambda one: -one.ends_at)),
        rules=tuple(sorted(rules)),
    )
