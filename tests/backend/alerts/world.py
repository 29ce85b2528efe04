"""The alert consumer over moto: its clock moves by hand, its transports obey, and it can be killed at any write."""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from backend.alerts.handler import AlertConsumer, build
from backend.alerts.service import AlertService
from backend.alerts.transports.base import Delivered, Message, TransportError
from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.alerts import Alert, Delivery, signal_message
from backend.settings import Config, Settings
from backend.settings_alerts import Alerting
from tests.loggers import fresh_logger
from tests.template_resources import create_tables

START = 1_795_262_400.0
OPS = "ops@example.com"
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})


class Killed(BaseException):
    """The process is gone."""


class Recorder:
    """A transport that keeps what it was given. ``fault`` is raised instead, ``dies`` kills it after it has sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.got: list[Message] = []
        self.fault: TransportError | None = None
        self.dies = False

    def deliver(self, message: Message, sent: Delivery | None) -> Delivered:
        if self.fault is not None:
            raise self.fault
        self.got.append(message)
        if self.dies:
            raise Killed
        return Delivered(sent.reference if sent and sent.reference else f"{self.name}-{len(self.got)}")

    @property
    def kinds(self) -> list[str]:
        return [message.kind for message in self.got]


class World:
    """One table, one consumer after another."""

    def __init__(self, transports: tuple[str, ...] = ("slack", "pagerduty", "email"), **alerting: Any) -> None:
        self.now = START
        self.settings = Settings(config=Config(alerts=Alerting(**alerting)))
        self.clients = Clients("us-east-1")
        create_tables(self.clients.dynamodb, ("AlertsTable", "MetricsTable", "ReplaysTable"))
        self.transports = {name: Recorder(name) for name in transports}
        self.writes_left: int | None = None
        self._one_at_a_time()
        audit = AuditLog(self.clients.dynamodb, self.settings, lambda: self.now)
        self.service = AlertService(self.clients.dynamodb, self.clients.sns, self.settings, audit, lambda: self.now)
        self.log = io.StringIO()
        self.consumer = self.another()

    @property
    def slack(self) -> Recorder:
        return self.transports["slack"]

    def another(self) -> AlertConsumer:
        """A further worker with a process of its own."""
        logger = fresh_logger(self.log)
        transports = dict(self.transports)
        return build(self.settings, self.clients, logger, {}, clock=lambda: self.now, transports=transports)

    def record(self, body: str) -> dict[str, Any]:
        """An SQS record with raw delivery, sent now."""
        sent = {"SentTimestamp": str(round(self.now * 1000))}
        return {"messageId": uuid.uuid4().hex, "body": body, "attributes": sent, "eventSource": "aws:sqs"}

    def message(self, state: Any = "firing", **fields: Any) -> dict[str, Any]:
        given: dict[str, Any] = {"source": "jobs", "kind": "job_failed", "severity": "HIGH", "title": "Load failed"}
        return self.record(signal_message(**{**given, "at": self.now, "state": state, **fields}))

    def hear(self, *records: Mapping[str, Any], consumer: AlertConsumer | None = None) -> list[Any]:
        """Records of one batch; the answer's failures."""
        answer = (consumer or self.consumer)({"Records": list(records)}, context())
        failures: list[Any] = answer["batchItemFailures"]
        return failures

    def sweep(self, seconds: float = 60.0, times: int = 1) -> None:
        for _ in range(times):
            self.now += seconds
            self.consumer({"sweep": True}, context())

    def alerts(self, **filters: Any) -> tuple[Alert, ...]:
        return self.service.alerts(START - 86_400, self.now + 1, **filters)

    def alert(self, rule: str = "jobs:job_failed") -> Alert:
        (found,) = self.alerts(rule=rule)
        return found

    def waiting(self) -> int:
        """Deliveries in the outbox."""
        items = self.clients.dynamodb.scan(TableName=self.settings.alerts_table)["Items"]
        return sum(item.get("state", {}).get("S") == "outbox" for item in items)

    def _one_at_a_time(self) -> None:
        """moto takes one transaction at a time, as it copies the table; here the process dies, after a write."""
        lock, call = threading.RLock(), self.clients.dynamodb._make_api_call

        def one_call(operation: str, arguments: Any) -> Any:
            with lock:
                answer = call(operation, arguments)
            if operation in WRITES and self.writes_left is not None:
                self.writes_left -= 1
                if self.writes_left <= 0:
                    raise Killed
            return answer

        self.clients.dynamodb._make_api_call = one_call


def context() -> Any:
    """The part of Lambda's context that the consumer reads."""
    return SimpleNamespace(aws_request_id=uuid.uuid4().hex, get_remaining_time_in_millis=lambda: 60_000)


def body(**message: Any) -> str:
    """A message as JSON."""
    return json.dumps(message)
