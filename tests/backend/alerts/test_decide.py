"""What signals, operators and time make of an alert."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.alerts import decide
from backend.alerts.items import track_item, track_of
from backend.alerts.routing import GROUP
from backend.alerts.state import Context, Decision, Known, Storm, Track
from backend.contract.alerts import Silence
from backend.contract.errors import InvalidInput
from backend.settings_alerts import QuietHours
from tests.backend.alerts.memory import START, Desk

STATES = ("firing", "resolved", "unknown")


@settings(max_examples=60)
@given(st.data())
def test_the_newest_signal_decides_whatever_the_order_and_however_often_they_come(data: st.DataObject) -> None:
    desk = Desk(flap_count=1_000)
    states = data.draw(st.lists(st.sampled_from(STATES), min_size=1, max_size=8))
    signals = [desk.signal(state, at=START - 100 + number) for number, state in enumerate(states)]
    order = data.draw(st.permutations(signals * data.draw(st.integers(1, 2))))
    for signal in order:
        desk.now += 1
        desk.keeper.on_signal(signal)
    said = [signal for signal in signals if signal.state != "unknown"]
    known = desk.store.known[signals[0].fingerprint]
    assert (known.open is not None) == bool(said and said[-1].state == "firing")
    if known.open:
        assert (known.open.unknown_since is not None) == (signals[-1].state == "unknown")
    told = [kind for kind in desk.told() if kind in ("opened", "resolved")]
    assert told == ["opened", "resolved"] * (len(told) // 2) + ["opened"] * (len(told) % 2)


def test_what_nobody_decided_yet_is_kept_as_such_and_as_json() -> None:
    item = track_item("f", Track(), Storm())
    assert track_of(item) == (Track(), Storm())
    assert "Infinity" not in item["data"]["S"]


def test_the_first_signal_counts_however_old_it_is() -> None:
    desk = Desk()
    assert desk.keeper.on_signal(desk.signal(at=-1.0)).outcome == "opened"


def test_a_thousand_times_the_same_in_a_minute_is_one_message_and_one_page() -> None:
    desk = Desk()
    for _ in range(1_000):
        desk.now += 0.05
        desk.hear(severity="CRITICAL")
    assert (desk.told(), desk.told("pagerduty"), desk.alert().fired) == (["opened"], ["opened"], 1_000)
    desk.wait(1)
    assert desk.told() == ["opened", "updated"]
    assert desk.store.counts["jobs:job_failed", "fired"] == 1


def test_what_was_resolved_stays_so_when_an_older_message_comes_late() -> None:
    desk = Desk()
    late = desk.signal()
    desk.now += 5
    desk.hear()
    desk.now += 5
    assert desk.hear("resolved") == "resolved"
    assert desk.keeper.on_signal(late).outcome == "older"
    assert (desk.alert().state, desk.told()) == ("resolved", ["opened", "resolved"])


def test_a_firing_that_another_overtook_is_counted_and_changes_nothing_else() -> None:
    desk = Desk()
    first, second = desk.signal(severity="HIGH"), desk.signal(at=START + 0.01, severity="HIGH", title="Newer")
    desk.now += 1
    assert desk.keeper.on_signal(second).outcome == "opened"
    assert [desk.keeper.on_signal(first).outcome for _ in range(2)] == ["older", "repeated"]
    assert (desk.alert().fired, desk.alert().title, desk.alert().opened_at) == (2, "Newer", START + 0.01)
    assert desk.hear(at=START - 60) == "older"
    assert desk.alert().fired == 2, "of an alert before this one"


def test_a_late_firing_opens_although_nobody_knew_by_then() -> None:
    desk = Desk()
    desk.hear("unknown", at=START + 5)
    desk.hear(at=START)
    assert (desk.alert().state, desk.alert().unknown_since) == ("open", START + 5)


def test_a_second_delivery_counts_nothing() -> None:
    desk = Desk()
    signal = desk.signal()
    assert [desk.keeper.on_signal(signal).outcome for _ in range(3)] == ["opened", "repeated", "repeated"]
    assert desk.alert().fired == 1


def test_unknown_is_told_once_and_resolves_nothing() -> None:
    desk = Desk()
    desk.hear()
    for state in ("unknown", "firing", "unknown", "unknown"):
        desk.now += 5
        desk.hear(state)
    assert (desk.alert().state, desk.alert().unknown_since) == ("open", desk.now - 5)
    assert desk.told() == ["opened", "unknown"]


def test_an_alert_nobody_acknowledges_is_told_again_after_its_deadline_and_then_at_its_pace() -> None:
    desk = Desk()
    desk.hear(severity="CRITICAL")
    desk.wait(4)
    assert desk.told() == ["opened"]
    desk.wait(1)
    assert desk.told() == ["opened", "renotified"]
    desk.wait(31)
    assert desk.told() == ["opened", "renotified", "renotified", "renotified"]


def test_an_acknowledged_alert_is_left_alone_and_counts_as_acknowledged_in_time() -> None:
    desk = Desk()
    desk.hear(severity="CRITICAL")
    desk.wait(3)
    act(desk, decide.acknowledge)
    act(desk, decide.acknowledge)
    desk.wait(120)
    assert desk.told("pagerduty") == ["opened", "acknowledged"]
    assert desk.store.counts["jobs:job_failed", "acknowledged_in_time"] == 1
    assert (desk.alert().acknowledged_by, desk.alert().events[-1].text) == ("ops@example.com", "on it")


def test_acknowledged_too_late_does_not_count() -> None:
    desk = Desk()
    desk.hear(severity="CRITICAL")
    desk.wait(6)
    act(desk, decide.acknowledge)
    assert desk.store.counts["jobs:job_failed", "acknowledged_in_time"] == 0


def test_a_resolved_alert_can_not_be_acknowledged_but_marked_as_noise_once() -> None:
    desk = Desk()
    desk.hear()
    act(desk, decide.resolve)
    with pytest.raises(InvalidInput, match="resolved already"):
        act(desk, decide.acknowledge)
    act(desk, decide.mark_noise)
    act(desk, decide.mark_noise)
    assert (desk.alert().noise, desk.store.counts["jobs:job_failed", "noise"]) == ("ops@example.com", 1)


def test_a_worse_severity_is_told_to_whom_it_is_for_and_needs_a_new_acknowledgement() -> None:
    desk = Desk()
    desk.hear(severity="MEDIUM")
    act(desk, decide.acknowledge)
    desk.now += 5
    assert desk.hear(severity="CRITICAL") == "worse"
    assert (desk.told("email"), desk.told("pagerduty")) == (["opened", "acknowledged", "renotified"], ["renotified"])
    assert (desk.alert().state, desk.alert().severity) == ("open", "CRITICAL")
    desk.now += 5
    desk.hear(severity="LOW")
    assert desk.alert().severity == "CRITICAL"


def test_what_becomes_critical_after_it_was_told_opens_an_incident() -> None:
    desk = Desk()
    desk.hear(severity="HIGH")
    assert desk.store.kept_incidents == {}
    desk.now += 5
    desk.hear(severity="CRITICAL")
    desk.hear(severity="CRITICAL")
    (known,) = desk.store.kept_incidents.values()
    assert (known.incident.incident_id, known.incident.closed_at) == (desk.alert().incident_id, None)
    desk.hear("resolved", severity="CRITICAL")
    (known,) = desk.store.kept_incidents.values()
    assert known.incident.closed_at == desk.now


def test_what_becomes_worse_in_a_silence_is_told_once_at_its_end() -> None:
    desk = Desk()
    desk.hear()
    desk.store.made.append(Silence("s1", "maintenance", START, START + 600, "upgrade", "ops", START))
    desk.now += 60
    desk.hear(severity="CRITICAL")
    desk.wait(8)
    assert (desk.told(), desk.store.kept_incidents) == (["opened"], {})
    desk.wait(3)
    assert (desk.told(), len(desk.store.kept_incidents)) == (["opened", "renotified"], 1)


def test_what_fires_on_opens_again_after_it_was_ended_by_hand_or_for_not_being_repeated() -> None:
    desk = Desk()
    desk.hear(lasts_seconds=60)
    act(desk, decide.resolve)
    for _ in range(2):
        before = desk.alert()
        desk.wait(2)
        assert desk.hear(at=START, lasts_seconds=60) == "opened"
        assert (desk.alert().opened_at, desk.alert().alert_id != before.alert_id) == (desk.now, True)
        desk.wait(2)
        assert desk.alert().state == "resolved"
    desk.hear("resolved", at=START + 1)
    assert desk.hear(at=START) == "older"


def test_an_alert_opens_after_the_one_before_whenever_its_cause_began() -> None:
    desk = Desk()
    desk.hear()
    act(desk, decide.resolve)
    desk.wait(10)
    desk.hear(at=START)
    reopened = desk.alert()
    desk.hear("resolved", at=START + 1)
    desk.hear(at=START + 2)
    assert (desk.alert().state, desk.alert().opened_at) == ("open", reopened.opened_at + 0.001)


def test_what_nobody_knows_stayed_resolved_stays_open() -> None:
    desk = Desk(flap_count=1)
    desk.hear()
    desk.now += 60
    desk.hear("resolved")
    desk.now += 60
    desk.hear("unknown")
    desk.wait(15)
    assert desk.alert().state == "open"
    desk.hear("resolved")
    desk.wait(11)
    assert desk.alert().state == "resolved"


def test_noise_is_not_counted_for_groups() -> None:
    desk = Desk()
    desk.hear(rule=GROUP)
    act(desk, decide.mark_noise)
    assert desk.store.counts[GROUP, "noise"] == 0


def test_what_an_earlier_version_kept_besides_is_left_out() -> None:
    item = track_item("f", Track(version=3), Storm())
    item["data"]["S"] = item["data"]["S"].replace("{", '{"said":"firing",', 1)
    assert track_of(item) == (Track(version=3), Storm())


def test_what_comes_and_goes_is_resolved_only_once_it_stays_so() -> None:
    desk = Desk()
    for _ in range(2):
        desk.hear()
        desk.now += 60
        desk.hear("resolved")
        desk.now += 60
    desk.hear()
    desk.now += 60
    assert desk.hear("resolved") == "held"
    assert (desk.alert().flapping, desk.alert().state) == (True, "open")
    desk.wait(5)
    desk.hear()
    desk.wait(1)
    desk.hear("resolved")
    resolved_at = desk.now
    desk.wait(9)
    assert desk.alert().state == "open"
    desk.wait(2)
    assert (desk.alert().state, desk.alert().resolved_at) == ("resolved", resolved_at)
    assert [kind for kind in desk.told() if kind != "updated"] == ["opened", "resolved"] * 3


def test_what_nobody_resolves_ends_when_it_is_not_repeated() -> None:
    desk = Desk()
    desk.hear(lasts_seconds=600)
    desk.wait(8)
    desk.hear(lasts_seconds=600)
    desk.wait(9)
    assert desk.alert().state == "open"
    desk.wait(2)
    assert (desk.alert().state, desk.told()[-1]) == ("resolved", "resolved")


def test_quiet_hours_hold_an_alert_to_their_end_and_let_pages_through() -> None:
    desk = Desk(quiet_hours=QuietHours("11:00-12:30"))
    desk.hear()
    desk.hear(subject="b")
    desk.hear(subject="c", severity="CRITICAL")
    desk.wait(10)
    desk.hear("resolved", subject="b")
    assert desk.told() == ["opened", "renotified"]
    desk.wait(19)
    assert desk.alert().silenced_by == "quiet hours"
    desk.wait(2)
    assert desk.store.told.count(("opened", "slack", desk.alert().fingerprint)) == 1
    assert ("opened", "slack", desk.alert("b").fingerprint) not in desk.store.told
    assert desk.alert().silenced_by == ""


def test_a_silenced_alert_is_recorded_and_told_when_the_silence_ends_early() -> None:
    desk = Desk()
    silence = Silence("s1", "silence", START - 5, START + 3600, "deploy", "ops", START, rule="jobs:job_failed")
    desk.store.made.append(silence)
    desk.hear(severity="CRITICAL")
    desk.wait(20)
    assert (desk.told(), desk.alert().silenced_by, desk.alert().incident_id) == ([], "s1", "")
    desk.store.made.clear()
    desk.wait(2)
    assert desk.told() == ["opened"]
    assert (desk.alert().silenced_by, len(desk.store.kept_incidents)) == ("", 1)


def test_a_told_alert_is_not_told_again_during_a_silence_but_its_end_is() -> None:
    desk = Desk()
    desk.hear()
    desk.store.made.append(Silence("s1", "silence", START, START + 7200, "deploy", "ops", START, severity="HIGH"))
    desk.wait(90)
    desk.hear("resolved")
    assert desk.told() == ["opened", "resolved"]


def test_an_alarm_stands_back_behind_alerts_with_more_words() -> None:
    desk = Desk()
    covered = {
        f"pulseboard-{key}": metric.alarm.covered_by
        for key, metric in desk.settings.catalogue.items()
        if metric.alarm and metric.alarm.covered_by
    }
    alarm, rule = next(iter(covered.items()))
    desk.hear(rule=rule)
    desk.hear(rule=alarm, subject="alarm")
    assert desk.told() == ["opened"]
    assert desk.alert("alarm").silenced_by == f"covered by {rule}"
    desk.hear("resolved", rule=rule)
    desk.wait(120)
    assert desk.store.told.count(("opened", "slack", desk.alert("alarm").fingerprint)) == 1


def test_an_alert_nobody_can_be_told_of_says_so() -> None:
    desk = Desk(connected=frozenset())
    desk.hear()
    assert "no transport" in desk.alert().events[-1].text


def test_a_timeline_keeps_its_beginning_and_its_end() -> None:
    desk = Desk()
    desk.hear(at=START + 10)
    for number in range(150):
        desk.hear(at=START + number / 100)
    events = desk.alert().events
    assert (len(events), events[0].kind, events[-1].at) == (100, "opened", START + 1.49)


def act(desk: Desk, action: Any) -> None:
    def on(known: Known, context: Context) -> Decision:
        decided: Decision = action(known, context, "ops@example.com", "on it")
        return decided

    desk.keeper.act(desk.alert(), on)
