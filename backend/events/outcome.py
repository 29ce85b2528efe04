"""What became of the events of a request, and the words for it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from backend.contract.errors import InvalidInput
from backend.events.gate import Lead, is_late
from backend.events.own_metrics import Measured
from backend.settings import Settings

CONFLICT: Final = "idempotency_conflict"
UNAVAILABLE: Final = "unavailable"
NO_ROOM: Final = "limit_reached"
Status = Literal["stored", "duplicate", "error"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event. ``error`` is ``{code, message, field?}`` where it was not taken."""

    status: Status
    event_id: str | None = None
    error: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry of a batch's answer; what is not known is left out."""
        known = {"event_id": self.event_id, "status": self.status, "error": self.error}
        return {name: value for name, value in known.items() if value is not None}


@dataclass(slots=True)
class Attempt:
    """One event on its way in. ``status`` is None until its end is known; ``count`` is how often it was sent at once.

    ``waiting``: somebody else has begun with it a moment ago. ``problem`` is what AWS said, for the log.
    """

    lead: Lead
    place: str
    count: int = 1
    status: Status | None = None
    code: str = ""
    problem: str = ""
    waiting: bool = False
    refusal: InvalidInput | None = None

    def fail(self, problem: str) -> None:
        """It could not be written now; what is written of it stays, and a retry goes on from there."""
        self.status, self.code, self.problem = "error", UNAVAILABLE, problem

    def conflict(self) -> None:
        """Its idempotency key stands for another event."""
        self.status, self.code = "error", CONFLICT

    def refuse(self, field: str, value: str, remedy: str) -> None:
        """It is in itself what can't be taken, now or later."""
        self.refusal = InvalidInput(f"{self.place}.{field}".removeprefix("."), value, remedy, NO_ROOM)
        self.status, self.code, self.problem = "error", NO_ROOM, str(self.refusal)

    @property
    def again(self) -> int:
        """How often an event came that was there already; 0 where nothing is known of it."""
        return 0 if self.status not in ("stored", "duplicate") else self.count - (self.status == "stored")

    def outcome(self, *, first: bool) -> Outcome:
        """The answer; to all but the ``first`` of equal events it is that they are duplicates."""
        if self.status == "stored" and not first:
            return Outcome("duplicate", self.lead.gate.event_id)
        if self.status in ("stored", "duplicate"):
            return Outcome(self.status, self.lead.gate.event_id)
        return Outcome("error", self.lead.gate.event_id, self._error())

    def _error(self) -> dict[str, str]:
        if self.code == CONFLICT:
            field = f"{self.place}.idempotency_key".removeprefix(".")
            remedy = "was used for an event with other content; use a new key, or send the same content"
            return error_of(InvalidInput(field, self.lead.event.idempotency_key, remedy, CONFLICT))
        if self.refusal is not None:
            return error_of(self.refusal)
        return {"code": UNAVAILABLE, "message": "the event could not be stored now; send it again"}


def error_of(problem: InvalidInput) -> dict[str, str]:
    """The error object of an answer."""
    return {"code": problem.code, "message": str(problem), "field": problem.field}


def measured(attempts: Iterable[Attempt], settings: Settings) -> list[Measured]:
    """Counts by source of what was stored, came again and came late, and the longest lag of what was stored."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    lags: dict[str, float] = {}
    for attempt in attempts:
        if attempt.status not in ("stored", "duplicate"):
            continue
        source, stored = attempt.lead.event.source, int(attempt.status == "stored")
        sums["duplicate_events", source] += attempt.again
        sums["events_ingested", source] += stored
        sums["late_events", source] += stored and is_late(attempt.lead, settings)
        if stored:
            lag = attempt.lead.gate.received_at - attempt.lead.event.occurred_at
            lags[source] = round(max(lag, lags.get(source, 0.0)), 3)
    counts = [Measured(metric, value, {"source": source}) for (metric, source), value in sums.items()]
    return counts + [Measured("ingest_lag_seconds", lag, {"source": source}) for source, lag in lags.items()]


def entity_fields(payload: Any, keys: Iterable[str]) -> dict[str, str]:
    """The configured entity keys that a payload carries, for the log."""
    if not isinstance(payload, dict):
        return {}
    found = {key: payload[key] for key in keys if key in payload}
    return {key: str(value)[:256] for key, value in found.items() if isinstance(value, str | int | float)}
