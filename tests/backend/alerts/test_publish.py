"""What is published: apart from its sender's details, within what SNS takes, and what SNS says of it."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from backend.alerts.publish import Publisher
from backend.contract.alerts import MAX_MESSAGE, signal_message
from backend.contract.errors import InvalidInput
from backend.settings import Settings
from tests.loggers import fresh_logger

EMOJI = "\U0001f600"


def message(**fields: Any) -> str:
    return signal_message(**{"source": "a", "kind": "b", "severity": "HIGH", "title": "c", "at": 5.0, **fields})


def test_details_have_a_place_of_their_own() -> None:
    said = json.loads(message(details={"kind": "other", "AlarmName": "x"}))
    assert (said["kind"], said["details"]) == ("b", {"kind": "other", "AlarmName": "x"})
    assert "details" not in json.loads(message())


def test_labels_of_a_thousand_emoji_each_are_sent_whole() -> None:
    text = message(
        title=EMOJI * 300, description=EMOJI * 8_000, details={f"label{one}": EMOJI * 1_000 for one in range(20)}
    )
    assert len(text.encode()) < MAX_MESSAGE
    assert len(json.loads(text)["details"]) == 20


def test_the_largest_details_are_left_out_of_a_message_that_is_too_large_and_are_named() -> None:
    large = dict.fromkeys(("trace", "\ud800" * 500), "\x01" * 1_000_000)
    texts = dict.fromkeys(("unit", "environment", "page", "runbook", "correlation_id", "subject"), "\x02" * 5_000)
    text = message(description="\x03" * 9_000, details={**large, "host": "db-1"}, **texts)
    assert len(text.encode()) <= MAX_MESSAGE
    details = json.loads(text)["details"]
    assert (details.pop("host"), details.pop("left_out")[:9]) == ("db-1", "trace, \ufffd\ufffd")
    assert details == {}


def test_subjects_that_begin_alike_stay_two() -> None:
    first, second, again = (json.loads(message(subject="x" * 2_000 + end))["subject"] for end in ("1", "2", "1"))
    assert first == again != second
    assert len(first) == 1_000


class Sns:
    """Answers with an error of this code and text."""

    def __init__(self, code: str, text: str) -> None:
        self.error = ClientError({"Error": {"Code": code, "Message": text}}, "Publish")

    def publish(self, **_: Any) -> None:
        raise self.error


def publisher(sns: Any, log: io.StringIO) -> Publisher:
    settings = Settings(alerts_topic_arn="arn:aws:sns:us-east-1:123456789012:pipeline-alerts")
    return Publisher(sns, settings, fresh_logger(log), "a")


@pytest.mark.parametrize(
    ("code", "text", "permanent"),
    [
        ("InvalidParameter", "Invalid parameter: Message too long", True),
        ("InvalidParameter", "Invalid parameter: TopicArn", False),
        ("Throttling", "Rate exceeded", False),
    ],
)
def test_what_sns_refuses_for_ever_is_told_from_what_may_be_sent_again(code: str, text: str, permanent: bool) -> None:
    sender = publisher(Sns(code, text), io.StringIO())
    assert sender.send("HIGH", "b", "c") is False
    if permanent:
        with pytest.raises(InvalidInput, match="Message too long"):
            sender.send("HIGH", "b", "c", strict=True)
    else:
        assert sender.send("HIGH", "b", "c", strict=True) is False


def test_details_of_any_name_are_logged_and_at_most_twenty_are_sent() -> None:
    sent: list[str] = []
    log = io.StringIO()
    sns = SimpleNamespace(publish=lambda **given: sent.append(given["Message"]))
    names = ("name", "module", "message", "status", "level")
    details = dict.fromkeys((*names, *(f"label{one}" for one in range(20))), "x")
    assert publisher(sns, log).send("HIGH", "b", "c", details=details)
    line = json.loads(log.getvalue())
    assert (line["status"], line["message"], line["details"]["name"]) == ("b", "c", "x")
    assert json.loads(sent[0])["details"]["left_out"] == "5 more"
