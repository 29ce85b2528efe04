"""Dead-letter queues as pages and the command line use them: how full, what is in them, redrive, delete."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.audit import AuditLog
from backend.contract.errors import InvalidInput
from backend.contract.replays import UNREADABLE, DeadLetterFilter, Listing, QueueState, Replay
from backend.replay.letters import letters_of
from backend.replay.queue_lease import QueueLeases
from backend.replay.queues import DeadLetterQueue, Letters, find_queue, known_queues
from backend.replay.request import check_reason
from backend.replay.service import FindsEvents, ReplayService
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

logger = logging.getLogger(__name__)

SAMPLE: Final = 200
"""Messages that a listing looks at."""
LOOK_SECONDS: Final = 8.0
DELETE_SECONDS: Final = 20.0
HIDDEN_SECONDS: Final = 30
"""A look that dies gives its messages back after this time, otherwise it does so at once."""
MAX_DELETED: Final = 500
BODIES_CHARACTERS: Final = 30_000
"""Of deleted messages' bodies the audit log keeps so much, shared out evenly: even escaped it fits an item."""
NOTE_SECONDS: Final = 900.0
"""For so long the oldest message of the last look counts as the queue's oldest."""
AGE_METRIC: Final = "ApproximateAgeOfOldestMessage"


class DeadLetters:
    """The known dead-letter queues. ``clock`` gives epoch seconds."""

    def __init__(
        self,
        sqs: SQSClient,
        cloudwatch: CloudWatchClient,
        dynamodb: DynamoDBClient,
        investigation: FindsEvents,
        audit: AuditLog,
        replays: ReplayService,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sqs = sqs
        self._cloudwatch = cloudwatch
        self._events = investigation
        self._audit = audit
        self._replays = replays
        self._settings = settings
        self._clock = clock
        self._leases = QueueLeases(dynamodb, settings.replays_table)

    def queues(self) -> tuple[QueueState, ...]:
        """How full each queue is; a queue that can't be read says why and costs the others nothing."""
        queues = list(known_queues(self._settings).values())
        with ThreadPoolExecutor(len(queues) + 1, thread_name_prefix="queues") as pool:
            ages = pool.submit(self._ages, [queue for queue in queues if queue.url])
            return tuple(pool.map(lambda queue: self._state(queue, ages.result()), queues))

    def listing(self, name: str, wanted: DeadLetterFilter | None = None) -> Listing:
        """A sample of a queue: at most 200 messages are looked at, those that ``wanted`` takes are shown.

        The newest come first. A look counts as a receive of each message seen. Raises InvalidInput for an unknown
        queue, and with code busy while someone else looks or a redrive works on the queue.
        """
        queue, wanted = find_queue(name, self._settings), wanted or DeadLetterFilter()
        with self._looking(queue, LOOK_SECONDS + HIDDEN_SECONDS) as letters:
            messages: list[MessageTypeDef] = []
            about = letters.about()[0]
            try:
                for batch in self._batches(letters, LOOK_SECONDS):
                    messages += batch
                    if len(messages) >= min(SAMPLE, about):
                        break
            finally:
                letters.give_back([message["ReceiptHandle"] for message in messages])
            now = self._clock()
            seen = letters_of(messages, self._events, now)
            self._leases.note_oldest(name, min((letter.sent_at for letter in seen), default=None), now)
        shown = sorted(filter(wanted.takes, seen), key=lambda letter: letter.sent_at, reverse=True)
        return Listing(name, tuple(shown), len(seen), max(about, len(seen)), now)

    def redrive(
        self, name: str, wanted: DeadLetterFilter, by: str, reason: str, rate_per_second: float | None = None
    ) -> Replay:
        """Starts sending the messages that ``wanted`` takes back to the queue they come from.

        Every message that is there now is looked at once. The rest stays. Raises InvalidInput for an unknown or empty
        queue, a bad reason or rate.
        """
        queue = find_queue(name, self._settings)
        if not queue.back_url:
            raise InvalidInput("queue", name, f"has nowhere to send to; set {queue.back_variable}")
        depth, hidden = Letters(self._sqs, queue.url).about()
        matched = len(wanted.message_ids) or depth + hidden
        return self._replays.create_redrive(name, queue.source, wanted, by, reason, rate_per_second, matched)

    def delete(self, name: str, message_ids: Sequence[str], by: str, reason: str) -> int:
        """Deletes messages for good; returns how many were found and deleted.

        Their bodies go to the audit log before, each cut where they are many. Raises InvalidInput for an unknown
        queue, a bad reason, with code busy as ``listing`` does, with not_found where none of the messages is there and
        with conflict where SQS deleted none.
        """
        queue, reason = find_queue(name, self._settings), check_reason(reason)
        wanted = set(message_ids)
        if not 1 <= len(wanted) <= MAX_DELETED:
            raise InvalidInput("message_ids", f"{len(wanted)} ids", f"must be 1 to {MAX_DELETED} message ids")
        with self._looking(queue, DELETE_SECONDS + HIDDEN_SECONDS) as letters:
            found: dict[str, MessageTypeDef] = {}
            others: dict[str, MessageTypeDef] = {}
            try:
                for batch in self._batches(letters, DELETE_SECONDS):
                    for message in batch:
                        (found if message["MessageId"] in wanted else others)[message["MessageId"]] = message
                    if len(found) == len(wanted):
                        break
                return self._delete(name, letters, found, sorted(wanted), by, reason)
            finally:
                letters.give_back([message["ReceiptHandle"] for message in others.values()])

    def _delete(
        self,
        name: str,
        letters: Letters,
        found: dict[str, MessageTypeDef],
        wanted: list[str],
        by: str,
        reason: str,
    ) -> int:
        room = BODIES_CHARACTERS // max(1, len(found))
        bodies = {message_id: message["Body"][:room] for message_id, message in found.items()}
        cut = sum(len(message["Body"]) > room for message in found.values())
        details = {"message_ids": wanted, "bodies": bodies, "bodies_cut": cut}
        audit_id = self._audit.begin("dead_letters.delete", by, reason, name, details)
        try:
            kept = letters.delete([message["ReceiptHandle"] for message in found.values()])
        except (ClientError, BotoCoreError) as error:
            self._audit.finish(audit_id, "failed", {"message": str(error)})
            raise
        deleted = len(found) - len(kept)
        self._audit.finish(
            audit_id,
            "succeeded" if deleted == len(wanted) else "failed",
            {"deleted": deleted, "not_found": len(wanted) - len(found), "not_deleted": len(kept)},
        )
        if not found:
            raise InvalidInput("message_ids", wanted, "were not found; nothing was deleted, look again", "not_found")
        if not deleted:
            raise InvalidInput("message_ids", wanted, "were not deleted by SQS; try again in a moment", "conflict")
        return deleted

    @contextmanager
    def _looking(self, queue: DeadLetterQueue, seconds: float) -> Iterator[Letters]:
        owner = self._leases.take(queue.name, seconds, self._clock())
        try:
            yield Letters(self._sqs, queue.url)
        finally:
            self._leases.give_back(queue.name, owner)

    def _batches(self, letters: Letters, seconds: float) -> Iterator[list[MessageTypeDef]]:
        """Messages, ten at a time, hidden until they are given back, while there are any and ``seconds`` last."""
        until = self._clock() + seconds
        hidden = int(seconds) + HIDDEN_SECONDS
        while self._clock() < until and (batch := letters.receive(hidden)):
            yield batch

    def _state(self, queue: DeadLetterQueue, ages: dict[str, float]) -> QueueState:
        if not queue.url:
            return QueueState(queue.name, None, None, None, queue.source, f"{queue.variable} is not set")
        try:
            depth, in_flight = Letters(self._sqs, queue.url).about()
            age = self._age(queue.name, ages) if depth + in_flight else None
        except (ClientError, BotoCoreError) as error:
            # The card is for everybody; addresses and account numbers in AWS's own words are not.
            logger.warning("the queue %s can't be read: %s", queue.name, error)
            return QueueState(queue.name, None, None, None, queue.source, UNREADABLE)
        return QueueState(queue.name, depth, in_flight, age, queue.source)

    def _age(self, name: str, ages: dict[str, float]) -> float | None:
        """CloudWatch's age of the oldest message, or that of the oldest one that was seen of late."""
        if name in ages:
            return ages[name]
        now = self._clock()
        sent_at = self._leases.oldest(name, now - NOTE_SECONDS)
        return None if sent_at is None else now - sent_at

    def _ages(self, queues: Sequence[DeadLetterQueue]) -> dict[str, float]:
        """The latest ages that CloudWatch knows, seconds; where it can't be read there are none."""
        if not queues:
            return {}
        now = self._clock()
        wanted: list[Any] = [
            {
                "Id": f"age{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SQS",
                        "MetricName": AGE_METRIC,
                        "Dimensions": [{"Name": "QueueName", "Value": queue.name}],
                    },
                    "Period": 60,
                    "Stat": "Maximum",
                },
            }
            for number, queue in enumerate(queues)
        ]
        try:
            answer = self._cloudwatch.get_metric_data(
                MetricDataQueries=wanted,
                StartTime=datetime.fromtimestamp(now - NOTE_SECONDS, UTC),
                EndTime=datetime.fromtimestamp(now, UTC),
                ScanBy="TimestampDescending",
            )
        except (ClientError, BotoCoreError):
            return {}
        found = {result["Id"]: result["Values"][0] for result in answer["MetricDataResults"] if result["Values"]}
        return {queue.name: found[f"age{n}"] for n, queue in enumerate(queues) if f"age{n}" in found}
