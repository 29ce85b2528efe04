"""The table says what came of each case, and its page keeps everything around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.contract.errors import InvalidInput
from chaos.__main__ import cases
from chaos.campaign import Case, Result
from chaos.ledger import Balance
from chaos.report import BEGIN, END, line, render, write


def result(**changes: object) -> Result:
    made = Result(
        Case("s3", "refused"), {"events": Balance(3, 2, lost=("e-1",))}, recovery={"pages": 4.2, "event": None}
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_row_has_the_losses_and_how_long_the_recovery_took() -> None:
    text = render([result()], 60.0, 1_795_262_400.0, 1_795_262_460.0)
    assert "| s3 | refused | not counted | 1 | 0 | fresh | 0 s | 4 s | not in time |" in text
    assert "events that POST /ingest took | 3 | 2 | 1 | 0 |" in text


def test_a_row_says_how_many_requests_met_the_fault() -> None:
    text = render([result(case=Case("s3", "half"), hits={"pass": 9, "fail": 4, "cut": 5})], 60.0, 0.0, 60.0)
    assert "| s3 | half | 9 | 1 |" in text


def test_what_is_lost_is_named() -> None:
    assert "lost e-1" in line(result())


def test_aggregates_that_count_too_much_are_no_even_case() -> None:
    assert not result(balances={"events": Balance(1, 1)}, miscounted=1).even
    assert result(balances={"events": Balance(1, 1)}).even


def test_the_page_keeps_what_stands_around_the_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(page, "new")
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "new" in text
    assert "old" not in text


def test_a_page_without_a_place_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="no place"):
        write(page, "new")


def test_cases_are_chosen_by_how_their_names_begin() -> None:
    assert [str(case) for case in cases(["dynamodb/s", "agent"])] == ["dynamodb/slow", "agent/killed"]
    with pytest.raises(InvalidInput, match="mongodb"):
        cases(["mongodb"])
