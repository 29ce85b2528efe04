"""docs/cost.md is what the calculation says, from the units that were measured."""

from __future__ import annotations

from pathlib import Path

from backend.bill_docs import TARGET_PAGE, render, runs
from backend.contract.units import load_units, written
from backend.local.template import load_template
from backend.settings_prices import Prices

ROOT = Path(__file__).parents[2]


def test_the_page_of_costs_is_current() -> None:
    text = (ROOT / TARGET_PAGE).read_text("utf-8")
    assert text == render(load_units(), Prices(), load_template()), "run `python -m backend.bill_docs`"


def test_the_measured_units_are_written_as_they_are_read() -> None:
    assert (ROOT / "backend/contract/units.toml").read_text("utf-8") == written(load_units())


def test_a_schedule_is_so_many_runs_a_month() -> None:
    assert [runs(text) for text in ("rate(1 minute)", "rate(5 minutes)", "rate(1 hour)")] == [43_200, 8640, 720]
    assert runs("cron(0 3,6 * * ? *)") == 60
