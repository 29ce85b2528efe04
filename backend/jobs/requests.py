"""Batches that somebody asked to be run again, as a job's workers take them from the queue of retries.

A message asks for one attempt. It is deleted once that attempt has ended, well or badly; of a worker that died it shows
itself again. Importing this imports no AWS client.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from backend.contract.jobs import BatchState

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

LONGEST_POLL_SECONDS: Final = 20
GIVEN_BACK_SECONDS: Final = 2
"""A message of another job shows itself again after this time: its workers need not wait, and nobody spins."""
MOST_DEATHS: Final = 3
RUNNING_SECONDS: Final = 60
"""A message whose batch is being run shows itself again after this time."""


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """One batch to be run again. ``requested_by`` belongs into ``job(..., requested_by=)``."""

    job_name: str
    batch: str
    replay_id: str
    requested_by: str
    attempt: int


class RetryQueue:
    """Takes one job's requests. ``state`` reads a batch, planned or not, by job and name; ``monotonic`` gives seconds
    that never jump."""

    def __init__(
        self,
        sqs: SQSClient,
        url: str,
        state: Callable[[str, str], BatchState | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sqs = sqs
        self._url = url
        self._state = state
        self._monotonic = monotonic

    def requests(self, job_name: str, wait_seconds: float = 5.0, *, forever: bool = False) -> Iterator[RetryRequest]:
        """The job's requests, one after another, until there was none for ``wait_seconds``, or for ever.

        A request is done with when the next one is asked for, or the loop is left. Raises what boto3 raises.
        """
        quiet_since = self._monotonic()
        while True:
            message = self._receive(wait_seconds)
            request = None if message is None else request_of(message.get("Body", ""))
            if message is not None and request is not None and request.job_name == job_name:
                if self._settle(message, request) == "run":
                    try:
                        yield request
                    finally:
                        self._settle(message, request)
                quiet_since = self._monotonic()
                continue
            if message is not None:
                # What is no request at all is left for whoever put it there; it goes after the queue's retention.
                self._hide(message, GIVEN_BACK_SECONDS)
            if not forever and self._monotonic() - quiet_since >= wait_seconds:
                return

    def _settle(self, message: MessageTypeDef, request: RetryRequest) -> Step:
        """Deletes what has been done, hides what is being done; returns what is to be done."""
        step = step_for(self._state(request.job_name, request.batch), request.attempt)
        if step == "delete":
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        elif step == "wait":
            self._hide(message, RUNNING_SECONDS)
        return step

    def _receive(self, wait_seconds: float) -> MessageTypeDef | None:
        """One message: the next ones are for other workers while this one's batch is run."""
        wait = max(0, min(LONGEST_POLL_SECONDS, round(wait_seconds)))
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=1, WaitTimeSeconds=wait)
        return next(iter(answer.get("Messages", [])), None)

    def _hide(self, message: MessageTypeDef, seconds: int) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )


Step = Literal["run", "wait", "delete"]


def step_for(state: BatchState | None, attempt: int) -> Step:
    """What a request for that attempt of a batch needs: the batch to be run, nothing for now, or nothing any more.

    A batch that failed in that attempt has been tried, as was asked. One whose worker died in it is run again, but a
    batch that kills its workers stops at ``MOST_DEATHS`` of them.
    """
    if state is None:
        return "run"
    if state.status == "running":
        return "wait"
    needed = attempt if state.status == "failed" else attempt + MOST_DEATHS - 1
    tried = state.attempts >= needed
    return "delete" if state.status == "succeeded" or tried else "run"


def request_of(body: str) -> RetryRequest | None:
    """The request of a message; None for a text that is none."""
    try:
        found: Any = json.loads(body)
        request = RetryRequest(**{name: found[name] for name in RetryRequest.__slots__})
    except (ValueError, TypeError, KeyError):
        return None
    texts = (request.job_name, request.batch, request.replay_id, request.requested_by)
    return request if all(isinstance(text, str) for text in texts) and isinstance(request.attempt, int) else None


def retries(job_name: str, wait_seconds: float = 5.0, *, forever: bool = False) -> Iterator[RetryRequest]:
    """Batches of a job that somebody asked to be run again, from the page or by the job's policy::

        for request in retries("backfill"):
            with job("backfill", batch=request.batch, requested_by=request.requested_by):
                ...

    Ends when there was none for ``wait_seconds``, unless ``forever``. Reads ``RETRY_QUEUE_URL``, or ``retry_queue`` of
    the job in ``pulseboard.toml``. Raises InvalidInput where neither is set, and what boto3 raises.
    """
    return _wired(os.getpid(), job_name).requests(job_name, wait_seconds, forever=forever)


@cache
def _wired(_pid: int, job_name: str) -> RetryQueue:
    """The queue of a job's retries, wired once a process from the environment."""
    from backend.aws import Clients
    from backend.jobs.clock import ServerClock
    from backend.jobs.retry_plan import retry_url
    from backend.jobs.store import JobStore
    from backend.settings import load_settings

    settings = load_settings(os.environ)
    clients = Clients(settings.region, timeout=2.0 * LONGEST_POLL_SECONDS)
    store = JobStore(clients.dynamodb, settings.job_runs_table, ServerClock())
    return RetryQueue(clients.sqs, retry_url(job_name, settings), store.state)
