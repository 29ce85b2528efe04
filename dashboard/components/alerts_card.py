"""The Health page's card of open alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from dash import html

from backend.contract.alerts import SEVERITIES
from dashboard.components.alerts import PAGE, SEVERITY_LOOKS, Children
from dashboard.components.replay import heading
from dashboard.components.states import badge, note, shape


def open_alerts(
    alerts: Mapping[str, int] | None, environment: str, problem: str = "", *, links: bool = False
) -> Children:
    """Open alerts by severity, each leading to its list where there are ``links``; else why they are not known."""
    if problem:
        return [heading("Open alerts", badge("unknown")), note("Can't be read now", problem, "error")]
    if alerts is None:
        text = "Open alerts by severity will be counted here."
        return [heading("Open alerts"), note("Not connected yet", text, "not-connected")]
    total = sum(alerts.values())
    state = "critical" if alerts.get("CRITICAL") else "degraded" if total else "healthy"
    return [
        heading("Open alerts", badge(state, f"{total:,} open" if total else "None open")),
        html.Dl(
            [_severity(name, alerts.get(name, 0), environment if links else None) for name in SEVERITIES],
            className="facts",
        ),
    ]


def _severity(name: str, number: int, environment: str | None) -> html.Div:
    word: Any = name.capitalize()
    if environment is not None and number:
        query = urlencode({"severity": name, "environment": environment})
        word = html.A(word, href=f"{PAGE}?{query}", className="card-link")
    look = SEVERITY_LOOKS[name] if number else "no_data"
    return html.Div([html.Dt([shape(look), word]), html.Dd(f"{number:,}")], **{"data-severity": name})
