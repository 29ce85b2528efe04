"""What ``pulseboard.toml`` says of alerts and checks."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Routes:
    """Who is told by severity: names of transports (slack, pagerduty, email). An alarm's own route comes on top."""

    critical: list[str] = field(default_factory=lambda: ["slack", "pagerduty"])
    high: list[str] = field(default_factory=lambda: ["slack", "pagerduty"])
    medium: list[str] = field(default_factory=lambda: ["email"])
    low: list[str] = field(default_factory=lambda: ["slack"])


@dataclass(frozen=True, slots=True)
class Renotify:
    """Minutes after which an alert that is open and not acknowledged is told again, time after time.

    The first time is when somebody must have acknowledged it (``ACKNOWLEDGE_SECONDS``); of LOW it is this one.
    """

    critical: float = 15.0
    high: float = 60.0
    medium: float = 240.0
    low: float = 1440.0


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nobody is told but of ``except_severities``; what is still open at the end is told then.

    ``hours`` is ``22:00-06:00`` in ``time_zone``; empty: there are none.
    """

    hours: str = ""
    time_zone: str = "UTC"
    except_severities: list[str] = field(default_factory=lambda: ["CRITICAL"])


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A window known beforehand, ``starts`` and ``ends`` as ISO 8601 with zone. Empty matchers match everything."""

    starts: str
    ends: str
    reason: str
    rule: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Slack:
    """``channel`` takes all alerts but those of a severity that has its own. ``incident_channels`` opens one each."""

    channel: str = "#pipeline-alerts"
    critical_channel: str = ""
    low_channel: str = ""
    incident_channels: bool = False


@dataclass(frozen=True, slots=True)
class Alerting:
    """How alerts are told. ``dashboard_url`` is what links begin with; without it messages have none.

    More than ``group_after`` alerts of one severity within ``group_seconds`` are told as one. An alert that opened
    ``flap_count`` times within ``flap_minutes`` flaps: it is resolved only once it stayed so for ``flap_hold_minutes``.
    ``deliver_hours`` is how long a delivery is tried.
    """

    dashboard_url: str = ""
    routes: Routes = field(default_factory=Routes)
    renotify_minutes: Renotify = field(default_factory=Renotify)
    quiet_hours: QuietHours = field(default_factory=QuietHours)
    maintenance: list[Maintenance] = field(default_factory=list)
    slack: Slack = field(default_factory=Slack)
    group_after: int = 5
    group_seconds: float = 60.0
    flap_count: int = 3
    flap_minutes: float = 30.0
    flap_hold_minutes: float = 10.0
    deliver_hours: float = 24.0
    retention_days: int = 400


@dataclass(frozen=True, slots=True)
class Checks:
    """Bounds of the checks. ``external_count`` is a plug-in, ``package.module:name`` (docs/checks.md), or empty.

    ``canary`` switches the event a minute on. ``filters`` names operators that drop records on purpose.
    """

    canary: bool = True
    canary_limit_seconds: float = 30.0
    sample_events: int = 100
    match_percent: float = 99.9
    null_rate_change: float = 0.1
    external_count: str = ""
    filters: list[str] = field(default_factory=list)
