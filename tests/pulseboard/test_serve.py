"""`pulseboard serve` lets nobody look from elsewhere without authentication."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from backend.contract.errors import InvalidInput
from pulseboard.commands import serve


class Started:
    """Stands in for gunicorn: remembers what it was to serve."""

    def __init__(self, make: Any, host: str, port: int, threads: int) -> None:
        self.asked = (host, port, threads)

    def run(self) -> None:
        """Ends at once."""
        raise SystemExit(f"served {self.asked[0]}")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, **environ: str) -> Any:
    monkeypatch.setattr(serve, "Server", Started)
    return CliRunner().invoke(serve.command, arguments, env=environ)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_authentication(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert f"served {host}" in run(monkeypatch, "--host", host).output


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "dashboard.example.com", ""])
def test_any_other_address_is_refused(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    refused = run(monkeypatch, "--host", host).exception
    assert isinstance(refused, InvalidInput)
    assert "is not loopback" in str(refused)


def test_an_unknown_mode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = run(monkeypatch, "--auth", "password").exception
    assert isinstance(refused, InvalidInput)
    assert "is not a known mode" in str(refused)


def test_a_mode_without_its_settings_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = run(monkeypatch, "--auth", "oidc", PULSEBOARD_SECRET_KEY="short").exception
    assert isinstance(refused, InvalidInput)
    assert refused.field == "PULSEBOARD_SECRET_KEY"
    assert "short" not in str(refused)


def test_hosts_may_come_from_the_flag_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, environ in (
        (("--allowed-hosts", "a b"), {}),
        ((), {"PULSEBOARD_ALLOWED_HOSTS": "a b"}),
    ):
        refused = run(monkeypatch, *arguments, **environ).exception
        assert isinstance(refused, InvalidInput)
        assert refused.field == "PULSEBOARD_ALLOWED_HOSTS"
