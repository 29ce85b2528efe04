"""Events: what the ingest takes, what the index knows of each, and what may be asked. No I/O.

Times inside the product are epoch seconds (float); in keys, objects and JSON answers they are texts (``utc_text``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import rfc8785

EventStatus = Literal["received", "processed", "failed"]
EventTime = Literal["received", "occurred"]
STATUSES: Final[tuple[EventStatus, ...]] = ("received", "processed", "failed")
"""``received``: indexed, not processed yet. ``processed``: in the aggregates. ``failed``: the last try failed."""

ErrorType = Literal["parse_error", "validation_error", "duplicate", "timeout", "enrichment_error", "poison"]
ERROR_TYPES: Final[tuple[ErrorType, ...]] = (
    "parse_error", "validation_error", "duplicate", "timeout", "enrichment_error", "poison",
)  # fmt: skip
"""``poison``: nothing of the above explains why the event can't be handled."""

SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """An event as a producer sent it, checked. ``occurred_at`` is epoch seconds with microseconds."""

    source: str
    event_type: str
    entity_id: str
    occurred_at: float
    payload: Any
    correlation_id: str | None = None
    idempotency_key: str | None = None

    def content(self) -> dict[str, Any]:
        """What the event says, without how it was sent: the same content is the same event."""
        return {
            "source": self.source,
            "event_type": self.event_type,
            "entity_id": self.entity_id,
            "occurred_at": utc_text(self.occurred_at, 6),
            "payload": self.payload,
        }

    def content_hash(self) -> str:
        """SHA-256 over the canonical JSON (RFC 8785) of ``content``, in hexadecimal.

        Raises rfc8785.CanonicalizationError for numbers that JSON readers don't agree on and for lone surrogates.
        """
        return hashlib.sha256(rfc8785.dumps(self.content())).hexdigest()


def event_id(event: Event, content_hash: str) -> str:
    """64 hexadecimal digits: the content's hash, or that of source and idempotency key where one was given."""
    if event.idempotency_key is None:
        return content_hash
    return hashlib.sha256(rfc8785.dumps([event.source, event.idempotency_key])).hexdigest()


@dataclass(frozen=True, slots=True)
class EventError:
    """Why the last try to process an event failed. ``message`` is cut to its head; the whole is in the trace."""

    error_type: str
    message: str
    operator: str
    at: float
    receive_count: int = 1
    dead_lettered: bool = False


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event as ``PipelineEvents`` knows it. Times are epoch seconds; ``size`` is the raw object's bytes."""

    event_id: str
    entity_id: str
    event_type: str
    source: str
    status: EventStatus
    occurred_at: float
    received_at: float
    correlation_id: str
    raw_key: str
    sha256: str
    size: int
    late: bool = False
    replay_count: int = 0
    last_replay_id: str | None = None
    processed_at: float | None = None
    error: EventError | None = None

    @property
    def lag_seconds(self) -> float:
        """Received minus occurred; negative where the producer's clock is ahead."""
        return self.received_at - self.occurred_at

    def as_json(self) -> dict[str, Any]:
        """The object of the API's answers; times are ISO 8601 in UTC."""
        error = self.error
        return {
            "event_id": self.event_id,
            "entity_id": self.entity_id,
            "event_type": self.event_type,
            "source": self.source,
            "status": self.status,
            "occurred_at": utc_text(self.occurred_at),
            "received_at": utc_text(self.received_at),
            "lag_seconds": round(self.lag_seconds, 3),
            "late": self.late,
            "correlation_id": self.correlation_id,
            "replay_count": self.replay_count,
            "last_replay_id": self.last_replay_id,
            "processed_at": None if self.processed_at is None else utc_text(self.processed_at),
            "sha256": self.sha256,
            "size": self.size,
            "error": None
            if error is None
            else {
                "error_type": error.error_type,
                "message": error.message,
                "operator": error.operator,
                "at": utc_text(error.at),
                "receive_count": error.receive_count,
                "dead_lettered": error.dead_lettered,
            },
        }


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What events are wanted: all filters given must hold. ``event_ids`` names them one by one.

    ``start`` and ``end`` are epoch seconds, ``end`` exclusive; they mean the time received unless ``time`` says
    occurred. The API's names of the fields are those of ``backend.contract.event_query``.
    """

    start: float
    end: float
    time: EventTime = "received"
    entity_id: str | None = None
    event_type: str | None = None
    source: str | None = None
    status: EventStatus | None = None
    error_type: str | None = None
    operator: str | None = None
    correlation_id: str | None = None
    event_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a search looked at: the time received from ``start`` to ``end`` (epoch s), and how many items."""

    start: float
    end: float
    items: int
    queries: int = 0


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of a search, newest first. ``truncated``: there may be more; ``next_token`` goes on from here."""

    events: tuple[EventRecord, ...]
    scanned: Scanned
    truncated: bool
    next_token: str | None = None


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One thing that happened to an event or to its correlation id, at ``at`` epoch seconds.

    ``stage``: ingested, duplicate, processed, failed, dead_lettered, replayed, redriven. ``detail`` is plain text.
    """

    at: float
    stage: str
    event_id: str
    detail: str
    event_type: str = ""
    entity_id: str = ""
    operator: str = ""
    error_type: str = ""
    replay_id: str = ""
    traceparent: str = ""
    xray_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """The object of the API's answers; what is empty is left out."""
        named = {name: getattr(self, name) for name in self.__slots__ if name not in ("at", "stage")}
        return {"at": utc_text(self.at), "stage": self.stage} | {name: text for name, text in named.items() if text}


@dataclass(frozen=True, slots=True)
class EventDetail:
    """One event with its raw object. ``raw`` is the object's text, None where it can't be read; ``problem`` says why.

    ``intact`` is whether the object's hash is the recorded one, None where it can't be read. ``headers`` are those of
    the request that brought it. ``trace`` covers every event of its correlation id, oldest first; ``trace_cut`` says
    that there are more steps than shown.
    """

    record: EventRecord
    raw: str | None
    intact: bool | None
    problem: str
    headers: Mapping[str, str]
    trace: tuple[TraceStep, ...]
    trace_cut: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A silence of an entity or a source, epoch seconds: ``seconds`` against its usual interval.

    ``end`` None: it lasts until the end of what was searched.
    """

    name: str
    kind: Literal["entity", "source"]
    start: float
    end: float | None
    seconds: float
    usual_seconds: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What is odd about a search's events. ``duplicates``: event id to how often it was sent again."""

    gaps: tuple[Gap, ...] = ()
    late: tuple[EventRecord, ...] = ()
    duplicates: Mapping[str, int] = field(default_factory=dict)


def utc_text(seconds: float, digits: int = 3) -> str:
    """An instant as ``2026-11-21T15:46:35.123Z``: sorts as text as it does in time. ``digits`` is 3 or 6."""
    micros = round(seconds * SECOND)
    if digits == 3:
        micros = micros // 1000 * 1000
    whole, rest = divmod(micros, SECOND)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:06d}"[: 20 + digits] + "Z"


def utc_seconds(text: str) -> float:
    """Epoch seconds of a text written by ``utc_text``. Raises ValueError for anything else."""
    return datetime.fromisoformat(text).timestamp()
