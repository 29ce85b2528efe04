"""The transports that the settings name: those that have a token or a topic."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from backend.alerts.transports.base import Transport
from backend.alerts.transports.email import EmailTransport
from backend.alerts.transports.pagerduty import PagerDutyTransport
from backend.alerts.transports.secret import Secret
from backend.alerts.transports.slack import SlackTransport
from backend.alerts.transports.slack_calls import SlackCalls
from backend.aws import Clients
from backend.settings import Settings


def build_transports(
    settings: Settings, clients: Clients, environ: Mapping[str, str], clock: Callable[[], float] = time.time
) -> dict[str, Transport]:
    """Transports by name; one without a token or topic is not among them. Reads no secret yet.

    ``environ`` is where ``env:NAME`` secrets are looked up.
    """
    alerting, catalogue = settings.config.alerts, settings.catalogue
    found: dict[str, Transport] = {}
    if settings.slack_token_secret:
        token = Secret(settings.slack_token_secret, clients, environ)
        found["slack"] = SlackTransport(SlackCalls(token, settings.slack_api_url, clock), alerting.slack, catalogue)
    if settings.pagerduty_key_secret:
        key = Secret(settings.pagerduty_key_secret, clients, environ)
        url = alerting.dashboard_url
        found["pagerduty"] = PagerDutyTransport(key, settings.pagerduty_url, catalogue, url, clock)
    if settings.email_topic_arn:
        found["email"] = EmailTransport(clients.sns, settings.email_topic_arn, catalogue)
    return found
