"""The demo does not wait an hour for its hourly checks."""

from __future__ import annotations

from typing import Any

from backend.local.sooner import run_slow_checks


class Functions:
    """Stands for Lambda's client."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []

    def invoke(self, **given: Any) -> None:
        self.asked.append((given["FunctionName"], given["InvocationType"], given["Payload"]))


def test_hourly_and_daily_checks_are_run_and_quicker_ones_left_to_their_schedules() -> None:
    functions = Functions()
    run_slow_checks(functions)
    assert {payload for _, _, payload in functions.asked} == {
        b'{"check": "reconciliation"}', b'{"check": "daily"}', b'{"check": "sampling"}', b'{"check": "quality"}',
    }  # fmt: skip
    assert {(name, kind) for name, kind, _ in functions.asked} == {("pipeline-checks", "Event")}
