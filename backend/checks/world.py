"""What the checks look with: made once per container, passed to each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from aws_lambda_powertools import Logger

from backend.alerts.publish import Publisher
from backend.aws import Clients
from backend.checks.aws_metrics import AwsMetrics
from backend.checks.levels import Levels
from backend.checks.signals import Publishes
from backend.checks.store import CheckStore
from backend.contract.checks import SOURCE, CheckResult
from backend.events.investigation import Investigation
from backend.events.own_metrics import OwnMetrics
from backend.events.search_reader import EventTable
from backend.jobs.reader import JobReader
from backend.processor.store import MetricsStore
from backend.settings import Settings

SERVICE: Final = "pipeline-checks"
PARALLEL: Final = 16
"""Calls that a check makes at once."""


@dataclass(frozen=True)
class World:
    """Settings, clients and the readers over them. ``clock`` gives epoch seconds."""

    settings: Settings
    clients: Clients
    events: Investigation
    table: EventTable
    jobs: JobReader
    levels: Levels
    aws: AwsMetrics
    results: CheckStore
    metrics: OwnMetrics
    publisher: Publishes
    logger: Logger
    clock: Callable[[], float]

    @property
    def environment(self) -> str:
        """The environment that is checked."""
        return self.settings.config.environment


Run = Callable[[World, float], CheckResult]
"""A check: looks as of ``now`` (epoch s) and says what it found. What it raises makes its result unknown."""


def make_world(settings: Settings, clients: Clients, logger: Logger, clock: Callable[[], float]) -> World:
    """The world over clients. Raises InvalidInput for plug-ins that can't be loaded."""
    return World(
        settings=settings,
        clients=clients,
        events=Investigation(clients.dynamodb, clients.s3, settings, clock),
        table=EventTable(clients.dynamodb, settings.events_table, ThreadPoolExecutor(PARALLEL, SERVICE)),
        jobs=JobReader(clients.dynamodb, settings, clock),
        levels=Levels(MetricsStore(clients.dynamodb, settings.table, clock=clock), settings),
        aws=AwsMetrics(clients.cloudwatch, clients.dynamodb, settings),
        results=CheckStore(clients.dynamodb, settings),
        metrics=OwnMetrics(clients.dynamodb, settings, SERVICE, logger),
        publisher=Publisher(clients.sns, settings, logger, SOURCE),
        logger=logger,
        clock=clock,
    )
