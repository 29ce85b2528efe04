"""What the actions of the Alerts page do: bodies to the alert service's calls, their results to one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from backend.contract.alerts import LONGEST_SILENCE, MAX_FOLLOW_UP, SEVERITIES, Alert, Silence
from backend.contract.errors import InvalidInput
from backend.contract.event_query import MAX_TEXT
from backend.contract.verdict import duration
from dashboard.components.text import count
from dashboard.data.alerts import WEEKS, known_rules, open_alerts
from dashboard.data.alerts_sources import Alerts
from dashboard.replay_actions import Body, Content, connected
from dashboard.services import Services

LEAST_MINUTES: Final = 1
MOST_MINUTES: Final = 7 * 24 * 60
MATCHERS: Final = ("rule", "environment", "severity")
ANSWERS: Final = ("summary", "root_cause", "prevention")
REMEDY: Final = "must be a time like 2026-11-21T14:05, in UTC"


def acknowledge(services: Services, body: Body, who: str) -> Content:
    """Somebody takes care of an alert."""
    alert = _on_alert(_service(services).acknowledge, body, who)
    return {"message": f"Acknowledged: {alert.title}"}


def mark_noise(services: Services, body: Body, who: str) -> Content:
    """An alert that should not have fired."""
    alert = _on_alert(_service(services).mark_noise, body, who)
    return {"message": f"Marked as noise: {alert.title}"}


def resolve(services: Services, body: Body, who: str) -> Content:
    """Ends an alert by hand."""
    alert = _on_alert(_service(services).resolve, body, who)
    return {"message": f"Resolved by hand: {alert.title}"}


def silence(services: Services, body: Body, who: str) -> Content:
    """Keeps alerts quiet: those like a given one for some minutes, or those that match until a time."""
    service, now = _service(services), services.now()
    wanted = _of_alert(service, body, who, now) if "alert_id" in body else _of_matchers(body, who, now)
    begin = max(now, wanted.starts_at)
    alerts = open_alerts(service, services.shared)
    matched = count(sum(wanted.covers(alert, begin) for alert in alerts), "open alert")
    doubt = (
        "" if _is_known(services, service, wanted.rule, alerts) else f". No rule {wanted.rule} is known: is it right?"
    )
    made = service.silence(wanted, who, body["reason"])
    begins = "" if made.starts_at <= now else f", from {_clock(made.starts_at)} on"
    message = f"Silenced for {duration(made.ends_at - made.starts_at)}{begins}; matches {matched} now{doubt}"
    return {"message": message, "silence_id": made.silence_id}


def _is_known(services: Services, service: Alerts, rule: str, alerts: Iterable[Alert]) -> bool:
    """Whether a rule is one that can fire, or did of late: one that is misspelt keeps nothing quiet."""
    known = {"", *known_rules(services.settings.catalogue), *(alert.rule for alert in alerts)}
    return rule in known or any(rule == week.rule for week in service.weeks(WEEKS))


def end_silence(services: Services, body: Body, who: str) -> Content:
    """Ends a silence early."""
    service = _service(services)
    _only(body, ("silence_id", "reason"))
    silence_id = _text(body, "silence_id")
    try:
        service.end_silence(silence_id, who, body["reason"])
    except KeyError:
        raise InvalidInput("silence_id", silence_id, "is not the id of a silence", "not_found") from None
    return {"message": "The silence has ended; what is still open is told"}


def follow_up(services: Services, body: Body, who: str) -> Content:
    """Fills in what an incident ends with."""
    service = _service(services)
    _only(body, ("incident_id", "reason", *ANSWERS))
    incident_id = _text(body, "incident_id")
    summary, root_cause, prevention = (_answer(body, name) for name in ANSWERS)
    try:
        service.follow_up(incident_id, who, summary, root_cause, prevention)
    except KeyError:
        raise InvalidInput("incident_id", incident_id, "is not the id of an incident", "not_found") from None
    return {"message": "The follow-up is saved"}


def _service(services: Services) -> Alerts:
    return connected(services.alerts, "Alerts")


def _on_alert(call: Callable[[str, str, str], Alert], body: Body, who: str) -> Alert:
    _only(body, ("alert_id", "reason"))
    alert_id = _text(body, "alert_id")
    try:
        return call(alert_id, who, body["reason"])
    except KeyError:
        raise _no_alert(alert_id) from None


def _of_alert(service: Alerts, body: Body, who: str, now: float) -> Silence:
    """The silence that an alert's drawer asks for."""
    _only(body, ("alert_id", "scope", "minutes", "reason"))
    alert_id, scope, minutes = _text(body, "alert_id"), body.get("scope"), _minutes(body)
    alert = service.find(alert_id)
    if alert is None:
        raise _no_alert(alert_id)
    if scope not in ("alert", "rule"):
        raise InvalidInput("scope", scope, "must be alert or rule")
    matcher = {"fingerprint": alert.fingerprint} if scope == "alert" else {"rule": alert.rule}
    return Silence(
        "", "silence", now, now + minutes * 60, body["reason"], who, now, environment=alert.environment, **matcher
    )


def _of_matchers(body: Body, who: str, now: float) -> Silence:
    """The silence of the form. At least one matcher: nobody silences everything by leaving a field empty."""
    _only(body, (*MATCHERS, "from", "to", "reason"))
    matchers = {name: _text(body, name) for name in MATCHERS if body.get(name)}
    if not matchers:
        raise InvalidInput("rule", "", f"is empty, and so are the others: name at least one of {', '.join(MATCHERS)}")
    if "*" in matchers.get("rule", ""):
        remedy = "has a *, and rules are matched whole: choose one, or name only environment or severity"
        raise InvalidInput("rule", matchers["rule"], remedy)
    severity = matchers.get("severity")
    if severity is not None and severity not in SEVERITIES:
        raise InvalidInput("severity", severity, f"must be one of {', '.join(SEVERITIES)}")
    begin = _time(body, "from") if body.get("from") else now
    end = _time(body, "to")
    if end <= max(begin, now):
        raise InvalidInput("to", body.get("to"), "must lie after the beginning, and ahead of now")
    if end - begin > LONGEST_SILENCE:
        raise InvalidInput("to", body.get("to"), "makes a silence of more than 90 days; change the rule instead")
    kind: Literal["silence", "maintenance"] = "maintenance" if begin > now else "silence"
    return Silence("", kind, begin, end, body["reason"], who, now, **matchers)


def _no_alert(alert_id: str) -> InvalidInput:
    return InvalidInput("alert_id", alert_id, "is not the id of an alert", "not_found")


def _minutes(body: Body) -> int:
    """Of a choice, so a text; a number of the API is taken as well."""
    value = body.get("minutes")
    try:
        minutes = 0 if isinstance(value, bool) or value is None else int(value)
    except (TypeError, ValueError, OverflowError):
        minutes = 0
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise InvalidInput("minutes", value, f"must be a number of minutes from {LEAST_MINUTES} to {MOST_MINUTES}")
    return minutes


def _time(body: Body, name: str) -> float:
    """Epoch seconds of a form's date and time, which is UTC where it names no zone."""
    value = body.get(name)
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise InvalidInput(name, value, REMEDY)
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%-d %b, %H:%M} UTC"


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise InvalidInput(name, value, f"must be printable text of 1 to {MAX_TEXT} characters")
    return value


def _answer(body: Body, name: str) -> str:
    """Several lines of text."""
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_FOLLOW_UP:
        raise InvalidInput(name, value, f"must be text of 1 to {MAX_FOLLOW_UP:,} characters")
    return value.strip()


def _only(body: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """A matcher that is misspelt would silence too much."""
    for name, value in body.items():
        if name not in known:
            raise InvalidInput(name, value, f"is not known; use {', '.join(known)}")
