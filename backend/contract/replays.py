"""Replays, dead-letter queues and the audit log as data. No I/O. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from backend.contract.events import EventQuery, EventRecord, utc_text

ReplayStatus = Literal["pending", "running", "paused", "succeeded", "failed", "cancelled"]
FINISHED: Final[tuple[ReplayStatus, ...]] = ("succeeded", "failed", "cancelled")
ReplayKind = Literal["replay", "redrive", "retry"]
"""A replay puts events through again, a redrive what lies in a dead-letter queue, a retry the batches of a job."""
AuditOutcome = Literal["started", "succeeded", "failed", "cancelled", "refused"]
AUDIT_OUTCOMES: Final[tuple[AuditOutcome, ...]] = ("started", "succeeded", "failed", "cancelled", "refused")
CONFIRM_ABOVE: Final = 1_000
"""A replay of more events than this needs its count typed as confirmation."""
MAX_REASON: Final = 500
UNREADABLE: Final = "The queue can't be read now"
"""What people are told of a queue that did not answer; what it answered is in the log."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What someone asks to be put through again. ``rate_per_second`` None: without a limit.

    ``confirm`` is the number of events as typed by the person, needed above ``CONFIRM_ABOVE``.
    """

    selection: EventQuery
    reason: str
    target: str
    rate_per_second: float | None = None
    max_events: int | None = None
    confirm: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A dry run: how many events match now, how many of them would be sent, and the newest few.

    ``skipped`` counts those at the cap of replays (loops are stopped), ``capped`` whether ``max_events`` cuts.
    ``stopped`` says what ended the counting early: the limit ``replay.max_events``, or the time; then more than
    ``matched`` match, or at least so many.
    """

    matched: int
    would_send: int
    skipped: int
    capped: bool
    sample: tuple[EventRecord, ...]
    scanned_from: float
    scanned_to: float
    stopped: Literal["", "limit", "time"] = ""

    @property
    def how_exact(self) -> str:
        """What goes before ``matched``: nothing, ``more than `` or ``at least ``."""
        return {"": "", "limit": "more than ", "time": "at least "}[self.stopped]


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay, redrive or retry as recorded. ``matched`` was frozen at creation, and is what ``sent + failed +
    skipped`` ends at.

    ``selection`` is the filters as JSON (``query_json``), for a redrive the queue and what was chosen of it, for a
    retry ``job_name`` and ``batches``.
    """

    replay_id: str
    kind: ReplayKind
    status: ReplayStatus
    requested_by: str
    reason: str
    target: str
    selection: Mapping[str, Any]
    created_at: float
    matched: int
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    rate_per_second: float | None = None
    max_events: int | None = None
    started_at: float | None = None
    updated_at: float | None = None
    finished_at: float | None = None
    cancel_requested: bool = False
    pause_requested: bool = False
    sending_seconds: float = 0.0
    error: str = ""

    @property
    def done(self) -> int:
        """Events dealt with."""
        return self.sent + self.failed + self.skipped

    @property
    def measured_rate(self) -> float | None:
        """Events sent a second of sending time; None before the first second's worth is known."""
        return self.sent / self.sending_seconds if self.sending_seconds > 0 and self.sent else None

    @property
    def seconds_left(self) -> float | None:
        """At the measured rate, or at the limit where that is slower; None where nothing is left or known.

        What was sent in the first moments is measured above a limit that holds for all that follows.
        """
        left, rate = self.matched - self.done, self.measured_rate
        if rate is None or left <= 0 or self.status in FINISHED:
            return None
        return left / (min(rate, self.rate_per_second) if self.rate_per_second else rate)

    def as_json(self) -> dict[str, Any]:
        """The object of the API's answers."""
        rate, left = self.measured_rate, self.seconds_left
        times = ("created_at", "started_at", "updated_at", "finished_at")
        plain = ("replay_id", "kind", "status", "matched", "sent", "failed", "skipped", "requested_by", "reason",
                 "target", "rate_per_second", "max_events", "cancel_requested", "pause_requested", "error")  # fmt: skip
        return {
            **{name: getattr(self, name) for name in plain},
            **{name: None if (at := getattr(self, name)) is None else utc_text(at) for name in times},
            "selection": dict(self.selection),
            "measured_rate_per_second": None if rate is None else round(rate, 1),
            "seconds_left": None if left is None else round(left, 1),
        }


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What became of one event of a replay. ``outcome``: sent, failed, skipped; ``detail`` says why it was not sent.

    Of a retry, ``event_id`` is the batch.
    """

    event_id: str
    outcome: Literal["sent", "failed", "skipped"]
    detail: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class QueueState:
    """A dead-letter queue. ``depth`` is SQS's approximate count; None where it can't be read or is not
    connected, ``problem`` says so.

    ``oldest_age_seconds`` is CloudWatch's ApproximateAgeOfOldestMessage or that of the oldest message seen.
    """

    name: str
    depth: int | None
    in_flight: int | None
    oldest_age_seconds: float | None
    source: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of a dead-letter queue. ``body`` is its text as it lies there; event fields where it is one."""

    message_id: str
    sent_at: float
    receive_count: int
    body: str
    event_id: str = ""
    correlation_id: str = ""
    event_type: str = ""
    entity_id: str = ""
    error_type: str = ""
    error_message: str = ""
    operator: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which messages of a listing are meant; all that is given must hold. ``text`` is searched in the body."""

    error_type: str | None = None
    event_type: str | None = None
    entity_id: str | None = None
    operator: str | None = None
    text: str | None = None
    message_ids: tuple[str, ...] = ()

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a message is meant."""
        fields = ("error_type", "event_type", "entity_id", "operator")
        wanted = [(getattr(self, name), getattr(letter, name)) for name in fields]
        return (
            all(value is None or value == found for value, found in wanted)
            and (self.text is None or self.text in letter.body)
            and (not self.message_ids or letter.message_id in self.message_ids)
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """A sample of a dead-letter queue: SQS can't be browsed. ``seen`` of about ``about`` messages were looked at."""

    queue: str
    messages: tuple[DeadLetter, ...]
    seen: int
    about: int
    at: float


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when, why, and what came of it. ``outcome`` is ``started`` until the action's end is known.

    ``cancelled`` is a replay that somebody ended: neither done nor failed.
    """

    audit_id: str
    at: float
    action: str
    who: str
    reason: str
    outcome: AuditOutcome
    subject: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    finished_at: float | None = None

    def as_json(self) -> dict[str, Any]:
        """One line of the export."""
        return {
            "audit_id": self.audit_id,
            "at": utc_text(self.at),
            "action": self.action,
            "who": self.who,
            "reason": self.reason,
            "outcome": self.outcome,
            "subject": self.subject,
            "details": dict(self.details),
            "finished_at": None if self.finished_at is None else utc_text(self.finished_at),
        }
