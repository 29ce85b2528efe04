"""Ratios and burn rates: no number without enough behind it, no silence taken for a healthy budget."""

from __future__ import annotations

from typing import Any

from backend.checks.aws_metrics import FUNCTIONS
from backend.checks.burn import burning, fast, rates, undecided
from backend.checks.ratios import Read, duration_percent, error_rate, measured, result_of
from backend.checks.signals import told
from backend.contract.catalogue import load_catalogue
from backend.contract.checks import CHECKS
from backend.contract.slo import SloCard, Tally, not_connected, slo_card
from backend.events.own_metrics import Measured
from backend.local.template import load_template, properties

NOW = 1_795_266_000.0
CHECK = next(check for check in CHECKS if check.name == "ratios")
METRIC = load_catalogue()["events_ingested"]
TITLE = "Successful events"


def card(bad: float, minutes: int = 360, silent: int = 0) -> SloCard:
    tally = Tally(1000 - bad, 1000)
    fine = {NOW - 60 * (index + 1): tally for index in range(silent, minutes)}
    return slo_card(METRIC, fine, {NOW - 3600 * (index + 1): tally for index in range(100)}, NOW)


def test_few_invocations_give_no_error_rate() -> None:
    assert error_rate({"a": (3, 1)}) == []
    assert error_rate({"a": (15, 0), "b": (5, 2)}) == [Measured("lambda_error_rate", 10, {})]


def test_the_longest_run_is_in_percent_of_the_time_out() -> None:
    assert duration_percent({"ingest-api": 14_500.0}) == [
        Measured("lambda_duration_percent", 50, {"function": "ingest-api"})
    ]


def test_the_functions_and_their_time_outs_are_the_templates() -> None:
    template: Any = load_template()
    functions = [
        properties(template, name, {})
        for name, entry in template["Resources"].items()
        if entry["Type"] == "AWS::Lambda::Function"
    ]
    assert dict(FUNCTIONS) == {function["FunctionName"]: function["Timeout"] for function in functions}


def test_a_budget_that_burns_in_both_windows_pages_with_when_it_is_gone() -> None:
    (finding,) = burning([card(bad=20)])
    assert (finding.subject, finding.severity) == (TITLE, "CRITICAL")
    assert "burns at 20.0 times its even pace and is gone" in finding.sentence
    assert [(m.metric_type, round(m.value, 6)) for m in rates([card(bad=20)])] == [
        ("burn_rate_1h", 20), ("burn_rate_6h", 20), ("burn_rate_3d", 20),
    ]  # fmt: skip


def test_a_slow_burn_is_a_ticket() -> None:
    (finding,) = burning([card(bad=2)])
    assert (finding.severity, finding.details["runbook"]) == ("HIGH", "burn_rate_3d")
    assert burning([card(bad=0.5)]) == ()


def test_a_burn_is_as_severe_as_the_alarm_that_it_speaks_for() -> None:
    for bad in (2, 20):
        (finding,) = burning([card(bad=bad)])
        alarm = load_catalogue()[finding.details["runbook"]].alarm
        assert alarm is not None
        assert finding.severity == alarm.severity


def test_without_enough_data_nothing_burns_and_what_burnt_is_not_resolved() -> None:
    silent = not_connected("events_ingested", TITLE, 99.9)
    assert (burning([silent]), rates([silent]), undecided([silent])) == ((), [], [TITLE])
    assert all(m.metric_type != "burn_rate_1h" for m in rates([card(bad=20, minutes=2)]))
    burnt = result_of(Read([], findings=burning([card(bad=20)])), NOW, NOW, burns_known=True)
    before = tuple(signal.firing for signal in told(CHECK, burnt, ()))
    other = Measured("lambda_error_rate", 0.0, {})
    after = result_of(Read([other], unsure=(TITLE,)), NOW, NOW, burns_known=True)
    judged = result_of(Read([other], judged=(TITLE,)), NOW, NOW, burns_known=True)
    assert [signal.state for signal in told(CHECK, after, before)] == ["unknown"]
    assert [s.state for s in told(CHECK, judged, before)] == ["resolved"]


def test_a_pair_that_burnt_and_lacks_data_since_is_not_over_because_a_slower_one_is_fine() -> None:
    burnt = fast([card(bad=20)], {})
    assert burnt == {TITLE: ["burn_rate_1h", "burn_rate_6h", "burn_rate_3d"]}
    silent = card(bad=0, silent=7)
    assert [burn.state for burn in silent.burn] == ["not_enough_data", "ok", "ok"]
    still = fast([silent], burnt)
    assert still == {TITLE: ["burn_rate_1h"]}
    assert fast([silent], {}) == {}
    assert fast([card(bad=0)], still) == {}


def test_burn_rates_that_could_not_be_read_make_it_unknown_whatever_else_was() -> None:
    read = Read([Measured("lambda_error_rate", 1.5, {})], problems=["burn rates not read (throttled)"])
    result = result_of(read, NOW, NOW, burns_known=False)
    assert (result.status, result.value) == ("unknown", 1.5)
    assert result.sentence == "Whether a budget burns is not known; burn rates not read (throttled)"
    assert list(measured(CHECK, result)) == read.measured
    assert result_of(Read(), NOW, NOW, burns_known=True).status == "unknown"


def test_a_quiet_stack_passes_with_its_numbers() -> None:
    result = result_of(Read([Measured("lambda_error_rate", 1.5, {})]), NOW, NOW, burns_known=True)
    assert (result.status, result.value, result.unit) == ("passed", 1.5, "%")
    assert result.sentence == "1.5 % of invocations fail, no budget burns"
