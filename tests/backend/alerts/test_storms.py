"""Many alerts at once: the first are told one by one, a group speaks for the rest."""

from __future__ import annotations

from backend.alerts.routing import DELIVERY_FAILED, TRANSPORT
from backend.alerts.storms import group_fingerprint
from backend.contract.alerts import Silence
from backend.settings_alerts import Routes
from tests.backend.alerts.memory import START, Desk


def storm(desk: Desk, size: int, state: str = "firing", severity: str = "HIGH") -> None:
    for number in range(size):
        desk.now += 0.05
        desk.hear(state, subject=f"s{number}", severity=severity)


def test_a_hundred_at_once_are_six_messages_and_one_of_them_grows() -> None:
    desk = Desk()
    storm(desk, 100)
    desk.wait(1)
    assert [desk.told().count(kind) for kind in ("opened", "group")] == [5, 2]
    group = desk.store.known[group_fingerprint("HIGH", "production")]
    assert group.alert is not None
    assert (group.alert.title, len(group.storm.members)) == ("95 more HIGH alerts at the same time", 95)
    assert all(desk.alert(f"s{number}").state == "open" for number in range(100))
    assert desk.alert("s99").group == group.fingerprint


def test_a_group_shrinks_and_ends_with_its_last_alert() -> None:
    desk = Desk()
    storm(desk, 8)
    desk.wait(1)
    desk.hear("resolved", subject="s6")
    desk.wait(1)
    group = desk.store.known[group_fingerprint("HIGH", "production")]
    assert (len(group.storm.members), desk.told().count("resolved")) == (2, 0)
    storm(desk, 8, "resolved")
    group = desk.store.known[group_fingerprint("HIGH", "production")]
    assert group.alert is not None
    assert (group.alert.state, group.storm.members) == ("resolved", ())
    assert desk.told().count("resolved") == 6


def test_an_alert_after_the_storm_is_told_by_itself_and_the_next_storm_has_a_group_of_its_own() -> None:
    desk = Desk()
    storm(desk, 7)
    desk.now += 300
    desk.hear(subject="later")
    assert desk.alert("later").group == ""
    storm(desk, 7, "resolved")
    desk.now += 3600
    storm(desk, 7)
    group = desk.store.known[group_fingerprint("HIGH", "production")]
    assert group.alert is not None
    assert (group.alert.state, len(group.storm.members)) == ("open", 2)
    assert group.alert.opened_at > desk.now - 10


def test_severities_do_not_hide_each_other() -> None:
    desk = Desk()
    storm(desk, 20)
    desk.hear(subject="page", severity="CRITICAL")
    assert desk.alert("page").group == ""


def test_a_storm_of_pages_is_one_incident_that_closes_with_the_last() -> None:
    desk = Desk()
    storm(desk, 8, severity="CRITICAL")
    (known,) = desk.store.kept_incidents.values()
    assert (len(known.open_alerts), known.incident.closed_at) == (8, None)
    storm(desk, 7, "resolved", "CRITICAL")
    assert next(iter(desk.store.kept_incidents.values())).incident.closed_at is None
    desk.hear("resolved", subject="s7", severity="CRITICAL")
    (known,) = desk.store.kept_incidents.values()
    assert known.incident.closed_at == desk.now
    assert [event.kind for event in known.incident.events].count("resolved") == 8


def test_an_alert_of_a_group_that_becomes_worse_is_told_by_itself() -> None:
    desk = Desk()
    storm(desk, 8)
    desk.now += 5
    desk.hear(subject="s7", severity="CRITICAL")
    assert desk.alert("s7").group == ""
    assert ("opened", "pagerduty", desk.alert("s7").fingerprint) in desk.store.told
    assert len(desk.store.known[group_fingerprint("HIGH", "production")].storm.members) == 2
    assert list(desk.store.kept_incidents) == [desk.alert("s7").incident_id]


def test_alerts_apart_have_incidents_of_their_own() -> None:
    desk = Desk()
    desk.hear(subject="a", severity="CRITICAL")
    desk.wait(5)
    desk.hear(subject="b", severity="CRITICAL")
    assert len(desk.store.kept_incidents) == 2


def test_a_group_that_nobody_acknowledges_is_told_again_as_one() -> None:
    desk = Desk()
    storm(desk, 9, severity="CRITICAL")
    desk.wait(6)
    assert desk.told("pagerduty").count("renotified") == 6


def test_that_slack_is_broken_is_said_by_the_others_in_a_storm_too() -> None:
    desk = Desk(routes=Routes(high=["slack"]))
    storm(desk, 8)
    desk.hear(subject="broken", rule=DELIVERY_FAILED, labels={TRANSPORT: "slack"})
    assert (desk.alert("broken").group, desk.told("pagerduty"), desk.told("email")) == ("", ["opened"], ["opened"])


def test_a_group_tells_those_too_that_one_of_its_alerts_is_for() -> None:
    desk = Desk()
    storm(desk, 7)
    desk.hear(subject="mailed", extra_route="email")
    desk.wait(1)
    assert desk.told("email") == ["group"]


def test_environments_have_storms_and_incidents_of_their_own() -> None:
    desk = Desk()
    storm(desk, 8, severity="CRITICAL")
    desk.hear(subject="staging", severity="CRITICAL", environment="staging")
    assert desk.alert("staging").group == ""
    environments = {known.incident.environment for known in desk.store.kept_incidents.values()}
    assert (len(desk.store.kept_incidents), environments) == (2, {"production", "staging"})


def test_an_alert_of_a_group_that_becomes_worse_in_a_silence_is_told_by_itself_at_its_end() -> None:
    desk = Desk()
    storm(desk, 8)
    desk.store.made.append(Silence("s1", "silence", START, START + 600, "deploy", "ops", START, severity="CRITICAL"))
    desk.now += 5
    desk.hear(subject="s7", severity="CRITICAL")
    worse = ("renotified", "pagerduty", desk.alert("s7").fingerprint)
    desk.wait(9)
    assert (desk.alert("s7").group, worse in desk.store.told, desk.store.kept_incidents) == ("", False, {})
    desk.wait(2)
    assert (desk.store.told.count(worse), list(desk.store.kept_incidents)) == (1, [desk.alert("s7").incident_id])
