"""From messages of the queue to signals: CloudWatch's, Pulseboard's own, and what is neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.alerts.parsing import read
from backend.contract.alerts import Signal, fingerprint, signal_message
from backend.contract.catalogue import load_catalogue
from backend.contract.events import utc_text

EVENTS = Path(__file__).parents[2] / "data" / "aws-events"
CATALOGUE = load_catalogue()
NOW = 1_795_262_400.0
ALARM = {
    "AlarmName": "pulseboard-dlq_records",
    "AlarmDescription": "Too many dead letters.",
    "AWSAccountId": "123456789012",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed: 2 out of the last 2 datapoints [240.0 (21/11/26 11:59:00), 180.0 (...)] ...",
    "StateChangeTime": "2026-11-21T11:59:30.123+0000",
    "Region": "EU (Ireland)",
    "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:pulseboard-dlq_records",
    "OldStateValue": "OK",
    "Trigger": {"MetricName": "DLQRecordCount", "Namespace": "Pulseboard"},
}


def record(text: str, *, topic: str = "pipeline-alerts", message_id: str = "m-1", at: float = NOW) -> dict[str, Any]:
    """An SQS record with SNS's envelope."""
    outer = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": f"arn:aws:sns:eu-west-1:123456789012:{topic}",
        "Message": text,
        "Timestamp": utc_text(at),
    }
    return {"messageId": "sqs-1", "body": json.dumps(outer), "attributes": {"SentTimestamp": str(int(at * 1000))}}


def signal(text: str, **fields: Any) -> Signal:
    found = read(record(text, **fields), CATALOGUE, "production", NOW)
    assert found is not None
    return found


def test_an_alarm_of_the_catalogue_brings_all_that_the_catalogue_knows() -> None:
    found = signal(json.dumps(ALARM))
    assert (found.rule, found.state, found.severity) == ("pulseboard-dlq_records", "firing", "CRITICAL")
    assert (found.title, found.value, found.unit) == ("DLQ records above 100 records", 240.0, "records")
    assert (found.metric, found.runbook, found.page) == ("dlq_records", "dlq_records", "/errors")
    assert found.fingerprint == fingerprint("cloudwatch", "pulseboard-dlq_records", "123456789012", "eu-west-1")
    assert found.at == NOW - 29.877


@pytest.mark.parametrize(("value", "state"), [("OK", "resolved"), ("INSUFFICIENT_DATA", "unknown")])
def test_states_of_an_alarm_are_those_of_its_alert(value: str, state: str) -> None:
    found = signal(json.dumps({**ALARM, "NewStateValue": value}))
    assert (found.state, found.fingerprint) == (state, signal(json.dumps(ALARM)).fingerprint)


def test_an_alarm_that_is_not_the_catalogues_takes_its_severity_from_the_topic() -> None:
    composite = {**ALARM, "AlarmName": "checkout-is-down", "AlarmRule": "ALARM(a) OR ALARM(b)"}
    del composite["Trigger"]
    assert signal(json.dumps(composite)).severity == "HIGH"
    assert signal(json.dumps(composite), topic="pipeline-warnings").severity == "MEDIUM"
    assert signal(json.dumps(composite)).title == "checkout-is-down"


def test_the_event_that_cloudwatch_gives_to_functions_is_read_too() -> None:
    event = (EVENTS / "cloudWatchAlarmEventSingleMetric.json").read_text("utf-8")
    found = signal(event)
    assert (found.rule, found.state, found.value) == ("Test alert", "firing", 1.0)
    assert found.at == 1_708_170_788.431


def test_an_alarm_without_a_configuration_is_read() -> None:
    event = json.loads((EVENTS / "cloudWatchAlarmEventSingleMetric.json").read_text("utf-8"))
    event["alarmData"]["configuration"] = None
    assert signal(json.dumps(event)).rule == "Test alert"


@pytest.mark.parametrize("error", [OverflowError, AttributeError, MemoryError, IndexError])
def test_whatever_a_message_provokes_somebody_sees_it(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def provoked(*_: Any) -> None:
        raise error("odd")

    monkeypatch.setattr("backend.alerts.parsing._alarm", provoked)
    found = signal(json.dumps(ALARM))
    assert found.rule == "alerts:unreadable_message"
    assert f"{error.__name__}: odd" in found.description


def test_our_own_messages_come_back_as_they_were_meant() -> None:
    text = signal_message(
        source="jobs", kind="job_failed", severity="HIGH", title="Load failed", at=NOW - 5, subject="load/2026-05",
        value=3.0, page="/jobs?job=load", runbook="job_failed", lasts_seconds=900, details={"attempt": 2},
    )  # fmt: skip
    found = signal(text)
    assert (found.rule, found.title, found.value, found.at) == ("jobs:job_failed", "Load failed", 3.0, NOW - 5)
    assert found.fingerprint == fingerprint("jobs", "job_failed", "load/2026-05", "production")
    assert (found.labels, found.lasts_seconds) == ({"subject": "load/2026-05", "attempt": "2"}, 900)


def test_raw_delivery_is_read_as_well() -> None:
    raw = {"messageId": "m-2", "body": json.dumps(ALARM), "attributes": {"SentTimestamp": str(int(NOW * 1000))}}
    found = read(raw, CATALOGUE, "production", NOW)
    assert found is not None
    assert (found.rule, found.signal_id) == ("pulseboard-dlq_records", "m-2")


def test_a_source_whose_clock_is_ahead_does_not_have_the_last_word_for_as_long() -> None:
    text = signal_message(source="jobs", kind="failed", severity="HIGH", title="x", at=NOW + 7200)
    assert signal(text).at == NOW


@pytest.mark.parametrize("at", [0, -5, 946_684_799, float("nan"), float("-inf"), 10**400])
def test_a_time_that_can_not_be_is_when_the_message_was_sent_and_says_so(at: float) -> None:
    found = signal(json.dumps({"source": "a", "kind": "b", "title": "c", "severity": "HIGH", "at": at}))
    assert (found.rule, found.at) == ("a:b", NOW)
    assert "before the year 2000" in found.labels["time_refused"]
    assert "time_refused" not in signal(signal_message(source="a", kind="b", severity="LOW", title="c", at=NOW)).labels


def test_a_label_of_another_system_resolves_no_alarm() -> None:
    spoof = {**ALARM, "NewStateValue": "OK", "alarmData": {}, "subject": "x", "source": "cloudwatch", "wake": True}
    text = signal_message(
        source="alertmanager", kind="Disk", severity="LOW", title="x", at=NOW, subject="f", details=spoof
    )
    nested, before = signal(text), json.loads(text)
    # As it was sent before details had a place of their own.
    flat = signal(json.dumps({**before.pop("details"), **before}))
    for found in (nested, flat):
        assert (found.rule, found.state, found.source) == ("alertmanager:Disk", "firing", "alertmanager")
        assert found.fingerprint == fingerprint("alertmanager", "f")
        assert (found.labels["AlarmName"], found.labels["subject"]) == ("pulseboard-dlq_records", "f")
    assert nested.labels["source"] == "cloudwatch"


def test_a_rule_is_one_line_that_the_table_takes_as_a_key() -> None:
    for name in ("a\nb\x00", "\U0001f600" * 900):
        message = {"source": name, "kind": name, "title": "c", "severity": "HIGH"}
        found = signal(json.dumps(message))
        assert found.rule.isprintable()
        assert len(found.rule.encode()) <= 1_024
        assert len(found.source) <= 200
        alarm = signal(json.dumps({**ALARM, "AlarmName": name}))
        assert alarm.rule.isprintable()
        assert len(alarm.rule.encode()) <= 1_024


def test_links_lead_to_this_dashboard_only() -> None:
    for page in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        text = signal_message(source="jobs", kind="failed", severity="HIGH", title="x", at=NOW, page=page)
        assert signal(text).page == ""


def test_an_error_of_a_megabyte_with_markup_is_cut_and_stays_text() -> None:
    message = {
        "source": "jobs",
        "kind": "failed",
        "severity": "HIGH",
        "title": "<b>\x00\n" + "x" * 1_000_000,
        "at": NOW,
        "description": "<script>alert(1)</script>" * 50_000,
        "trace": "y" * 1_000_000,
    }
    text = json.dumps(message)
    found = signal(text)
    assert (len(found.title), len(found.description), len(found.labels["trace"])) == (300, 8_000, 1_000)
    assert found.title.startswith("<b> ")
    assert found.description.endswith("…")


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "[]", "null", "{}", "[" * 5_000, json.dumps({"AlarmName": "x"}),
        json.dumps({**ALARM, "NewStateValue": "MAYBE"}), json.dumps({**ALARM, "StateChangeTime": "yesterday"}),
        json.dumps({"source": "a", "kind": "b", "title": "c", "severity": "SEVERE"}),
        json.dumps({"source": "a", "kind": "b", "title": "c", "severity": "HIGH", "at": "now"}),
        '{"source": "a", "kind": "b", "title": "c", "severity": "HIGH", "value": 1' + "0" * 400 + "}",
        json.dumps({"alarmData": 5}), json.dumps({"alarmData": {"configuration": None}}),
        json.dumps({"source": "a", "kind": "b", **ALARM}),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_an_alert_of_its_own(text: str) -> None:
    found = signal(text)
    assert (found.rule, found.severity, found.state) == ("alerts:unreadable_message", "MEDIUM", "firing")
    assert text[:100] in found.description
    assert found.labels["message_id"] == "m-1"


def test_the_message_of_somebody_else_is_not_understood() -> None:
    event = json.loads((EVENTS / "snsSqsEvent.json").read_text("utf-8"))
    found = read(event["Records"][0], CATALOGUE, "production", NOW)
    assert found is not None
    assert (found.rule, found.at) == ("alerts:unreadable_message", 1_611_050_827.287)
    assert "hello world" in found.description


def test_a_message_that_wakes_the_consumer_is_no_signal() -> None:
    assert read(record('{"wake": true}'), CATALOGUE, "production", NOW) is None


NAMES = (*ALARM, "source", "kind", "title", "severity", "at", "page", "alarmData")
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from([*ALARM, "source", "kind", "title", "severity", "at", "page", "alarmData"]), json_values
    )
)
def test_no_message_stops_the_consumer(message: dict[str, Any]) -> None:
    found = signal(json.dumps(message))
    assert utc_text(found.at)
