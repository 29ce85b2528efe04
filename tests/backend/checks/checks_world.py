"""What the checks look at, on moto: everything the ingest writes, the tables of jobs and alerts, and who was told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from backend.checks.world import World, make_world
from backend.contract.check_items import check_partition, check_result
from backend.contract.checks import CheckResult
from backend.contract.events import Event
from backend.local.template import properties
from backend.settings import Settings
from tests.backend.events import ingest_world
from tests.loggers import fresh_logger
from tests.template_resources import ALERT_TABLES, JOB_TABLES, TEMPLATE, create_tables


@dataclass
class Told:
    """Takes the signals. ``arrives`` False: none can be sent."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    arrives: bool = True

    def send(self, severity: str, kind: str, title: str, **more: Any) -> bool:
        """Records a signal."""
        self.sent.append({"severity": severity, "kind": kind, "title": title, **more})
        return self.arrives


@dataclass
class Desk:
    """The checks' world with a clock that stands still. ``ingest`` is what fills it."""

    ingest: ingest_world.World
    world: World
    told: Told

    @property
    def now(self) -> float:
        """What the clock says, epoch seconds."""
        return self.ingest.now

    def set(self, now: float) -> None:
        """Moves the clock."""
        self.ingest.now = now

    def take(self, *events: Event) -> list[str]:
        """Events that are taken now; their ids."""
        outcomes = self.ingest.ingest().take_all(list(events), self.ingest.delivery())
        return [outcome.event_id or "" for outcome in outcomes]

    def results(self, check: str) -> list[CheckResult]:
        """What is kept of a check, oldest first."""
        answer = self.world.clients.dynamodb.query(
            TableName=self.world.settings.alerts_table,
            KeyConditionExpression="fingerprint = :check AND opened_at > :first",
            ExpressionAttributeValues={":check": {"S": check_partition(check)}, ":first": {"S": "1"}},
        )
        return [check_result(item) for item in answer["Items"]]

    def process(self) -> None:
        """Marks every event as processed, as the event processor does."""
        for item in self.ingest.index():
            self.world.clients.dynamodb.update_item(
                TableName=self.world.settings.events_table,
                Key={name: item[name] for name in ("entity_id", "received_key")},
                UpdateExpression="SET #status = :processed",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":processed": {"S": "processed"}},
            )


@contextmanager
def desk(settings: Settings | None = None) -> Iterator[Desk]:
    """A desk over empty tables."""
    with ingest_world.running_world() as ingest:
        clients = ingest.clients()
        there = clients.dynamodb.list_tables()["TableNames"]
        wanted = (
            name for name in JOB_TABLES + ALERT_TABLES if properties(TEMPLATE, name, {})["TableName"] not in there
        )
        create_tables(clients.dynamodb, tuple(wanted))
        used = replace(ingest.settings, config=settings.config) if settings else ingest.settings
        told = Told()
        logger = fresh_logger(ingest.log)
        world = make_world(used, clients, logger, lambda: ingest.now)
        yield Desk(ingest, replace(world, publisher=told), told)
