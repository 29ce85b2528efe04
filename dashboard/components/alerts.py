"""What the parts of the Alerts page have in common: tabs, words and shapes of severities and states, links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from dash import html

from backend.contract.alerts import COVERED, LOOK_BACK_SECONDS, Alert, Silence
from backend.contract.verdict import amount, duration
from dashboard.components.links import set_link
from dashboard.components.states import badge, note
from dashboard.components.times import lasting, stamp
from dashboard.data.alerts import PARAMETERS, TABS, AlertsData, Tab

Children = list[Any]
PAGE: Final = "/alerts"
TITLES: Final[Mapping[Tab, str]] = {
    "alerts": "Alerts",
    "checks": "Checks",
    "incidents": "Incidents",
    "silences": "Silences",
    "tuning": "Tuning",
}
SEVERITY_LOOKS: Final = {"CRITICAL": "critical", "HIGH": "high", "MEDIUM": "medium", "LOW": "low"}
"""The ``data-state`` whose shape and colour a severity wears; its word is the severity itself."""
STATE_LOOKS: Final = {
    "open": ("firing", "Open"),
    "acknowledged": ("acknowledged", "Acknowledged"),
    "resolved": ("healthy", "Resolved"),
}
_LEAVING: Final = {name: None for name in PARAMETERS if name != "tab"}
"""What a tab's parameters mean to another one is nothing."""


def tabs(data: AlertsData) -> Children:
    """The tabs as links; none for a display, which has nothing to press."""
    if data.tab == "overview":
        return []
    items = []
    for tab in TABS:
        here = {"aria-current": "page"} if tab == data.tab else {}
        changes = {**_LEAVING, "tab": None if tab == "alerts" else tab}
        items.append(html.Li(set_link(TITLES[tab], data.request, changes, **here)))
    return [html.Ul(items)]


def notes(data: AlertsData) -> Children:
    """What is true of the whole page: that nothing is connected, or that alerts come from synthetic data."""
    if not data.connected:
        text = "Alerts, checks, incidents and silences will be shown here."
        return [note("Not connected yet", text, "not-connected")]
    if data.synthetic:
        return [html.P("Some alerts are of synthetic data: made by a generator.", className="synthetic")]
    return []


def severity_badge(severity: str) -> html.Span:
    """A severity as word, shape and colour."""
    return badge(SEVERITY_LOOKS.get(severity, "unknown"), severity.capitalize())


def state_badge(alert: Alert) -> html.Span:
    """An alert's state as word, shape and colour."""
    look, word = STATE_LOOKS[alert.state]
    return badge(look, word)


def flags(alert: Alert, silence: Silence | None = None) -> list[tuple[str, str, str]]:
    """What else is to be said of an alert, as (look, word, sentence). ``silence`` is the one that keeps it quiet, where
    it is known."""
    said = []
    if alert.unknown_since is not None and alert.state != "resolved":
        said.append(("unknown", "Source silent", "Its source says nothing at present: it stays open."))
    if alert.flapping:
        said.append(("flapping", "Flapping", "It comes and goes: it is resolved once it has stayed so for a while."))
    if alert.silenced_by.startswith(COVERED):
        rule = alert.silenced_by.removeprefix(COVERED)
        words = f"Recorded only: an alert of {rule} says the same with more words."
        said.append(("silenced", "Told by another", words))
    elif alert.silenced_by:
        why = silence.reason if silence else alert.silenced_by
        said.append(("silenced", "Silenced", f"Recorded, but nobody is told: {why.rstrip('.')}."))
    if alert.noise:
        said.append(("silenced", "Noise", f"Marked as noise by {alert.noise}."))
    if alert.group and alert.group != alert.fingerprint:
        said.append(("group", "In a group", "Many came at once: one alert speaks for all of them."))
    return said


def flag_badges(alert: Alert, *, explained: bool = True) -> Children:
    """The flags of an alert, each with its sentence as title where it may be ``explained``: sentences name people."""
    return [
        html.Span(badge(look, word), className="flag", **({"title": sentence} if explained else {}))
        for look, word, sentence in flags(alert)
    ]


def value_words(alert: Alert) -> str:
    """The value with its unit; "" where there is none."""
    return "" if alert.value is None else amount(alert.value, alert.unit).strip()


def how_long(alert: Alert) -> Any:
    """How long it has been open, or was."""
    if alert.resolved_at is None:
        return lasting(alert.opened_at)
    return duration(max(alert.resolved_at - alert.opened_at, 0.0))


def since(alert: Alert) -> Children:
    """When it was opened."""
    return [stamp(alert.opened_at)]


def page_address(alert: Alert) -> str:
    """The page that shows what an alert is about, from 15 minutes before it began; "" where it names none.

    Only pages of this site: an address that leads elsewhere is no page.
    """
    try:
        parts = urlsplit(alert.page)
    except ValueError:
        return ""
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or "\\" in alert.page:
        return ""
    values = {**dict(parse_qsl(parts.query)), "from": str(round((alert.opened_at - LOOK_BACK_SECONDS) * 1000))}
    if alert.resolved_at is not None:
        values["to"] = str(round((alert.resolved_at + LOOK_BACK_SECONDS) * 1000))
    values.setdefault("environment", alert.environment)
    return f"{parts.path}?{urlencode(values)}"
