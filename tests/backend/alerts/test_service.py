"""What pages read, and what operators do: audited before it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from backend.alerts import decide
from backend.alerts.keeper import Keeper
from backend.alerts.store import AlertStore
from backend.audit import AuditLog
from backend.contract.alerts import Alert, Annotation, Silence
from backend.contract.check_items import check_item
from backend.contract.checks import CheckResult
from backend.contract.errors import InvalidInput
from backend.settings_alerts import Maintenance
from tests.backend.alerts.world import OPS, START, World

MakeWorld = Callable[..., World]


def silence(**fields: Any) -> Silence:
    given = Silence("", "silence", START, START + 3600, "", "", 0.0, rule="jobs:job_failed")
    return replace(given, **fields)


def audited(world: World) -> list[tuple[str, str, str]]:
    log = AuditLog(world.clients.dynamodb, world.settings)
    return [(entry.action, entry.who, entry.outcome) for entry in log.entries(START - 1, world.now + 1)]


def test_alerts_are_read_newest_first_by_what_they_are(world: World) -> None:
    for number, severity in enumerate(("HIGH", "MEDIUM", "HIGH")):
        world.now += 10
        world.hear(world.message(subject=f"s{number}", severity=severity, environment=f"env-{severity}"))
    world.hear(world.message("resolved", subject="s0", environment="env-HIGH", at=world.now + 1))
    subjects = [alert.labels["subject"] for alert in world.alerts()]
    assert subjects == ["s2", "s1", "s0"]
    assert [alert.labels["subject"] for alert in world.alerts(limit=2)] == ["s2", "s1"]
    assert [alert.labels["subject"] for alert in world.alerts(severity="HIGH", state="resolved")] == ["s0"]
    assert [alert.labels["subject"] for alert in world.service.open_alerts()] == ["s2", "s1"]
    assert [alert.severity for alert in world.service.open_alerts("env-MEDIUM")] == ["MEDIUM"]
    assert world.service.alerts(START, START + 15)[0].labels["subject"] == "s0"
    with pytest.raises(InvalidInput, match="state"):
        world.alerts(state="closed")


def test_an_alert_is_found_by_its_short_id_even_after_the_next_one(world: World) -> None:
    world.hear(world.message())
    first = world.alert()
    world.now += 60
    world.hear(world.message("resolved"))
    world.now += 60
    world.hear(world.message())
    found = world.service.find(first.alert_id)
    assert found is not None
    assert (found.opened_at, found.state) == (START, "resolved")
    assert world.service.find("nowhere") is None
    world.service.mark_noise(first.alert_id, OPS, "a test")
    assert [alert.noise for alert in world.alerts()] == ["", OPS]
    assert [alert.state for alert in world.alerts()] == ["open", "resolved"]


def test_an_acknowledgement_is_audited_and_told_with_the_next_sweep(world: World) -> None:
    world.hear(world.message(severity="CRITICAL"))
    world.now += 60
    alert = world.service.acknowledge(world.alert().alert_id, OPS, "on it")
    assert (alert.state, alert.acknowledged_by, alert.acknowledged_at) == ("acknowledged", OPS, world.now)
    world.sweep()
    assert world.transports["pagerduty"].kinds == ["opened", "acknowledged"]
    assert audited(world) == [("acknowledge_alert", OPS, "succeeded")]
    (week,) = world.service.weeks()
    assert (week.rule, week.week, week.fired, week.acknowledged_in_time, week.noise) == (
        "jobs:job_failed", "2026-W47", 1, 1, 0,
    )  # fmt: skip


def test_rules_of_any_letters_and_length_are_counted(world: World) -> None:
    assert world.hear(world.message(source="\U0001f600" * 300, kind="é" * 300)) == []
    (week,) = world.service.weeks()
    assert (week.rule, week.fired) == (world.alerts()[0].rule, 1)


def test_what_can_not_be_done_is_on_record_as_failed(world: World) -> None:
    world.hear(world.message())
    alert_id = world.alert().alert_id
    world.service.resolve(alert_id, OPS, "gone")
    with pytest.raises(InvalidInput, match="resolved already"):
        world.service.acknowledge(alert_id, OPS, "on it")
    with pytest.raises(KeyError):
        world.service.acknowledge("unknown", OPS, "on it")
    assert sorted(audited(world)) == [("acknowledge_alert", OPS, "failed"), ("resolve_alert", OPS, "succeeded")]


def test_what_can_not_be_audited_is_not_done(world: World) -> None:
    world.hear(world.message())
    alert_id = world.alert().alert_id
    world.clients.dynamodb.delete_table(TableName=world.settings.replays_table)
    with pytest.raises(ClientError):
        world.service.acknowledge(alert_id, OPS, "on it")
    assert world.alert().state == "open"


def test_what_is_done_to_a_group_is_done_to_its_alerts(make_world: MakeWorld) -> None:
    world = make_world(transports=("slack",), group_after=1)
    world.hear(*(world.message(subject=f"s{number}") for number in range(3)))
    group = world.alert("alerts:group")
    world.service.acknowledge(group.alert_id, OPS, "all of them")
    assert sorted(alert.state for alert in world.alerts()) == ["acknowledged", "acknowledged", "acknowledged", "open"]
    assert world.service.resolve(group.alert_id, OPS, "over").state == "resolved"
    assert sorted(alert.state for alert in world.alerts()) == ["open", "resolved", "resolved", "resolved"]
    world.sweep()
    assert world.slack.got[-1].kind == "resolved"
    assert world.slack.got[-1].alert.fingerprint == group.fingerprint


def test_what_is_done_to_a_group_goes_on_where_one_of_its_alerts_ended_meanwhile(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(transports=("slack",), group_after=1)
    world.hear(*(world.message(subject=f"s{number}") for number in range(4)))
    members, act = AlertStore.members, Keeper.act

    def members_before_one_ends(self: AlertStore, group: str, most: int) -> tuple[Alert, ...]:
        found = members(self, group, most)
        if found and found[0].state == "open":
            act(world.service._keeper, found[0], lambda known, how: decide.resolve(known, how, OPS, "meanwhile"))
        return found

    monkeypatch.setattr(AlertStore, "members", members_before_one_ends)
    world.service.acknowledge(world.alert("alerts:group").alert_id, OPS, "all of them")
    assert sorted(alert.state for alert in world.alerts() if alert.group) == [
        "acknowledged",
        "acknowledged",
        "resolved",
    ]


def test_a_group_is_acknowledged_with_the_last_of_its_alerts(make_world: MakeWorld) -> None:
    world = make_world(transports=("slack",), group_after=1)
    world.hear(*(world.message(subject=f"s{number}") for number in range(3)))
    first, second = (alert for alert in world.alerts() if alert.group)
    world.service.acknowledge(first.alert_id, OPS, "on it")
    assert world.alert("alerts:group").state == "open"
    world.service.acknowledge(second.alert_id, "sre@example.com", "on it")
    group = world.alert("alerts:group")
    assert (group.state, group.acknowledged_by) == ("acknowledged", f"{OPS}, sre@example.com")


def test_silences_of_pages_and_configuration_keep_alerts_quiet_until_they_end(make_world: MakeWorld) -> None:
    window = Maintenance("2026-11-22T00:00:00Z", "2026-11-22T02:00:00Z", "upgrade")
    world = make_world(maintenance=[window])
    made = world.service.silence(silence(), OPS, "deploy")
    assert (made.created_by, made.reason, made.created_at) == (OPS, "deploy", START)
    assert [one.silence_id for one in world.service.silences(world.now)] == [made.silence_id, "configuration-0"]
    world.now += 10
    world.hear(world.message())
    assert (world.slack.got, world.alert().silenced_by) == ([], made.silence_id)
    ended = world.service.end_silence(made.silence_id, OPS, "done")
    assert (ended.ends_at, ended.ended_by) == (world.now, OPS)
    world.sweep(61)
    assert world.slack.kinds == ["opened"]
    with pytest.raises(InvalidInput, match="over already"):
        world.service.end_silence(made.silence_id, OPS, "again")
    with pytest.raises(InvalidInput, match="stands in pulseboard"):
        world.service.end_silence("configuration-0", OPS, "now")
    with pytest.raises(KeyError):
        world.service.end_silence("unknown", OPS, "now")
    assert [entry[0] for entry in audited(world)] == ["end_silence", "silence_alerts"]


def test_a_silence_that_makes_no_sense_is_refused(world: World) -> None:
    senseless: list[dict[str, Any]] = [
        {"ends_at": START - 1},
        {"ends_at": START + 100 * 86_400},
        {"starts_at": START + 7200},
        {"rule": ""},
        {"severity": "URGENT"},
        {"rule": "x" * 301},
        {"kind": "forever"},
    ]
    for fields in senseless:
        with pytest.raises(InvalidInput):
            world.service.silence(silence(**fields), OPS, "deploy")
    assert audited(world) == []


def test_an_incident_is_followed_up(world: World) -> None:
    world.hear(world.message(severity="CRITICAL"))
    (incident,) = world.service.incidents()
    filled = world.service.follow_up(incident.incident_id, OPS, "It broke", "A typo", "A test")
    assert (filled.summary, filled.root_cause, filled.prevention, filled.followed_up_by) == (
        "It broke", "A typo", "A test", OPS,
    )  # fmt: skip
    assert world.service.incidents() == (filled,)
    assert world.service.incident(incident.incident_id) == filled
    assert world.service.incident("unknown") is None
    with pytest.raises(KeyError):
        world.service.follow_up("unknown", OPS, "", "", "")
    with pytest.raises(InvalidInput, match="summary"):
        world.service.follow_up(incident.incident_id, OPS, "x" * 10_001, "", "")


def test_alerts_and_posted_marks_are_on_the_charts(world: World) -> None:
    world.now += 10
    world.hear(world.message())
    world.service.annotate(Annotation(START, "Release 7", "deploy", "https://ci.example/7"), OPS)
    world.service.annotate(Annotation(START, "Release 7", "deploy", "https://ci.example/7"), OPS)
    deploy, alert = world.service.annotations(START - 60, START + 60).found
    assert (deploy.title, deploy.link) == ("Release 7", "https://ci.example/7")
    assert (alert.kind, alert.severity, alert.until) == ("alert", "HIGH", None)
    assert alert.link == f"/alerts?alert={world.alert().alert_id}"
    with pytest.raises(InvalidInput, match="link"):
        world.service.annotate(Annotation(START, "x", "deploy", "javascript:alert(1)"), OPS)


def test_marks_are_those_of_an_environment_and_of_what_is_not_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for subject, environment in (("over", "production"), ("early", "production"), ("other", "staging")):
        world.hear(world.message(subject=subject, environment=environment))
    world.now += 7200
    world.hear(world.message("resolved", subject="over"))
    world.service.annotate(Annotation(world.now, "Release 7", "deploy"), OPS)
    early, deploy = (found := world.service.annotations(world.now - 3600, world.now + 1, "production")).found
    assert (early.at, early.until, early.environment, deploy.title) == (START, None, "production", "Release 7")
    assert not found.cut
    monkeypatch.setattr("backend.alerts.service.MOST_MARKED", 1)
    assert world.service.annotations(world.now - 3600, world.now + 1).cut


def test_results_of_checks_are_read_by_range_and_newest(world: World) -> None:
    for check, at in (("canary", START), ("canary", START + 60), ("quality", START + 30)):
        item = check_item(CheckResult(check, at, "passed", "fine"), int(START) + 86_400)
        world.clients.dynamodb.put_item(TableName=world.settings.alerts_table, Item=item)
    assert [result.at - START for result in world.service.checks(START, START + 61)] == [0, 30, 60]
    assert [result.check for result in world.service.checks(START, START + 60, "canary")] == ["canary"]
    newest = world.service.latest_checks()
    assert {name: result.at - START for name, result in newest.items()} == {"canary": 60, "quality": 30}


def test_results_of_another_version_are_unknown_and_expired_ones_are_none(world: World) -> None:
    for check, lasts in (("canary", 86_400), ("quality", 86_400), ("jobs", -1)):
        item: Any = check_item(CheckResult(check, START, "passed", "fine"), int(START) + lasts)
        if check == "quality":
            item["data"]["S"] = '{"findings": [], "verdict": "fine"}'
        world.clients.dynamodb.put_item(TableName=world.settings.alerts_table, Item=item)
    newest = world.service.latest_checks()
    assert {name: (result.status, result.at) for name, result in newest.items()} == {
        "canary": ("passed", START), "quality": ("unknown", START),
    }  # fmt: skip
    assert len(world.service.checks(START, START + 1)) == 2
