"""The stand-ins for Slack and PagerDuty: what they refuse, what they show, how they misbehave."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from backend.local.peers.pagerduty import ROUTING_KEY, PagerDutyPeer
from backend.local.peers.slack import TOKEN, SlackPeer

SCRIPT = "<script>alert(1)</script>"
SIGNED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def slack() -> Iterator[SlackPeer]:
    with SlackPeer() as peer:
        yield peer


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyPeer]:
    with PagerDutyPeer() as peer:
        yield peer


def ask(peer: SlackPeer, method: str, **parameters: Any) -> dict[str, Any]:
    answer = requests.post(peer.api_url + method, json=parameters, headers=SIGNED, timeout=5)
    found: dict[str, Any] = answer.json()
    return found


def page(peer: Any, path: str = "/") -> requests.Response:
    return requests.get(peer.url + path, timeout=5)


def trigger(**changes: Any) -> dict[str, Any]:
    payload = {"summary": f"Dead letters {SCRIPT}", "severity": "critical", "source": "pulseboard"}
    return {"routing_key": ROUTING_KEY, "event_action": "trigger", "dedup_key": "a", "payload": payload} | changes


def tell(peer: PagerDutyPeer, event: Any) -> requests.Response:
    return requests.post(f"{peer.url}/v2/enqueue", json=event, timeout=5)


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": text}}


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"channel": "#nowhere", "text": "x"}, "channel_not_found"),
        ({"text": "x"}, "channel_not_found"),
        ({"channel": "#pipeline-alerts"}, "no_text"),
        ({"channel": "#pipeline-alerts", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "#pipeline-alerts", "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
        ({"channel": "#pipeline-alerts", "text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_format"),
        ({"channel": "#pipeline-alerts", "blocks": "x"}, "invalid_blocks_format"),
        *(
            ({"channel": "#pipeline-alerts", "text": "x", "blocks": blocks}, "invalid_blocks")
            for blocks in (
                [section("x")] * 51,
                [section("x" * 3_001)],
                [section("")],
                [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
                [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}],
                [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2_001}]}],
                [{"type": "nothing"}],
                [{"type": "actions", "elements": [
                    {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "x" * 76}}
                ]}],
                [{"type": "actions", "elements": [
                    {"type": "button", "action_id": "a", "url": "https://x/" + "x" * 3_000,
                     "text": {"type": "plain_text", "text": "x"}}
                ]}],
            )
        ),
    ],
)  # fmt: skip
def test_slack_refuses_what_slack_refuses(message: dict[str, Any], error: str, slack: SlackPeer) -> None:
    assert ask(slack, "chat.postMessage", **message)["error"] == error
    assert slack.messages == []
    assert page(slack, "/messages").json()["refused"][0]["error"] == error


def test_slack_asks_for_its_token_and_for_ids(slack: SlackPeer) -> None:
    for headers, error in [({}, "not_authed"), ({"Authorization": "Bearer x"}, "invalid_auth")]:
        answer = requests.post(f"{slack.api_url}chat.postMessage", json={}, headers=headers, timeout=5)
        assert answer.json()["error"] == error
    assert ask(slack, "conversations.history", channel="#pipeline-alerts")["error"] == "channel_not_found"
    assert ask(slack, "chat.update", channel=next(iter(slack.channels)), ts="1", text="x")["error"] == (
        "message_not_found"
    )
    assert ask(slack, "chat.delete")["error"] == "unknown_method"


def test_slacks_page_is_labelled_and_renders_nothing_that_it_was_sent(slack: SlackPeer) -> None:
    button = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "Open"}}
    blocks = [section(SCRIPT), {"type": "actions", "elements": [{**button, "url": "javascript:alert(1)"}]}]
    ts = ask(slack, "chat.postMessage", channel="#pipeline-alerts", text="x", blocks=blocks)["ts"]
    ask(slack, "chat.postMessage", channel="#pipeline-alerts", text=SCRIPT, thread_ts=ts)
    text = page(slack).text
    assert "Slack (stand-in)" in text
    assert "&lt;script&gt;" in text
    assert SCRIPT not in text
    assert "javascript:" not in text
    assert "No message yet" not in text


def test_pagerduty_keeps_one_open_incident_a_key(pagerduty: PagerDutyPeer) -> None:
    resolve = {"routing_key": ROUTING_KEY, "event_action": "resolve", "dedup_key": "a"}
    for event in (resolve, trigger(), trigger(), resolve, trigger()):
        answer = tell(pagerduty, event)
        assert (answer.status_code, answer.json()["dedup_key"]) == (202, "a")
    assert [incident["status"] for incident in page(pagerduty, "/incidents").json()["incidents"]] == [
        "resolved", "triggered",
    ]  # fmt: skip
    assert SCRIPT not in page(pagerduty).text
    assert "PagerDuty (stand-in)" in page(pagerduty).text


@pytest.mark.parametrize(
    "event",
    [
        1,
        trigger(routing_key="f" * 32),
        trigger(event_action="explode"),
        trigger(payload=None),
        trigger(payload={"summary": "x" * 1_025, "severity": "critical", "source": "x"}),
        trigger(payload={"summary": "x", "severity": "fatal", "source": "x"}),
        trigger(dedup_key="x" * 256),
        {"routing_key": ROUTING_KEY, "event_action": "resolve"},
    ],
)
def test_pagerduty_refuses_what_pagerduty_refuses(event: Any, pagerduty: PagerDutyPeer) -> None:
    answer = tell(pagerduty, event)
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert pagerduty.incidents == []


def test_they_misbehave_as_they_are_told_and_only_then(pagerduty: PagerDutyPeer) -> None:
    def behave(**mood: Any) -> int:
        return requests.post(f"{pagerduty.url}/misbehave", json=mood, timeout=5).status_code

    assert behave(mode="429", count=2, retry_after=7) == 200
    answers = [tell(pagerduty, trigger()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 202]
    assert answers[0].headers["Retry-After"] == "7"
    assert behave(mode="drop", count=1) == 200
    with pytest.raises(requests.ConnectionError):
        tell(pagerduty, trigger(dedup_key="b"))
    assert len(pagerduty.incidents) == 2
    assert behave(mode="500", seconds=60) == 200
    assert tell(pagerduty, trigger()).status_code == 500
    assert behave(mode="well") == 200
    assert tell(pagerduty, trigger()).status_code == 202
    for wrong in ({"mode": "sulk"}, {"mode": "500", "count": 0}, {"mode": "500", "often": 3}):
        assert behave(**wrong) == 400


def test_pages_of_other_hosts_may_not_use_them(slack: SlackPeer) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = requests.post(f"{slack.url}/misbehave", json={"mode": "500"}, headers=headers, timeout=5)
        assert answer.status_code == 403


def test_both_run_as_a_process_of_their_own_and_end_when_told() -> None:
    command = [sys.executable, "-m", "backend.local.peers", "--slack-port", "0", "--pagerduty-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            urls = [process.stdout.readline().split()[-1] for _ in range(2)]
            for url in urls:
                assert "(stand-in)" in requests.get(url, timeout=5).text
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
