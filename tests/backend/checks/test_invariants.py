"""Each invariant: violated for the right reason, and unknown where nothing was measured."""

from __future__ import annotations

from typing import Any

import pytest

from backend.checks.invariants import (
    WATERMARK_MINUTES,
    WATERMARK_SECONDS,
    Held,
    distinct,
    grown,
    offsets,
    output,
    result_of,
    watermark_lag,
)
from backend.checks.signals import told
from backend.contract.checks import CHECKS
from backend.contract.rollup import Merged, Stats
from tests.backend.events.index_world import record

NOW = 1_795_259_220.0


def flow(**counts: dict[str, float]) -> dict[str, dict[str, float]]:
    return {"records_in": {}, "records_out": {}, "records_error": {}, "late_records_dropped": {}} | counts


def counter(increase: float, at: float) -> Stats:
    return Stats(1, at, at, at, at, increase, 60.0)


def lag(*values: float) -> dict[float, Merged]:
    stats = [Stats(1, value, value, value, value) for value in values]
    return {NOW + 60 * index: Merged({"": entry}, entry, 1) for index, entry in enumerate(stats)}


def test_records_that_vanish_inside_an_operator_are_a_violation() -> None:
    healthy = flow(records_in={"parse": 1000}, records_out={"parse": 900}, records_error={"parse": 100})
    assert output(healthy, frozenset()).status == "passed"
    lossy = flow(records_in={"parse": 1000}, records_out={"parse": 900})
    held = output(lossy, frozenset())
    assert (held.status, held.violations[0].subject) == ("failed", "parse")
    assert "100 of 1,000 records" in held.sentence
    assert (
        output(flow(records_in={"parse": 1000}, records_out={"parse": 900}), frozenset({"parse"})).status == "unknown"
    )


def test_a_window_gives_fewer_records_and_only_may_not_drop_more_than_came() -> None:
    window = flow(records_in={"w": 7323}, records_out={"w": 2895}, late_records_dropped={"w": 10})
    assert output(window, frozenset()).status == "passed"
    assert output(flow(records_in={"w": 100}, late_records_dropped={"w": 200}), frozenset()).status == "failed"


def test_a_sink_has_no_output_to_compare() -> None:
    assert output(flow(records_in={"sink": 1000}), frozenset()).status == "unknown"


def test_an_operator_that_gave_records_once_and_now_none_loses_all_of_them() -> None:
    minute = Merged({"parse": counter(0, at=5000), "sink": counter(0, at=0), "new": Stats(1, 9, 9, 9, 9, 0.0, 0.0)},
                    counter(0, at=0), 3)  # fmt: skip
    assert grown({NOW: minute, NOW + 60: minute}) == {"parse": 0, "sink": 0}
    out = grown({NOW: minute, NOW + 60: minute}, ends=True)
    held = output(flow(records_in={"parse": 5000, "sink": 5000}, records_out=out), frozenset())
    assert [finding.subject for finding in held.violations] == ["parse"]
    assert "5,000 of 5,000 records" in held.sentence


def test_an_event_that_is_indexed_twice_is_a_violation() -> None:
    assert distinct([record(1), record(2)]).status == "passed"
    assert distinct([record(1), record(2), record(1)]).violations[0].subject == record(1).event_id
    assert distinct([]).status == "unknown"
    assert distinct([record(1)], cut=True).sentence == "distinct = total: 1 newest events, cut"


@pytest.mark.parametrize(
    ("values", "status"),
    [((61_000, 62_000, 63_000), "failed"), ((1_000, 75_000, 1_000), "passed"), ((75_000,), "unknown"), ((), "unknown")],
)
def test_the_watermark_lags_when_every_one_of_the_last_minutes_does(values: tuple[float, ...], status: str) -> None:
    assert watermark_lag(lag(*values), 60_000).status == status


def test_a_lag_that_is_collected_every_five_minutes_is_measured_often_enough() -> None:
    assert WATERMARK_SECONDS >= 300 * (WATERMARK_MINUTES + 1)


def test_an_invariant_that_can_not_be_checked_any_more_is_not_resolved_by_the_others() -> None:
    check = next(check for check in CHECKS if check.name == "invariants")
    lags, holds = watermark_lag(lag(61_000, 62_000, 63_000), 60_000), Held("distinct = total", "passed", "all")
    signals = told(check, result_of([lags, holds], NOW), ())
    assert [(signal.kind, signal.subject) for signal in signals] == [("invariants", "watermark lag")]
    before = tuple(signal.firing for signal in signals)
    silent = result_of([watermark_lag({}, 60_000), holds], NOW)
    assert (silent.status, [signal.state for signal in told(check, silent, before)]) == ("passed", ["unknown"])
    over = result_of([watermark_lag(lag(1, 2, 3), 60_000), holds], NOW)
    assert [signal.state for signal in told(check, over, before)] == ["resolved"]


def test_an_offset_that_goes_back_is_a_violation_of_its_partition_alone() -> None:
    samples: dict[tuple[str, str], dict[float, Any]] = {
        ("0", "a"): {1.0: 10, 2.0: 20},
        ("1", "a"): {1.0: 10, 3.0: 20, 2.0: 30},
    }
    held = offsets(samples)
    assert [finding.subject for finding in held.violations] == ["1"]
    assert "from 30 to 20" in held.sentence
    # Two readers of one partition are each at their own place.
    assert offsets({("0", "a"): {1.0: 10, 3.0: 12}, ("0", "b"): {2.0: 5, 4.0: 6}}).status == "passed"
    assert offsets({("0", "a"): {1.0: 10}}).status == "unknown"


def test_what_could_not_be_checked_is_named_and_alone_makes_the_whole_unknown() -> None:
    passed, unknown = Held("a", "passed", "a: 3"), Held("b", "unknown", "b (nothing measured)")
    assert result_of([passed, unknown], NOW).status == "passed"
    assert "not checked: b (nothing measured)" in result_of([passed, unknown], NOW).sentence
    nothing = result_of([unknown], NOW)
    assert (nothing.status, nothing.value) == ("unknown", None)
