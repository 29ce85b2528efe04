"""The event processor: messages of the event queue in, aggregates and marked events out.

An event is counted by its aggregate exactly once, however often its message comes. A message fails alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.event_items import EventMessage, parse_message
from backend.events.aggregate_store import MOST_EVENTS, AggregateStore, Overtaken
from backend.events.aggregates import next_version
from backend.events.failures import EventFailure, failure_of
from backend.events.plugins import ProcessorPlugins
from backend.events.processor_store import AGGREGATED_IN, ProcessorStore
from backend.events.raw import RawEvent, read_raw
from backend.events.received import Arrived, Failed, Ready, Received, by_window, first_of_each, received_of

TRIES: Final = 8
"""Times that a version is made anew when others write the same aggregate meanwhile."""
PAUSE_SECONDS: Final = 0.02
"""Before the second try at most; twice as long before each further one."""


@dataclass(slots=True)
class Processed:
    """What became of the messages of one invocation: every one is in one of these.

    ``counted`` went into their aggregates now; ``repeated`` were in them before, of which ``replayed`` came in a replay
    for the first time.
    """

    counted: list[Arrived] = field(default_factory=list)
    repeated: list[Arrived] = field(default_factory=list)
    replayed: list[Arrived] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


class EventProcessor:
    """Processes the messages of one invocation at a time; reads side by side in ``pool``."""

    def __init__(
        self,
        store: ProcessorStore,
        aggregates: AggregateStore,
        plugins: ProcessorPlugins,
        pool: Executor,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._aggregates = aggregates
        self._plugins = plugins
        self._pool = pool
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    def process(self, records: Iterable[Mapping[str, Any]]) -> Processed:
        """Processes SQS records of Lambda's event. Nothing is raised for what is wrong with one of them."""
        done = Processed()
        loaded: list[tuple[Received, EventMessage, RawEvent]] = []
        for outcome in self._pool.map(self._load, [received_of(record) for record in records]):
            if isinstance(outcome, Failed):
                done.failed.append(outcome)
            else:
                loaded.append(outcome)
        ready: list[Ready] = []
        for arrived in self._indexed(loaded, done):
            self._prepare(arrived, ready, done)
        for window, events in by_window(ready).items():
            self._window(window, events, done)
        return done

    def _load(self, received: Received) -> Failed | tuple[Received, EventMessage, RawEvent]:
        try:
            message = parse_message(received.body)
        except ValueError as error:
            return Failed(received, EventFailure("poison", str(error)))
        try:
            raw = read_raw(self._store.raw(message.raw_key), message.sha256)
            if raw.event_id != message.event_id:
                raise EventFailure("poison", f"the raw object is that of the event {raw.event_id}", alert=True)
        except (EventFailure, ClientError, BotoCoreError) as error:
            return Failed(received, failure_of(error), message)
        return received, message, raw

    def _indexed(self, loaded: Sequence[tuple[Received, EventMessage, RawEvent]], done: Processed) -> Iterable[Arrived]:
        """The events with their items."""
        try:
            items = self._store.items(raw for _, _, raw in loaded)
        except (ClientError, BotoCoreError, RuntimeError) as error:
            failure = EventFailure("timeout", str(error)) if isinstance(error, RuntimeError) else failure_of(error)
            done.failed += [Failed(received, failure, message) for received, message, _ in loaded]
            return
        for received, message, raw in loaded:
            item = items.get(raw.event_id)
            if item is None:
                failure = EventFailure("poison", f"the event {raw.event_id} is not in the index, or not any more")
                done.failed.append(Failed(received, failure, message))
            elif item["sha256"]["S"] != message.sha256:
                failure = EventFailure("poison", "the message's SHA-256 is not the one that was recorded", alert=True)
                done.failed.append(Failed(received, failure, message, item))
            else:
                yield Arrived(received, message, raw, item)

    def _prepare(self, arrived: Arrived, ready: list[Ready], done: Processed) -> None:
        if AGGREGATED_IN in arrived.item:
            self._again(arrived, done)
            return
        try:
            fields = self._plugins.schema.check(arrived.raw)
            normal = self._plugins.aggregate.normalise(arrived.raw, fields)
            ready.append(Ready(arrived, normal, self._plugins.aggregate.window(arrived.raw, normal)))
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, which must cost its event alone
            done.failed.append(Failed(arrived.received, failure_of(error), arrived.message, arrived.item))

    def _again(self, arrived: Arrived, done: Processed) -> None:
        """An event that is in its aggregate changes nothing; that a replay brought it is noted once."""
        try:
            if self._store.came_again(arrived, self._clock()):
                done.replayed.append(arrived)
        except (ClientError, BotoCoreError) as error:
            done.failed.append(Failed(arrived.received, failure_of(error), arrived.message, arrived.item))
        else:
            done.repeated.append(arrived)

    def _window(self, window: str, events: Sequence[Ready], done: Processed) -> None:
        first, others = first_of_each(events)
        for index in range(0, len(first), MOST_EVENTS):
            self._count(window, first[index : index + MOST_EVENTS], done)
        for entry in others:
            self._again(entry.arrived, done)

    def _count(self, window: str, events: Sequence[Ready], done: Processed) -> None:
        """Adds events to their aggregate; one by one where together they can't be."""
        left = list(events)
        try:
            for attempt in range(TRIES):
                if attempt:
                    self._sleep(PAUSE_SECONDS * 2**attempt * self._jitter())
                    left = self._still_uncounted(left, done)
                if not left or self._committed(window, left):
                    done.counted += [entry.arrived for entry in left]
                    return
            raise EventFailure("timeout", f"others kept writing the aggregate {window}; tried {TRIES} times")
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, which must cost its event alone
            failure = failure_of(error)
            if len(left) > 1 and failure.error_type != "timeout":
                for entry in left:
                    self._count(window, [entry], done)
                return
            for arrived in (entry.arrived for entry in left):
                done.failed.append(Failed(arrived.received, failure, arrived.message, arrived.item))

    def _committed(self, window: str, events: Sequence[Ready]) -> bool:
        """Writes the aggregate's next version; False when somebody else was first."""
        latest, now = self._aggregates.latest(window), self._clock()
        state = self._plugins.aggregate.add(latest.state if latest else None, [entry.normal for entry in events])
        version = next_version(latest, [entry.arrived.raw.event_id for entry in events], state)
        marks = [self._store.processed(entry.arrived, window, now) for entry in events]
        try:
            self._aggregates.commit(window, version, marks, now)
        except Overtaken:
            return False
        return True

    def _still_uncounted(self, events: Sequence[Ready], done: Processed) -> list[Ready]:
        """The events that nobody has counted meanwhile."""
        items = self._store.items(entry.arrived.raw for entry in events)
        left: list[Ready] = []
        for entry in events:
            arrived = entry.arrived
            item = items.get(arrived.raw.event_id)
            if item is None:
                failure = EventFailure("poison", f"the event {arrived.raw.event_id} is not in the index any more")
                done.failed.append(Failed(arrived.received, failure, arrived.message))
            elif AGGREGATED_IN in item:
                self._again(arrived, done)
            else:
                left.append(entry)
        return left
