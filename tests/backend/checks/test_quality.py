"""Data quality: what changed is a finding of its event type, and every run learns."""

from __future__ import annotations

from typing import Any

import pytest

from backend.checks import quality
from backend.checks.profile import Profile, profile_of, read_profile
from backend.checks.quality import BASELINE, OfType, measured, result_of
from backend.checks.signals import told
from backend.contract.checks import CHECKS

START = 1_795_258_800.0
CHECK = next(check for check in CHECKS if check.name == quality.NAME)


def orders(count: int, **changed: Any) -> Profile:
    return profile_of({"order_id": f"o-{n}", "amount": n, **changed} for n in range(count))


def test_a_changed_type_has_failed_with_what_changed() -> None:
    looked = [OfType("order_placed", orders(30, amount="7"), orders(200)), OfType("paid", orders(30), orders(200))]
    result = result_of(looked, {}, 2, START, 0.1)
    assert (result.status, result.value) == ("failed", 2)
    assert {finding.subject for finding in result.findings} == {"order_placed"}
    assert "amount has become string" in result.sentence
    assert [(m.value, m.labels) for m in measured(CHECK, result)] == [(2.0, {"event_type": "order_placed"})]


def test_a_type_that_could_not_be_compared_again_is_not_resolved_by_another_that_could() -> None:
    usual = OfType("paid", orders(30), orders(200))
    changed = OfType("order_placed", orders(30, amount="7"), orders(200))
    signals = told(CHECK, result_of([changed, usual], {}, 2, START, 0.1), ())
    assert [(signal.kind, signal.subject) for signal in signals] == [("quality", "order_placed")]
    assert signals[0].title.startswith("Data quality: order_placed: amount ")
    assert signals[0].title.endswith(", and 1 more")
    before = tuple(signal.firing for signal in signals)
    rare = OfType("order_placed", orders(5), orders(200))
    assert [s.state for s in told(CHECK, result_of([rare, usual], {}, 2, START, 0.1), before)] == ["unknown"]


def test_without_enough_events_it_is_unknown_and_learns() -> None:
    result = result_of([OfType("order_placed", orders(30), None)], {"old": orders(5).as_json()}, 1, START, 0.1)
    assert (result.status, result.value) == ("unknown", None)
    assert "1 too new or too rare" in result.sentence
    assert read_profile(result.details[BASELINE]["order_placed"]).events == 30
    assert "old" in result.details[BASELINE]
    assert list(measured(CHECK, result)) == []


def test_a_type_that_looks_as_it_did_passes_and_says_zero() -> None:
    result = result_of([OfType("order_placed", orders(30), orders(200), unread=2)], {}, 1, START, 0.1)
    assert (result.status, [m.value for m in measured(CHECK, result)]) == ("passed", [0.0])
    assert "2 objects could not be read" in result.sentence


def test_what_there_is_no_room_for_is_not_kept_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "BASELINE_BYTES", 300)
    looked = [OfType(f"type-{n}", orders(30 + n), None) for n in range(5)]
    result = result_of(looked, {}, 5, START, 0.1)
    assert set(result.details[BASELINE]) == {"type-4"}
    assert "4 types have no room" in result.sentence
