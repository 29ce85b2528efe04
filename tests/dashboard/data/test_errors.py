from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.events import EventRecord
from backend.contract.ranges import TimeRange
from dashboard.data.errors import (
    DIMENSIONS,
    MOST_BARS,
    UNKNOWN,
    Reading,
    bar_step,
    count_by,
    failures,
    matching,
    read,
    value_of,
)
from dashboard.data.errors_before import PeriodBefore, read_before
from dashboard.data.request import ViewRequest
from tests.dashboard.event_fakes import FakeInvestigation, failed, several
from tests.dashboard.fakes import NOW

EVENTS = several(300)
READING = Reading(tuple(EVENTS), NOW - 3600, NOW, NOW)


def request(operator: str | None = None, **parameters: str) -> ViewRequest:
    return ViewRequest("errors", "production", operator=operator, parameters=tuple(sorted(parameters.items())))


def test_a_chosen_slice_stays_among_its_siblings_and_filters_everything_else() -> None:
    every = failures(READING, request(), 50)
    seen = failures(READING, request(error_type="timeout"), 50)
    assert seen.counts["error_type"] == every.counts["error_type"]
    assert seen.bars == every.bars
    assert {count.name for count in seen.counts["operator"]} == {"enrich-orders"}
    assert seen.matching == next(c.number for c in every.counts["error_type"] if c.name == "timeout")
    assert all(value_of(record, "error_type") == "timeout" for record in seen.newest)


def test_filters_add_up() -> None:
    seen = failures(READING, request(operator="enrich-orders", event_type="order_placed"), 50)
    assert seen.chosen == {"operator": "enrich-orders", "event_type": "order_placed"}
    assert {value_of(r, "operator") for r in seen.newest} == {"enrich-orders"}
    assert {r.event_type for r in seen.newest} == {"order_placed"}
    assert len({count.name for count in seen.counts["operator"]}) > 1
    assert len({count.name for count in seen.counts["event_type"]}) > 1


def test_a_correlation_id_filters_too() -> None:
    seen = failures(READING, request(correlation_id=EVENTS[3].correlation_id), 50)
    assert seen.newest == (EVENTS[3],)


@given(
    st.fixed_dictionaries(
        {}, optional={name: st.sampled_from([value_of(e, name) for e in EVENTS[:40]]) for name in DIMENSIONS}
    )
)
def test_counts_are_those_of_a_plain_loop(filters: dict[str, str]) -> None:
    operator = filters.get("operator")
    own = {name: value for name, value in filters.items() if name != "operator"}
    seen = failures(READING, request(operator=operator, **own), 10)
    passing = [e for e in EVENTS if all(value_of(e, name) == value for name, value in filters.items())]
    assert seen.matching == len(passing)
    assert list(seen.newest) == passing[:10]
    for name in DIMENSIONS:
        others = {key: value for key, value in filters.items() if key != name}
        loop: dict[str, int] = {}
        for event in EVENTS:
            if all(value_of(event, key) == value for key, value in others.items()):
                loop[value_of(event, name)] = loop.get(value_of(event, name), 0) + 1
        assert {count.name: count.number for count in seen.counts[name]} == loop
        numbers = [count.number for count in seen.counts[name]]
        assert numbers == sorted(numbers, reverse=True)


def test_an_event_without_an_error_record_is_of_unknown_type() -> None:
    bare = replace(EVENTS[0], error=None)
    assert [c.name for c in count_by([bare], "error_type")] == [UNKNOWN]
    assert matching([bare, EVENTS[1]], {"operator": UNKNOWN}) == [bare]


def test_bars_hold_every_event_once() -> None:
    bars = failures(READING, request(), 50).bars
    inside = [e for e in EVENTS if READING.start <= e.received_at < READING.end]
    assert sum(value or 0 for _, values in bars.lines for value in values) == len(EVENTS)
    assert len(inside) == len(EVENTS)
    assert bars.step == 60
    last = int((EVENTS[0].received_at - bars.x0) // bars.step)
    assert sum(values[last] or 0 for _, values in bars.lines) == sum(
        1 for e in EVENTS if bars.x0 + last * 60 <= e.received_at < bars.x0 + last * 60 + 60
    )


def test_what_was_not_read_is_unknown_and_what_was_read_and_empty_is_zero() -> None:
    cut = NOW - 1000
    kept = tuple(e for e in EVENTS if e.received_at >= cut)
    bars = failures(Reading(kept, NOW - 3600, NOW, NOW, cut), request(), 50).bars
    edge = int((cut - bars.x0) // bars.step)
    for _, values in bars.lines:
        assert set(values[:edge]) == {None}
        assert None not in values[edge:]


def test_a_quiet_range_is_read_as_zeros_without_a_line() -> None:
    seen = failures(Reading((), NOW - 3600, NOW, NOW), request(), 50)
    assert seen.bars.lines == ()
    assert seen.bars.tallest == 0
    assert seen.last_at is None


@pytest.mark.parametrize("seconds", [60, 900, 3600, 86_400, 7 * 86_400, 30 * 86_400, 400 * 86_400])
def test_every_range_has_a_handful_of_bars(seconds: float) -> None:
    assert seconds / bar_step(seconds) <= MOST_BARS


def test_a_reading_that_was_cut_knows_where() -> None:
    source = FakeInvestigation(several(2500, NOW))
    reading = read(source, NOW - 86_400, NOW, NOW)
    assert len(reading.events) == 2000
    assert reading.cut_from == reading.events[-1].received_at
    whole = read(FakeInvestigation(EVENTS), NOW - 86_400, NOW, NOW)
    assert whole.cut_from is None


def test_the_tallest_stack_counts_all_types() -> None:
    def at(number: int, **changes: Any) -> EventRecord:
        return replace(failed(number), received_at=NOW - 100, **changes)

    one = replace(failed(5).error, error_type="timeout")  # type: ignore[type-var]
    bars = failures(Reading((at(1), at(2, error=one)), NOW - 3600, NOW, NOW), request(), 5).bars
    assert bars.tallest == 2


BEFORE = TimeRange(NOW - 7200, NOW - 3600, live=False)


def period_before(source: FakeInvestigation, kept_seconds: float = 90 * 86_400) -> PeriodBefore:
    reading = read_before(source, BEFORE, kept_seconds, NOW)
    return PeriodBefore(BEFORE, None if reading is None else failures(reading, request(), 0), None)


def test_the_period_before_is_counted_in_bars_that_lie_on_the_ranges() -> None:
    source = FakeInvestigation([replace(record, received_at=record.received_at - 3600) for record in EVENTS])
    now = failures(READING, request(), 0).bars
    line = period_before(source).failed
    assert line is not None
    assert (line.x0, line.dx) == (now.x0 + now.step / 2, now.step)
    assert line.values == tuple(
        sum(value or 0 for value in column) for column in zip(*(v for _, v in now.lines), strict=True)
    )


def test_what_was_not_read_of_the_period_before_is_no_part_of_its_line() -> None:
    many = [replace(record, received_at=NOW - 3601 - number) for number, record in enumerate(several(2500))]
    before = period_before(FakeInvestigation(many))
    assert before.known_from == NOW - 3601 - 1999
    assert before.failed is not None
    assert before.failed.values[0] is None
    assert before.failed.values[-1] is not None


def test_events_no_longer_kept_are_unknown_and_never_none() -> None:
    source = FakeInvestigation([replace(failed(1), received_at=NOW - 4000)])
    kept_in_part = period_before(source, kept_seconds=4800)
    assert kept_in_part.known_from == NOW - 4800
    assert kept_in_part.failed is not None
    assert kept_in_part.failed.values[0] is None
    assert sum(value or 0 for value in kept_in_part.failed.values) == 1
    reads = len(source.reads)
    assert period_before(source, kept_seconds=3600).failures is None
    assert len(source.reads) == reads
