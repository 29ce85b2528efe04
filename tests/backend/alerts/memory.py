"""The store in memory, for tests of decisions: what they read and write, and what they have told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from backend.alerts.keeper import Keeper
from backend.alerts.state import Decision, Known, KnownIncident
from backend.alerts.store import AlertStore
from backend.contract.alerts import Alert, Signal, Silence, fingerprint
from backend.contract.event_items import Item
from backend.settings import Config, Settings
from backend.settings_alerts import Alerting

ALL = frozenset({"slack", "pagerduty", "email"})
START = 1_795_262_400.0
"""2026-11-21T12:00:00Z."""


class MemoryStore(AlertStore):
    """What of the table decisions depend on. Each fingerprint has its newest alert only."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.kept_incidents: dict[str, KnownIncident] = {}
        self.made: list[Silence] = []
        self.told: list[tuple[str, str, str]] = []
        self.counts: Counter[tuple[str, str]] = Counter()

    def load(self, fingerprint: str, opened_at: float | None = None) -> Known:
        return self.known.get(fingerprint, Known(fingerprint))

    def incident(self, incident_id: str) -> KnownIncident | None:
        return self.kept_incidents.get(incident_id)

    def silences(self, now: float) -> tuple[Silence, ...]:
        return tuple(silence for silence in self.made if silence.ends_at > now)

    def due(self, now: float) -> list[str]:
        return [one.fingerprint for one in self.known.values() if (one.track.look_at or now + 1) <= now]

    def by_state(self, state: str, since: float | None = None, rule: str | None = None) -> Iterator[Item]:
        for one in self.known.values():
            alert = one.alert
            if alert and alert.state == state and alert.rule == rule and alert.opened_at >= (since or 0):
                yield {}

    def commit(self, before: Known, decision: Decision, now: float) -> None:
        after = decision.known
        for part, was in ((after, before), (after.group, before.group)):
            if part is not None and was is not None:
                assert self.load(part.fingerprint).track.version == was.track.version
                track = replace(part.track, version=part.track.version + 1)
                self.known[part.fingerprint] = replace(part, track=track, group=None, incident=None)
        if after.incident is not None:
            kept = after.incident
            self.kept_incidents[kept.incident.incident_id] = replace(kept, version=kept.version + 1)
        for message in decision.messages:
            self.told += [(message.kind, name, message.fingerprint) for name in message.transports]
        self.counts.update((count.rule, count.counter) for count in decision.counts)


class Desk:
    """A keeper over memory with a clock that tests move. ``subject`` makes a fingerprint of its own."""

    def __init__(self, connected: frozenset[str] = ALL, **alerting: Any) -> None:
        self.now = START
        self.store = MemoryStore()
        self.settings = Settings(config=Config(alerts=Alerting(**alerting)))
        self.keeper = Keeper(self.store, self.settings, connected, lambda: self.now)
        self._sent = 0

    def signal(self, state: Any = "firing", *, subject: str = "a", **fields: Any) -> Signal:
        self._sent += 1
        given: dict[str, Any] = {
            "fingerprint": fingerprint(subject),
            "rule": "jobs:job_failed",
            "severity": "HIGH",
            "title": f"{subject} failed",
            "at": self.now,
            "signal_id": f"signal-{self._sent}",
            "source": "jobs",
        }
        return Signal(state=state, **{**given, **fields})

    def hear(self, state: Any = "firing", **fields: Any) -> str:
        """A signal comes in; how it was decided."""
        return self.keeper.on_signal(self.signal(state, **fields)).outcome

    def wait(self, minutes: float) -> None:
        """Time passes, with a sweep each minute."""
        until = self.now + 60 * minutes
        while self.now < until:
            self.now = min(self.now + 60, until)
            for one in self.store.due(self.now):
                self.keeper.on_time(one)

    def alert(self, subject: str = "a") -> Alert:
        found = self.store.known[fingerprint(subject)].alert
        assert found is not None
        return found

    def told(self, transport: str = "slack") -> list[str]:
        """Kinds of messages that a transport was given, in order."""
        return [kind for kind, name, _ in self.store.told if name == transport]
