"""Who the demo's alerts go to: stand-ins for Slack and PagerDuty, with tokens where the product looks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backend.local.peers.pagerduty import ROUTING_KEY
from backend.local.peers.slack import PREFIX, TOKEN
from backend.local.processes import Ports, api_url


def told(client: Callable[[str], Any], ports: Ports) -> dict[str, str]:
    """Puts the tokens into the engine's Secrets Manager; returns the stack's parameters that lead there."""
    secrets = client("secretsmanager")
    return {
        "SlackTokenSecretArn": secrets.create_secret(Name="pulseboard/slack", SecretString=TOKEN)["ARN"],
        "SlackApiUrl": api_url(ports.slack) + PREFIX,
        "PagerDutyKeySecretArn": secrets.create_secret(Name="pulseboard/pagerduty", SecretString=ROUTING_KEY)["ARN"],
        "PagerDutyUrl": api_url(ports.pagerduty),
    }
