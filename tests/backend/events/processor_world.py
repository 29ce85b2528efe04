"""The event processor over the ingest's world: messages come from the queue, and go back to it, as with Lambda."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from backend.aws import Clients
from backend.contract.event_items import record_of
from backend.contract.events import Event, EventDetail, EventRecord
from backend.events.aggregate_store import version_of
from backend.events.aggregates import Version
from backend.events.investigation import Investigation
from backend.events.plugins import PlainReplayMessage
from backend.events.processor_handler import EventHandler, build
from backend.settings import Events, EventType, Plugins, Settings
from tests.backend.events.ingest_world import World
from tests.loggers import fresh_logger

ORDER = EventType(fields={"customer_id": "string", "amount": "number"}, operator="billing")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ALL: Any = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}


def configured(settings: Settings, types: dict[str, EventType], plugins: Plugins | None = None) -> Settings:
    """The settings with event types and plug-ins."""
    events: Events = replace(settings.config.events, types=types, plugins=plugins or Plugins())
    return replace(settings, config=replace(settings.config, events=events))


@dataclass
class Pipeline:
    """Ingest, queue and processor of one test. ``invocations`` counts what stands for Lambda's requests."""

    world: World
    invocations: int = 0
    plain: Clients = field(default_factory=lambda: Clients("us-east-1", attempts=1))
    """Clients of this test alone: tests make their calls fail."""

    def __post_init__(self) -> None:
        self.world.settings = configured(self.world.settings, {"order_placed": ORDER})

    def clients(self, before: Callable[[str], None] | None = None) -> Clients:
        """Clients; ``before`` is called with each call's name, such as ``dynamodb.PutItem``."""
        if before is None:
            return self.plain
        watched = Clients("us-east-1", attempts=1)

        def announce(model: Any, **_: Any) -> None:
            before(f"{model.service_model.service_name}.{model.name}")

        for client in (watched.s3, watched.dynamodb, watched.sqs):
            client.meta.events.register("before-call", announce)
        return watched

    def take(self, *events: Event) -> list[str]:
        """Ingests events; their ids."""
        outcomes = [self.world.ingest().take(entry, self.world.delivery()) for entry in events]
        return [str(outcome.event_id) for outcome in outcomes]

    def handler(self, before: Callable[[str], None] | None = None) -> EventHandler:
        """A container's handler; ``before`` is called with the name of each of its AWS calls."""
        logger = fresh_logger(self.world.log)
        return build(self.world.settings, self.clients(before), logger, lambda: self.world.now)

    def receive(self) -> dict[str, Any]:
        """What Lambda would hand over now."""
        url = self.world.settings.event_queue_url
        answer = self.plain.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **ALL)
        return {"Records": [_record(message) for message in answer.get("Messages", ())]}

    def handle(self, event: dict[str, Any], handler: EventHandler | None = None) -> list[str]:
        """Runs the handler and deletes what it did not give back; the ids of what it did."""
        self.invocations += 1
        context: Any = SimpleNamespace(aws_request_id=f"request-{self.invocations}")
        answer = (handler or self.handler())(event, context)
        failed = [entry["itemIdentifier"] for entry in answer["batchItemFailures"]]
        for record in event["Records"]:
            if record["messageId"] not in failed:
                self.plain.sqs.delete_message(
                    QueueUrl=self.world.settings.event_queue_url, ReceiptHandle=record["receiptHandle"]
                )
        return failed

    def run(self, handler: EventHandler | None = None) -> list[str]:
        """Receives and handles until the queue hands out nothing more; the ids of what failed, in order."""
        failed: list[str] = []
        while (event := self.receive())["Records"]:
            failed += self.handle(event, handler)
        return failed

    def replay(self, event_id: str, replay_id: str, count: int = 1) -> None:
        """Sends an event as a replay does."""
        body = PlainReplayMessage().body(self.record(event_id), replay_id, count)
        self.plain.sqs.send_message(QueueUrl=self.world.settings.event_queue_url, MessageBody=body)

    def item(self, event_id: str) -> dict[str, Any]:
        """The item of an event."""
        (item,) = [item for item in self.world.index() if item.get("event_id", {}).get("S") == event_id]
        return item

    def record(self, event_id: str) -> EventRecord:
        """The record of an event."""
        return record_of(self.item(event_id))

    def detail(self, event_id: str) -> EventDetail:
        """The event as pages see it."""
        service = Investigation(self.plain.dynamodb, self.plain.s3, self.world.settings, lambda: self.world.now)
        found = service.detail(event_id)
        assert found is not None
        return found

    def versions(self) -> dict[str, list[Version]]:
        """Every version of every aggregate, oldest first."""
        table = self.world.settings.aggregates_table
        items: Iterable[Any] = self.plain.dynamodb.scan(TableName=table)["Items"]
        found: dict[str, list[Version]] = {}
        for item in sorted(items, key=lambda item: int(item["version"]["N"])):
            found.setdefault(item["name_window"]["S"], []).append(version_of(item))
        return found

    def newest(self) -> Version:
        """The newest version of the only aggregate."""
        (versions,) = self.versions().values()
        return versions[-1]

    def dead_letters(self) -> list[str]:
        """The bodies in the dead-letter queue."""
        url = self.world.settings.event_dead_letter_queue_url
        answer = self.plain.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", ())]


def _record(message: Any) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": given["StringValue"], "dataType": given["DataType"]}
            for name, given in message.get("MessageAttributes", {}).items()
        },
    }
