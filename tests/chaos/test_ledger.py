"""What is accepted and missing is lost, what is there twice is doubled, and both are named."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.ledger import Balance, Ledger, balance


def test_what_was_accepted_and_is_nowhere_is_lost_by_name() -> None:
    assert balance(["a", "b"], {"a": 1}) == Balance(2, 1, lost=("b",))


def test_what_is_there_twice_is_doubled_by_name() -> None:
    found = balance(["a"], {"a": 2})
    assert found.doubled == ("a",)
    assert not found.even


def test_what_was_never_accepted_is_no_ones_loss() -> None:
    assert balance(["a"], {"a": 1, "stray": 5}).even


def test_a_thing_accepted_twice_is_one_thing() -> None:
    assert balance(["a", "a"], {"a": 1}) == Balance(1, 1)


@settings(max_examples=10)
@given(st.dictionaries(st.text(max_size=3), st.integers(0, 3)))
def test_every_accepted_thing_is_found_or_lost(places: dict[str, int]) -> None:
    found = balance(places, places)
    assert found.accepted == found.found + len(found.lost)
    assert len(found.doubled) <= found.found


def test_balances_add_up() -> None:
    both = balance(["a", "b"], {"a": 1}) + balance(["c"], {"c": 2})
    assert both == Balance(3, 2, ("b",), ("c",))


def test_the_ledger_begins_anew_with_each_case() -> None:
    ledger = Ledger()
    ledger.accept("events", "a")
    ledger.refuse("events")
    ledger.close()
    assert ledger.accepted("events") == []
    assert ledger.refusals() == {}
