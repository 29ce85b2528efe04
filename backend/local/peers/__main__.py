"""``python -m backend.local.peers``: both stand-ins in one process, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import signal
import threading

from backend.local.peers.pagerduty import ROUTING_KEY, PagerDutyPeer
from backend.local.peers.slack import CHANNELS, TOKEN, SlackPeer


def main() -> None:
    """Serves until it is told to end."""
    parser = argparse.ArgumentParser(prog="python -m backend.local.peers", description=__doc__)
    parser.add_argument("--slack-port", type=int, required=True, help="port on loopback, 0 for a free one")
    parser.add_argument("--pagerduty-port", type=int, required=True, help="port on loopback, 0 for a free one")
    parser.add_argument("--slack-token", default=TOKEN, help="the token that is taken")
    parser.add_argument("--slack-channel", action="append", help="a channel there is; may be repeated")
    parser.add_argument("--routing-key", default=ROUTING_KEY, help="PagerDuty's key that is taken")
    given = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    slack = SlackPeer(given.slack_port, given.slack_token, given.slack_channel or CHANNELS)
    with slack, PagerDutyPeer(given.pagerduty_port, given.routing_key) as pagerduty:
        print(f"Slack's stand-in: {slack.url}\nPagerDuty's stand-in: {pagerduty.url}", flush=True)  # noqa: T201
        ended.wait()


if __name__ == "__main__":
    main()
