"""Slack, through a real HTTP server that checks what it gets and misbehaves."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from backend.alerts.transports.base import TransportError
from backend.alerts.transports.slack import channel_name
from backend.alerts.transports.text import REPEATED
from backend.contract.alerts import Delivery
from backend.local.peers.slack import TOKEN
from backend.settings_alerts import Slack


def sent(reference: str) -> Delivery:
    return Delivery("slack", reference)


def roots(peer: Any) -> list[dict[str, Any]]:
    return [message for message in peer.messages if "thread_ts" not in message]


def replies(peer: Any) -> list[dict[str, Any]]:
    return [message for message in peer.messages if "thread_ts" in message]


def words(message: dict[str, Any]) -> str:
    return json.dumps(message["blocks"], ensure_ascii=False)


def test_an_alert_becomes_one_message_that_says_everything_with_links(
    slack: Any, slack_peer: Any, message: Any
) -> None:
    reference = slack.deliver(message(), None).reference
    (posted,) = slack_peer.messages
    assert reference == f"{posted['channel']}:{posted['ts']}"
    assert posted["text"] == "🛑 CRITICAL open: Dead letters above 100 per minute"
    for text in ("240 records, alerts above 100 records", "2026-11-21 11:07 UTC (2 min)", "production",
                 "to be acknowledged by 2026-11-21 11:12 UTC"):  # fmt: skip
        assert text in words(posted)
    buttons = {element["text"]["text"]: element["url"] for element in posted["blocks"][-1]["elements"]}
    start = 1_795_259_220_000 - 900_000
    assert buttons == {
        "Open page": f"https://pulseboard.example/errors?error_type=timeout&environment=production&from={start}",
        "Runbook": "https://pulseboard.example/runbooks/dlq_records",
        "Acknowledge": f"https://pulseboard.example/alerts?alert={message().alert.alert_id}&environment=production",
    }
    assert posted["metadata"]["event_payload"] == {
        "fingerprint": "a1" * 16, "opened_at": "2026-11-21T11:07:00.000Z", "delivery_id": "opened-1",
    }  # fmt: skip
    assert slack_peer.refused == []


def test_what_changes_is_changed_in_place_and_said_in_the_thread(slack: Any, slack_peer: Any, message: Any) -> None:
    reference = slack.deliver(message(), None).reference
    taken = {"state": "acknowledged", "acknowledged_by": "ada", "acknowledged_at": 1_795_259_300.0}
    over = {"state": "resolved", "resolved_at": 1_795_259_820.0}
    steps = [("updated", {"fired": 7}), ("acknowledged", taken), ("unknown", {"unknown_since": 1_795_259_400.0}),
             ("resolved", over)]  # fmt: skip
    for kind, state in steps:
        assert slack.deliver(message(kind, alert=state), sent(reference)).reference == reference
    (root,) = roots(slack_peer)
    assert root["edits"] == 4
    assert root["text"].startswith("✅ CRITICAL resolved:")
    assert "Acknowledge" not in words(root)
    assert [reply["text"][:16] for reply in replies(slack_peer)] == [
        "👀 Acknowledged b", "❔ Its source say", "✅ Resolved after",
    ]  # fmt: skip
    assert not any(reply["broadcast"] for reply in replies(slack_peer))


def test_who_did_not_answer_is_told_again_in_the_channel(slack: Any, slack_peer: Any, message: Any) -> None:
    reference = slack.deliver(message(), None).reference
    slack.deliver(message("renotified", at=1_795_260_120.0), sent(reference))
    (reply,) = replies(slack_peer)
    assert reply["broadcast"]
    assert reply["text"].startswith("🛑 Still open after 15 min, and nobody has acknowledged it")


def test_a_severity_has_its_own_channel(new_slack: Any, slack_peer: Any, message: Any) -> None:
    slack = new_slack(Slack(critical_channel="#critical"))
    slack.deliver(message(), None)
    slack.deliver(message(alert={"severity": "HIGH"}), None)
    assert [slack_peer.channels[message["channel"]] for message in slack_peer.messages] == [
        "critical", "pipeline-alerts",
    ]  # fmt: skip


def test_a_storm_is_one_message_that_grows_and_shrinks(slack: Any, slack_peer: Any, message: Any, alert: Any) -> None:
    members = tuple(alert(fingerprint=f"{number:032}", title=f"Alert {number}") for number in range(100))
    few = {"rule": "alerts:group", "title": "6 more CRITICAL alerts at the same time", "value": 6.0}
    many = few | {"title": "250 more CRITICAL alerts at the same time", "value": 250.0}
    reference = slack.deliver(message("group", members=members[:6], alert=few), None).reference
    assert "more" not in words(slack_peer.messages[0]).replace(few["title"], "")
    slack.deliver(message("group", members=members, alert=many), sent(reference))
    (root,) = slack_peer.messages
    assert root["text"] == "🛑 CRITICAL open: 250 more CRITICAL alerts at the same time"
    assert "Alert 19," in words(root)
    assert "and 230 more" in words(root)
    slack.deliver(message("resolved", alert=many | {"state": "resolved", "value": 0.0}), sent(reference))
    assert root["text"].startswith("✅ CRITICAL resolved: 250 more")


def test_an_alert_slack_never_heard_of_is_not_resolved_there(slack: Any, slack_peer: Any, message: Any) -> None:
    assert slack.deliver(message("resolved", alert={"state": "resolved"}), None).reference == ""
    assert slack_peer.messages == []


def test_a_message_that_somebody_deleted_is_said_anew_while_it_matters(
    slack: Any, slack_peer: Any, message: Any
) -> None:
    reference = slack.deliver(message(), None).reference
    slack_peer.messages.clear()
    again = slack.deliver(message("renotified"), sent(reference)).reference
    assert again not in ("", reference)
    slack_peer.messages.clear()
    assert slack.deliver(message("resolved", alert={"state": "resolved"}), sent(again)).reference == ""


@pytest.mark.parametrize(
    ("mood", "wait"),
    [({"mode": "429", "retry_after": 17}, 17.0), ({"mode": "500"}, None), ({"mode": "garbage"}, None),
     ({"mode": "timeout"}, None), ({"mode": "drop"}, None)],
)  # fmt: skip
def test_what_may_pass_is_transient_and_says_how_long_to_wait(
    mood: Any, wait: float | None, slack: Any, slack_peer: Any, message: Any
) -> None:
    slack_peer.mood.set(**mood, count=1)
    with pytest.raises(TransportError) as raised:
        slack.deliver(message(), None)
    assert (raised.value.permanent, raised.value.retry_after) == (False, wait)
    assert raised.value.unsure == (mood["mode"] != "429")
    assert TOKEN not in str(raised.value)
    slack.deliver(message(), None)


def test_nobody_is_there_is_transient(slack: Any, slack_peer: Any, message: Any) -> None:
    slack_peer.shutdown()
    slack_peer.server_close()
    with pytest.raises(TransportError, match="had no answer") as raised:
        slack.deliver(message(), None)
    assert not raised.value.permanent


def test_what_somebody_must_mend_is_permanent(new_slack: Any, slack_peer: Any, message: Any) -> None:
    for slack, code in [
        (new_slack(Slack(channel="#nowhere")), "channel_not_found"),
        (new_slack(environ={"SLACK_TOKEN": "xoxb-another"}), "invalid_auth"),
    ]:
        with pytest.raises(TransportError, match=code) as raised:
            slack.deliver(message(), None)
        assert raised.value.permanent


def test_a_new_token_is_read_when_the_old_one_is_refused(new_slack: Any, slack_peer: Any, message: Any) -> None:
    environ = {"SLACK_TOKEN": "xoxb-old"}
    slack = new_slack(environ=environ)
    with pytest.raises(TransportError, match="invalid_auth"):
        slack.deliver(message(), None)
    environ["SLACK_TOKEN"] = TOKEN
    assert slack.deliver(message(), None).reference


def test_what_got_through_without_an_answer_is_found_and_not_said_twice(
    slack: Any, new_slack: Any, slack_peer: Any, message: Any
) -> None:
    said = message(at=time.time())
    slack_peer.mood.set("drop", count=1)
    with pytest.raises(TransportError):
        slack.deliver(said, None)
    again = message(at=said.at, repeat=True, alert={"title": "Worse by now"})
    # Another process takes over: it does not even know the channel's id.
    reference = new_slack().deliver(again, None).reference
    (posted,) = slack_peer.messages
    assert reference == f"{posted['channel']}:{posted['ts']}"
    assert "Worse by now" in words(posted)

    slack_peer.mood.set("drop", count=2)
    told = message("renotified", at=said.at)
    with pytest.raises(TransportError):
        slack.deliver(told, sent(reference))
    slack_peer.mood.set("well")
    slack.deliver(told, sent(reference))
    new_slack().deliver(message("renotified", at=said.at, repeat=True), sent(reference))
    assert len(replies(slack_peer)) == 1


def test_what_did_not_get_through_is_said_by_the_repeat(slack: Any, slack_peer: Any, message: Any) -> None:
    slack.deliver(message(delivery_id="another", at=time.time()), None)
    slack.deliver(message(repeat=True, at=time.time()), None)
    assert len(slack_peer.messages) == 2
    assert REPEATED not in words(slack_peer.messages[1])


def test_a_repeat_that_may_not_look_says_that_it_may_be_one(
    slack: Any, slack_peer: Any, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = slack.deliver(message(), None).reference
    methods = slack_peer._methods()
    blind = {name: methods[name] for name in methods if not name.startswith("conversations.")}
    monkeypatch.setattr(slack_peer, "_methods", lambda: blind)
    slack.deliver(message(repeat=True), None)
    slack.deliver(message("resolved", repeat=True, alert={"state": "resolved"}), sent(reference))
    assert [REPEATED in words(posted) for posted in slack_peer.messages] == [False, True, True]


def test_a_repeat_waits_where_slack_can_be_asked_later(slack: Any, slack_peer: Any, message: Any) -> None:
    slack_peer.mood.set("429", count=1, retry_after=3)
    with pytest.raises(TransportError) as raised:
        slack.deliver(message(repeat=True), None)
    assert raised.value.retry_after == 3
    assert slack_peer.messages == []


def test_its_message_is_found_behind_hundreds_of_others(slack: Any, slack_peer: Any, message: Any) -> None:
    now = time.time()
    slack.deliver(message(at=now), None)
    (first,) = slack_peer.messages
    slack_peer.messages += [{**first, "ts": f"{now + number:.6f}", "metadata": {}} for number in range(10, 420)]
    assert slack.deliver(message(at=now, repeat=True), None).reference.endswith(first["ts"])


def test_an_incident_gets_its_channel_once(slack: Any, new_slack: Any, slack_peer: Any, message: Any) -> None:
    told = message("incident", at=time.time())
    name = channel_name(told.alert)
    assert slack.deliver(told, None).reference == name
    assert new_slack().deliver(message("incident", at=told.at, repeat=True), None).reference == name
    (posted,) = slack_peer.messages
    assert slack_peer.channels[posted["channel"]] == name


def test_a_megabyte_of_markup_is_cut_where_it_shows_and_does_nothing(slack: Any, slack_peer: Any, message: Any) -> None:
    hostile = "<!channel> <https://evil.example|click> *bold* & \x00\u202e" * 25_000
    short = hostile[:5_000]
    fields = {"title": hostile, "description": hostile, "correlation_id": short, "environment": short,
              "labels": {f"{short}{number}": short for number in range(30)}}  # fmt: skip
    reference = slack.deliver(message(alert=fields), None).reference
    slack.deliver(message("resolved", alert={**fields, "state": "resolved"}), sent(reference))
    assert slack_peer.refused == []
    for posted in slack_peer.messages:
        assert "<" not in posted["text"]
        assert not any("<" in text for text in marked_up(posted["blocks"]))
        assert "\x00" not in words(posted)
        assert "\u202e" not in words(posted)
    assert "characters in all)" in words(slack_peer.messages[0])
    assert len(json.dumps(slack_peer.messages[0])) < 20_000


def marked_up(value: Any) -> list[str]:
    """Texts that Slack reads as markup."""
    if isinstance(value, list):
        return [text for entry in value for text in marked_up(entry)]
    if not isinstance(value, dict):
        return []
    own = [value["text"]] if value.get("type") == "mrkdwn" else []
    return own + [text for entry in value.values() for text in marked_up(entry)]
