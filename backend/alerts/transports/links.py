"""Where a message leads: the page with its filters and range, the runbook, the alert itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from backend.contract.alerts import LOOK_BACK_SECONDS, Alert

PAGE: Final = "page"
RUNBOOK: Final = "runbook"
ALERT: Final = "alert"
TITLES: Final[Mapping[str, str]] = {PAGE: "Open page", RUNBOOK: "Runbook", ALERT: "Acknowledge"}
"""The keys of ``Message.links`` that transports show, in their order; what else is in it is not shown."""
LONGEST: Final = 3_000
"""Characters of a URL: what Slack takes. A longer one would be another page when cut, so it is left out."""


def links_of(alert: Alert, dashboard_url: str) -> dict[str, str]:
    """Absolute links by their keys; empty where nobody said where the dashboard is.

    The page opens with its own filters, the alert's environment, and from 15 minutes before the alert began.
    """
    base = dashboard_url.rstrip("/")
    if not base:
        return {}
    links = {PAGE: base + page_link(alert)} if alert.page else {}
    if alert.runbook:
        links[RUNBOOK] = f"{base}/runbooks/{quote(alert.runbook, safe='')}"
    links[ALERT] = f"{base}/alerts?{urlencode({'alert': alert.alert_id, 'environment': alert.environment})}"
    return {name: url for name, url in links.items() if len(url) <= LONGEST}


def page_link(alert: Alert) -> str:
    """The alert's page, relative, with environment and range added to its filters. ``alert.page`` may not be empty."""
    parts = urlsplit(alert.page)
    start = round((alert.opened_at - LOOK_BACK_SECONDS) * 1000)
    query = "&".join(filter(None, (parts.query, urlencode({"environment": alert.environment, "from": start}))))
    return f"/{parts.path.lstrip('/')}?{query}"


def shown(links: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """``(key, title, url)`` of the links that may be shown: web addresses no longer than Slack takes."""
    return [
        (key, title, links[key])
        for key, title in TITLES.items()
        if links.get(key, "").startswith(("http://", "https://")) and len(links[key]) <= LONGEST
    ]
