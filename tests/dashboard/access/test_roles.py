"""Names and roles from a provider's claims."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.access.roles import has_claim, name_of, role_of

CLAIM = ("groups", "pulseboard-operators")


@pytest.mark.parametrize("claims", [
    {"groups": "pulseboard-operators"},
    {"groups": ["staff", "pulseboard-operators"]},
    {"groups": "staff pulseboard-operators on-call"},
])  # fmt: skip
def test_the_claims_value_makes_an_operator(claims: dict[str, Any]) -> None:
    assert role_of(claims, CLAIM) == "operator"


@pytest.mark.parametrize("claims", [
    {},
    {"groups": None},
    {"groups": []},
    {"groups": "pulseboard-operators-not"},
    {"groups": ["pulseboard-operators-not", 7, None, ["pulseboard-operators"]]},
    {"groups": {"pulseboard-operators": True}},
    {"group": "pulseboard-operators"},
    {"groups": "Pulseboard-Operators"},
])  # fmt: skip
def test_anything_else_is_a_viewer(claims: dict[str, Any]) -> None:
    assert role_of(claims, CLAIM) == "viewer"


def test_nobody_is_an_operator_where_no_claim_is_set() -> None:
    assert role_of({"groups": "pulseboard-operators"}, None) == "viewer"


def test_a_dotted_name_looks_into_objects_and_a_literal_one_comes_first() -> None:
    assert role_of({"realm_access": {"roles": ["ops"]}}, ("realm_access.roles", "ops")) == "operator"
    assert role_of({"realm_access": "ops"}, ("realm_access.roles", "ops")) == "viewer"
    assert role_of({"a.b": "no", "a": {"b": "ops"}}, ("a.b", "ops")) == "viewer"
    assert role_of({"https://example.com/ops": True}, ("https://example.com/ops", "true")) == "operator"


def test_a_missing_claim_is_told_from_an_empty_one() -> None:
    assert not has_claim({}, CLAIM)
    assert has_claim({"groups": []}, CLAIM)
    assert has_claim({}, None)


def test_people_are_called_by_what_is_verified() -> None:
    claims = {"email": "ann@example.com", "preferred_username": "ann", "sub": "1"}
    assert name_of(claims) == "ann@example.com"
    assert name_of({**claims, "email_verified": False}) == "ann"
    assert name_of({"sub": "1"}) == "1"
    assert name_of({"sub": "  ", "email": 7}) == ""
    assert name_of({"email": "a\nb", "sub": "1"}) == "1"
