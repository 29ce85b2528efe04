"""The checks tab: a check that did not run is unknown, and an hour is green only where it was counted and settled."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from backend.contract.checks import CHECKS, HourCounts
from dashboard.components.checks_strip import ROWS, cell_kind, strip_traces
from dashboard.data.checks import HOUR, hour_counts, strip_of, view_of
from tests.dashboard.alert_desk import AlertDesk
from tests.dashboard.alert_fakes import check_results
from tests.dashboard.fakes import NOW

CANARY = next(check for check in CHECKS if check.name == "canary")
COUNTS = {"ingested": 1000, "stored": 1000, "indexed": 1000, "processed": 990, "dead_lettered": 10}


@pytest.fixture
def desk() -> AlertDesk:
    return AlertDesk()


def hour(match: float | None = 100.0, *, settled: bool = True, **counts: int | None) -> HourCounts:
    return HourCounts(0, {**COUNTS, **counts}, match, settled)


@pytest.mark.parametrize(("age", "state"), [(0, "passed"), (180, "passed"), (181, "unknown"), (9e5, "unknown")])
def test_a_check_is_unknown_once_it_missed_three_intervals(age: float, state: str) -> None:
    result = replace(check_results(NOW)["canary"], at=NOW - age)
    assert view_of(CANARY, result, "production", NOW).state == state


def test_a_check_that_never_ran_or_could_not_look_is_unknown(desk: AlertDesk) -> None:
    page = desk.part("alerts-rows", tab="checks")
    rows = dict(re.findall(r'<tr id="check-(\w+)" data-state="(\w+)"', page))
    assert len(rows) == len(CHECKS)
    assert rows["daily"] == rows["invariants"] == rows["sampling"] == "unknown"
    assert rows["canary"] == "healthy"
    assert rows["reconciliation"] == "critical"
    assert rows["quality"] == "degraded", "nobody is called for it"
    assert "it has never run, or its result can't be read" in page
    assert "No result for 25 min" in page
    assert "4 passed, 2 failed, 3 unknown" in page


def test_what_was_looked_at_elsewhere_says_nothing_of_this_environment(desk: AlertDesk) -> None:
    page = desk.part("alerts-rows", tab="checks", environment="staging")
    rows = re.findall(r'<tr id="check-\w+" data-state="(\w+)"', page)
    assert set(rows) == {"unknown"}
    assert "It looks at production only: nothing is known of staging." in page
    assert "96.9" not in page
    assert "No reconciliation of staging" in desk.part("strip-foot", tab="checks", environment="staging")


def test_an_overdue_value_is_not_shown_as_if_it_held(desk: AlertDesk) -> None:
    row = desk.part("alerts-rows", tab="checks").split('id="check-invariants"')[1].split("</tr>")[0]
    assert "0 violations" not in row


def test_findings_are_cut_and_it_is_said(desk: AlertDesk) -> None:
    page = desk.part("alerts-rows", tab="checks")
    assert ">26 findings</summary>" in page
    assert page.count("order_placed.field_") == 20
    assert "and 6 more" in page


@pytest.mark.parametrize(
    ("counted", "row", "kind"),
    [
        (hour(), "match", "complete"),
        (hour(99.8), "match", "missing"),
        (hour(None), "match", "unknown"),
        (hour(), "ingested", "counted"),
        (hour(), "stored", "complete"),
        (hour(stored=None), "stored", "unknown"),
        (hour(indexed=990), "indexed", "missing"),
        (hour(), "processed", "complete"),
        (hour(dead_lettered=0), "processed", "missing"),
        (hour(dead_lettered=None), "processed", "counted"),
        (hour(ingested=None), "stored", "counted"),
        (hour(settled=False), "match", "settling"),
        (hour(settled=False, stored=None), "stored", "unknown"),
        (hour(ingested=0, stored=0), "stored", "complete"),
        (None, "match", "unknown"),
    ],
)
def test_a_cell_is_complete_only_where_it_was_counted_and_is_settled(
    counted: HourCounts | None, row: str, kind: str
) -> None:
    assert cell_kind(counted, row, 99.9) == kind


def test_the_strip_has_every_hour_and_stage_once_and_hatches_what_nobody_knows(desk: AlertDesk) -> None:
    traces = desk.view(tab="checks").charts["chart-reconciliation"]
    assert sum(len(trace["x"]) for trace in traces) == 24 * len(ROWS)
    named: dict[str, Any] = {trace["name"]: trace for trace in traces}
    assert set(named) == {"complete", "events are missing", "counted", "still settling", "unknown"}
    assert named["unknown"]["marker"]["pattern"]["shape"] == "/"
    assert set(named["unknown"]["text"]) == {""}
    assert len(named["still settling"]["x"]) == 2 * len(ROWS)
    assert sum(len(t["x"]) for t in desk.view(tab="checks", hours="48").charts["chart-reconciliation"]) == 48 * 6


def test_the_newest_word_on_an_hour_counts() -> None:
    newest = NOW // HOUR * HOUR
    row = {"hour": newest, "counts": COUNTS, "match_percent": 90.0, "settled": False}
    early = replace(check_results(NOW)["reconciliation"], at=NOW - 10, details={"hours": [row]})
    late = replace(early, at=NOW, details={"hours": [{**row, "match_percent": 100.0, "settled": True}]})
    strip = strip_of([late, early], 24, NOW)
    assert strip is not None
    assert strip.hours[-1] is not None
    assert strip.hours[-1].settled
    assert strip.hours[:-1] == (None,) * 23
    assert strip_of([], 24, NOW) is None
    assert strip_traces(None, 99.9) == []


@pytest.mark.parametrize("row", [None, "x", {}, {"hour": "x", "counts": {}, "settled": True}, {"hour": 1, "counts": 5},
                                 {"hour": 1, "counts": {"stored": "many"}, "settled": True}])  # fmt: skip
def test_an_hour_of_another_shape_is_unknown_not_an_error(row: Any) -> None:
    assert hour_counts(row) is None


def test_without_any_reconciliation_there_is_no_strip_and_it_says_so(desk: AlertDesk) -> None:
    desk.service.results = {}
    view = desk.view(tab="checks")
    assert view.charts["chart-reconciliation"] == []
    assert view.props["plot-reconciliation"]["className"] == "plot plot-empty"
    assert "No reconciliation of production has been recorded yet" in desk.part("strip-foot", tab="checks")
