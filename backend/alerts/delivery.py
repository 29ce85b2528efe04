"""Empties lanes: sends what waits, in order, under the lane's lease, and puts on record what came of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Final

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.alerts.outbox import Entry, Lane, Outbox, next_of
from backend.alerts.routing import GROUP
from backend.alerts.state import KnownIncident
from backend.alerts.store import AlertStore, Conflict
from backend.alerts.transports.base import Delivered, Message, Transport, TransportError
from backend.alerts.transports.links import links_of
from backend.contract.alerts import Alert, Delivery
from backend.settings_alerts import Alerting

FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 300.0
REST_AFTER: Final = 3
"""A transport that failed so often in a row is left alone for a while: the others' time is worth more."""
REST_SECONDS: Final = 30.0
SHOWN_MEMBERS: Final = 100
SEND_SECONDS: Final = 20.0
"""What one delivery may take; none is begun with less time left."""
PARALLEL: Final = 4
"""Lanes of one transport at a time. Each transport has threads of its own, so none waits for another."""
HOUR: Final = 3600.0

Report = Callable[[str, str, bool, str], None]
"""Called with transport, reason, whether it was given up for lack of time, and an id of what could not be told."""


class Deliverer:
    """Delivers over transports by name. Thread-safe; ``report`` raises an alert about a delivery that ended badly."""

    def __init__(
        self,
        store: AlertStore,
        outbox: Outbox,
        transports: Mapping[str, Transport],
        config: Alerting,
        logger: Logger,
        clock: Callable[[], float],
        report: Report,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._transports = transports
        self._config = config
        self._logger = logger
        self._clock = clock
        self._report = report
        self._pools = {name: ThreadPoolExecutor(PARALLEL, f"deliver-{name}") for name in transports}
        self._lock = Lock()
        self._rest_until: dict[str, float] = {}
        self._failures: Counter[str] = Counter()
        self._counted: Counter[tuple[str, str]] = Counter()

    def deliver(self, lanes: Iterable[Lane], deadline: float) -> None:
        """Empties the lanes as far as time (``deadline``, epoch s) and transports allow. What fails stays in them."""
        running: list[tuple[Lane, Callable[[], None]]] = []
        for lane in dict.fromkeys(lanes):
            if lane.transport in self._transports:
                running.append((lane, self._pools[lane.transport].submit(self._empty, lane, deadline).result))
            else:
                running.append((lane, partial(self._give_up_unconnected, lane)))
        for lane, done in running:
            try:
                done()
            except (ClientError, BotoCoreError, Conflict) as error:
                self._log("deliveries wait", lane, error)

    def counted(self) -> Counter[tuple[str, str]]:
        """How many messages of each transport were ``delivered`` or ``failed`` since the last call."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        return counted

    def _empty(self, lane: Lane, deadline: float) -> None:
        """One lane, until nothing is in it that could be sent now. Another one holding it will see what came late."""
        while not self._out_of_time(lane, deadline):
            owner = self._outbox.take(lane, self._clock())
            if owner is None:
                return
            try:
                self._send_all(lane, deadline)
            finally:
                self._outbox.give_back(lane, owner)
            # What was written while the lease was held found it taken, so it is this one's to send.
            left = self._outbox.waiting(lane)
            if not left or left[0].next_at > self._clock():
                return

    def _send_all(self, lane: Lane, deadline: float) -> None:
        while entries := self._outbox.waiting(lane):
            entry, needless = next_of(entries)
            if entries[0].next_at > self._clock() or self._out_of_time(lane, deadline):
                return
            if not self._send(entry, needless):
                return

    def _out_of_time(self, lane: Lane, deadline: float) -> bool:
        now = self._clock()
        with self._lock:
            return now < self._rest_until.get(lane.transport, now) or now + SEND_SECONDS > deadline

    def _send(self, entry: Entry, needless: Sequence[Entry]) -> bool:
        """One message; False where the lane has to wait."""
        lane, done = entry.lane, (entry, *needless)
        alert = self._store.alert(lane.fingerprint, entry.opened_at)
        if alert is None:
            self._outbox.end(done, None)
            return True
        sent = _sent(alert, lane)
        if not self._outbox.begin(entry):
            return True
        try:
            delivered = self._transports[lane.transport].deliver(self._message(entry, alert), sent)
        except TransportError as error:
            return self._failed(done, sent, error)
        except Exception as error:  # noqa: BLE001 - a transport's own mistake must not stop the others
            return self._failed(done, sent, TransportError(f"{type(error).__name__}: {error}", permanent=False))
        self._succeeded(lane.transport)
        self._record(done, alert, sent, delivered)
        return True

    def _message(self, entry: Entry, alert: Alert) -> Message:
        members: tuple[Alert, ...] = ()
        if alert.rule == GROUP:
            members = self._store.members(alert.fingerprint, SHOWN_MEMBERS)
        return Message(
            kind=entry.kind,
            alert=alert,
            at=entry.at,
            links=links_of(alert, self._config.dashboard_url),
            repeat=entry.unsure,
            members=members,
            delivery_id=entry.delivery_id,
        )

    def _record(self, done: Sequence[Entry], alert: Alert, sent: Delivery | None, delivered: Delivered) -> None:
        entry = done[0]
        reference, attempts = delivered.reference, entry.attempts + 1
        if entry.kind == "incident":
            if alert.incident_id and reference:
                self._store.change_incident(alert.incident_id, _with_channel(reference), self._clock())
            reference = ""
        delivery = Delivery(
            transport=entry.lane.transport,
            reference=reference or (sent.reference if sent else ""),
            delivered_at=self._clock(),
            attempts=attempts,
            problem=delivered.problem,
        )
        self._outbox.end(done, delivery)
        fields = {"status": "delivered", "transport": entry.lane.transport, "kind": entry.kind, "attempts": attempts}
        self._logger.info("alert delivered", extra={**fields, "fingerprint": entry.lane.fingerprint})

    def _failed(self, done: Sequence[Entry], sent: Delivery | None, error: TransportError) -> bool:
        entry, now = done[0], self._clock()
        transport = entry.lane.transport
        self._log("alert not delivered", entry.lane, error)
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(entry.attempts, 10), LONGEST_PAUSE_SECONDS)
        pause = max(error.retry_after or 0.0, pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads, hides nothing
        too_late = now + pause > self._until(entry)
        if error.permanent or too_late:
            # What came later has its own time to be tried for.
            self._give_up(done if error.permanent else done[:1], sent, error)
            return True
        self._outbox.later(entry, now + pause, unsure=entry.unsure or error.unsure)
        with self._lock:
            self._failures[transport] += 1
            if error.retry_after is not None or self._failures[transport] >= REST_AFTER:
                self._rest_until[transport] = now + (error.retry_after or REST_SECONDS)
        return False

    def _give_up(self, done: Sequence[Entry], sent: Delivery | None, error: TransportError) -> None:
        entry, transport, reason = done[0], done[0].lane.transport, str(error)
        self._report(transport, reason[:200], not error.permanent, entry.delivery_id)
        known = sent or Delivery(transport)
        ended = replace(known, attempts=entry.attempts + 1, problem=reason[:500], failed_at=self._clock())
        self._outbox.end(done, ended)
        with self._lock:
            self._counted[transport, "failed"] += 1

    def _give_up_unconnected(self, lane: Lane) -> None:
        """What waits for a transport that there is no more is given up when its time is over, and that is said."""
        for entry in self._outbox.waiting(lane):
            if self._clock() <= self._until(entry):
                return
            alert = self._store.alert(lane.fingerprint, entry.opened_at)
            if alert is None:
                self._outbox.end([entry], None)
            else:
                error = TransportError(f"{lane.transport} is not connected", permanent=False)
                self._give_up([entry], _sent(alert, lane), error)

    def _until(self, entry: Entry) -> float:
        """How long a delivery is tried."""
        return entry.at + HOUR * self._config.deliver_hours

    def _succeeded(self, transport: str) -> None:
        with self._lock:
            self._failures[transport] = 0
            self._counted[transport, "delivered"] += 1

    def _log(self, text: str, lane: Lane, error: Exception) -> None:
        fields = {"transport": lane.transport, "fingerprint": lane.fingerprint, "status": "failed"}
        said = {"error_type": type(error).__name__, "error_message": str(error)[:2_000]}
        self._logger.warning(text, extra={**fields, **said})


def _sent(alert: Alert, lane: Lane) -> Delivery | None:
    return next((delivery for delivery in alert.deliveries if delivery.transport == lane.transport), None)


def _with_channel(channel: str) -> Callable[[KnownIncident], KnownIncident]:
    return lambda known: replace(known, incident=replace(known.incident, slack_channel=channel))
