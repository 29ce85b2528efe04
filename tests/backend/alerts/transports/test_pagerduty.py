"""PagerDuty, through a real HTTP server that checks every event by PagerDuty's schema and misbehaves."""

from __future__ import annotations

from typing import Any

import pytest

from backend.alerts.transports.base import TransportError
from backend.alerts.transports.pagerduty import PagerDutyTransport
from backend.alerts.transports.pagerduty_event import dedup_key, event_of
from backend.alerts.transports.secret import Secret
from backend.aws import Clients
from backend.contract.alerts import Delivery
from backend.contract.catalogue import load_catalogue
from backend.local.peers.pagerduty import ROUTING_KEY, problems_of

RESOLVED = {"state": "resolved", "resolved_at": 1_795_259_820.0}


def test_an_alert_triggers_is_acknowledged_and_resolved_as_one_incident(
    pagerduty: Any, pagerduty_peer: Any, message: Any
) -> None:
    taken = {"state": "acknowledged", "acknowledged_by": "ada"}
    steps = [("opened", {}), ("renotified", {}), ("unknown", {"unknown_since": 1_795_259_300.0}),
             ("acknowledged", taken), ("resolved", RESOLVED)]  # fmt: skip
    reference, told = "", None
    for kind, state in steps:
        reference = pagerduty.deliver(message(kind, alert=state), told).reference
        told = Delivery("pagerduty", reference)
    (incident,) = pagerduty_peer.incidents
    assert (incident["dedup_key"], incident["status"]) == (reference, "resolved")
    assert [event["event_action"] for event in incident["events"]] == [
        "trigger", "trigger", "trigger", "acknowledge", "resolve",
    ]  # fmt: skip
    payload = incident["payload"]
    assert (payload["severity"], payload["summary"]) == ("critical", "CRITICAL: Dead letters above 100 per minute")
    assert payload["custom_details"]["value"] == "240 records, alerts above 100 records"
    assert [link["text"] for link in incident["links"]] == ["Open page", "Runbook", "Acknowledge"]
    assert incident["client_url"] == "https://pulseboard.example"


def test_the_next_opening_pages_again(pagerduty: Any, pagerduty_peer: Any, message: Any) -> None:
    pagerduty.deliver(message(), None)
    pagerduty.deliver(message("resolved", alert=RESOLVED), None)
    pagerduty.deliver(message(alert={"opened_at": 1_795_260_000.0}), None)
    assert [incident["status"] for incident in pagerduty_peer.incidents] == ["resolved", "triggered"]
    first, second = (incident["dedup_key"] for incident in pagerduty_peer.incidents)
    assert first != second, "what is told late of the first one would reach the second"


def test_a_repeat_pages_nobody_twice(pagerduty: Any, pagerduty_peer: Any, message: Any) -> None:
    pagerduty_peer.mood.set("drop", count=1)
    with pytest.raises(TransportError) as raised:
        pagerduty.deliver(message(), None)
    assert not raised.value.permanent
    pagerduty.deliver(message(repeat=True), None)
    assert len(pagerduty_peer.incidents) == 1


@pytest.mark.parametrize(
    ("severity", "theirs"), [("CRITICAL", "critical"), ("HIGH", "error"), ("MEDIUM", "warning"), ("LOW", "info")]
)
def test_severities_are_named_as_pagerduty_names_them(severity: str, theirs: str, message: Any) -> None:
    event = event_of(message(alert={"severity": severity}), ROUTING_KEY, "key", load_catalogue())
    assert event["payload"]["severity"] == theirs


def test_a_storm_is_one_incident_that_ends_with_its_last_alert(
    pagerduty: Any, pagerduty_peer: Any, message: Any, alert: Any
) -> None:
    group = {"rule": "alerts:group", "title": "2 more CRITICAL alerts at the same time", "value": 2.0}
    for kind, members, state in (("opened", (alert(),), {}), ("group", (alert(), alert(title="Other")), {}),
                                 ("resolved", (), RESOLVED)):  # fmt: skip
        pagerduty.deliver(message(kind, members=members, alert=group | state), None)
    (incident,) = pagerduty_peer.incidents
    assert incident["payload"]["summary"] == "CRITICAL: 2 more CRITICAL alerts at the same time"
    assert "Other" in incident["payload"]["custom_details"]["alerts"]
    assert incident["status"] == "resolved"


def test_an_incident_record_is_none_of_pagerdutys_business(pagerduty: Any, pagerduty_peer: Any, message: Any) -> None:
    told = message("incident")
    assert pagerduty.deliver(told, None).reference == dedup_key(told.alert)
    assert pagerduty_peer.incidents == []


@pytest.mark.parametrize(
    ("mood", "wait"),
    [({"mode": "429", "retry_after": 42}, 42.0), ({"mode": "500"}, None), ({"mode": "garbage"}, None),
     ({"mode": "timeout"}, None)],
)  # fmt: skip
def test_what_may_pass_is_transient(
    mood: Any, wait: float | None, pagerduty: Any, pagerduty_peer: Any, message: Any
) -> None:
    pagerduty_peer.mood.set(**mood, count=1)
    with pytest.raises(TransportError) as raised:
        pagerduty.deliver(message(), None)
    assert (raised.value.permanent, raised.value.retry_after) == (False, wait)
    assert ROUTING_KEY not in str(raised.value)
    pagerduty.deliver(message(), None)
    assert len(pagerduty_peer.incidents) == 1


def test_a_refused_key_is_permanent_and_a_new_one_is_read(pagerduty_peer: Any, message: Any) -> None:
    environ = {"KEY": "f" * 32}
    key = Secret("env:KEY", Clients("us-east-1"), environ)
    pagerduty = PagerDutyTransport(key, pagerduty_peer.url, load_catalogue())
    with pytest.raises(TransportError, match="Invalid routing key") as raised:
        pagerduty.deliver(message(), None)
    assert raised.value.permanent
    environ["KEY"] = ROUTING_KEY
    assert pagerduty.deliver(message(), None).reference


def test_an_address_that_is_not_pagerdutys_is_permanent(pagerduty_peer: Any, message: Any) -> None:
    key = Secret("env:KEY", Clients("us-east-1"), {"KEY": ROUTING_KEY})
    with pytest.raises(TransportError, match="answered 404") as raised:
        PagerDutyTransport(key, f"{pagerduty_peer.url}/wrong", load_catalogue()).deliver(message(), None)
    assert raised.value.permanent


def test_a_megabyte_is_cut_to_what_pagerduty_takes(pagerduty: Any, pagerduty_peer: Any, message: Any) -> None:
    hostile = "<script>alert(1)</script>\r\n" * 40_000
    labels = {f"{number}": hostile[:5_000] for number in range(30)}
    pagerduty.deliver(message(alert={"title": hostile, "description": hostile, "labels": labels}), None)
    assert pagerduty_peer.refused == []
    details = pagerduty_peer.incidents[0]["payload"]["custom_details"]
    assert details["description"].endswith("(cut, 1,080,000 characters in all)")
    assert details["labels"].endswith("and 20 more labels")


def test_every_event_is_one_by_pagerdutys_schema(message: Any) -> None:
    for kind, state in [("opened", {}), ("acknowledged", {"state": "acknowledged"}), ("resolved", RESOLVED)]:
        event = event_of(message(kind, alert=state), ROUTING_KEY, "key", load_catalogue())
        assert problems_of(event) == []
    assert problems_of({"routing_key": "x", "event_action": "explode"}) != []
