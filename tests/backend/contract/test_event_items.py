"""What is written is what is read, and equal content has an equal id."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.event_items import EventMessage, event_item, parse_message, record_of, step_of, trace_item
from backend.contract.events import Event, EventError, EventRecord, TraceStep, event_id, utc_seconds, utc_text

RECORD = EventRecord(
    event_id="0a" * 32,
    entity_id="order-1",
    event_type="order_placed",
    source="shop",
    status="received",
    occurred_at=1795259185.123456,
    received_at=1795259186.5,
    correlation_id="c-1",
    raw_key="events/x.json",
    sha256="ff" * 32,
    size=120,
)


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        replace(RECORD, late=True, replay_count=2, last_replay_id="r", processed_at=1795259187.25, status="processed"),
        replace(RECORD, status="failed", error=EventError("parse_error", "no", "op", 1795259187.0, 3, True)),
    ],
)
def test_an_event_reads_back_as_it_was_written(record: EventRecord) -> None:
    assert record_of(event_item(record, 1, 8)) == record


def test_only_failed_events_are_in_the_error_index() -> None:
    assert "error_day" not in event_item(RECORD, 1, 8)
    failed = replace(RECORD, status="failed", error=EventError("poison", "no", "op", 1795259187.0))
    assert event_item(failed, 1, 8)["error_day"] == {"S": "2026-11-21#2"}


def test_a_step_reads_back_as_it_was_written() -> None:
    step = TraceStep(1795259186.5, "failed", "0a" * 32, "no such field", operator="op", error_type="parse_error")
    assert step_of(trace_item(step, 1, 1)) == step


def test_a_message_reads_back_as_it_was_written() -> None:
    message = EventMessage("a", "events/a.json", "b", "c", "r-1", 2)
    assert parse_message(message.as_text()) == message


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"event_id":1}', "[" * 100_000])
def test_a_message_that_is_none_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match="message"):
        parse_message(text)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)  # fmt: skip
NAMES = st.text(st.characters(exclude_categories=["Cs"]))
PAYLOADS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shuffled(value[name]) for name in reversed(value)}
    return [shuffled(entry) for entry in value] if isinstance(value, list) else value


@given(PAYLOADS)
def test_the_id_does_not_depend_on_the_order_of_fields(payload: Any) -> None:
    one = Event("shop", "order_placed", "order-1", 1795259185.5, payload)
    other = replace(one, payload=shuffled(payload), correlation_id="another")
    assert event_id(one, one.content_hash()) == event_id(other, other.content_hash())


def test_any_difference_of_content_is_another_event() -> None:
    event = Event("shop", "order_placed", "order-1", 1795259185.5, {"a": 1})
    others = [
        replace(event, source="web"), replace(event, event_type="order_paid"), replace(event, entity_id="order-2"),
        replace(event, occurred_at=1795259185.500001), replace(event, payload={"a": 2}),
    ]  # fmt: skip
    assert len({event_id(e, e.content_hash()) for e in [event, *others]}) == 6


def test_an_idempotency_key_names_the_event_within_its_source() -> None:
    event = Event("shop", "order_placed", "order-1", 1795259185.5, {"a": 1}, idempotency_key="k")
    other = replace(event, payload={"a": 2})
    assert event_id(event, event.content_hash()) == event_id(other, other.content_hash())
    elsewhere = replace(event, source="web")
    assert event_id(event, event.content_hash()) != event_id(elsewhere, elsewhere.content_hash())


@given(st.floats(946_684_800, 4e9))
def test_instants_sort_as_text_and_read_back(seconds: float) -> None:
    text = utc_text(seconds, 6)
    assert abs(utc_seconds(text) - seconds) < 2e-6
    assert utc_text(seconds + 1, 6) > text
    assert len(utc_text(seconds)) == 24
