"""`pulseboard serve` lets nobody look from elsewhere without authentication."""

from __future__ import annotations

import pytest

from backend.contract.errors import InvalidInput
from pulseboard.commands.serve import check_access


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_authentication(host: str) -> None:
    check_access(host, "none")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "dashboard.example.com", ""])
def test_any_other_address_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput, match="is not loopback"):
        check_access(host, "none")


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is not a known mode"):
        check_access("127.0.0.1", "password")
