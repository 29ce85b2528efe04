"""The function ``log-processor``: messages of the metrics queue in, items and CloudWatch metrics out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import orjson
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from backend.aws import Clients
from backend.give_back import give_back
from backend.invoked import check_sqs
from backend.logs import make_logger
from backend.processor.alerts import Alerts
from backend.processor.build import failed_writes_item
from backend.processor.cloudwatch import counts, put_data
from backend.processor.core import Processed, process
from backend.processor.items import receipt_item
from backend.processor.messages import Work, range_message, work_of
from backend.processor.objects import Loaded, load, quarantine_key, quarantine_records
from backend.processor.part import ObjectPart
from backend.processor.published import Published
from backend.processor.store import MetricsStore, WriteThrottled
from backend.settings import Settings, load_settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

ENOUGH_SECONDS: Final = 40.0
"""Time that one part may take; a message that is reached with less left goes back to the queue."""
SEND_BATCH: Final = 10
BACK_AFTER: Final = (60,)
"""Seconds until a message comes back that failed once: most outages are over by then. The next try is the last but
one, and waits for the queue's visibility time-out (12 min): what is away for longer than that leaves dead letters."""


@dataclass(slots=True)
class Totals:
    """What one invocation did, published at its end."""

    files: int = 0
    samples: int = 0
    written: int = 0
    failed: int = 0
    started: bool = False
    published: Published = field(default_factory=Published)


class Processor:
    """Works off messages. A message fails alone: SQS delivers it again, and after three times to the dead letters."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        store: MetricsStore,
        logger: Logger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._s3: S3Client = clients.s3
        self._sqs: SQSClient = clients.sqs
        self._cloudwatch = clients.cloudwatch
        self._alerts = Alerts(clients.sns, settings, logger)
        self._store = store
        self._logger = logger
        self._clock = clock

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        """Handles one SQS event; the answer names the messages to deliver again."""
        check_sqs(event)
        totals = Totals()
        batch = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        handle = partial(self._message, totals, context)
        answer = process_partial_response(event, handle, batch, context)
        failed = {str(entry["itemIdentifier"]) for entry in answer["batchItemFailures"]}
        give_back(self._sqs, self._settings.queue_url, event, failed, BACK_AFTER, self._logger)
        self._publish(totals)
        return answer

    def _publish(self, totals: Totals) -> None:
        now = self._clock()
        own = {
            "FilesProcessed": totals.files,
            "MetricsProcessed": totals.samples,
            "SuccessfulWrites": totals.written,
            "FailedWrites": totals.failed,
        }
        put_data(self._cloudwatch, [*counts(own, now), *totals.published.data(now)], self._logger)

    def _message(self, totals: Totals, context: LambdaContext, record: SQSRecord) -> None:
        if totals.started and context.get_remaining_time_in_millis() < ENOUGH_SECONDS * 1000:
            self._sqs.send_message(QueueUrl=self._settings.queue_url, MessageBody=record.body)
            self._logger.info("put back for lack of time", extra={"status": "put_back"})
            return
        totals.started = True
        for work in self._work(record):
            correlation_id = f"{work.part.key} {context.aws_request_id}"
            with self._logger.append_context_keys(correlation_id=correlation_id):
                self._part(work, totals)

    def _work(self, record: SQSRecord) -> list[Work]:
        try:
            return work_of(record.body)
        except ValueError as error:
            self._logger.error("message not understood", extra={"status": "failed", "error_message": str(error)})
            raise

    def _part(self, work: Work, totals: Totals) -> None:
        """One object or range, with a line in the log however it ends."""
        began = time.perf_counter()
        fields: dict[str, Any] = {"bucket": work.bucket, "object": work.part.key, "first_byte": work.part.start}
        try:
            fields |= self._read_and_process(work, totals)
        except Exception as error:
            fields |= {"status": "failed", "error_type": type(error).__name__, "error_message": str(error)}
            self._logger.error("object failed", extra=fields | {"latency_ms": _since(began)})
            raise
        self._logger.info("object handled", extra=fields | {"latency_ms": _since(began)})

    def _read_and_process(self, work: Work, totals: Totals) -> dict[str, Any]:
        try:
            loaded = load(self._s3, work.bucket, work.part, self._settings.config.limits.object_split_bytes)
        except ClientError as error:
            return self._unreadable(work, error)
        if loaded.ranges:
            self._send_ranges(work.bucket, loaded.ranges)
            return {"status": "split", "ranges": len(loaded.ranges)}
        return self._process(loaded, totals)

    def _process(self, loaded: Loaded, totals: Totals) -> dict[str, Any]:
        config, now = self._settings.config, self._clock()
        processed = process(
            loaded.body,
            loaded.part,
            now=now,
            catalogue=self._settings.catalogue,
            limits=config.limits,
            retention=config.retention,
            published_environment=self._settings.config.environment,
        )
        processed.refuse(loaded.refused)
        quarantine = self._quarantine(loaded.part, processed, now)
        written = self._write(loaded.part, processed, totals, now)
        if loaded.part.receipt:
            self._acknowledge(loaded.part, processed, now)
        totals.files += loaded.part.start == 0
        totals.samples += processed.stored
        totals.written += written
        totals.published.update(processed.published)
        if processed.quarantined:
            self._alerts.quality(loaded.part, processed, quarantine, config.limits.failure_alert_percent)
        return {
            "status": "processed",
            "samples": processed.samples,
            "stored": processed.stored,
            "merged": processed.merged,
            "quarantined": len(processed.quarantined),
            "items": written,
            "late": processed.late,
        }

    def _write(self, part: ObjectPart, processed: Processed, totals: Totals, now: float) -> int:
        try:
            return self._store.write(processed.items)
        except WriteThrottled as error:
            totals.failed += error.unwritten
            item = failed_writes_item(
                part, error.unwritten, now, self._settings.catalogue, self._settings.config.retention
            )
            try:
                self._store.write(item, attempts=0)
            except (WriteThrottled, ClientError, BotoCoreError):
                self._logger.warning("failed writes not counted in the table", extra={"unwritten": error.unwritten})
            raise

    def _acknowledge(self, part: ObjectPart, processed: Processed, now: float) -> None:
        """Tells who waits for this object that all of it is written; after everything else, so that it is true."""
        counts = {
            "samples": processed.samples,
            "stored": processed.stored,
            "merged": processed.merged,
            "quarantined": len(processed.quarantined),
        }
        metrics = {metric for _, metric in processed.seen}
        self._store.write([receipt_item(part.key, counts, metrics, int(now))])

    def _quarantine(self, part: ObjectPart, processed: Processed, now: float) -> str:
        """Keeps the refused lines before anything is acknowledged; returns their key, empty without any."""
        if not processed.quarantined:
            return ""
        key = quarantine_key(part)
        lines = map(orjson.dumps, quarantine_records(processed.quarantined, part, now))
        self._s3.put_object(
            Bucket=self._settings.bucket, Key=key, Body=b"\n".join(lines) + b"\n", ContentType="application/json"
        )
        return key

    def _unreadable(self, work: Work, error: ClientError) -> dict[str, Any]:
        """A missing object is skipped, a forbidden one goes to the dead letters at once; the rest is tried again."""
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if error.response["Error"]["Code"] == "NoSuchKey":
            return {"status": "missing", "error_type": "NoSuchKey"}
        if status != 403 or not self._settings.dead_letter_queue_url:
            raise error
        self._sqs.send_message(
            QueueUrl=self._settings.dead_letter_queue_url,
            MessageBody=work.message,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": f"access denied: {error}"}},
        )
        self._alerts.access_denied(work.bucket, work.part, str(error))
        return {"status": "dead_lettered", "error_type": "AccessDenied"}

    def _send_ranges(self, bucket: str, ranges: list[ObjectPart]) -> None:
        for index in range(0, len(ranges), SEND_BATCH):
            entries = [
                {"Id": str(number), "MessageBody": range_message(bucket, part)}
                for number, part in enumerate(ranges[index : index + SEND_BATCH])
            ]
            answer = self._sqs.send_message_batch(QueueUrl=self._settings.queue_url, Entries=entries)  # type: ignore[arg-type]
            if failed := answer.get("Failed"):
                raise RuntimeError(f"{len(failed)} ranges not queued: {failed[0].get('Message', failed[0]['Code'])}")


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)


@cache
def _wired() -> Processor:
    """The processor of this container, wired once from the environment."""
    settings = load_settings(os.environ)
    store = MetricsStore(Clients(settings.region, attempts=1).dynamodb, settings.table)
    return Processor(settings, Clients(settings.region), store, make_logger("log-processor"))


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """The function's entry point."""
    return _wired()(event, context)
