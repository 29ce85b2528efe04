"""Events, replays, dead letters and an audit log as a busy shop would have them: no AWS."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backend.contract.event_query import query_json
from backend.contract.events import (
    EventDetail,
    EventError,
    EventPage,
    EventQuery,
    EventRecord,
    Findings,
    Gap,
    Scanned,
    TraceStep,
)
from backend.contract.replays import (
    AuditEntry,
    DeadLetter,
    DeadLetterFilter,
    Listing,
    QueueState,
    Replay,
    ReplayResult,
)

TYPES = ("order_cancelled", "order_paid", "order_placed", "order_shipped")
SOURCES = ("mobile", "partner-api", "shop")
MESSAGES = {
    "parse_error": "payload.customer_id: is missing; a field cust_id is there instead",
    "validation_error": "payload.amount: '12,50' must be a number",
    "timeout": "no answer from the enrichment service within 2 s",
}


def event_id(number: int) -> str:
    """The id of the n-th event."""
    return hashlib.sha256(f"event {number}".encode()).hexdigest()


def events(now: float, number: int = 100) -> list[EventRecord]:
    """The newest first, one every 20 s or so, a third of them failed."""
    rng = random.Random(7)
    found = []
    at = now - 9
    for index in range(number):
        status = rng.choice(("failed", "processed", "processed", "received" if index < 4 else "processed"))
        kind = rng.choice(("parse_error", "parse_error", "parse_error", "validation_error", "timeout"))
        lag = rng.uniform(0.2, 4.0) if rng.random() > 0.05 else rng.uniform(400, 2400)
        error = EventError(kind, MESSAGES[kind], "event-processor", at + 3, 3, dead_lettered=True)
        found.append(
            EventRecord(
                event_id=event_id(index),
                entity_id=f"order-{10_400 - index // 2}",
                event_type=rng.choice(TYPES),
                source=rng.choice(SOURCES),
                status=status,
                occurred_at=at - lag,
                received_at=at,
                correlation_id=f"checkout-{8_800 - index // 2}",
                raw_key=f"events/source=shop/year=2026/month=11/day=21/{event_id(index)}.json",
                sha256=event_id(index + 50_000),
                size=412,
                late=lag > 300,
                replay_count=rng.choice((0, 0, 0, 1, 2)) if status == "failed" else 0,
                processed_at=at + 1 if status == "processed" else None,
                error=error if status == "failed" else None,
            )
        )
        at -= rng.uniform(5, 35)
    return found


@dataclass
class FakeEvents:
    """Answers a search with what matches of ``stored``; ``calls`` are the queries asked."""

    now: float
    stored: list[EventRecord] = field(default_factory=list)
    calls: list[EventQuery] = field(default_factory=list)
    error: Exception | None = None
    odd: Findings | None = None

    def search(self, query: EventQuery, limit: int = 100, token: str | None = None) -> EventPage:
        """As Investigation.search; a token is the number of events passed."""
        self.calls.append(query)
        if self.error:
            raise self.error
        found = [record for record in self.stored if _matches(record, query)]
        start = int(token or 0)
        following = str(start + limit) if len(found) > start + limit else None
        scanned = Scanned(query.start, query.end, len(self.stored) + 300, 16)
        return EventPage(tuple(found[start : start + limit]), scanned, following is not None, following)

    def findings(self, events: Sequence[EventRecord], query: EventQuery) -> Findings:
        """Two gaps, what is late, and two repeats."""
        if self.odd is not None:
            return self.odd
        gaps = (
            Gap("shop", "source", self.now - 2400, self.now - 1500, 900.0, 12.0),
            Gap("order-10398", "entity", self.now - 700, None, 700.0, 30.0),
        )
        late = tuple(record for record in events if record.late)
        return Findings(gaps, late, {record.event_id: 2 for record in events[3:5]})

    def detail(self, event_id: str) -> EventDetail | None:
        """One of ``stored`` with a payload and a trace."""
        record = next((record for record in self.stored if record.event_id == event_id), None)
        if record is None:
            return None
        raw = json.dumps({"event_id": event_id, "payload": {"cust_id": "c-17", "card_number": "4111"}})
        steps = (TraceStep(record.received_at, "ingested", event_id, "received from shop"),)
        return EventDetail(record, raw, True, "", {"content-type": "application/json"}, steps)

    def known(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Types and sources."""
        return TYPES, SOURCES


def _matches(record: EventRecord, query: EventQuery) -> bool:
    wanted = {
        "entity_id": record.entity_id, "event_type": record.event_type, "source": record.source,
        "status": record.status, "correlation_id": record.correlation_id,
        "error_type": record.error.error_type if record.error else None,
        "operator": record.error.operator if record.error else None,
    }  # fmt: skip
    at = record.received_at if query.time == "received" else record.occurred_at
    return query.start <= at < query.end and all(
        getattr(query, name) in (None, value) for name, value in wanted.items()
    )


def replays(now: float) -> list[Replay]:
    """One running, one paused, and what became of others."""
    query = EventQuery(now - 3600, now, event_type="order_placed", error_type="parse_error")
    chosen = {"event_ids": [event_id(1), event_id(2)], "from": str(int(now - 3600) * 1000), "to": str(int(now) * 1000)}
    running = Replay(
        "4f1c09d2a7be4c13", "replay", "running", "ana@example.com", "customer_id is read from cust_id since 14:02",
        "event-processor", query_json(query), now - 95, 12_480, 8_112, 3, 41, 100.0, None, now - 93, now - 1, None,
        sending_seconds=82.0,
    )  # fmt: skip
    return [
        running,
        replace(
            running, replay_id="9b02e1d8c4417aa0", status="paused", created_at=now - 1500, matched=640, sent=210,
            failed=0, skipped=0, reason="enrichment is slow again, going on at night", pause_requested=True,
            started_at=now - 1490, updated_at=now - 1440, sending_seconds=21.0,
            selection=query_json(EventQuery(now - 9000, now - 5400, source="partner-api", status="failed")),
        ),
        replace(
            running, replay_id="c17d55e0b3f24e9b", status="succeeded", created_at=now - 7200, matched=2, sent=2,
            failed=0, skipped=0, requested_by="ben@example.com", reason="two orders of a customer who called",
            selection=chosen, started_at=now - 7199, finished_at=now - 7198, sending_seconds=0.4,
        ),
        replace(
            running, replay_id="e803b6419dd14a55", kind="redrive", status="succeeded", created_at=now - 26_000,
            matched=1_204, sent=1_180, failed=24, skipped=0, reason="database was full", rate_per_second=None,
            target="event-processor",
            selection={"queue": "event-processor-dlq", "error_type": "timeout"},
            started_at=now - 25_998, finished_at=now - 25_900, sending_seconds=90.0,
        ),
        replace(
            running, replay_id="02ab6c7719f04b0e", status="failed", created_at=now - 90_000, matched=50, sent=10,
            failed=0, skipped=0, reason="trying the new target", target="shadow", error="The queue does not exist",
            selection=query_json(EventQuery(now - 99_000, now - 95_000, entity_id="order-10377")),
            started_at=now - 89_999, finished_at=now - 89_000, sending_seconds=1.0,
        ),
    ]  # fmt: skip


@dataclass
class FakeReplays:
    """Answers with ``stored``."""

    stored: list[Replay]
    targeted: tuple[str, ...] = ("event-processor", "shadow")
    rows: int = 250

    def get(self, replay_id: str) -> Replay:
        """One of them."""
        return {entry.replay_id: entry for entry in self.stored}[replay_id]

    def recent(self, limit: int = 50) -> tuple[Replay, ...]:
        """All."""
        return tuple(self.stored[:limit])

    def results(
        self, replay_id: str, token: str | None = None, limit: int = 500
    ) -> tuple[tuple[ReplayResult, ...], str | None]:
        """A few failed and skipped among those sent; a token is the number passed."""
        start = int(token or 0)
        rows = [_result(index) for index in range(start, min(start + limit, self.rows))]
        return tuple(rows), str(start + limit) if start + limit < self.rows else None

    def targets(self) -> tuple[str, ...]:
        """The allowed queues."""
        return self.targeted


def _result(index: int) -> ReplayResult:
    if index % 40 == 7:
        return ReplayResult(event_id(index), "skipped", "was replayed 5 times, the cap of replay.max_replays")
    if index % 60 == 11:
        return ReplayResult(event_id(index), "failed", "the queue refused it 4 times (InternalError)")
    return ReplayResult(event_id(index), "sent", "", f"5c0f{index:04d}-8d1e-4c55-9d0c-0f7a5c2f1a")


def letters(now: float, number: int = 47) -> list[DeadLetter]:
    """Messages of the event queue's dead-letter queue, the last of them foreign."""
    found = []
    for index, record in enumerate(event for event in events(now, 400) if event.error is not None):
        if index >= number - 1 or record.error is None:
            break
        body = json.dumps({"event_id": record.event_id, "raw_key": record.raw_key, "token": "t-1"})
        error = record.error
        found.append(
            DeadLetter(
                f"7d3f{index:04d}-11aa-4b5e-9c1d-2f4b6a8c0e12", record.received_at, 3, body, record.event_id,
                record.correlation_id, record.event_type, record.entity_id, error.error_type, error.message,
                error.operator,
            )
        )  # fmt: skip
    return [*found, DeadLetter("foreign-0001", now - 80_000, 12, "not json <b>at all</b>")]


@dataclass
class FakeDeadLetters:
    """Two queues, one of them with messages."""

    now: float
    stored: list[DeadLetter] = field(default_factory=list)
    about: int = 1_200
    listed: list[str] = field(default_factory=list)
    states: tuple[QueueState, ...] | None = None

    def queues(self) -> tuple[QueueState, ...]:
        """Their depths."""
        return self.states or (
            QueueState("event-processor-dlq", self.about, 0, 83_400.0, "event-queue"),
            QueueState("log-processor-dlq", 0, 0, None, "log-processor-queue"),
        )

    def listing(self, name: str, wanted: DeadLetterFilter) -> Listing:
        """All of ``stored``."""
        self.listed.append(name)
        return Listing(name, tuple(self.stored), len(self.stored), self.about, self.now)


def entries(now: float) -> list[AuditEntry]:
    """Who did what."""
    replay = {"matched": 12_480, "target": "event-processor", "rate_per_second": 100.0}
    rows: list[tuple[Any, ...]] = [
        (95, "replay.create", "ana@example.com", "customer_id is read from cust_id since 14:02", "succeeded",
         "4f1c09d2a7be4c13", replay),
        (410, "dead_letters.delete", "ben@example.com", "test messages of the load test", "succeeded",
         "event-processor-dlq", {"message_ids": ["7d3f0001-11aa"], "bodies": ["{}"]}),
        (900, "replay.create", "carl@example.com", "please", "refused", "", {"why": "carl@example.com is a viewer"}),
        (1440, "replay.pause", "ana@example.com", "enrichment is slow again", "succeeded", "9b02e1d8c4417aa0", {}),
        (1501, "replay.create", "ana@example.com", "enrichment is slow again, going on at night", "started",
         "9b02e1d8c4417aa0", {}),
        (2600, "dead_letters.redrive", "arn:aws:iam::123456789012:user/oncall", "database was full", "failed",
         "event-processor-dlq", {"error": "AccessDenied"}),
    ]  # fmt: skip
    return [
        AuditEntry(f"audit-{index}", now - ago, action, who, reason, outcome, subject, details,
                   None if outcome == "started" else now - ago + index)
        for index, (ago, action, who, reason, outcome, subject, details) in enumerate(rows)
    ]  # fmt: skip


@dataclass
class FakeAudit:
    """Answers with ``stored``, filtered."""

    stored: list[AuditEntry]

    def entries(
        self, start: float, end: float, *, action: str | None = None, who: str | None = None,
        outcome: str | None = None, limit: int = 200,
    ) -> tuple[AuditEntry, ...]:  # fmt: skip
        """Those of the range."""
        return tuple(
            entry
            for entry in self.stored
            if start <= entry.at < end
            and action in (None, entry.action)
            and who in (None, entry.who)
            and outcome in (None, entry.outcome)
        )[:limit]
