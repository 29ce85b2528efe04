"""`pulseboard pipeline`: lines, exit codes, one clear line for bad input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from backend.contract.errors import InvalidInput
from backend.contract.executions import Execution
from pulseboard.commands import pipeline as module
from pulseboard.commands.pipeline import command, moment, shown

AT = 1_795_000_000.0
GOOD = Execution("run-1", "arn:run-1", "SUCCEEDED", AT, AT + 12)
BAD = Execution("run-2", "arn:run-2", "FAILED", AT, AT + 3, "GenerateMetrics", "No metrics\x1b[2J were generated")


class Machine:
    """Ends each execution as it is told, at the second look."""

    used = True

    def __init__(self, end: Execution) -> None:
        self.end = end
        self.started: list[tuple[Any, ...]] = []

    def start(self, by: str, reason: str, at: float | None = None) -> Execution:
        self.started.append((reason, at))
        return Execution(self.end.name, self.end.arn, "RUNNING", AT)

    def get(self, arn: str) -> Execution:
        assert arn == self.end.arn
        return self.end

    def recent(self, limit: int = 10) -> tuple[Execution, ...]:
        return (GOOD, BAD)[:limit]


def run(monkeypatch: pytest.MonkeyPatch, machine: Machine, *words: str) -> Any:
    monkeypatch.setattr(module, "wired", lambda: machine)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    return CliRunner().invoke(command, words)


@pytest.mark.parametrize(("end", "code"), [(GOOD, 0), (BAD, 1)])
def test_it_waits_and_says_by_its_exit_code_how_it_went(
    monkeypatch: pytest.MonkeyPatch, end: Execution, code: int
) -> None:
    machine = Machine(end)
    answer = run(monkeypatch, machine, "run", "--reason", "a test", "--at", "2026-11-18T11:06:40Z")
    assert answer.exit_code == code
    assert end.status in answer.output
    assert machine.started == [("a test", AT)]


def test_it_need_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = run(monkeypatch, Machine(BAD), "run", "--reason", "a test", "--no-wait", "--json")
    assert answer.exit_code == 0
    assert json.loads(answer.output)["status"] == "RUNNING"


def test_an_execution_that_goes_on_is_told_apart_from_one_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = Execution("run-3", "arn:run-3", "RUNNING", AT)
    moments = iter([0.0, 0.5, 2.0])
    monkeypatch.setattr("pulseboard.commands.pipeline.time.monotonic", lambda: next(moments))
    assert run(monkeypatch, Machine(goes_on), "run", "--reason", "a test", "--timeout", "1").exit_code == 75


def test_a_cause_can_not_steer_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = run(monkeypatch, Machine(GOOD), "list", "--limit", "2")
    assert answer.exit_code == 0
    assert "GenerateMetrics  No metrics?[2J were generated" in answer.output
    assert "\x1b" not in shown(BAD, as_json=False)


@pytest.mark.parametrize("text", ["yesterday", "2026-11-18T11:06:40"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="with a zone"):
        moment(text)


def test_without_a_state_machine_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_MACHINE_ARN", raising=False)
    with pytest.raises(InvalidInput, match=r"STATE_MACHINE_ARN.*pulseboard env"):
        module.wired()
