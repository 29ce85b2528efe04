"""`pulseboard trip` lists, records and refuses; the heartbeat's schedule comes on again in any case."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.contract.errors import InvalidInput
from backend.local import state
from backend.local.trips import TRIPS
from pulseboard.commands.trip import SWEEP_RULE, command, silence


def test_it_lists_what_can_be_tripped_with_its_severity() -> None:
    lines = CliRunner().invoke(command, [], catch_exceptions=False).output.splitlines()
    assert any(line.split()[:2] == ["kafka_broker_alive_count", "CRITICAL"] for line in lines)
    assert any(line.split()[:2] == ["alert_consumer_heartbeat", "CRITICAL"] for line in lines)


def test_it_leaves_a_line_for_the_running_demo(tmp_path: Path) -> None:
    with state.held(tmp_path):
        state.publish(tmp_path, {})
        arguments = ["dlq_records", "--minutes", "2", "--directory", str(tmp_path)]
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.output == "DLQ records: beyond its threshold for 2 min, then as before (synthetic)\n"
    entry = json.loads((tmp_path / TRIPS).read_text("utf-8"))
    assert (entry["metric"], entry["seconds"]) == ("dlq_records", 120)


@pytest.mark.parametrize(
    ("metric", "problem"), [("disk_usage", "can't be tripped"), ("dlq_records", "no running demo")]
)
def test_what_it_can_not_do_it_says_in_a_line(tmp_path: Path, metric: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        CliRunner().invoke(command, [metric, "--directory", str(tmp_path)], catch_exceptions=False)


class Rules:
    """EventBridge, as far as rules are switched."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def disable_rule(self, *, Name: str) -> None:  # noqa: N803 - boto3's
        self.calls.append(("off", Name))

    def enable_rule(self, *, Name: str) -> None:  # noqa: N803 - boto3's
        self.calls.append(("on", Name))


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_the_schedule_comes_on_again_when_the_waiting_is_interrupted(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    rules: Any = Rules()

    def interrupted(_seconds: float) -> None:
        # Left to its default SIGTERM would end the tests themselves.
        assert signal.getsignal(number) is not signal.SIG_DFL
        signal.raise_signal(number)

    with pytest.raises(raised):
        silence(rules, 60, lambda _: None, interrupted)
    assert rules.calls == [("off", SWEEP_RULE), ("on", SWEEP_RULE)]
