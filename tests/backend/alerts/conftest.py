"""Worlds over moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from tests.backend.alerts.world import World


@pytest.fixture
def make_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """A world with the transports and alert settings of the call."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")

    def make(**arguments: Any) -> World:
        return World(**arguments)

    with mock_aws():
        yield make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
