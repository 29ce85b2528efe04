"""Messages that a function could not work off come back soon: a queue's own time-out is made for functions that die."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH: Final = 10
"""Messages of one ChangeMessageVisibilityBatch."""


def give_back(
    sqs: SQSClient,
    queue_url: str,
    event: Mapping[str, Any],
    failed: Collection[str],
    after: Sequence[int],
    logger: Logger,
) -> None:
    """Lets the ``failed`` messages (ids) of an SQS ``event`` come back after ``after[n]`` seconds at failure n.

    Those that failed more often wait for the queue's visibility time-out, and so do all where SQS does not answer.
    """
    entries: list[Any] = []
    for number, record in enumerate(event["Records"]):
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        if record["messageId"] in failed and receives <= len(after):
            seconds = after[receives - 1]
            entries.append({"Id": str(number), "ReceiptHandle": record["receiptHandle"], "VisibilityTimeout": seconds})
    for start in range(0, len(entries), BATCH):
        try:
            answer = sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries[start : start + BATCH])
        except (ClientError, BotoCoreError) as error:
            logger.warning("messages come back late", extra={"error_message": str(error)})
            return
        if refused := answer.get("Failed"):
            logger.warning("messages come back late", extra={"messages": len(refused)})
