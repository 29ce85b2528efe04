"""Fixtures of the tests of replays: moto's AWS, a world in it, events."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from moto import mock_aws

from backend.contract.events import EventRecord
from backend.settings import ReplayLimits
from tests.backend.replay.world import World, make_world, record


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def world(aws: None, request: pytest.FixtureRequest) -> World:
    return make_world(getattr(request, "param", ReplayLimits()))


@pytest.fixture
def events() -> Callable[..., EventRecord]:
    return record
