"""Mails, through SNS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns import sns_backends

from backend.alerts.transports.base import TransportError
from backend.alerts.transports.email import EmailTransport, mail_of
from backend.alerts.transports.text import REPEATED
from backend.contract.alerts import Delivery
from backend.contract.catalogue import load_catalogue

RESOLVED = {"state": "resolved", "resolved_at": 1_795_259_820.0}


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("sns", region_name="us-east-1")


def mail(message: Any) -> tuple[str, str]:
    return mail_of(message, load_catalogue())


def test_a_mail_says_what_is_wrong_and_where_to_look(sns: Any, message: Any) -> None:
    topic = sns.create_topic(Name="pipeline-mails")["TopicArn"]
    reference = EmailTransport(sns, topic, load_catalogue()).deliver(message(), None).reference
    ((message_id, body, subject, _, _),) = (
        sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[topic].sent_notifications
    )
    assert message_id == reference
    assert subject == "CRITICAL open: Dead letters above 100 per minute"
    for line in ("Value: 240 records, alerts above 100 records", "Rule: pulseboard-dlq_records",
                 "Runbook: https://pulseboard.example/runbooks/dlq_records"):  # fmt: skip
        assert line in body.splitlines()


def test_what_would_only_change_a_mail_sends_none(sns: Any, message: Any, alert: Any) -> None:
    topic = sns.create_topic(Name="pipeline-mails")["TopicArn"]
    email = EmailTransport(sns, topic, load_catalogue())
    told = Delivery("email", "first")
    for quiet in (message("updated"), message("incident"), message("group", members=(alert(),))):
        assert email.deliver(quiet, told).reference == "first"
    assert email.deliver(message("resolved", alert=RESOLVED), told).reference != "first"
    assert len(sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[topic].sent_notifications) == 1


def test_subjects_are_what_sns_takes(message: Any) -> None:
    subject, body = mail(message(alert={"title": "Größe\r\nBcc: x <!channel> " + "x" * 1_000_000}))
    assert len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()
    assert len(body) < 3_000


def test_a_later_mail_begins_with_what_changed(message: Any) -> None:
    assert "✅ Resolved after 10 min" in mail(message("resolved", alert=RESOLVED))[1]
    assert REPEATED in mail(message(repeat=True))[1]


@pytest.mark.parametrize(
    ("code", "status", "permanent"),
    [("NotFound", 404, True), ("AuthorizationError", 403, True), ("Throttled", 429, False)],
)
def test_errors_say_whether_to_try_again(code: str, status: int, permanent: bool, sns: Any, message: Any) -> None:
    with Stubber(sns) as stub:
        stub.add_client_error("publish", code, http_status_code=status)
        with pytest.raises(TransportError, match=code) as raised:
            EmailTransport(sns, "arn:aws:sns:us-east-1:123456789012:mails", load_catalogue()).deliver(message(), None)
    assert raised.value.permanent is permanent


@pytest.mark.parametrize(("code", "unsure"), [("Throttling", False), ("InternalError", True)])
def test_what_sns_said_it_did_not_take_is_no_repeat(sns: Any, message: Any, code: str, unsure: bool) -> None:
    with Stubber(sns) as answers:
        answers.add_client_error("publish", code, http_status_code=400)
        with pytest.raises(TransportError) as raised:
            EmailTransport(sns, "topic", load_catalogue()).deliver(message(), None)
    assert (raised.value.permanent, raised.value.unsure) == (False, unsure)
