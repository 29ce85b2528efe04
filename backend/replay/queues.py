"""The dead-letter queues that can be looked at and redriven, and their messages: received, given back, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from backend.contract.errors import InvalidInput
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

BATCH: Final = 10
"""SQS's own limit of messages in a request."""
EVENT_LETTERS: Final = "event-processor-dlq"
METRIC_LETTERS: Final = "log-processor-dlq"
ALERT_LETTERS: Final = "alert-consumer-dlq"


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """One queue. ``source`` is the function whose failures it holds, ``back_url`` where a redrive sends them.

    ``variable`` and ``back_variable`` are what must be set where the URLs are empty.
    """

    name: str
    url: str
    source: str
    back_url: str
    variable: str
    back_variable: str


def known_queues(settings: Settings) -> dict[str, DeadLetterQueue]:
    """The dead-letter queues by name."""
    queues = (
        DeadLetterQueue(
            EVENT_LETTERS,
            settings.event_dead_letter_queue_url,
            "event-processor",
            settings.event_queue_url,
            "EVENT_DEAD_LETTER_QUEUE_URL",
            "EVENT_QUEUE_URL",
        ),
        DeadLetterQueue(
            METRIC_LETTERS,
            settings.dead_letter_queue_url,
            "log-processor",
            settings.queue_url,
            "DEAD_LETTER_QUEUE_URL",
            "QUEUE_URL",
        ),
        DeadLetterQueue(
            ALERT_LETTERS,
            settings.alert_dead_letter_queue_url,
            "alert-consumer",
            settings.alert_queue_url,
            "ALERT_DEAD_LETTER_QUEUE_URL",
            "ALERT_QUEUE_URL",
        ),
    )
    return {queue.name: queue for queue in queues}


def find_queue(name: Any, settings: Settings) -> DeadLetterQueue:
    """The queue of that name. Raises InvalidInput naming those there are, or the variable that is not set."""
    queues = known_queues(settings)
    if not isinstance(name, str) or name not in queues:
        raise InvalidInput("queue", name, f"is not a known dead-letter queue; use {', '.join(queues)}")
    if not queues[name].url:
        raise InvalidInput("queue", name, f"is not connected; set {queues[name].variable}")
    return queues[name]


class Letters:
    """The messages of one queue. SQS can't be browsed: to look is to receive, which counts and hides."""

    def __init__(self, sqs: SQSClient, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def receive(self, hidden_seconds: int, wait_seconds: int = 1) -> list[MessageTypeDef]:
        """At most ten messages, hidden for so long; none where the queue shows none for ``wait_seconds``."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=hidden_seconds,
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def about(self) -> tuple[int, int]:
        """SQS's approximate counts: messages that can be received, and those that are hidden."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def give_back(self, receipts: Sequence[str]) -> None:
        """Shows messages again at once. One that can't be given back shows itself when its time is over."""
        for batch in _batches(receipts):
            self._sqs.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                    for number, receipt in enumerate(batch)
                ],
            )

    def delete(self, receipts: Sequence[str]) -> set[str]:
        """Deletes messages; returns the receipts of those that SQS did not delete."""
        kept: set[str] = set()
        for batch in _batches(receipts):
            entries: Any = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(batch)]
            answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
            kept |= {batch[int(failure["Id"])] for failure in answer.get("Failed", [])}
        return kept


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[index : index + BATCH] for index in range(0, len(values), BATCH))
