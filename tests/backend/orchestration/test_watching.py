"""The branches of ParallelMonitoring: seen by readers, alarms in order, checks that run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from backend.contract.checks import CHECKS, CheckResult
from backend.orchestration.watching import (
    NotVisible,
    alarm_verdict,
    freshness,
    watchers,
    watchers_verdict,
)
from backend.processor.items import Row

AT = 1_795_000_030.0
DOCUMENT = {"generated": {"at": AT, "ended_at": AT + 2, "samples": 2, "objects": []}}
NAMES = ["pulseboard-a", "pulseboard-b"]


def alarm(name: str, state: str = "OK", *, enabled: bool = True) -> Any:
    return {"AlarmName": name, "StateValue": state, "ActionsEnabled": enabled}


def test_samples_are_looked_for_in_their_minute_and_environment() -> None:
    asked: list[tuple[str, float, float]] = []

    def query(partition: str, start: float, end: float) -> Iterable[Row]:
        asked.append((partition, start, end))
        return [Row(int(start), "", 0, 0, "id")]

    verdict = freshness(DOCUMENT, ["cpu_utilization"], "staging", query, AT + 90)
    assert verdict["status"] == "passed"
    assert verdict["sentence"] == "Readers find all 1 required metrics, collected 90 s ago"
    assert asked == [("cpu_utilization@live#staging", AT - 10, AT - 10)]


def test_samples_that_are_not_in_the_index_yet_make_the_state_try_again() -> None:
    with pytest.raises(NotVisible, match="memory_usage"):
        freshness(DOCUMENT, ["memory_usage"], "production", lambda *_: (), AT + 9)


@pytest.mark.parametrize(
    ("found", "status", "sentence"),
    [
        ([alarm(NAMES[0]), alarm(NAMES[1])], "passed", "No alarm on Pulseboard's own path is firing"),
        ([alarm(NAMES[0], "INSUFFICIENT_DATA"), alarm(NAMES[1])], "passed",
         "No alarm on Pulseboard's own path is firing; without data: pulseboard-a"),
        ([alarm(NAMES[0], "ALARM"), alarm(NAMES[1])], "failed", "Alarms are firing: pulseboard-a"),
        ([alarm(NAMES[1])], "failed", "Alarms do not exist: pulseboard-a"),
        ([alarm(NAMES[0], "ALARM"), alarm(NAMES[1], enabled=False)], "failed",
         "Alarms are firing: pulseboard-a; alarms tell nobody: pulseboard-b"),
    ],
)  # fmt: skip
def test_alarms(found: list[Any], status: str, sentence: str) -> None:
    assert alarm_verdict(NAMES, found) == {"status": status, "sentence": sentence}


def test_a_check_that_stands_still_fails_the_execution_and_one_that_never_ran_does_not() -> None:
    first, second = CHECKS[0], CHECKS[5]
    fresh = CheckResult(first.name, AT - 10, "failed", "it found something")
    assert watchers_verdict({first: fresh, second: None}, AT) == {
        "status": "passed", "sentence": "1 of 2 scheduled checks have run, none is overdue",
    }  # fmt: skip
    old = CheckResult(second.name, AT - 3 * second.every_seconds - 1, "passed", "all well")
    assert watchers_verdict({first: fresh, second: old}, AT) == {
        "status": "failed", "sentence": f"Checks do not run any more: {second.title}",
    }  # fmt: skip


def test_checks_that_are_switched_off_are_not_asked() -> None:
    def never(_check: object) -> None:
        raise AssertionError

    assert watchers("DISABLED", never, AT)["status"] == "passed"
