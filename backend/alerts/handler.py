"""The function ``alert-consumer``: messages of the alert queue, and the minute's sweep."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from backend.alerts.delivery import SEND_SECONDS, Deliverer
from backend.alerts.keeper import Keeper, lanes_of
from backend.alerts.outbox import LEASE_SECONDS, Lane, Outbox
from backend.alerts.own import LETTERS_SECONDS, delivery_signal, letters_signal
from backend.alerts.parsing import read
from backend.alerts.store import AlertStore, Conflict
from backend.alerts.transports.base import Transport
from backend.alerts.transports.build import build_transports
from backend.alerts.watchdog import Watchdog
from backend.aws import Clients
from backend.contract.alerts import Signal
from backend.events.own_metrics import OwnMetrics
from backend.give_back import give_back
from backend.invoked import check_sqs
from backend.logs import make_logger
from backend.replay.queues import Letters
from backend.settings import Settings, load_settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SERVICE: Final = "alert-consumer"
TIMEOUT_SECONDS: Final = 5.0
SPARE_SECONDS: Final = 5.0
"""Kept of the function's time for what follows the deliveries."""
BACK_AFTER: Final = (5, 10, 20, 40, 80, 160)
"""Seconds until a message comes back that could not be decided on; then the queue's visibility time-out, 6 min."""
LOOK_SECONDS: Final = 5.0
"""An invocation looks at most so often for what else is due."""


class AlertConsumer:
    """Decides on each message, then delivers. A message counts as done once its decision is written: what is to be
    told is written with it."""

    def __init__(
        self,
        store: AlertStore,
        outbox: Outbox,
        keeper: Keeper,
        transports: Mapping[str, Transport],
        watchdog: Watchdog,
        letters: Letters | None,
        settings: Settings,
        logger: Logger,
        clock: Callable[[], float] = time.time,
        sqs: SQSClient | None = None,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._keeper = keeper
        self._watchdog = watchdog
        self._letters = letters
        self._sqs = sqs
        self._letters_at = float("-inf")
        self._settings = settings
        self._logger = logger
        self._clock = clock
        self._looked_at = float("-inf")
        self._lanes: list[Lane] = []
        self._deliverer = Deliverer(store, outbox, transports, settings.config.alerts, logger, clock, self._report)

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Handles an SQS event, or ``{"sweep": true}``; the answer names the messages to deliver again."""
        deadline = self._clock() + context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS
        origin = context.aws_request_id
        if event.get("sweep"):
            return self._sweep(deadline, origin)
        check_sqs(event)
        batch = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        answer = process_partial_response(event, self._message, batch, context)
        failed = {str(entry["itemIdentifier"]) for entry in answer["batchItemFailures"]}
        if self._sqs is not None and self._settings.alert_queue_url:
            give_back(self._sqs, self._settings.alert_queue_url, event, failed, BACK_AFTER, self._logger)
        now = self._clock()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._lanes += self._outbox.lanes_due(now)
        self._deliver(deadline)
        self._count(origin)
        return dict(answer)

    def _sweep(self, deadline: float, origin: str) -> dict[str, Any]:
        now = self._looked_at = self._clock()
        due = self._store.due(now)
        self._lanes += self._outbox.lanes_due(now)
        lanes = set(self._lanes)
        # Once the table has answered, as without it nobody is told; before the rest, which may take its time.
        self._watchdog.beat(origin, now)
        # What waits has half of the time, so that what is due has some too.
        self._deliver(now + (deadline - now) / 2)
        looked_at = self._let_time_pass(due, deadline - SEND_SECONDS)
        self._look_at_letters(now)
        lanes |= set(self._lanes)
        self._lanes += self._outbox.lanes_due(self._clock())
        self._deliver(deadline)
        self._count(origin)
        return {"looked_at": looked_at, "lanes": len(lanes)}

    def _let_time_pass(self, due: list[str], deadline: float) -> int:
        """For as many as there is time for; where there is not enough, nobody is always last."""
        random.shuffle(due)
        for looked_at, fingerprint in enumerate(due):
            if self._clock() > deadline:
                self._logger.warning("not all alerts looked at", extra={"due": len(due), "looked_at": looked_at})
                return looked_at
            try:
                self._lanes += lanes_of(self._keeper.on_time(fingerprint))
            except (Conflict, ClientError, BotoCoreError) as error:
                self._logger.warning("decided at the next sweep", extra={"error_message": str(error)})
        return len(due)

    def _look_at_letters(self, now: float) -> None:
        """What the consumer gave up itself, by way of its dead-letter queue; the next look repeats what fails."""
        if self._letters is None or now - self._letters_at < LETTERS_SECONDS:
            return
        try:
            depth, in_flight = self._letters.about()
            self._letters_at = now
            if depth + in_flight:
                self._take(letters_signal(depth + in_flight, self._settings.config.environment, now))
        except (Conflict, ClientError, BotoCoreError) as error:
            self._logger.warning("dead letters not looked at", extra={"error_message": str(error)})

    def _message(self, record: SQSRecord) -> None:
        signal = read(record.raw_event, self._settings.catalogue, self._settings.config.environment, self._clock())
        if signal is None:
            self._looked_at = float("-inf")
            return
        with self._logger.append_context_keys(correlation_id=signal.correlation_id or record.message_id):
            self._take(signal)

    def _take(self, signal: Signal) -> None:
        decision = self._keeper.on_signal(signal)
        fields = {"status": decision.outcome, "rule": signal.rule, "fingerprint": signal.fingerprint}
        self._logger.info(signal.title, extra={**fields, "alert_state": signal.state, "severity": signal.severity})
        self._lanes += lanes_of(decision)

    def _deliver(self, deadline: float) -> None:
        """What waits; and what failed deliveries make of it, which goes by other roads."""
        while self._lanes:
            lanes, self._lanes = self._lanes, []
            self._deliverer.deliver(lanes, deadline)

    def _count(self, origin: str) -> None:
        self._watchdog.count(self._deliverer.counted(), origin, self._clock())

    def _report(self, transport: str, reason: str, gave_up: bool, delivery_id: str) -> None:
        signal = delivery_signal(
            transport, reason, gave_up, delivery_id, self._settings.config.environment, self._clock()
        )
        self._take(signal)


def build(
    settings: Settings,
    clients: Clients,
    logger: Logger,
    environ: Mapping[str, str],
    *,
    clock: Callable[[], float] = time.time,
    transports: Mapping[str, Transport] | None = None,
    lease_seconds: float = LEASE_SECONDS,
) -> AlertConsumer:
    """The function over these clients. Raises InvalidInput for alert settings that can't be used."""
    connected = build_transports(settings, clients, environ, clock) if transports is None else transports
    store = AlertStore(clients.dynamodb, settings)
    keeper = Keeper(store, settings, frozenset(connected), clock)
    metrics = OwnMetrics(clients.dynamodb, settings, SERVICE, logger)
    watchdog = Watchdog(clients.cloudwatch, metrics, settings, logger)
    outbox = Outbox(clients.dynamodb, settings, lease_seconds)
    url = settings.alert_dead_letter_queue_url
    letters = Letters(clients.sqs, url) if url else None
    return AlertConsumer(store, outbox, keeper, connected, watchdog, letters, settings, logger, clock, clients.sqs)


@cache
def _wired() -> AlertConsumer:
    """The function of this container, wired once from the environment."""
    settings = load_settings(os.environ)
    return build(settings, Clients(settings.region, timeout=TIMEOUT_SECONDS), make_logger(SERVICE), os.environ)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """The function's entry point."""
    return _wired()(event, context)
