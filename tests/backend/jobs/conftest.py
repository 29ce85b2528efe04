"""Fixtures of the tests of jobs: moto's AWS, and a tracker in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from backend.aws import Clients
from tests.backend.jobs.tracking import Tracking, make_tracking
from tests.template_resources import JOB_TABLES, create_tables


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Clients of a mock that a module's tests share: making them takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.setenv(name, "test")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            clients = Clients("us-east-1", attempts=1)
            create_tables(clients.dynamodb, JOB_TABLES)
            yield clients


@pytest.fixture
def tracking(clients: Clients, tmp_path: Path) -> Iterator[Tracking]:
    """A tracker with its journal, topic and bucket. Tests share the tables: use jobs of your own name."""
    tracking = make_tracking(clients, tmp_path)
    yield tracking
    tracking.close()
