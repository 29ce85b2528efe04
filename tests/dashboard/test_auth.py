"""Whose eyes an answer is made for."""

from __future__ import annotations

import pytest
from flask import Flask, g

from dashboard.auth import ANONYMOUS, LOCAL, Identity, current_role, identity, signed_in

OPERATOR = Identity("ann@example.com", "operator", "s-1")


@pytest.mark.parametrize("query", ["?kiosk", "?kiosk=", "?kiosk=1", "?kiosk=yes&from=now-6h"])
def test_a_kiosk_is_a_display_whoever_is_signed_in(query: str) -> None:
    app = Flask("test")
    with app.test_request_context(f"/{query}") as context:
        g.identity = OPERATOR
        assert current_role(context.request.args) == "display"


@pytest.mark.parametrize("query", ["", "?kiosk=0", "?kiosk=off", "?rotate=health"])
def test_else_it_is_the_role_of_who_asks(query: str) -> None:
    app = Flask("test")
    with app.test_request_context(f"/{query}") as context:
        g.identity = OPERATOR
        assert current_role(context.request.args) == "operator"


def test_who_was_not_established_only_looks() -> None:
    with Flask("test").test_request_context("/"):
        assert identity() == ANONYMOUS
        assert current_role({}) == "viewer"


def test_only_those_who_showed_who_they_are_are_signed_in() -> None:
    with Flask("test").test_request_context("/"):
        for who, expected in ((None, None), (LOCAL, None), (OPERATOR, OPERATOR)):
            g.identity = who
            assert signed_in() == expected
