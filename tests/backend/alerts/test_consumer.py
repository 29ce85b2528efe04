"""The consumer over its table: what is told when processes die, transports fail and workers meet."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from backend.alerts.keeper import Keeper
from backend.alerts.state import Decision
from backend.alerts.transports.base import TransportError
from tests.backend.alerts.world import Killed, World, context

MakeWorld = Callable[..., World]


def test_a_signal_is_told_updated_in_place_and_resolved(world: World) -> None:
    first = world.message(severity="CRITICAL")
    assert world.hear(first, first, world.message(severity="CRITICAL")) == []
    world.sweep(61)
    world.now += 1
    world.hear(world.message("resolved", title="Runs again"))
    assert world.slack.kinds == ["opened", "updated", "resolved"]
    alert = world.alert()
    assert (alert.state, alert.fired, world.waiting()) == ("resolved", 2, 0)
    assert [(d.transport, d.reference) for d in alert.deliveries] == [
        ("pagerduty", "pagerduty-1"),
        ("slack", "slack-1"),
    ]
    assert [event.kind for event in alert.events if event.kind == "delivered"] == ["delivered", "delivered"]
    (incident,) = world.service.incidents()
    assert incident.closed_at == world.now


def test_killed_after_any_write_the_alert_is_told_and_at_most_once_more(make_world: MakeWorld) -> None:
    world = make_world(transports=("slack",))
    for writes in range(1, 6):
        world.slack.got.clear()
        world.now += 3600
        message = world.message(subject=f"batch-{writes}")
        world.writes_left = writes
        with pytest.raises(Killed):
            world.hear(message)
        world.writes_left = None
        world.consumer = world.another()
        world.hear(message)
        world.sweep(61)
        openings = [sent for sent in world.slack.got if sent.kind == "opened"]
        assert 1 <= len(openings) <= 2
        assert [sent.repeat for sent in openings][1:] == [True] * (len(openings) - 1)
        assert len({sent.delivery_id for sent in openings}) == 1
        assert world.waiting() == 0
    assert len(world.alerts(rule="jobs:job_failed")) == 5


def test_killed_between_send_and_record_the_second_attempt_knows(make_world: MakeWorld) -> None:
    world = make_world(transports=("slack",))
    world.slack.dies = True
    with pytest.raises(Killed):
        world.hear(world.message())
    world.slack.dies = False
    world.consumer = world.another()
    world.sweep(61)
    world.sweep()
    assert [(sent.kind, sent.repeat) for sent in world.slack.got] == [("opened", False), ("opened", True)]
    assert world.slack.got[0].delivery_id == world.slack.got[1].delivery_id


def test_an_hour_without_slack_loses_nothing_and_keeps_the_order(world: World) -> None:
    random.seed(4)
    world.slack.fault = TransportError("Slack answered 503", permanent=False)
    world.hear(world.message(subject="a", severity="CRITICAL"), world.message(subject="b"))
    world.sweep(600, 2)
    world.hear(world.message("resolved", subject="a", severity="CRITICAL"))
    world.sweep(800, 3)
    assert world.slack.got == []
    assert world.transports["pagerduty"].kinds.count("opened") == 2
    world.slack.fault = None
    world.sweep(310, 1)
    by_subject = {
        subject: [sent.kind for sent in world.slack.got if sent.alert.labels["subject"] == subject]
        for subject in ("a", "b")
    }
    assert by_subject == {"a": ["opened", "resolved"], "b": ["opened"]}
    assert world.waiting() == 0
    assert all(sent.repeat for sent in world.slack.got if sent.kind == "opened")


def test_retry_after_is_waited_for(make_world: MakeWorld) -> None:
    world = make_world(transports=("slack",))
    world.slack.fault = TransportError("slow down", permanent=False, retry_after=170)
    world.hear(world.message())
    world.slack.fault = None
    world.sweep(60, 2)
    assert world.slack.got == []
    world.sweep(60)
    assert world.slack.kinds == ["opened"]


def test_what_slack_said_it_did_not_take_is_no_repeat_unless_an_earlier_attempt_may_have_arrived(
    make_world: MakeWorld,
) -> None:
    world = make_world(transports=("slack",))
    refused = TransportError("Slack answered 429", permanent=False, retry_after=30, unsure=False)
    for first, repeat in ((refused, False), (TransportError("no answer", permanent=False), True)):
        world.slack.got.clear()
        world.slack.fault = first
        world.hear(world.message(subject=str(repeat)))
        world.slack.fault = refused
        world.sweep(310)
        world.slack.fault = None
        world.sweep(310)
        assert [sent.repeat for sent in world.slack.got if sent.kind == "opened"] == [repeat]


def test_a_refused_delivery_is_told_by_the_others_once(world: World) -> None:
    world.slack.fault = TransportError("Slack refuses the token (invalid_auth)", permanent=True)
    world.hear(*(world.message(subject=f"s{number}") for number in range(4)))
    alert = world.alert("alerts:delivery_failed")
    assert (alert.fired, alert.labels["transport"], alert.severity) == (4, "slack", "HIGH")
    mails = [sent.alert.rule for sent in world.transports["email"].got]
    assert mails == ["alerts:delivery_failed"]
    failed = next(found for found in world.alerts(rule="jobs:job_failed") if found.labels["subject"] == "s0")
    problems = {delivery.transport: delivery.problem for delivery in failed.deliveries}
    assert (problems["pagerduty"], "invalid_auth" in problems["slack"]) == ("", True)
    assert world.waiting() == 0


def test_what_can_not_be_delivered_for_a_day_is_given_up_and_said(make_world: MakeWorld) -> None:
    world = make_world(deliver_hours=1.0)
    world.slack.fault = TransportError("Slack does not answer", permanent=False)
    world.hear(world.message())
    world.sweep(700, 6)
    assert world.alert("alerts:undelivered").labels["transport"] == "slack"
    assert [sent.alert.rule for sent in world.transports["email"].got][:1] == ["alerts:undelivered"]


def test_what_came_later_is_tried_for_its_own_time(make_world: MakeWorld) -> None:
    world = make_world(transports=("slack",), deliver_hours=1.0)
    world.slack.fault = TransportError("Slack does not answer", permanent=False)
    world.hear(world.message())
    world.now += 3400
    world.hear(world.message(severity="CRITICAL"))
    world.sweep(300)
    world.slack.fault = None
    world.sweep(310)
    assert world.slack.kinds == ["renotified"]


def test_what_waits_for_a_transport_that_there_is_no_more_is_said_by_the_others(make_world: MakeWorld) -> None:
    world = make_world(deliver_hours=1.0)
    world.slack.fault = TransportError("Slack does not answer", permanent=False)
    world.hear(world.message())
    del world.transports["slack"]
    world.consumer = world.another()
    world.sweep(3500)
    assert world.alerts(rule="alerts:undelivered") == ()
    world.sweep(200)
    assert world.alert("alerts:undelivered").labels["reason"] == "slack is not connected"
    (failed,) = (event for event in world.alert().events if event.kind == "delivery_failed")
    assert (failed.at, failed.text) == (world.now, "slack: slack is not connected")


def test_a_sweep_without_time_for_all_sends_what_waits_first(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(transports=("slack",))
    world.hear(*(world.message(subject=f"s{number}") for number in range(3)))
    world.slack.fault = TransportError("Slack does not answer", permanent=False)
    world.hear(world.message(subject="waits"))
    world.slack.fault = None
    sent_before: list[int] = []

    def on_time(self: Keeper, fingerprint: str) -> Decision:
        sent_before.append(len(world.slack.got))
        world.now += 30
        return decided(self, fingerprint)

    decided = Keeper.on_time
    monkeypatch.setattr(Keeper, "on_time", on_time)
    world.now += 3700
    answer = world.consumer({"sweep": True}, context())
    assert (answer["looked_at"], sent_before) == (2, [4, 4])


def test_workers_that_meet_make_one_alert_and_one_message(make_world: MakeWorld) -> None:
    world = make_world(transports=("slack",))
    workers = [world.another() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        heard = [pool.submit(world.hear, *[world.message() for _ in range(3)], consumer=worker) for worker in workers]
        assert [future.result() for future in heard] == [[], [], [], []]
    assert (world.alert().fired, world.slack.kinds) == (12, ["opened"])


def test_workers_whose_clocks_differ_end_in_the_same_state(make_world: MakeWorld) -> None:
    world = make_world(transports=("slack",))
    firing = world.message()
    world.now += 20
    resolved = world.message("resolved")
    # This worker's clock is five minutes ahead of the one that hears of the beginning.
    world.now += 300
    world.hear(resolved)
    world.now -= 320
    world.hear(firing)
    assert world.alerts() == ()
    world.now += 30
    world.hear(world.message())
    assert (world.alert().state, world.slack.kinds) == ("open", ["opened"])


def test_a_message_nobody_understands_is_an_alert_and_does_not_come_back(world: World) -> None:
    assert world.hear(world.record("<h1>no json</h1>"), world.record("{}"), world.message()) == []
    alert = world.alert("alerts:unreadable_message")
    assert (alert.fired, alert.severity) == (2, "MEDIUM")
    assert world.alert().state == "open"


def test_an_error_of_a_megabyte_is_kept_cut(world: World) -> None:
    text = json.dumps({"source": "jobs", "kind": "job_failed", "severity": "HIGH", "title": "x" * 500_000,
                       "description": "<script>" * 100_000, "at": world.now})  # fmt: skip
    world.hear(world.record(text))
    assert (len(world.alert().title), len(world.alert().description)) == (300, 8_000)


def test_each_sweep_leaves_a_sign_of_life(world: World) -> None:
    world.sweep()
    metrics = world.clients.cloudwatch.list_metrics(Namespace="Pulseboard")["Metrics"]
    assert [metric["MetricName"] for metric in metrics] == ["AlertConsumerHeartbeat"]
    items = world.clients.dynamodb.scan(TableName=world.settings.table)["Items"]
    assert any(item["metric_type"]["S"] == "alert_consumer_heartbeat@live#production" for item in items)


def test_what_it_gave_up_itself_is_an_alert_until_it_is_redriven(world: World) -> None:
    sqs = world.clients.sqs
    url = sqs.create_queue(QueueName="alert-consumer-dlq")["QueueUrl"]
    world.settings = replace(world.settings, alert_dead_letter_queue_url=url)
    world.consumer = world.another()
    world.sweep()
    assert world.alerts() == ()
    sqs.send_message(QueueUrl=url, MessageBody="an alarm of this night")
    world.sweep(60, 5)
    alert = world.alert("alerts:dead_letters")
    assert (alert.severity, alert.value, alert.fired) == ("HIGH", 1.0, 1)
    assert world.slack.kinds == ["opened"]
    sqs.purge_queue(QueueUrl=url)
    world.sweep(60, 16)
    assert world.alert("alerts:dead_letters").state == "resolved"


def test_messages_delivered_and_failed_are_counted_by_transport(world: World) -> None:
    world.slack.fault = TransportError("channel_not_found", permanent=True)
    world.hear(world.message())
    items = world.clients.dynamodb.scan(TableName=world.settings.table)["Items"]
    names = {item["metric_type"]["S"].partition("@")[0] for item in items}
    assert {"alerts_delivered", "alert_deliveries_failed"} <= names
