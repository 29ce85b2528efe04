"""A signal on the embedded engine: SNS -> SQS -> alert-consumer -> the stand-ins of Slack and PagerDuty."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from backend.alerts.publish import Publisher
from backend.alerts.service import AlertService
from backend.audit import AuditLog
from backend.contract.alerts import Alert
from backend.local.peers.pagerduty import ROUTING_KEY, PagerDutyPeer
from backend.local.peers.slack import TOKEN, SlackPeer
from tests.local_stack import LocalStack
from tests.loggers import fresh_logger

pytestmark = pytest.mark.e2e
FUNCTION = "alert-consumer"


def eventually(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer of ``look``; its last answer when the time is up."""
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


@dataclass
class Desk:
    """The stack whose alert consumer tells the stand-ins."""

    slack: SlackPeer
    pagerduty: PagerDutyPeer
    publisher: Publisher
    service: AlertService
    subject: str

    def posts(self) -> list[dict[str, Any]]:
        """Slack's messages about this test's alert that are not in a thread."""
        return [m for m in self.slack.messages if self.subject in str(m) and "thread_ts" not in m]

    def alert(self) -> Alert:
        now = time.time()
        found = [a for a in self.service.alerts(now - 600, now + 60) if a.labels.get("subject") == self.subject]
        assert len(found) == 1
        return found[0]


@pytest.fixture
def desk(stack: LocalStack) -> Iterator[Desk]:
    functions = stack.client("lambda")
    before = functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    with SlackPeer() as slack, PagerDutyPeer() as pagerduty:
        for peer in (slack, pagerduty):
            threading.Thread(target=peer.serve_forever, daemon=True).start()
        told = {
            "SLACK_TOKEN_SECRET": "env:SLACK_TOKEN",
            "SLACK_TOKEN": TOKEN,
            "SLACK_API_URL": slack.api_url,
            "PAGERDUTY_KEY_SECRET": "env:PAGERDUTY_KEY",
            "PAGERDUTY_KEY": ROUTING_KEY,
            "PAGERDUTY_URL": pagerduty.url,
        }
        functions.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": {**before, **told}})
        settings = stack.settings
        logger = fresh_logger()
        dynamodb, sns = stack.client("dynamodb"), stack.client("sns")
        service = AlertService(dynamodb, sns, settings, AuditLog(dynamodb, settings))
        yield Desk(slack, pagerduty, Publisher(sns, settings, logger, "e2e"), service, f"load-{uuid.uuid4().hex[:8]}")
        functions.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": before})


def test_a_signal_is_told_once_acknowledged_from_the_page_and_resolved(desk: Desk) -> None:
    for _ in range(5):
        title = f"Job {desk.subject} failed"
        assert desk.publisher.send("CRITICAL", "job_failed", title, subject=desk.subject, description="<!channel> &")
    assert eventually(desk.posts)
    assert eventually(lambda: desk.alert().fired == 5)
    assert eventually(lambda: len(desk.alert().deliveries) == 2)
    assert len(desk.posts()) == 1
    assert [incident["status"] for incident in desk.pagerduty.incidents] == ["triggered"]

    desk.service.acknowledge(desk.alert().alert_id, "ops@example.com", "on it")
    assert eventually(lambda: desk.pagerduty.incidents[0]["status"] == "acknowledged", 90)

    desk.publisher.send("CRITICAL", "job_failed", "It runs again", state="resolved", subject=desk.subject)
    assert eventually(lambda: desk.pagerduty.incidents[0]["status"] == "resolved")
    assert eventually(lambda: desk.posts()[0]["edits"] > 0)
    assert (desk.alert().state, len(desk.posts()), len(desk.pagerduty.incidents)) == ("resolved", 1, 1)
    assert (desk.slack.refused, desk.pagerduty.refused) == ([], [])
    incident = next(one for one in desk.service.incidents() if one.alert_id == desk.alert().alert_id)
    assert incident.closed_at is not None
