"""A run is recorded once for its interval, measured, and told; what it could not see is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from backend.checks.handler import Checks, window_of
from backend.checks.registry import REGISTRY, Entry
from backend.checks.signals import KIND
from backend.checks.store import CheckStore
from backend.checks.world import World
from backend.contract.checks import CHECKS, CheckResult, Finding
from backend.contract.errors import InvalidInput
from backend.local.template import load_template, properties
from tests.backend.checks.checks_world import Desk, desk

RECONCILIATION = next(check for check in CHECKS if check.name == "reconciliation")


@pytest.fixture
def at_desk() -> Iterator[Desk]:
    with desk() as made:
        yield made


def failing(world: World, now: float) -> CheckResult:
    return CheckResult(
        "reconciliation", now, "failed", "3 missing", 99.0, "%", findings=(Finding("15:00", "3 missing"),)
    )


def otherwise(world: World, now: float) -> CheckResult:
    return replace(failing(world, now), findings=(Finding("16:00", "1 missing", details={KIND: "reconciliation"}),))


def passing(world: World, now: float) -> CheckResult:
    return replace(failing(world, now), status="passed", sentence="all there", value=100.0, findings=())


def raising(world: World, now: float) -> CheckResult:
    raise PermissionError("no access\nto the table")


def checks(at: Desk, run: object) -> Checks:
    return Checks(at.world, {"reconciliation": Entry(RECONCILIATION, run)})  # type: ignore[arg-type]


def test_there_is_code_for_each_check_and_no_other() -> None:
    assert tuple(REGISTRY) == tuple(check.name for check in CHECKS)
    assert {entry.check for entry in REGISTRY.values()} == set(CHECKS)


def test_each_check_has_a_schedule_as_often_as_it_says() -> None:
    template = load_template()
    rules = [
        properties(template, name, {"ChecksEnabled": "ENABLED"})
        for name, entry in template["Resources"].items()
        if entry["Type"] == "AWS::Events::Rule"
    ]
    by_input = {target.get("Input"): rule.get("ScheduleExpression") for rule in rules for target in rule["Targets"]}
    often = {60: "rate(1 minute)", 300: "rate(5 minutes)", 3600: "rate(1 hour)", 86400: "cron(0 3,6 * * ? *)"}
    for check in CHECKS:
        assert by_input[f'{{"check": "{check.name}"}}'] == often[check.every_seconds]


def test_a_result_is_kept_measured_and_told(at_desk: Desk) -> None:
    checks(at_desk, failing)("reconciliation")
    (kept,) = at_desk.results("reconciliation")
    assert (kept.status, kept.at, kept.when) == ("failed", window_of(RECONCILIATION, at_desk.now), at_desk.now)
    assert at_desk.ingest.measured("reconciliation_match_percent") == {"": 99.0}
    (signal,) = at_desk.told.sent
    assert (signal["severity"], signal["kind"], signal["state"]) == ("HIGH", "reconciliation", "firing")


def test_a_second_run_within_the_interval_takes_the_firsts_place(at_desk: Desk) -> None:
    checks(at_desk, failing)("reconciliation")
    at_desk.set(at_desk.now + 60)
    checks(at_desk, passing)("reconciliation")
    assert [result.sentence for result in at_desk.results("reconciliation")] == ["all there"]


def test_it_is_resolved_once_when_it_passes_again(at_desk: Desk) -> None:
    for run in (failing, failing, passing, passing):
        checks(at_desk, run)("reconciliation")
    assert [signal["state"] for signal in at_desk.told.sent] == ["firing", "firing", "resolved"]


def test_a_resolution_that_was_not_sent_is_sent_again(at_desk: Desk) -> None:
    checks(at_desk, failing)("reconciliation")
    at_desk.told.arrives = False
    checks(at_desk, passing)("reconciliation")
    at_desk.told.arrives = True
    checks(at_desk, passing)("reconciliation")
    assert [signal["state"] for signal in at_desk.told.sent] == ["firing", "resolved", "resolved"]


def test_a_check_that_raises_is_unknown_with_the_reason_in_one_line_and_resolves_nothing(at_desk: Desk) -> None:
    checks(at_desk, failing)("reconciliation")
    at_desk.set(at_desk.now + 3600)
    result = checks(at_desk, raising)("reconciliation")
    assert (result.status, result.value) == ("unknown", None)
    assert result.sentence == "Could not look (PermissionError: no access to the table)"
    assert at_desk.results("reconciliation")[-1] == result
    assert [signal["state"] for signal in at_desk.told.sent] == ["firing", "unknown"]
    assert at_desk.world.results.firing("reconciliation")


def test_a_failure_that_can_not_be_recorded_is_told_all_the_same(at_desk: Desk) -> None:
    nowhere = replace(at_desk.world.settings, alerts_table="no-such-table")
    world = replace(at_desk.world, results=CheckStore(at_desk.world.clients.dynamodb, nowhere))
    with pytest.raises(ClientError):
        Checks(world, {"reconciliation": Entry(RECONCILIATION, failing)})("reconciliation")
    assert [signal["state"] for signal in at_desk.told.sent] == ["firing"]


def test_what_fired_is_not_forgotten_where_it_could_not_be_read(at_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    checks(at_desk, failing)("reconciliation")
    before = at_desk.world.results.firing("reconciliation")

    def throttled(check: str) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")

    with monkeypatch.context() as patched:
        patched.setattr(at_desk.world.results, "firing", throttled)
        checks(at_desk, otherwise)("reconciliation")
    assert [signal["subject"] for signal in at_desk.told.sent] == ["", "16:00"]
    assert at_desk.world.results.firing("reconciliation") == before


def test_a_name_that_is_no_check_is_refused(at_desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="check: 'nonsense' is not known"):
        checks(at_desk, passing)("nonsense")
