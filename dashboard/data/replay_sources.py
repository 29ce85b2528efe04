"""What the Replay page reads from: the services as far as it uses them, and the bounds that its forms name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from backend.contract.events import EventDetail, EventPage, EventQuery, EventRecord, Findings
from backend.contract.replays import (
    AuditEntry,
    DeadLetterFilter,
    Listing,
    QueueState,
    Replay,
    ReplayResult,
)

T = TypeVar("T")


class Shared(Protocol):
    """``Services.shared``."""

    def __call__(self, key: str, read: Callable[[], T], every: float | None = None) -> T:
        """What ``read`` gives, read once a refresh or once in ``every`` seconds for all who ask."""


class Events(Protocol):
    """What the page asks of the investigation service."""

    def search(self, query: EventQuery, limit: int = 100, token: str | None = None) -> EventPage:
        """One page of the events, newest first."""

    def detail(self, event_id: str) -> EventDetail | None:
        """One event with its raw object and trace."""

    def findings(self, events: Sequence[EventRecord], query: EventQuery) -> Findings:
        """What is odd about the events."""

    def known(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Types and sources that ever arrived."""


class Replays(Protocol):
    """What the page asks of the replay service."""

    def get(self, replay_id: str) -> Replay:
        """One replay. Raises KeyError."""

    def recent(self, limit: int = 50) -> tuple[Replay, ...]:
        """The newest replays first."""

    def results(
        self, replay_id: str, token: str | None = None, limit: int = 500
    ) -> tuple[tuple[ReplayResult, ...], str | None]:
        """What became of each event, and the token of the next page."""

    def targets(self) -> tuple[str, ...]:
        """The queues that may be sent to."""


class DeadLetters(Protocol):
    """What the page asks of the dead-letter queues."""

    def queues(self) -> tuple[QueueState, ...]:
        """The queues with their depths."""

    def listing(self, name: str, wanted: DeadLetterFilter) -> Listing:
        """A sample of one queue. Raises KeyError or InvalidInput for a queue that is not known."""


class Audit(Protocol):
    """What the page asks of the audit log."""

    def entries(
        self,
        start: float,
        end: float,
        *,
        action: str | None = None,
        who: str | None = None,
        outcome: str | None = None,
        limit: int = 200,
    ) -> tuple[AuditEntry, ...]:
        """The newest entries first."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of replays that the forms name."""

    rate_per_second: float
    max_events: int
    max_replays: int


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page reads; None is not connected."""

    events: Events | None
    replays: Replays | None
    dead_letters: DeadLetters | None
    audit: Audit | None
    shared: Shared
    limits: Limits
    environment: str
    operators: tuple[str, ...] = ()
    redacted_fields: tuple[str, ...] = ()
    synthetic_sources: tuple[str, ...] = ()
