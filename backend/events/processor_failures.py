"""What happens to a message that can't be processed: its event says why, people are told, the queue gets it back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.event_items import Item
from backend.events.processor_store import ProcessorStore
from backend.events.received import Failed
from backend.processor.alerts import Alerts
from backend.settings import EventType, Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

VISIBILITY_BATCH: Final = 10
"""Messages of one ChangeMessageVisibilityBatch."""


def operator_of(event_type: str | None, settings: Settings) -> str:
    """Who handles a type of events: what its errors are counted under."""
    configured = settings.config.events.types.get(event_type or "")
    return (configured or EventType()).operator


class Failures:
    """Records failed messages. What can't be recorded is logged; the message goes back to the queue all the same."""

    def __init__(
        self,
        store: ProcessorStore,
        sqs: SQSClient,
        alerts: Alerts,
        settings: Settings,
        logger: Logger,
        pool: Executor,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._sqs = sqs
        self._alerts = alerts
        self._settings = settings
        self._logger = logger
        self._pool = pool
        self._clock = clock

    def record(self, failed: Sequence[Failed]) -> list[Failed]:
        """Writes each failure to its event and its trace; the failures with their events' items where there are any.

        The messages come back sooner than the queue's visibility time-out says.
        """
        recorded = list(self._pool.map(self._record, failed))
        for entry in recorded:
            if entry.failure.alert and (entry.received.receives == 1 or entry.received.last_time):
                self._alert(entry)
        for index in range(0, len(recorded), VISIBILITY_BATCH):
            self._give_back(recorded[index : index + VISIBILITY_BATCH])
        return recorded

    def _record(self, failed: Failed) -> Failed:
        try:
            item = failed.item or self._item_of(failed)
            if item is None:
                return failed
            operator = operator_of(item["event_type"]["S"], self._settings)
            self._store.failed(failed, item, failed.error(operator, self._clock()))
        except (ClientError, BotoCoreError, RuntimeError) as error:
            self._logger.error("failure not recorded", extra=self._said(failed, error))
            return failed
        return replace(failed, item=item)

    def _item_of(self, failed: Failed) -> Item | None:
        return self._store.item_by_id(failed.message.event_id) if failed.message else None

    def _alert(self, failed: Failed) -> None:
        details: dict[str, Any] = {"message_id": failed.received.message_id, "error": failed.failure.message}
        if failed.message:
            details |= {"event_id": failed.message.event_id, "object": failed.message.raw_key}
        self._alerts.send("CRITICAL", "raw_event", "An event's raw object was changed or is gone", details)

    def _give_back(self, failed: Sequence[Failed]) -> None:
        entries: Any = [
            {
                "Id": str(number),
                "ReceiptHandle": entry.received.receipt,
                "VisibilityTimeout": entry.returns_after(),
            }
            for number, entry in enumerate(failed)
        ]
        try:
            answer = self._sqs.change_message_visibility_batch(QueueUrl=self._settings.event_queue_url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            self._logger.warning("messages come back late", extra=self._said(failed[0], error))
            return
        if refused := answer.get("Failed"):
            extra = {"messages": len(refused), "error_message": refused[0].get("Message", refused[0]["Code"])}
            self._logger.warning("messages come back late", extra=extra)

    def _said(self, failed: Failed, error: Exception) -> dict[str, Any]:
        return {
            "message_id": failed.received.message_id,
            "error_type": type(error).__name__,
            "error_message": str(error),
        }
