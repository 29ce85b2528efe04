"""The function ``event-processor``: an SQS event in, the messages to deliver again out; logs and metrics."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from backend.aws import Clients
from backend.contract.event_items import Item
from backend.contract.events import ERROR_TYPES
from backend.events.aggregate_store import AggregateStore
from backend.events.ingest_log import loggable
from backend.events.outcome import entity_fields
from backend.events.own_metrics import Measured, OwnMetrics
from backend.events.plugins import processor_plugins
from backend.events.processor import EventProcessor
from backend.events.processor_failures import Failures, operator_of
from backend.events.processor_store import ProcessorStore
from backend.events.received import Arrived, Failed
from backend.events.search_reader import EventTable
from backend.invoked import check_sqs
from backend.logs import make_logger
from backend.processor.alerts import Alerts
from backend.processor.cloudwatch import counts, put_data
from backend.settings import Settings, load_settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

SERVICE: Final = "event-processor"
PARALLEL: Final = 16
TIMEOUT_SECONDS: Final = 5.0
"""Of one AWS call: with its two attempts and the writes that follow, well below the function's own 60 s."""
KNOWN_BY_ITEM: Final = ("entity_id", "event_type", "source")
DLQ_METRIC: Final = "dlq_records"
FAILED_METRIC: Final = "events_failed"
"""The same count without other pipelines' dead letters: what the SLO holds against the events taken in."""
QUIET_SECONDS: Final = 10.0
"""Between two samples that say that nothing was dead-lettered."""


class EventHandler:
    """One container's handler. Every message ends in one line of the log."""

    def __init__(
        self,
        processor: EventProcessor,
        failures: Failures,
        metrics: OwnMetrics,
        cloudwatch: CloudWatchClient,
        settings: Settings,
        logger: Logger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._processor = processor
        self._failures = failures
        self._metrics = metrics
        self._cloudwatch = cloudwatch
        self._settings = settings
        self._logger = logger
        self._clock = clock
        self._keys = loggable(settings.config.events.entity_keys)
        self._measured_at = float("-inf")

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Handles one SQS event; the answer names the messages to deliver again."""
        check_sqs(event)
        began = time.perf_counter()
        done = self._processor.process(event["Records"])
        failed = self._failures.record(done.failed)
        latency = {"latency_ms": round((time.perf_counter() - began) * 1000, 1)}
        for arrived in done.counted:
            self._log_processed(arrived, {"status": "processed", **latency})
        for arrived in done.repeated:
            self._log_processed(arrived, {"status": "repeated", **latency})
        for entry in failed:
            self._log_failed(entry, latency)
        self._measure(failed, context.aws_request_id)
        return {"batchItemFailures": [{"itemIdentifier": entry.received.message_id} for entry in failed]}

    def _log_processed(self, arrived: Arrived, extra: dict[str, Any]) -> None:
        raw, message = arrived.raw, arrived.message
        fields = {
            **entity_fields(raw.payload, self._keys),
            "event_id": raw.event_id,
            "entity_id": raw.entity_id,
            "event_type": raw.event_type,
            "source": raw.source,
            "operator": operator_of(raw.event_type, self._settings),
            "replay_id": message.replay_id,
            "traceparent": arrived.received.traceparent,
            "xray_id": arrived.received.xray_id,
        }
        with self._logger.append_context_keys(correlation_id=raw.correlation_id):
            self._logger.info("event processed", extra=fields | extra)

    def _log_failed(self, entry: Failed, extra: dict[str, Any]) -> None:
        item: Item = entry.item or {}
        received = entry.received
        known: dict[str, str] = {name: item[name]["S"] for name in KNOWN_BY_ITEM if name in item}
        fields = {
            **known,
            "event_id": entry.message.event_id if entry.message else None,
            "message_id": received.message_id,
            "operator": operator_of(known.get("event_type"), self._settings),
            "status": "dead_lettered" if received.last_time else "failed",
            "receive_count": received.receives,
            "error_type": entry.failure.error_type,
            "error_message": entry.failure.message[:2_000],
            "replay_id": entry.message.replay_id if entry.message else None,
            "traceparent": received.traceparent,
            "xray_id": received.xray_id,
        }
        correlation_id = entry.message.correlation_id if entry.message else received.message_id
        with self._logger.append_context_keys(correlation_id=correlation_id):
            self._logger.error("event failed", extra=fields | extra)

    def _measure(self, failed: Sequence[Failed], origin: str) -> None:
        """Counts dead letters by error type; now and then says that there are none, which keeps the signal alive."""
        now = self._clock()
        dead = Counter(entry.failure.error_type for entry in failed if entry.received.last_time)
        if not dead and now - self._measured_at < QUIET_SECONDS:
            return
        self._measured_at = now
        metrics = (DLQ_METRIC, FAILED_METRIC)
        measured = [Measured(name, dead[kind], {"error_type": kind}) for name in metrics for kind in ERROR_TYPES]
        self._metrics.write(measured, origin, now)
        if dead:
            name = self._settings.catalogue[DLQ_METRIC].cloudwatch
            put_data(self._cloudwatch, counts({name: dead.total()}, now) if name else [], self._logger)


def build(settings: Settings, clients: Clients, logger: Logger, clock: Callable[[], float] = time.time) -> EventHandler:
    """The handler over clients. Raises InvalidInput for plug-ins that can't be loaded."""
    plugins = processor_plugins(settings)
    pool = ThreadPoolExecutor(PARALLEL, SERVICE)
    table = EventTable(clients.dynamodb, settings.events_table, pool)
    store = ProcessorStore(clients.dynamodb, clients.s3, settings, plugins.layout, table)
    processor = EventProcessor(store, AggregateStore(clients.dynamodb, settings), plugins, pool, clock=clock)
    alerts = Alerts(clients.sns, settings, logger, SERVICE)
    failures = Failures(store, clients.sqs, alerts, settings, logger, pool, clock)
    metrics = OwnMetrics(clients.dynamodb, settings, SERVICE, logger)
    return EventHandler(processor, failures, metrics, clients.cloudwatch, settings, logger, clock)


@cache
def _wired() -> EventHandler:
    """The handler of this container, wired once from the environment."""
    settings = load_settings(os.environ)
    clients = Clients(settings.region, timeout=TIMEOUT_SECONDS, attempts=2)
    return build(settings, clients, make_logger(SERVICE))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """The function's entry point."""
    return _wired()(event, context)
