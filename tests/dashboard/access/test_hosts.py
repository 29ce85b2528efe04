"""Host names and origins: what passes as the dashboard's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.access.hosts import LOOPBACK, host_allowed, loopback_host, same_origin

HOSTS = (*LOOPBACK, "pulseboard.example.com", "inner.example.com:8050")


@pytest.mark.parametrize(
    "header",
    [
        "localhost", "localhost:8050", "LOCALHOST:1", "127.0.0.1:8050", "[::1]:8050", "[::1]", "pulseboard.example.com",
        "Pulseboard.Example.com:443", "pulseboard.example.com.", "inner.example.com:8050",
    ],
)  # fmt: skip
def test_known_names_are_answered(header: str) -> None:
    assert host_allowed(header, HOSTS)


@pytest.mark.parametrize(
    "header",
    [
        None, "", "evil.example", "localhost.evil.example", "evil.example:8050", "127.0.0.1.evil.example", "127.0.0.2",
        "inner.example.com", "inner.example.com:80", "user@localhost", "localhost:8050@evil.example", "localhost, evil",
        "localhost:99999999", "localhost:", " localhost", "localhost/..", "[::1", "0.0.0.0", "2130706433",
        "xpulseboard.example.com", "pulseboard.example.com:80:80", "localhost\n",
    ],
)  # fmt: skip
def test_rebound_and_malformed_names_are_not(header: str | None) -> None:
    assert not host_allowed(header, HOSTS)


@given(st.text(max_size=80))
def test_only_listed_names_ever_pass(header: str) -> None:
    names = {host.rpartition(":")[0] if host.endswith(":8050") else host for host in HOSTS}
    if host_allowed(header, HOSTS):
        assert any(header.lower().startswith(name) for name in names)


def test_loopback_is_told_from_the_rest() -> None:
    assert loopback_host("127.0.0.1:8050")
    assert not loopback_host("pulseboard.example.com")


@pytest.mark.parametrize(
    ("origin", "host", "public_url"),
    [
        ("http://localhost:8050", "localhost:8050", None),
        ("http://localhost:8050/errors?from=now-1h", "localhost:8050", None),
        ("https://pulseboard.example.com", "pulseboard.example.com", None),
        ("https://pulseboard.example.com:443", "pulseboard.example.com", None),
        ("http://[::1]:8050", "[::1]:8050", None),
        ("https://pulseboard.example.com", "inner:8050", "https://pulseboard.example.com"),
    ],
)
def test_own_pages_are_same_origin(origin: str, host: str, public_url: str | None) -> None:
    assert same_origin(origin, host, public_url)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("null", "localhost:8050"),
        ("", "localhost:8050"),
        ("http://evil.example", "localhost:8050"),
        ("http://localhost:8051", "localhost:8050"),
        ("http://localhost", "localhost:8050"),
        ("http://localhost:8050.evil.example", "localhost:8050"),
        ("http://localhost:8050@evil.example", "localhost:8050"),
        ("http://evil.example@localhost:8050", "localhost:8050"),
        ("file://localhost:8050", "localhost:8050"),
        ("javascript:alert(1)", "localhost:8050"),
        ("//localhost:8050", "localhost:8050"),
        ("http://pulseboard.example.com.evil.example", "pulseboard.example.com"),
        ("http://localhost:port", "localhost:8050"),
        ("http://localhost:8050", ""),
    ],
)
def test_foreign_pages_are_not(origin: str, host: str) -> None:
    assert not same_origin(origin, host, None)


def test_a_public_url_counts_with_its_scheme() -> None:
    assert not same_origin("http://pulseboard.example.com", "inner:8050", "https://pulseboard.example.com")
