"""Takes events in: each is stored once, whoever sends it how often, and wherever an earlier try broke off.

The order is what heals: gate, raw object, index, message, gate again. Every write is made from the gate's values and
is safe to repeat; only the last one says ``stored``. So whoever finds a gate still open goes on from there.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.contract.events import Event
from backend.events.delivery import Delivery
from backend.events.gate import STORED, index_item, lead_of
from backend.events.ingest_log import IngestLog
from backend.events.ingest_store import GROUP, MAX_KNOWN, SEND_BATCH, IngestStore
from backend.events.outcome import Attempt, Outcome, error_of, measured
from backend.events.own_metrics import OwnMetrics
from backend.events.plugins import key_layout
from backend.settings import Settings

T = TypeVar("T")

OPERATOR: Final = "ingest"
HOSTNAME: Final = "ingest-api"
WORKERS: Final = 16
SECONDS: Final = 20.0
"""A request begins no further event after that; the caller is told which, and waits 29 s at most."""
IN_FLIGHT_SECONDS: Final = 30.0
"""A gate opened less long ago may belong to a request that is still at work: nothing runs longer."""
WAITS: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between looks whether that request has finished, before its work is done a second time."""


class Ingest:
    """Stores events. Thread-safe. ``clock`` is epoch seconds, ``timer`` counts seconds; tests replace them."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        logger: Logger,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Raises InvalidInput for a key layout that can't be loaded."""
        self._settings = settings
        self._layout = key_layout(settings)
        self._store = IngestStore(clients.dynamodb, clients.s3, clients.sqs, settings, sleep)
        self._metrics = OwnMetrics(clients.dynamodb, settings, HOSTNAME, logger)
        self._log = IngestLog(logger, OPERATOR, settings.config.events.entity_keys)
        self._clock = clock
        self._timer = timer
        self._sleep = sleep
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="ingest")

    def take(self, event: Event, delivery: Delivery) -> Outcome:
        """Stores one event."""
        return self.take_all([event], delivery)[0]

    def take_all(self, entries: Sequence[Event | InvalidInput], delivery: Delivery) -> list[Outcome]:
        """Stores the events among ``entries``; what became of each, in their order."""
        began = self._timer()
        outcomes: dict[int, Outcome] = {}
        attempts: dict[tuple[str, str], Attempt] = {}
        places: dict[tuple[str, str], list[int]] = {}
        for number, entry in enumerate(entries):
            if isinstance(entry, InvalidInput):
                outcomes[number] = Outcome("error", error=error_of(entry))
                continue
            lead = lead_of(entry, delivery, self._settings, self._layout)
            key = (lead.gate.event_id, lead.gate.content_hash)
            attempts.setdefault(key, Attempt(lead, f"[{number}]" if len(entries) > 1 else ""))
            places.setdefault(key, []).append(number)
        for key, attempt in attempts.items():
            attempt.count = len(places[key])
        for several in _one_of_each_id(attempts.values()):
            self._take(several, began + SECONDS)
        for key, attempt in attempts.items():
            for number in places[key]:
                outcomes[number] = attempt.outcome(first=number == places[key][0])
        self._report(list(attempts.values()), delivery, self._timer() - began)
        if refused := [entry for entry in entries if isinstance(entry, InvalidInput)]:
            self._log.refused(refused)
        return [outcomes[number] for number in range(len(entries))]

    def _take(self, attempts: Sequence[Attempt], until: float) -> None:
        """Decides the attempts, no two of one event id; none begins after ``until``."""
        if not self._registered(attempts):
            return
        self._grouped(self._open_all, self._open, attempts, until)
        self._complete([attempt for attempt in attempts if not attempt.waiting], until)
        waiting = [attempt for attempt in attempts if attempt.waiting]
        self._wait(waiting, until)
        self._complete(waiting, until)
        self._map(self._count, [attempt for attempt in attempts if attempt.again])

    def _registered(self, attempts: Sequence[Attempt]) -> bool:
        """Types and sources are made known first: a search over all types must find every event."""
        events = [attempt.lead.event for attempt in attempts]
        try:
            types, sources = {event.event_type for event in events}, {event.source for event in events}
            refused = self._store.register(types, sources, self._clock())
        except (ClientError, BotoCoreError, TimeoutError) as error:
            for attempt in attempts:
                attempt.fail(f"types not registered: {error}")
            return False
        for attempt in attempts if refused else ():
            for field, kind in (("event_type", "types"), ("source", "sources")):
                name = getattr(attempt.lead.event, field)
                if (kind, name) in refused:
                    rank = f"{MAX_KNOWN + 1:,}st {kind[:-1]}"
                    attempt.refuse(field, name, f"would be the {rank}; what varies belongs in the payload")
        return True

    def _open_all(self, attempts: Sequence[Attempt]) -> bool:
        return self._store.open_gates([attempt.lead.gate for attempt in attempts], self._clock())

    def _open(self, attempt: Attempt) -> None:
        now, gate = self._clock(), attempt.lead.gate
        there = self._store.open_gate(gate, now)
        if there is None:
            return
        if there.content_hash != gate.content_hash:
            attempt.conflict()
        elif there.state == STORED:
            attempt.status = "duplicate"
        else:
            attempt.lead = attempt.lead.behind(there)
            attempt.waiting = now - there.received_at < IN_FLIGHT_SECONDS

    def _wait(self, attempts: Sequence[Attempt], until: float) -> None:
        """Gives whoever holds the gates a moment to finish; what is not finished then is left undecided."""
        for seconds in WAITS:
            if not _undecided(attempts):
                return
            self._sleep(seconds)
            self._each(self._look, attempts, until)

    def _look(self, attempt: Attempt) -> None:
        if self._store.is_stored(attempt.lead.gate.event_id):
            attempt.status = "duplicate"

    def _complete(self, attempts: Sequence[Attempt], until: float) -> None:
        """Everything behind the gate, of those that are undecided."""
        self._each(self._put_raw, attempts, until)
        self._grouped(self._index_all, self._index, attempts, until)
        self._map(self._send, _parts(_undecided(attempts), SEND_BATCH))
        self._grouped(self._close_all, self._close, attempts)

    def _put_raw(self, attempt: Attempt) -> None:
        attempt.lead = self._store.put_raw(attempt.lead)

    def _index(self, attempt: Attempt) -> None:
        self._store.put_index(index_item(attempt.lead, self._settings, self._layout))

    def _index_all(self, attempts: Sequence[Attempt]) -> bool:
        return self._store.put_indexes([index_item(attempt.lead, self._settings, self._layout) for attempt in attempts])

    def _send(self, batch: Sequence[Attempt]) -> None:
        try:
            problems = self._store.send([attempt.lead.gate for attempt in batch])
        except (ClientError, BotoCoreError) as error:
            problems = [str(error)] * len(batch)
        for attempt, problem in zip(batch, problems, strict=True):
            if problem:
                attempt.fail(problem)

    def _close(self, attempt: Attempt) -> None:
        attempt.status = "stored" if self._store.close_gate(attempt.lead.gate) else "duplicate"

    def _close_all(self, attempts: Sequence[Attempt]) -> bool:
        closed = self._store.close_gates([attempt.lead.gate for attempt in attempts])
        for attempt in attempts if closed else ():
            attempt.status = "stored"
        return closed

    def _count(self, attempt: Attempt) -> None:
        try:
            self._store.count_duplicates(attempt.lead.gate.event_id, attempt.again)
        except (ClientError, BotoCoreError) as error:
            self._log.uncounted(attempt, error)

    def _grouped(
        self,
        together: Callable[[Sequence[Attempt]], bool],
        alone: Callable[[Attempt], None],
        attempts: Sequence[Attempt],
        until: float | None = None,
    ) -> None:
        """A step for every undecided attempt: in groups, and one by one where a group's can't be done together."""

        def run(group: Sequence[Attempt]) -> None:
            in_time = until is None or self._timer() <= until
            if len(group) == 1 or not (in_time and self._guarded(together, group, group)):
                for attempt in _undecided(group):
                    self._run(alone, attempt, until)

        self._map(run, _parts(_undecided(attempts), GROUP))

    def _each(self, step: Callable[[Attempt], None], attempts: Sequence[Attempt], until: float | None = None) -> None:
        """Runs a step for every undecided attempt, for none after ``until``."""
        self._map(lambda attempt: self._run(step, attempt, until), _undecided(attempts))

    def _run(self, step: Callable[[Attempt], None], attempt: Attempt, until: float | None) -> None:
        if until is not None and self._timer() > until:
            attempt.fail("not begun for lack of time")
        else:
            self._guarded(step, attempt, [attempt])

    def _guarded(self, step: Callable[[Any], T], of: Any, attempts: Sequence[Attempt]) -> T | None:
        """The step's result; where AWS refuses or does not answer, the attempts have failed."""
        try:
            return step(of)
        except (ClientError, BotoCoreError) as error:
            for attempt in attempts:
                attempt.fail(str(error))
            return None

    def _map(self, function: Callable[[Any], None], values: Sequence[Any]) -> None:
        """Calls the function with every value, several at once."""
        if len(values) == 1:
            function(values[0])
        else:
            list(self._pool.map(function, values))

    def _report(self, attempts: Sequence[Attempt], delivery: Delivery, seconds: float) -> None:
        if numbers := measured(attempts, self._settings):
            self._metrics.write(numbers, secrets.token_hex(8), delivery.received_at)
        for attempt in attempts:
            self._log.handled(attempt, seconds)


def _parts(values: Sequence[T], size: int) -> list[Sequence[T]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _undecided(attempts: Iterable[Attempt]) -> list[Attempt]:
    return [attempt for attempt in attempts if attempt.status is None]


def _one_of_each_id(attempts: Iterable[Attempt]) -> Iterator[list[Attempt]]:
    """The attempts in rounds in which no event id comes twice: one key with two contents is one, then the other."""
    left = list(attempts)
    while left:
        one = {attempt.lead.gate.event_id: attempt for attempt in reversed(left)}
        yield list(one.values())
        left = [attempt for attempt in left if one[attempt.lead.gate.event_id] is not attempt]
