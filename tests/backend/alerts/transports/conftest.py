"""Alerts as transports get them, and both services' stand-ins on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backend.alerts.transports.base import Message
from backend.alerts.transports.links import links_of
from backend.alerts.transports.pagerduty import PagerDutyTransport
from backend.alerts.transports.secret import Secret
from backend.alerts.transports.slack import SlackTransport
from backend.alerts.transports.slack_calls import SlackCalls
from backend.aws import Clients
from backend.contract.alerts import Alert
from backend.contract.catalogue import load_catalogue
from backend.local.peers.pagerduty import ROUTING_KEY, PagerDutyPeer
from backend.local.peers.slack import TOKEN, SlackPeer
from backend.settings_alerts import Slack

DASHBOARD = "https://pulseboard.example"
SECRETS = {"SLACK_TOKEN": TOKEN, "PAGERDUTY_KEY": ROUTING_KEY}

MakeAlert = Callable[..., Alert]
MakeMessage = Callable[..., Message]
NewSlack = Callable[..., SlackTransport]


@pytest.fixture
def alert() -> MakeAlert:
    def make(**fields: Any) -> Alert:
        given: dict[str, Any] = {
            "fingerprint": "a1" * 16,
            "opened_at": 1_795_259_220.0,
            "state": "open",
            "rule": "pulseboard-dlq_records",
            "severity": "CRITICAL",
            "title": "Dead letters above 100 per minute",
            "source": "cloudwatch",
            "updated_at": 1_795_259_220.0,
            "value": 240.0,
            "metric": "dlq_records",
            "page": "/errors?error_type=timeout",
            "runbook": "dlq_records",
        }
        return Alert(**{**given, **fields})

    return make


@pytest.fixture
def message(alert: MakeAlert) -> MakeMessage:
    """A message of a kind; ``alert=`` takes fields of the alert, or an alert."""

    def make(kind: Any = "opened", **fields: Any) -> Message:
        about = fields.pop("alert", {})
        about = about if isinstance(about, Alert) else alert(**about)
        given = {"at": about.opened_at + 120, "links": links_of(about, DASHBOARD), "delivery_id": f"{kind}-1"}
        return Message(kind, about, **{**given, **fields})

    return make


@pytest.fixture
def slack_peer() -> Iterator[SlackPeer]:
    with SlackPeer(channels=("pipeline-alerts", "critical")) as peer:
        yield peer


@pytest.fixture
def new_slack(slack_peer: SlackPeer) -> NewSlack:
    """A transport as a process that has just begun makes it: it knows nothing of what was sent before."""

    def make(config: Slack | None = None, environ: dict[str, str] | None = None) -> SlackTransport:
        token = Secret("env:SLACK_TOKEN", Clients("us-east-1"), SECRETS if environ is None else environ)
        return SlackTransport(SlackCalls(token, slack_peer.api_url, timeout=1), config or Slack(), load_catalogue())

    return make


@pytest.fixture
def slack(new_slack: NewSlack) -> SlackTransport:
    return new_slack()


@pytest.fixture
def pagerduty_peer() -> Iterator[PagerDutyPeer]:
    with PagerDutyPeer() as peer:
        yield peer


@pytest.fixture
def pagerduty(pagerduty_peer: PagerDutyPeer) -> PagerDutyTransport:
    key = Secret("env:PAGERDUTY_KEY", Clients("us-east-1"), SECRETS)
    return PagerDutyTransport(key, pagerduty_peer.url, load_catalogue(), DASHBOARD, timeout=1)
