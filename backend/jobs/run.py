"""A run as its job sees it: what it was asked to be, and what it tells of itself."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import threading
import traceback
import uuid
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.contract.errors import InvalidInput
from backend.contract.events import utc_seconds, utc_text
from backend.contract.jobs import JOB_TYPES, MAX_ERROR_BYTES, MAX_NAME, JobRun, JobType
from backend.jobs.errors import LeaseLost
from backend.jobs.terminated import Terminated

MAX_RECORDS: Final = 10**18
MAX_FULL_BYTES: Final = 5_000_000
"""Of an error's full text in S3."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What ``job(...)`` was called with. ``None`` is what the configuration says of the job, or the default."""

    name: str
    type: JobType | None = None
    dataset: str | None = None
    batch: str = ""
    limit_seconds: float | None = None
    correlation_id: str = ""
    environment: str = ""
    requested_by: str = ""
    require_lease: bool = True
    again: bool = False
    synthetic: bool = False

    def __post_init__(self) -> None:
        check_name("name", self.name)
        for field in ("dataset", "batch", "correlation_id", "environment", "requested_by"):
            if value := getattr(self, field):
                check_name(field, value)
        if self.type is not None and self.type not in JOB_TYPES:
            raise InvalidInput("type", self.type, f"must be one of {', '.join(JOB_TYPES)}")
        limit = self.limit_seconds
        if limit is not None and not (isinstance(limit, int | float) and 0 < limit < math.inf):
            raise InvalidInput("limit_seconds", limit, "must be a number of seconds above 0")


def check_name(field: str, value: object) -> None:
    """Raises InvalidInput for what is no name of a job, a batch or a dataset."""
    if not isinstance(value, str) or not value:
        raise InvalidInput(field, value, "must be a text that is not empty")
    if len(value) > MAX_NAME or not value.isprintable():
        raise InvalidInput(field, value, f"must be printable text of at most {MAX_NAME} characters")
    if value.startswith("@"):
        raise InvalidInput(field, value, "must not begin with @, which names Pulseboard's own records")


class Run:
    """One run under way. Set ``records`` and ``progress`` (0 to 1) as often as you like: they are sent with the
    heartbeats and at the end, never by setting them.

    ``lease_lost`` turns true when another worker took the batch over. ``unrecorded`` says in a line each what did not
    reach DynamoDB in time; where the line says journaled, it is on this machine's disk and is delivered later.
    """

    __slots__ = (
        "after_failure", "ended", "lease_lost", "pid", "progress", "record", "records", "unrecorded",
    )  # fmt: skip

    def __init__(self, record: JobRun, after_failure: bool | None) -> None:
        self.record = record
        self.records: int | None = None
        self.progress: float | None = None
        self.lease_lost = False
        self.unrecorded: list[str] = []
        self.after_failure = after_failure
        """Whether the run before it failed; None where nobody could look."""
        self.ended = False
        self.pid = os.getpid()

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.record.run_id

    @property
    def batch(self) -> str:
        """The part of the work it does, "" where the job has none."""
        return self.record.batch

    @property
    def attempt(self) -> int:
        """Counts from 1 per batch."""
        return self.record.attempt

    @property
    def fence(self) -> int:
        """Grows with every taking of the batch; 0 without a lease. What the job writes may carry it."""
        return self.record.fence

    @property
    def correlation_id(self) -> str:
        """What ties logs, events and runs together."""
        return self.record.correlation_id

    @property
    def recorded(self) -> bool:
        """Whether everything so far reached DynamoDB in time."""
        return not self.unrecorded

    def check(self) -> None:
        """Raises LeaseLost where another worker has taken the batch over: call it before what can't be undone."""
        if self.lease_lost:
            raise LeaseLost(
                f"batch {self.batch!r} of job {self.record.job_name!r} was taken over by another worker; stop here"
            )

    def missed(self, what: str) -> None:
        """Notes what could not be recorded, once."""
        if what not in self.unrecorded:
            self.unrecorded.append(what)

    def snapshot(self) -> JobRun:
        """The run with what it tells of itself now. What is no number is left out and said in ``unrecorded``."""
        try:
            records = None if self.records is None else whole(self.records)
        except (TypeError, ValueError, OverflowError):
            records = self.record.records
            self.missed(f"records: {self.records!r} is no whole number from 0 to {MAX_RECORDS}")
        try:
            progress = None if self.progress is None else share(self.progress)
        except (TypeError, ValueError, OverflowError):
            progress = self.record.progress
            self.missed(f"progress: {self.progress!r} is no number from 0 to 1")
        return replace(self.record, records=records, progress=progress)


def whole(value: Any) -> int:
    """A count of records: of any number type that has no fraction. Raises ValueError, TypeError or OverflowError."""
    count = int(value)
    if isinstance(value, str) or count != value or not 0 <= count <= MAX_RECORDS:
        raise ValueError(value)
    return count


def share(value: Any) -> float:
    """A progress, held between 0 and 1. Raises ValueError or TypeError."""
    number = float(value)
    if isinstance(value, str) or math.isnan(number):
        raise ValueError(value)
    return round(min(1.0, max(0.0, number)), 6)


def new_record(spec: JobSpec, now: float, environment: str) -> JobRun:
    """A run of ``spec`` that starts at ``now`` on this worker."""
    run_id = uuid.uuid4().hex
    return JobRun(
        job_name=spec.name,
        run_id=run_id,
        status="STARTED",
        # Times are kept by the millisecond, and the start is part of the key.
        started_at=utc_seconds(utc_text(now)),
        type=spec.type or "batch",
        dataset=spec.dataset or "",
        batch=spec.batch,
        heartbeat_at=now,
        worker=f"{socket.gethostname()}:{os.getpid()}:{threading.current_thread().name}"[:MAX_NAME],
        limit_seconds=spec.limit_seconds,
        correlation_id=spec.correlation_id or run_id,
        environment=spec.environment or environment,
        requested_by=spec.requested_by,
        synthetic=spec.synthetic,
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed: its class's name, the text for the table (head and tail), and all of it with the traceback."""

    error_type: str
    error: str
    full: str


def failure_of(error: BaseException) -> Failure:
    """What is recorded of an exception."""
    error_type = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception whose text can't be made is still an exception
        text = "(its text can't be made)"
    if isinstance(error, KeyboardInterrupt):
        text = f"interrupted by a person (KeyboardInterrupt){f': {text}' if text else ''}"
    elif isinstance(error, asyncio.CancelledError):
        text = f"cancelled{f': {text}' if text else ''}"
    elif isinstance(error, SystemExit) and not isinstance(error, Terminated):
        text = f"the process was ended: {text}" if isinstance(error.code, str) else f"exit code {error.code}"
    try:
        full = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - as above
        full = text
    return Failure(error_type[:MAX_NAME], cut(text or error_type, MAX_ERROR_BYTES), cut(full, MAX_FULL_BYTES))


def cut(text: str, most: int) -> str:
    """Head and tail of a text of more than ``most`` bytes in UTF-8, with what is left out said between them."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= most:
        return data.decode()
    note = f"\n... {len(data) - most} bytes left out ...\n"
    room = most - len(note) - 8
    head, tail = data[: room // 2], data[-(room - room // 2) :]
    note = f"\n... {len(data) - len(head) - len(tail)} bytes left out ...\n"
    return head.decode("utf-8", "ignore") + note + tail.decode("utf-8", "ignore")
