"""Profiles of payloads: whatever JSON comes, what changed is told, and nothing of a payload is kept."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.checks.profile import (
    MOST_FIELDS,
    MOST_KEPT,
    Profile,
    changes,
    comparable,
    merged,
    profile_of,
    read_profile,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def orders(count: int = 200, **changed: Any) -> list[dict[str, Any]]:
    return [{"order_id": f"o-{n}", "amount": n, "currency": "EUR", "note": None, **changed} for n in range(count)]


def against(*payloads: Any) -> list[str]:
    return changes(profile_of(orders()), profile_of(payloads), 0.1)


@given(st.lists(JSON, max_size=8))
@settings(max_examples=30)
def test_any_json_has_a_profile_which_is_kept_as_it_is_and_differs_from_itself_in_nothing(payloads: list[Any]) -> None:
    profile = profile_of(payloads)
    assert profile.events == len(payloads)
    assert len(profile.fields) <= MOST_FIELDS
    assert read_profile(json.loads(json.dumps(profile.as_json()))) == profile
    assert changes(profile, profile, 0.1) == []


@given(st.lists(JSON, min_size=1, max_size=5), st.integers(1, 25))
@settings(max_examples=15)
def test_a_baseline_weighs_no_more_than_its_limit(payloads: list[Any], rounds: int) -> None:
    whole: Profile | None = None
    for _ in range(rounds):
        whole = merged(whole, profile_of(payloads * 60))
    assert whole is not None
    assert whole.events <= MOST_KEPT
    assert all(entry.present <= whole.events + 0.01 for entry in whole.fields.values())


def test_what_looks_as_before_is_no_change() -> None:
    assert against(*orders(30)) == []


def test_new_vanished_and_retyped_fields_are_told() -> None:
    assert "voucher is new: it is in 100% of the events" in against(*orders(30, voucher="x"))
    assert "amount is gone: it was in 100% of the events" in against(*[{"order_id": str(n)} for n in range(30)])
    assert "amount has become string in 100% of the events: it was number" in against(*orders(30, amount="12"))
    # A whole number among others is no other type.
    assert against(*[{**order, "amount": order["amount"] + 0.5} for order in orders(30)]) == []


def test_a_share_of_nulls_that_changes_and_a_column_that_stops_varying_are_told() -> None:
    found = against(*orders(20, amount=None), *orders(20))
    assert "amount is null in 50% of the events: it was in 0%" in found
    assert "amount has one value only: it had several" in against(*orders(30, amount=7))
    # What never varied may go on so.
    assert not any(text.startswith("currency") for text in against(*orders(30, amount=7)))


def test_fields_inside_of_others_are_told_by_their_path() -> None:
    before = profile_of([{"customer": {"id": n}, "items": [{"sku": "a"}, {"sku": n}]} for n in range(100)])
    assert set(before.fields) == {"customer.id", "items[].sku"}
    assert "customer.id is gone" in changes(before, profile_of([{"items": [{"sku": "b"}]}] * 30), 0.1)[0]


def test_a_change_is_told_until_it_is_usual() -> None:
    whole, told = profile_of(orders(5000)), 0
    for _ in range(30):
        hour = profile_of(orders(200, voucher="x"))
        told += any(text.startswith("voucher is new") for text in changes(whole, hour, 0.1))
        whole = merged(whole, hour)
    assert 1 < told < 10


def test_a_column_that_stops_varying_is_told_until_that_is_usual() -> None:
    whole, told = profile_of(orders(5000)), 0
    for _ in range(60):
        hour = profile_of(orders(200, amount=7))
        told += "amount has one value only: it had several" in changes(whole, hour, 0.1)
        whole = merged(whole, hour)
    assert 1 < told < 30


def test_a_value_that_is_replaced_or_is_rare_makes_no_column_that_varied() -> None:
    whole = merged(
        profile_of(orders(5000, version="1")), profile_of(orders(100, version="1") + orders(100, version="2"))
    )
    assert changes(whole, profile_of(orders(200, version="2")), 0.1) == []
    nearly = [{**order, "currency": "EUR" if index % 100 else "USD"} for index, order in enumerate(orders(1000))]
    assert changes(profile_of(nearly), profile_of(orders(200)), 0.1) == []


def test_fields_beyond_the_most_count_once_an_event_and_are_no_change() -> None:
    many = profile_of([{f"field-{n}": 1 for n in range(MOST_FIELDS + 50)}] * 200)
    assert max(entry.present for entry in many.fields.values()) == 200
    few = profile_of([{f"field-{n}": 1 for n in range(MOST_FIELDS - 1)}] * 200)
    assert changes(few, many, 0.1) == []


def test_too_few_events_are_not_compared() -> None:
    many, few = profile_of(orders(200)), profile_of(orders(5))
    assert comparable(many, profile_of(orders(20)))
    assert not comparable(many, few)
    assert not comparable(few, many)
    assert not comparable(None, many)


def test_nothing_of_a_payload_is_kept() -> None:
    assert "secret-value" not in json.dumps(profile_of([{"token": "secret-value"}]).as_json())
