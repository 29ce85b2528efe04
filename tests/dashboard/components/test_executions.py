"""The panel of executions: every look, nobody's markup, and who may start one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from backend.contract.executions import MACHINE, Execution
from dashboard.components.executions import panel, run_form
from dashboard.data.executions import Executions, read_executions
from dashboard.html import render

NOW = 1_795_000_000.0
ARN = f"arn:aws:states:eu-central-1:123456789012:execution:{MACHINE}"
FOUND = (
    Execution("now", f"{ARN}:now", "RUNNING", NOW - 9),
    Execution("bad", f"{ARN}:bad", "FAILED", NOW - 60, NOW - 51, "GenerateMetrics",
              "No metrics were generated: <img src=x onerror=alert(1)>"),
    Execution("good", f"{ARN}:good", "SUCCEEDED", NOW - 90, NOW - 80),
)  # fmt: skip


class Machine:
    """A state machine that lists FOUND, or raises."""

    used = True

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def recent(self, limit: int = 10) -> tuple[Execution, ...]:
        if self._error:
            raise self._error
        return FOUND[:limit]

    def start(self, by: str, reason: str, at: float | None = None) -> Execution:
        return FOUND[0]


def shared(key: str, read: Callable[[], Any], every: float | None = None) -> Any:
    return read()


def shown(executions: Executions, role: str = "viewer") -> str:
    return render(panel(executions, role), NOW)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "ListExecutions")


def test_executions_say_status_start_duration_and_why_they_failed() -> None:
    html = shown(read_executions(Machine(), shared))
    for words in ("Running", "Succeeded", "Failed", "GenerateMetrics", "9.0 s", "all 3, of Step Functions"):
        assert words in html
    assert "&lt;img src=x onerror" in html
    assert "<img" not in html
    assert (
        f"https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1#/v2/executions/details/{ARN}:bad"
        in html
    )
    assert 'href="/runbooks/execution_failed"' in html


def test_a_display_shows_neither_causes_nor_links() -> None:
    html = shown(read_executions(Machine(), shared), "display")
    assert "GenerateMetrics" in html
    assert "onerror" not in html
    assert "<a " not in html


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        (None, "Set STATE_MACHINE_ARN"),
        (Machine(refused("StateMachineDoesNotExist")), "does not exist any more"),
        (Machine(refused("AccessDeniedException")), "may not list executions"),
    ],
)
def test_a_state_machine_that_is_not_there_is_called_not_used(pipeline: Machine | None, words: str) -> None:
    executions = read_executions(pipeline, shared)
    html = shown(executions)
    assert "Not used" in html
    assert words in html
    assert run_form(executions, "operator") == []


@pytest.mark.parametrize(
    "error", [refused("ThrottlingException"), EndpointConnectionError(endpoint_url="x"), TimeoutError()]
)
def test_what_can_not_be_read_is_an_error_and_not_an_empty_list(error: Exception) -> None:
    executions = read_executions(Machine(error), shared)
    html = shown(executions)
    assert "Can&#x27;t be read" in html or "Can't be read" in html
    assert "No execution yet" not in html


def test_none_yet_is_said_as_such() -> None:
    assert "No execution yet" in shown(Executions(()))


@pytest.mark.parametrize(("role", "form"), [("operator", True), ("viewer", False), ("display", False)])
def test_only_operators_get_the_form(role: str, form: bool) -> None:
    assert bool(run_form(read_executions(Machine(), shared), role)) is form
