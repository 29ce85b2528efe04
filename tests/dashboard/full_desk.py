"""Every page full at once: the synthetic pipeline in its slowdown, failed events, runs, replays, alerts, forecasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dashboard.data.jobs_store import RunStore
from dashboard.services import Services
from tests.dashboard import performance_desk, replay_fakes
from tests.dashboard.alert_fakes import FakeAlerts
from tests.dashboard.capacity_desk import FakeForecasts, outlook
from tests.dashboard.event_fakes import FakeInvestigation, several
from tests.dashboard.job_desk import full_reader
from tests.dashboard.job_fakes import FakeRetries


class FullEvents(replay_fakes.FakeEvents):
    """What Replay searches, and what Errors reads: ``failures`` are the events that failed."""

    def __init__(self, now: float) -> None:
        super().__init__(now, replay_fakes.events(now, 40))
        self.failures = FakeInvestigation(several(120, now))

    def errors(self, start: float, end: float, limit: int = 2000) -> Any:
        """As Investigation.errors."""
        return self.failures.errors(start, end, limit)

    def detail(self, event_id: str) -> Any:
        """Of either."""
        return super().detail(event_id) or self.failures.detail(event_id)


@contextmanager
def full(services: Services) -> Iterator[float]:
    """Everything that pages read, as of now, in place of what ``services`` had; gives that moment, epoch s."""
    now = time.time() // performance_desk.EVERY * performance_desk.EVERY
    built, reader = performance_desk.services(performance_desk.table(now), lambda: now), full_reader(now)
    put: dict[str, Any] = {name: getattr(built, name) for name in ("reader", "hot", "series", "ranged", "anomalies")}
    put |= {
        "now": lambda: now,
        "forecasts": FakeForecasts(outlook(now=now)),
        "events": FullEvents(now),
        "replays": replay_fakes.FakeReplays(replay_fakes.replays(now)),
        "dead_letters": replay_fakes.FakeDeadLetters(now, replay_fakes.letters(now, 12)),
        "audit": replay_fakes.FakeAudit(replay_fakes.entries(now)),
        "jobs": reader,
        "retries": FakeRetries(reader.known),
        "runs": RunStore(reader, lambda: now, days=1),  # type: ignore[arg-type]
        "alerts": FakeAlerts.busy(now),
    }
    before = {name: getattr(services, name) for name in put}
    _put(services, put)
    try:
        yield now
    finally:
        _put(services, before)
        built.close()


def _put(services: Services, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(services, name, value)
    services.acted()
