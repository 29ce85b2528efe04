"""`pulseboard cost`: parts are switched, and the sum is theirs."""

from __future__ import annotations

import re

from click.testing import CliRunner

from pulseboard.commands.cost import command


def cost(*arguments: str) -> tuple[str, float]:
    answer = CliRunner().invoke(command, arguments, env={"PULSEBOARD_CONFIG": ""})
    assert answer.exit_code == 0, answer.output
    total = re.search(r"A month in US dollars\s+([\d.]+)", answer.output)
    assert total is not None
    return answer.output, float(total[1])


def test_a_part_that_is_switched_off_is_not_in_the_sum() -> None:
    text, whole = cost()
    assert "ChecksEnabled" in text
    assert "Fargate" not in text
    less, smaller = cost("--without", "checks", "--without", "ratios", "--without", "canary")
    assert "ChecksEnabled" not in less
    assert smaller < whole
    hosted, larger = cost("--with", "hosting", "--events", "1000000")
    assert "Fargate: vCPU" in hosted
    assert larger > whole + 50


def test_list_prices_are_said_and_never_less() -> None:
    text, listed = cost("--list-price")
    assert "list prices" in text
    assert listed > cost()[1]


def test_a_part_that_does_not_exist_is_refused_by_name() -> None:
    answer = CliRunner().invoke(command, ["--without", "everything"])
    assert answer.exit_code == 2
    assert "'everything' is not one of" in answer.output
