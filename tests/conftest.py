"""Fixtures for every test: one embedded engine and one deployed stack per session (per worker under xdist)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from backend.local.deploy import deploy
from backend.local.engine import Engine
from tests.athena_engine import athena, athena_environment  # noqa: F401 - fixtures
from tests.aws_pace import quick_aws
from tests.local_stack import LocalStack

# How long an example takes is the machine's business, not the property's.
settings.register_profile("pulseboard", deadline=None)
settings.load_profile("pulseboard")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that the workers end together."""
    items.sort(key=lambda item: (item.get_closest_marker("e2e") is None, item.get_closest_marker("browser") is None))


@pytest.fixture(scope="session", autouse=True)
def aws_without_waiting() -> Iterator[None]:
    with quick_aws():
        yield


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The embedded engine, empty but for what other tests of this session put there."""
    log: Path = tmp_path_factory.mktemp("engine") / "engine.log"
    with Engine(log=log) as running:
        yield running


@pytest.fixture(scope="session")
def stack(engine: Engine) -> LocalStack:
    """``infra/template.yaml`` deployed on the engine. Use metric types or environments of your own to stay apart."""
    # The tests merge and check when they mean to: every minute would take the engine half a core over all they put
    # there.
    quiet = {"MergeSchedule": "rate(1 day)", "ChecksEnabled": "DISABLED"}
    outputs = deploy(engine.client, parameters=quiet)
    return LocalStack(engine, {**engine.environment(), **outputs})
