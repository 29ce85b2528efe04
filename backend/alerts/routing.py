"""Who is told of an alert, and when nobody is. Pure; times are epoch seconds."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final, NamedTuple

from backend.contract.alerts import CONFIGURED, COVERED, SEVERITIES, Alert, Silence
from backend.contract.errors import InvalidInput
from backend.jobs.calendars import parse_hours, parse_zone
from backend.settings_alerts import Alerting, QuietHours

DELIVERY_FAILED: Final = "alerts:delivery_failed"
UNDELIVERED: Final = "alerts:undelivered"
UNREADABLE: Final = "alerts:unreadable_message"
DEAD_LETTERS: Final = "alerts:dead_letters"
GROUP: Final = "alerts:group"
ANOTHER_ROAD: Final = frozenset({DELIVERY_FAILED, UNDELIVERED})
"""Rules that tell of a transport, by the others."""
TRANSPORT: Final = "transport"
"""Label of such an alert: who could not deliver."""
_NAMES: Final = ("slack", "pagerduty", "email")
QUIET_HOURS: Final = "quiet hours"


class Quiet(NamedTuple):
    """Why an alert is not told: a silence's id or a few words; and how long, None where that is not known."""

    why: str
    until: float | None


def routes(alert: Alert, extra_route: str, config: Alerting) -> tuple[str, ...]:
    """Names of the transports that an alert is for, connected or not."""
    wanted = {*getattr(config.routes, alert.severity.lower()), extra_route}
    if alert.rule in ANOTHER_ROAD:
        wanted = {*_NAMES} - {alert.labels.get(TRANSPORT, "")}
    known = [name for name in _NAMES if name in wanted]
    return tuple(known + sorted(wanted - {*_NAMES, ""}))


def quiet(alert: Alert, now: float, config: Alerting, silences: tuple[Silence, ...], covered_by: str) -> Quiet | None:
    """What keeps an alert from being told at ``now``; None: nothing does."""
    for silence in silences:
        if silence.covers(alert, now):
            return Quiet(silence.silence_id, silence.ends_at)
    hours = config.quiet_hours
    if hours.hours and alert.severity not in hours.except_severities:
        until = quiet_until(hours, now)
        if until is not None:
            return Quiet(QUIET_HOURS, until)
    return Quiet(COVERED + covered_by, None) if covered_by else None


def quiet_until(hours: QuietHours, now: float) -> float | None:
    """When the quiet hours end in which ``now`` lies; None outside of them. Raises InvalidInput for a bad setting."""
    quiet_hours = parse_hours(hours.hours, "alerts.quiet_hours.hours")
    zone = parse_zone(hours.time_zone, "alerts.quiet_hours.time_zone")
    today = datetime.combine(datetime.fromtimestamp(now, zone).date(), time(), zone)
    overnight = timedelta(days=1 if quiet_hours.over_midnight else 0)
    # Those that began yesterday may last into today.
    for midnight in (today - timedelta(days=1), today):
        ends = (midnight + overnight + timedelta(minutes=quiet_hours.end)).timestamp()
        if (midnight + timedelta(minutes=quiet_hours.start)).timestamp() <= now < ends:
            return ends
    return None


def maintenance(config: Alerting) -> tuple[Silence, ...]:
    """The maintenance windows of the configuration. Raises InvalidInput naming the field that is wrong."""
    return tuple(
        Silence(
            silence_id=f"{CONFIGURED}{index}",
            kind="maintenance",
            starts_at=_instant(f"alerts.maintenance[{index}].starts", window.starts),
            ends_at=_instant(f"alerts.maintenance[{index}].ends", window.ends),
            reason=window.reason,
            created_by="pulseboard.toml",
            created_at=0.0,
            rule=window.rule,
            environment=window.environment,
        )
        for index, window in enumerate(config.maintenance)
    )


def check_config(config: Alerting) -> None:
    """Raises InvalidInput for what only shows when it is used: times, time zones, names of transports."""
    if config.quiet_hours.hours:
        quiet_until(config.quiet_hours, 0.0)
    for severity in config.quiet_hours.except_severities:
        if severity not in SEVERITIES:
            remedy = f"must be one of {', '.join(SEVERITIES)}"
            raise InvalidInput("alerts.quiet_hours.except_severities", severity, remedy)
    for index, window in enumerate(maintenance(config)):
        if window.ends_at <= window.starts_at:
            ends = config.maintenance[index].ends
            raise InvalidInput(f"alerts.maintenance[{index}].ends", ends, "must lie after starts")
    for route in map(str.lower, SEVERITIES):
        for name in getattr(config.routes, route):
            if name not in _NAMES:
                raise InvalidInput(f"alerts.routes.{route}", name, f"must be one of {', '.join(_NAMES)}")


def _instant(field: str, text: str) -> float:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise InvalidInput(field, text, "must be ISO 8601 with a zone, such as 2026-11-21T22:00:00+01:00")
    return instant.timestamp()
