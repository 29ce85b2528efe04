"""Reads, decides, writes; and again, where somebody else wrote meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from backend.alerts import decide
from backend.alerts.draft import worse
from backend.alerts.outbox import Lane
from backend.alerts.parsing import metric_of
from backend.alerts.routing import GROUP, maintenance
from backend.alerts.state import Context, Decision, Known
from backend.alerts.store import AlertStore, Conflict
from backend.alerts.storms import group_fingerprint
from backend.contract.alerts import Alert, Signal, Silence
from backend.settings import Settings

ATTEMPTS: Final = 12
"""More than there are workers at once; each conflict means that another one got ahead."""
PAUSE_SECONDS: Final = 0.05
SILENCES_SECONDS: Final = 5.0
"""A silence counts at the latest so long after it was made."""
COVER_SLACK_SECONDS: Final = 120.0
"""A covering alert counts for the alarm's window and so long after it."""

Decide = Callable[[Known, Context], Decision]


class Keeper:
    """Makes decisions last. ``connected`` are the transports that people can be told by; ``clock`` gives epoch s."""

    def __init__(
        self,
        store: AlertStore,
        settings: Settings,
        connected: frozenset[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._settings = settings
        self._config = settings.config.alerts
        self._connected = connected
        self._clock = clock
        self._maintenance = maintenance(self._config)
        self._silences: tuple[Silence, ...] = ()
        self._silences_at = float("-inf")

    def on_signal(self, signal: Signal) -> Decision:
        """Takes a signal in. Raises Conflict after many attempts."""
        return self._decided(
            signal.fingerprint, None, lambda known, context: decide.on_signal(known, signal, context), signal
        )

    def on_time(self, fingerprint: str) -> Decision:
        """Lets time pass for a fingerprint. Raises Conflict after many attempts."""
        return self._decided(fingerprint, None, decide.on_time, None)

    def act(self, alert: Alert, act: Decide) -> Alert:
        """What an operator does to an alert; returns it as it is afterwards. Raises Conflict, and what ``act`` does."""
        decision = self._decided(alert.fingerprint, alert.opened_at, act, None)
        return decision.known.alert or alert

    def _decided(self, fingerprint: str, opened_at: float | None, decide_on: Decide, signal: Signal | None) -> Decision:
        for attempt in range(ATTEMPTS):
            known = self._store.load(fingerprint, opened_at)
            known = self._store.complete(known, _storms(known, signal))
            decision = decide_on(known, self._context(known, signal.rule if signal else ""))
            if not decision.changed:
                return decision
            try:
                self._store.commit(known, decision, self._clock())
            except Conflict:
                time.sleep(random.uniform(0, PAUSE_SECONDS * (attempt + 1)))  # noqa: S311 - keeps two from meeting again
            else:
                return decision
        raise Conflict(f"{fingerprint}: {ATTEMPTS} attempts met other writers")

    def _context(self, known: Known, rule: str) -> Context:
        now = self._clock()
        return Context(
            now=now,
            config=self._config,
            silences=self._quiet(now),
            connected=self._connected,
            covered_by=self._covered_by(known, rule, now),
        )

    def _quiet(self, now: float) -> tuple[Silence, ...]:
        if not 0 <= now - self._silences_at < SILENCES_SECONDS:
            self._silences, self._silences_at = self._maintenance + self._store.silences(now), now
        return self._silences

    def _covered_by(self, known: Known, rule: str, now: float) -> str:
        """The rule whose alerts say the same with more words, if one of them is there."""
        metric = metric_of(known.open.rule if known.open else rule, self._settings.catalogue)
        alarm = metric.alarm if metric else None
        if alarm is None or not alarm.covered_by or known.track.told_at is not None:
            return ""
        since = now - alarm.period_seconds * alarm.periods - COVER_SLACK_SECONDS
        return alarm.covered_by if self._store.covering(alarm.covered_by, since) else ""


def lanes_of(decision: Decision) -> list[Lane]:
    """Where a decision's messages wait."""
    return [Lane(message.fingerprint, name) for message in decision.messages for name in message.transports]


def _storms(known: Known, signal: Signal | None) -> str | None:
    """Who speaks for the storm of an alert that this decision may tell for the first time; None where it can't."""
    alert = known.open
    if alert is None:
        return None if signal is None else group_fingerprint(signal.severity, signal.environment)
    if alert.rule == GROUP or known.track.told_at is not None:
        return None
    rises = signal is not None and worse(signal.severity, alert.severity)
    return group_fingerprint(signal.severity if signal and rises else alert.severity, alert.environment)
