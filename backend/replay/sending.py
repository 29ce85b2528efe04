"""Messages to a queue: batches in parallel at the replay's pace, and only what failed is sent again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

from backend.replay.pace import Pace, batch_size

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PARALLEL: Final = 10
ATTEMPTS: Final = 4
BACK_OFF_SECONDS: Final = 0.2
"""Before the second attempt; doubled before each further one."""
FORBIDDEN: Final = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "AccessDenied",
        "AccessDeniedException",
        "KmsAccessDenied",
        "InvalidAddress",
    }
)
"""No attempt will help: the replay ends."""
TOO_LONG: Final = frozenset({"AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong"})


class QueueRefuses(RuntimeError):  # noqa: N818 - reads as a statement where it is raised
    """The target can't be sent to, now or later; the message says why."""


class QueueUnavailable(RuntimeError):  # noqa: N818 - reads as a statement where it is raised
    """Not one request got through. It may later."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to be sent."""

    body: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    system_attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message: its id, or why it was not sent."""

    message_id: str = ""
    problem: str = ""
    unreached: bool = False
    """The request as a whole failed; the queue did not judge this message."""
    forbidden: bool = False
    """And no further attempt will help."""


class Sender:
    """Sends to one queue. ``with Sender(...) as sender:`` ends its threads."""

    def __init__(
        self, sqs: SQSClient, url: str, rate: float | None, pace: Pace, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._sqs = sqs
        self._url = url
        self._batch = batch_size(rate)
        self._pace = pace
        self._sleep = sleep
        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="sender")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def send(self, messages: Sequence[Outgoing]) -> list[Sent]:
        """Sends them all, ten in a request; the answers are in the same order.

        When not one request got through nothing was sent; raises QueueRefuses or QueueUnavailable then.
        """
        waiting = []
        for index in range(0, len(messages), self._batch):
            batch = messages[index : index + self._batch]
            self._pace.wait(len(batch))
            waiting.append(self._pool.submit(self._send_batch, batch))
        sent = [answer for future in waiting for answer in future.result()]
        if sent and all(answer.unreached for answer in sent):
            refused = next((answer for answer in sent if answer.forbidden), None)
            raise QueueRefuses(refused.problem) if refused else QueueUnavailable(sent[0].problem)
        return sent

    def _send_batch(self, batch: Sequence[Outgoing]) -> list[Sent]:
        """Up to ten messages, a few attempts."""
        answers = [Sent(problem="was not sent", unreached=True)] * len(batch)
        left = list(range(len(batch)))
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(BACK_OFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
            left = self._attempt(batch, left, answers)
            if not left:
                break
        return answers

    def _attempt(self, batch: Sequence[Outgoing], left: list[int], answers: list[Sent]) -> list[int]:
        """One request; puts answers in their places and returns the places to try again."""
        try:
            answer = self._sqs.send_message_batch(
                QueueUrl=self._url, Entries=[_entry(str(place), batch[place]) for place in left]
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in TOO_LONG and len(left) > 1:
                half = len(left) // 2
                return self._attempt(batch, left[:half], answers) + self._attempt(batch, left[half:], answers)
            return _unreached(left, answers, error, forbidden=code in FORBIDDEN)
        except BotoCoreError as error:
            return _unreached(left, answers, error)
        for success in answer.get("Successful", []):
            answers[int(success["Id"])] = Sent(success["MessageId"])
        again = []
        for failure in answer.get("Failed", []):
            place = int(failure["Id"])
            answers[place] = Sent(problem=f"{failure['Code']}: {failure.get('Message', '')}"[:300])
            if not failure.get("SenderFault"):
                again.append(place)
        return again


def _unreached(left: list[int], answers: list[Sent], error: Exception, *, forbidden: bool = False) -> list[int]:
    for place in left:
        answers[place] = Sent(problem=str(error)[:300], unreached=True, forbidden=forbidden)
    return [] if forbidden else left


def _entry(number: str, message: Outgoing) -> Any:
    entry: dict[str, Any] = {"Id": number, "MessageBody": message.body}
    if message.attributes:
        entry["MessageAttributes"] = dict(message.attributes)
    if message.system_attributes:
        entry["MessageSystemAttributes"] = dict(message.system_attributes)
    return entry
