"""What the alert actions ask of the service, and what they refuse before they ask anything."""

from __future__ import annotations

from typing import Any

import pytest

from backend.contract.alerts import Silence
from backend.contract.errors import InvalidInput
from dashboard import alert_actions as actions
from dashboard.services import Services
from tests.dashboard import fakes
from tests.dashboard.alert_fakes import FakeAlerts
from tests.dashboard.fakes import NOW

WHY = {"reason": "a fix is on its way"}


@pytest.fixture
def service() -> FakeAlerts:
    return FakeAlerts.busy(NOW)


@pytest.fixture
def services(service: FakeAlerts) -> Services:
    made = fakes.services(pages=(), now=lambda: NOW)
    made.alerts = service
    return made


def silenced(service: FakeAlerts) -> Silence:
    made = service.asked[-1][1]
    assert isinstance(made, Silence)
    return made


def test_an_alert_is_acknowledged_under_the_name_of_who_asked(services: Services, service: FakeAlerts) -> None:
    wanted = service.stored[0].alert_id
    answer = actions.acknowledge(services, {"alert_id": wanted, **WHY}, "ana")
    assert service.asked == [("acknowledge", wanted, "ana", WHY["reason"])]
    assert "Dead letters rise" in answer["message"]


@pytest.mark.parametrize("action", [actions.acknowledge, actions.mark_noise, actions.resolve])
def test_an_alert_that_there_is_not_is_not_found(services: Services, action: Any) -> None:
    with pytest.raises(InvalidInput, match="alert_id: 'nope' is not the id of an alert") as refused:
        action(services, {"alert_id": "nope", **WHY}, "ana")
    assert refused.value.code == "not_found"


@pytest.mark.parametrize(("scope", "matcher"), [("alert", "fingerprint"), ("rule", "rule")])
def test_a_silence_of_the_drawer_covers_the_alert_or_its_rule(
    services: Services, service: FakeAlerts, scope: str, matcher: str
) -> None:
    alert = service.stored[0]
    body = {"alert_id": alert.alert_id, "scope": scope, "minutes": "240", **WHY}
    answer = actions.silence(services, body, "ana")
    made = silenced(service)
    assert getattr(made, matcher) == getattr(alert, matcher)
    assert (made.kind, made.starts_at, made.ends_at) == ("silence", NOW, NOW + 4 * 3600)
    assert made.covers(alert, NOW + 1)
    assert made.covers(service.stored[1], NOW + 1) is False
    assert answer["message"] == "Silenced for 4 h; matches 1 open alert now"


def test_a_silence_of_the_form_is_in_utc_and_one_that_begins_later_is_maintenance(
    services: Services, service: FakeAlerts
) -> None:
    body = {"rule": "pulseboard-dlq_records", "from": "2026-11-21T20:00", "to": "2026-11-21T22:30", **WHY}
    answer = actions.silence(services, body, "ana")
    made = silenced(service)
    assert (made.kind, made.rule, made.environment) == ("maintenance", "pulseboard-dlq_records", "")
    assert (made.starts_at, made.ends_at - made.starts_at) == (NOW + 345 * 60, 150 * 60)
    assert answer["message"] == "Silenced for 2 h 30 min, from 21 Nov, 20:00 UTC on; matches 1 open alert now"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("pulseboard-dlq_recrods", "matches 0 open alerts now. No rule pulseboard-dlq_recrods is known: is it right?"),
        ("checks:jobs", "matches 0 open alerts now. No rule checks:jobs is known: is it right?"),
        ("checks:job_hung", "matches 0 open alerts now"),
        ("checks:dataset_late", "matches 0 open alerts now"),
    ],
)
def test_a_silence_that_matches_nothing_now_says_so_and_whether_its_rule_can_fire(
    services: Services, rule: str, said: str
) -> None:
    answer = actions.silence(services, {"rule": rule, "to": LATER, **WHY}, "ana")
    assert answer["message"].endswith(said)


LATER = "2026-11-21T18:00"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"to": LATER}, "rule"),
        ({"rule": "r"}, "to"),
        ({"rule": "r", "to": "soon"}, "to"),
        ({"rule": "r", "to": "2026-11-21T14:00"}, "to"),
        ({"rule": "r", "from": "2026-11-21T19:00", "to": LATER}, "to"),
        ({"rule": "r", "to": "2027-11-21T18:00"}, "to"),
        ({"severity": "WORST", "to": LATER}, "severity"),
        ({"rule": "r", "to": LATER, "hostname": "x"}, "hostname"),
        ({"rule": "a\nb", "to": LATER}, "rule"),
        ({"rule": "pulseboard-*", "to": LATER}, "rule"),
        ({"alert_id": "?", "scope": "rule", "minutes": "0"}, "minutes"),
        ({"alert_id": "?", "scope": "rule", "minutes": "99999"}, "minutes"),
        ({"alert_id": "?", "scope": "rule", "minutes": [1]}, "minutes"),
        ({"alert_id": "?", "scope": "everything", "minutes": 30}, "scope"),
    ],
    ids=str,
)
def test_a_silence_that_is_not_meant_so_is_refused(
    services: Services, service: FakeAlerts, body: dict[str, Any], field: str
) -> None:
    if "alert_id" in body:
        body = {**body, "alert_id": service.stored[0].alert_id}
    with pytest.raises(InvalidInput) as refused:
        actions.silence(services, {**body, **WHY}, "ana")
    assert refused.value.field == field
    assert service.asked == []


def test_a_silence_is_ended_and_an_unknown_one_is_not_found(services: Services, service: FakeAlerts) -> None:
    actions.end_silence(services, {"silence_id": "sil-1", **WHY}, "ana")
    assert service.asked == [("end_silence", "sil-1", "ana", WHY["reason"])]
    with pytest.raises(InvalidInput, match="is not the id of a silence"):
        actions.end_silence(services, {"silence_id": "sil-9", **WHY}, "ana")


def test_a_follow_up_keeps_its_lines_and_needs_all_answers(services: Services, service: FakeAlerts) -> None:
    body = {"incident_id": "inc-1", "summary": "One.\nTwo. ", "root_cause": "r", "prevention": "p", **WHY}
    actions.follow_up(services, body, "ana")
    assert service.asked == [("follow_up", "inc-1", "ana", "One.\nTwo.", "r", "p")]
    with pytest.raises(InvalidInput, match="root_cause: ' ' must be text"):
        actions.follow_up(services, {**body, "root_cause": " "}, "ana")
    with pytest.raises(InvalidInput, match="is not the id of an incident"):
        actions.follow_up(services, {**body, "incident_id": "inc-9"}, "ana")


def test_without_the_service_it_says_so(services: Services) -> None:
    services.alerts = None
    with pytest.raises(InvalidInput, match="are not connected") as refused:
        actions.resolve(services, {"alert_id": "x", **WHY}, "ana")
    assert refused.value.code == "not_connected"
