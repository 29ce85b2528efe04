"""Configured fields are never shown, wherever they stand."""

from __future__ import annotations

from backend.contract.redaction import REDACTED, redacted


def test_fields_are_hidden_at_any_depth_and_in_any_case() -> None:
    payload = {"customer": {"Card_Number": "4111", "name": "Ada"}, "cards": [{"CVV": 123}, "cvv"], "amount": 5}
    assert redacted(payload, ["card_number", "cvv"]) == {
        "customer": {"Card_Number": REDACTED, "name": "Ada"},
        "cards": [{"CVV": REDACTED}, "cvv"],
        "amount": 5,
    }


def test_what_stands_under_such_a_name_goes_as_a_whole() -> None:
    assert redacted({"secret": {"a": [1, 2]}}, ["SECRET"]) == {"secret": REDACTED}


def test_the_value_given_stays_as_it_is() -> None:
    payload = {"token": "abc"}
    redacted(payload, ["token"])
    assert payload == {"token": "abc"}


def test_values_without_fields_are_shown() -> None:
    assert redacted("token", ["token"]) == "token"
