"""What fails fires, what is over is resolved, and what nobody knows is neither."""

from __future__ import annotations

from dataclasses import replace

from backend.checks.signals import JUDGED, KIND, MOST_FIRING, Firing, still_firing, told
from backend.contract.checks import CHECKS, CheckResult, Finding

NOW = 1_795_259_220.0
CHECK = next(check for check in CHECKS if check.name == "datasets")
ORDERS = Finding("orders", "orders is 3 h late", "HIGH", details={KIND: "dataset_late", "hours": 3})
CLEAN = CheckResult("datasets", NOW, "passed", "All fresh")
LATE = replace(CLEAN, status="failed", sentence="1 late", findings=(ORDERS,))
BEFORE = (Firing("dataset_late", "orders", "HIGH", "orders is 3 h late"),)


def test_a_finding_with_a_kind_speaks_for_itself() -> None:
    (signal,) = told(CHECK, LATE, ())
    assert (signal.kind, signal.subject, signal.state, signal.details) == (
        "dataset_late", "orders", "firing", {"hours": 3},
    )  # fmt: skip
    assert still_firing((), [(signal, False)]) == BEFORE


def test_findings_without_a_kind_speak_together_with_the_worst_severity() -> None:
    findings = (Finding("a", "wrong"), Finding("b", "worse", "CRITICAL"))
    (signal,) = told(CHECK, replace(LATE, findings=findings, value=2.0, unit="things"), ())
    assert (signal.kind, signal.subject, signal.severity, signal.value) == ("datasets", "", "CRITICAL", 2.0)
    assert signal.description == "a: wrong\nb: worse"


def test_a_failure_without_findings_is_told_all_the_same() -> None:
    assert [signal.kind for signal in told(CHECK, replace(LATE, findings=()), ())] == ["datasets"]


def test_what_is_not_found_any_more_is_resolved_and_forgotten_once_that_was_sent() -> None:
    (signal,) = told(CHECK, CLEAN, BEFORE)
    assert (signal.state, signal.kind, signal.severity) == ("resolved", "dataset_late", "HIGH")
    assert still_firing(BEFORE, [(signal, True)]) == ()
    assert still_firing(BEFORE, [(signal, False)]) == BEFORE


def test_not_knowing_resolves_nothing() -> None:
    (signal,) = told(CHECK, replace(CLEAN, status="unknown"), BEFORE)
    assert signal.state == "unknown"
    assert still_firing(BEFORE, [(signal, True)]) == BEFORE
    (signal,) = told(CHECK, replace(CLEAN, details={JUDGED: ["returns"]}), BEFORE)
    assert signal.state == "unknown"
    (signal,) = told(CHECK, replace(CLEAN, details={JUDGED: ["orders"]}), BEFORE)
    assert signal.state == "resolved"


def test_of_what_is_never_seen_again_only_the_newest_is_kept() -> None:
    before = tuple(Firing("dataset_late", str(number), "HIGH", "late") for number in range(MOST_FIRING + 1))
    assert still_firing(before, []) == before[1:]
