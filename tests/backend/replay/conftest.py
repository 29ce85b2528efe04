"""Fixtures of the tests of replays: moto's AWS, a world in it, events."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from moto import mock_aws

from backend.aws import Clients
from backend.contract.events import EventRecord
from backend.settings import ReplayLimits
from tests.backend.replay.world import World, make_world, record


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Clients of a mock that a module's tests share: making them takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.setenv(name, "test")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            yield Clients("us-east-1", attempts=1)


@pytest.fixture
def world(clients: Clients, request: pytest.FixtureRequest) -> World:
    return make_world(clients, getattr(request, "param", ReplayLimits()))


@pytest.fixture
def events() -> Callable[..., EventRecord]:
    return record
