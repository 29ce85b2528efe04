"""``POST /alerts`` and ``POST /annotations``: what is taken, what is published and kept, and what is refused why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns import sns_backends

from backend.alerts.items import annotation_of
from backend.contract.alerts import Annotation
from backend.contract.tables import ANNOTATIONS
from backend.events.api import Handle, build
from tests.backend.events.calling import call
from tests.backend.events.ingest_world import NOW, World, world
from tests.loggers import fresh_logger

__all__ = ["world"]
FIRING: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "severity": "page", "instance": "db-1", "env": "staging", "value": "93"},
    "annotations": {"summary": "Disk of db-1 is full", "description": "93 % used", "runbook_url": "https://wiki/disk"},
    "startsAt": "2026-11-21T11:05:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph?g0",
    "fingerprint": "0f3a9c1d2b4e5f60",
}
RESOLVED = FIRING | {"status": "resolved", "endsAt": "2026-11-21T11:06:00Z"}
DEPLOY = {"time": "2026-11-21T11:00:00Z", "title": "orders 1.4.2", "kind": "deploy", "link": "/errors"}


@pytest.fixture
def api(world: World) -> Handle:
    logger = fresh_logger(world.log)
    return build(world.settings, world.clients(), logger, clock=lambda: world.now)


def webhook(*alerts: Any, **more: Any) -> dict[str, Any]:
    return {"version": "4", "groupKey": "{}:{}", "receiver": "pulseboard", "alerts": list(alerts)} | more


def published(world: World, name: str = "alerts") -> list[dict[str, Any]]:
    topic = getattr(world.settings, f"{name}_topic_arn")
    sent = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[topic].sent_notifications
    return [json.loads(notification[1]) for notification in sent]


def kept(world: World) -> list[dict[str, Any]]:
    wanted = {":p": {"S": ANNOTATIONS}}
    table = world.settings.alerts_table
    answer = world.clients().dynamodb.query(
        TableName=table, KeyConditionExpression="fingerprint = :p", ExpressionAttributeValues=wanted
    )
    items: list[Any] = answer["Items"]
    return items


def test_an_alert_of_alertmanagers_is_published_with_all_it_says(api: Handle, world: World) -> None:
    answer = call(api, "POST", "/alerts", webhook(FIRING, RESOLVED))
    assert (answer.status, answer.body) == (202, {"published": 2})
    firing, resolved = published(world)
    details = firing.pop("details")
    assert (
        firing
        | {
            "source": "alertmanager",
            "kind": "DiskFull",
            "severity": "CRITICAL",
            "state": "firing",
            "subject": "0f3a9c1d2b4e5f60",
            "title": "Disk of db-1 is full",
            "environment": "staging",
        }
        == firing
    )
    assert details == FIRING["labels"] | {
        "generator_url": "http://prometheus/graph?g0",
        "runbook_url": "https://wiki/disk",
    }
    assert "value" not in firing
    assert firing["at"] == pytest.approx(NOW - 123.25 + 0.123456, abs=0.001)
    assert firing["description"] == "93 % used"
    assert (resolved["state"], resolved["subject"]) == ("resolved", firing["subject"])
    assert resolved["at"] == NOW - 63.25


@pytest.mark.parametrize(
    ("word", "severity"),
    [("critical", "CRITICAL"), ("PAGE", "CRITICAL"), ("error", "HIGH"), ("warning", "MEDIUM"), ("info", "LOW"),
     ("none", "LOW"), ("odd", "MEDIUM"), (None, "MEDIUM")],
)  # fmt: skip
def test_severities_are_translated(word: str | None, severity: str, api: Handle, world: World) -> None:
    labels = {"alertname": "A"} | ({"severity": word} if word else {})
    assert call(api, "POST", "/alerts", webhook({"status": "firing", "labels": labels})).status == 202
    topic = "alerts" if severity in ("CRITICAL", "HIGH") else "warnings"
    assert [message["severity"] for message in published(world, topic)] == [severity]


def test_labels_of_any_name_are_taken_and_mean_nothing_to_the_message(api: Handle, world: World) -> None:
    labels = {"alertname": "A", "severity": "page", "AlarmName": "x", "name": "n", "message": "m", "subject": "s"}
    assert call(api, "POST", "/alerts", webhook(FIRING | {"labels": labels})).status == 202
    (sent,) = published(world)
    assert "AlarmName" not in sent
    given = {name: text for name, text in labels.items() if name != "subject"} | {"label_subject": "s"}
    assert sent["details"] == given | {
        "generator_url": "http://prometheus/graph?g0",
        "runbook_url": "https://wiki/disk",
    }


def test_what_alertmanager_left_out_is_an_alert_of_its_own(api: Handle, world: World) -> None:
    assert call(api, "POST", "/alerts", webhook(FIRING, truncatedAlerts=12)).body == {"published": 2}
    told = published(world)[1]
    assert (told["kind"], told["title"]) == ("truncated", "Alertmanager left out 12 alerts of a group")
    assert told["lasts_seconds"] > 4 * 3600


def test_equal_labels_are_the_same_alert_where_no_fingerprint_is_given(api: Handle, world: World) -> None:
    labels = {"alertname": "A", "b": "c"}
    for given in (labels, dict(reversed(labels.items())), labels | {"b": "d"}):
        call(api, "POST", "/alerts", webhook({"status": "firing", "labels": given | {"severity": "page"}}))
    subjects = [message["subject"] for message in published(world)]
    assert subjects[0] == subjects[1] != subjects[2]


WRONG_WEBHOOKS: list[tuple[dict[str, Any], str]] = [
    ({"version": "3", "alerts": []}, "version"),
    ({"version": "4"}, "alerts"),
    (webhook(1), "alerts[0]"),
    (webhook(FIRING, FIRING | {"status": "on"}), "alerts[1].status"),
    (webhook(FIRING | {"labels": {}}), "alerts[0].labels"),
    (webhook(FIRING | {"labels": {"a": 1}}), "alerts[0].labels.a"),
    (webhook(FIRING | {"annotations": []}), "alerts[0].annotations"),
    (webhook(FIRING | {"startsAt": "yesterday"}), "alerts[0].startsAt"),
    (webhook(FIRING | {"endsAt": "1999-01-01T00:00:00Z"}), "alerts[0].endsAt"),
    (webhook(FIRING | {"endsAt": "2026-01-01T00:00:00"}), "alerts[0].endsAt"),
    (webhook(FIRING, truncatedAlerts=-1), "truncatedAlerts"),
    (webhook(*[FIRING] * 201), "alerts"),
]


def test_a_webhook_that_can_not_be_taken_says_why_and_publishes_nothing(api: Handle, world: World) -> None:
    for body, field in WRONG_WEBHOOKS:
        answer = call(api, "POST", "/alerts", body)
        assert answer.status == (413 if len(body.get("alerts", [])) > 200 else 400), field
        assert answer.body["error"]["field"] == field
    assert published(world) == []


def test_alertmanager_is_asked_to_try_again_when_sns_is_away(world: World) -> None:
    def away(name: str) -> None:
        if name == "sns.Publish":
            raise EndpointConnectionError(endpoint_url="https://sns")

    api = build(world.settings, world.clients(away), fresh_logger(world.log))
    answer = call(api, "POST", "/alerts", webhook(FIRING))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.body["error"]["message"].startswith("0 of 1 alerts were published")


def test_an_alert_that_sns_never_takes_is_no_reason_to_send_it_again_nor_to_keep_the_others(world: World) -> None:
    calls: list[str] = []

    def refuses_the_first(name: str) -> None:
        if name == "sns.Publish":
            calls.append(name)
            if len(calls) == 1:
                said = {"Code": "InvalidParameter", "Message": "Invalid parameter: Message too long"}
                raise ClientError({"Error": said}, "Publish")

    api = build(world.settings, world.clients(refuses_the_first), fresh_logger(world.log))
    answer = call(api, "POST", "/alerts", webhook(FIRING, FIRING | {"fingerprint": "other"}))
    assert answer.status == 400
    assert "Message too long" in answer.body["error"]["message"]
    assert [message["subject"] for message in published(world)] == ["other"]


@pytest.mark.parametrize(
    "moment", ["2026-11-21T11:00:00Z", "2026-11-21T12:00:00+01:00", 1_795_258_800, 1_795_258_800_000]
)
def test_an_annotation_is_kept_once_whatever_its_time_is_written_as(moment: Any, api: Handle, world: World) -> None:
    first = call(api, "POST", "/annotations", DEPLOY | {"time": moment})
    again = call(api, "POST", "/annotations", DEPLOY)
    assert (first.status, again.status, first.body) == (201, 201, again.body)
    (item,) = kept(world)
    assert annotation_of(item) == Annotation(1_795_258_800.0, "orders 1.4.2", "deploy", "/errors")
    assert item["posted_by"]["S"] == "arn:aws:iam::1234567890:user/Admin"
    assert int(item["expires_at"]["N"]) == int(NOW) + 400 * 86400


WRONG_ANNOTATIONS: list[tuple[dict[str, Any], str]] = [
    ({"time": None}, "time"),
    ({"time": "now-5m"}, "time"),
    ({"time": "2026-11-21T11:00:00"}, "time"),
    ({"time": True}, "time"),
    ({"time": "2001-01-01T00:00:00Z"}, "time"),
    ({"title": ""}, "title"),
    ({"title": "a\nb"}, "title"),
    ({"title": "x" * 301}, "title"),
    ({"kind": "<b>"}, "kind"),
    ({"link": "javascript:alert(1)"}, "link"),
    ({"link": "//evil.example"}, "link"),
    ({"link": "/\\evil.example"}, "link"),
    ({"link": "https://"}, "link"),
    ({"link": "http://[broken"}, "link"),
    ({"colour": "red"}, "colour"),
]


def test_an_annotation_that_can_not_be_taken_says_why(api: Handle, world: World) -> None:
    for changes, field in WRONG_ANNOTATIONS:
        answer = call(api, "POST", "/annotations", DEPLOY | changes)
        assert (answer.status, answer.body["error"]["field"]) == (400, field), changes
    assert kept(world) == []
