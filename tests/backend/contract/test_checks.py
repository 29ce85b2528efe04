"""How a check stands, and that what is kept of a result reads back as it was, or says what is missing."""

from __future__ import annotations

from backend.contract.catalogue import load_catalogue
from backend.contract.check_items import CUT, MOST_FINDINGS, check_item, check_partition, check_result
from backend.contract.checks import CHECKS, SOURCE, CheckResult, Finding, standing
from backend.contract.tables import FINGERPRINT, OPENED_AT

NOW = 1_795_259_220.0
HOURLY = next(check for check in CHECKS if check.name == "reconciliation")


def result(**changes: object) -> CheckResult:
    values: dict[str, object] = {"check": HOURLY.name, "at": NOW, "status": "passed", "sentence": "All is well"}
    return CheckResult(**(values | changes))  # type: ignore[arg-type]


def test_a_check_that_never_ran_or_not_of_late_is_unknown() -> None:
    assert standing(HOURLY, None, NOW).status == "unknown"
    overdue = standing(HOURLY, result(), NOW + 3 * 3600 + 1)
    assert (overdue.status, overdue.at) == ("unknown", NOW)
    assert "Has not run for 3 h" in overdue.sentence


def test_a_check_that_ran_says_what_it_found() -> None:
    assert standing(HOURLY, result(status="failed", sentence="3 missing"), NOW + 3600).sentence == "3 missing"


def test_a_result_reads_back_as_it_was() -> None:
    finding = Finding("2026-11-21 15:00", "3 missing", "HIGH", "/alerts", {"hour": NOW})
    whole = result(value=99.5, unit="%", window_start=NOW - 60, findings=(finding,), details={"hours": [{"a": None}]})
    item = check_item(whole, 1)
    assert check_result(item) == whole
    assert item[FINGERPRINT]["S"] == check_partition("reconciliation")
    assert check_item(result(sentence="later"), 1)[OPENED_AT] == item[OPENED_AT]


def test_what_does_not_fit_into_an_item_is_cut_and_said_to_be() -> None:
    many = tuple(Finding(str(number), "missing") for number in range(MOST_FINDINGS + 1))
    assert CUT in check_result(check_item(result(findings=many), 1)).details
    large = tuple(Finding(str(number), "x" * 5_000, details={"a": "y" * 5_000}) for number in range(MOST_FINDINGS))
    item = check_item(result(findings=large, details={"z": "z" * 400_000}), 1)
    assert len(item["data"]["S"]) < 400_000
    assert "did not fit" in check_result(item).details[CUT]


def test_whatever_covers_an_alarm_fires_as_a_check_does() -> None:
    rules = {rule for check in CHECKS for rule in check.rules}
    covering = {metric.alarm.covered_by for metric in load_catalogue().values() if metric.alarm}
    assert {rule for rule in covering if rule.startswith(f"{SOURCE}:")} <= rules
    assert {"checks:job_hung", "checks:dataset_late", "checks:reconciliation", "checks:burn_rate"} <= rules
    assert "checks:jobs" not in rules
