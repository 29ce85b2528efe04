"""From a signal's publication to its message in Slack, on the embedded engine: SNS, SQS, the consumer, the stand-in.

Run: ``python -m benchmarks.alert_latency``. Each signal is of a job of its own and waits until the one before has
arrived, so that none is told with others as a group. PagerDuty's stand-in is told at the same time.
"""

from __future__ import annotations

import io
import sys
import threading
import time

from backend.alerts.publish import Publisher
from backend.local.deploy import deploy
from backend.local.engine import Engine
from backend.local.peers.pagerduty import ROUTING_KEY, PagerDutyPeer
from backend.local.peers.slack import TOKEN, SlackPeer
from backend.logs import make_logger
from backend.settings import load_settings
from benchmarks.viewers import percentile

SIGNALS = 100
WARM_UP = 3
"""The first ones start the function's process."""
LIMIT_SECONDS = 2.0
WAIT_SECONDS = 30.0
FUNCTION = "alert-consumer"
CONFIG = "[alerts]\ngroup_after = 100000\n"


def main() -> int:
    """Prints the distribution; 1 when its p95 is over the limit."""
    with Engine() as engine, SlackPeer() as slack, PagerDutyPeer() as pagerduty:
        for peer in (slack, pagerduty):
            threading.Thread(target=peer.serve_forever, daemon=True).start()
        outputs = deploy(engine.client, config=CONFIG, parameters={"MergeSchedule": "rate(1 day)"})
        _tell(engine, slack, pagerduty)
        settings = load_settings({**engine.environment(), **outputs})
        publisher = Publisher(engine.client("sns"), settings, make_logger("alert-latency", io.StringIO()), "bench")
        seconds = [_measure(publisher, slack, number) for number in range(WARM_UP + SIGNALS)][WARM_UP:]
        told = len(pagerduty.incidents)
    p50, p95 = percentile(seconds, 0.5), percentile(seconds, 0.95)
    print(
        f"signal to Slack, {SIGNALS} signals: p50 {p50:.2f} s, p95 {p95:.2f} s, max {max(seconds):.2f} s "
        f"(limit p95 {LIMIT_SECONDS:g} s); PagerDuty had {told} incidents by then"
    )
    return int(p95 > LIMIT_SECONDS)


def _tell(engine: Engine, slack: SlackPeer, pagerduty: PagerDutyPeer) -> None:
    """Has the function tell the stand-ins."""
    functions = engine.client("lambda")
    variables = functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    told = {
        "SLACK_TOKEN_SECRET": "env:SLACK_TOKEN",
        "SLACK_TOKEN": TOKEN,
        "SLACK_API_URL": slack.api_url,
        "PAGERDUTY_KEY_SECRET": "env:PAGERDUTY_KEY",
        "PAGERDUTY_KEY": ROUTING_KEY,
        "PAGERDUTY_URL": pagerduty.url,
    }
    functions.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": {**variables, **told}})


def _measure(publisher: Publisher, slack: SlackPeer, number: int) -> float:
    """Seconds until one signal's message is in Slack."""
    subject = f"job-{number:04d}"
    began = time.perf_counter()
    if not publisher.send("HIGH", "job_failed", f"{subject} failed", subject=subject):
        raise RuntimeError("the signal was not published; look at the engine's log")
    while not any(subject in str(message.get("text", "")) for message in slack.messages[-5:]):
        if time.perf_counter() - began > WAIT_SECONDS:
            raise RuntimeError(f"{subject} did not reach Slack within {WAIT_SECONDS:g} s")
        time.sleep(0.005)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
