"""The four plug-ins of the events path: what each must offer, and how they are loaded (docs/plugins.md).

``[events.plugins]`` of ``pulseboard.toml`` names a plug-in as ``package.module:name``; what it names is called with the
Settings and gives the plug-in. An empty name is the built-in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from backend.contract.errors import InvalidInput
from backend.contract.event_items import EventMessage
from backend.contract.events import EventRecord
from backend.events.aggregates import HourlyTotals
from backend.events.layout import DayShards
from backend.events.raw import RawEvent
from backend.events.schema import ConfiguredSchema
from backend.settings import Settings


@runtime_checkable
class EventSchema(Protocol):
    """Checks what an event says before it is processed."""

    def check(self, event: RawEvent) -> Mapping[str, Any]:
        """The payload's fields under their right names. Raises EventFailure for what can't be processed."""


@runtime_checkable
class KeyLayout(Protocol):
    """Where an event lies: the key of its raw object, and the day partitions of the table's indexes.

    Both must depend on the arguments alone: every retry writes the same keys.
    """

    def raw_key(self, source: str, received_at: float, event_id: str) -> str:
        """The raw object's key, below ``events/`` and different for every event; ``received_at`` is epoch seconds."""

    def partition(self, name: str, day: str, event_id: str) -> str:
        """The index partition of an event of a type or source (empty: failed events), received on ``2026-11-21``."""

    def partitions(self, name: str, day: str) -> Sequence[str]:
        """Every partition that ``partition`` may give for a name and day: what a search reads."""


@runtime_checkable
class ReplayMessage(Protocol):
    """What a replay sends for an event."""

    def body(self, record: EventRecord, replay_id: str, replay_count: int) -> str:
        """The message's text, at most 256 KB; ``replay_count`` counts this replay."""


@runtime_checkable
class Aggregate(Protocol):
    """What events add up to. The state is JSON: texts, numbers, lists and objects, together at most 256 KB."""

    def normalise(self, event: RawEvent, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """What of an event the aggregate needs, from the fields that the schema gave. May raise EventFailure."""

    def window(self, event: RawEvent, normal: Mapping[str, Any]) -> str:
        """The aggregate that an event belongs to, as ``name#window``. Must depend on the event alone."""

    def add(self, state: Mapping[str, Any] | None, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The state with further normalised events; None is that of no event. Must not depend on their order."""


class PlainReplayMessage:
    """The message of the event queue: where the event lies, never its payload."""

    def body(self, record: EventRecord, replay_id: str, replay_count: int) -> str:
        """The text of an EventMessage."""
        return EventMessage(
            record.event_id, record.raw_key, record.sha256, record.correlation_id, replay_id, replay_count
        ).as_text()


@dataclass(frozen=True, slots=True)
class ProcessorPlugins:
    """What the event processor works with."""

    schema: EventSchema
    layout: KeyLayout
    aggregate: Aggregate


def processor_plugins(settings: Settings) -> ProcessorPlugins:
    """The event processor's plug-ins. Raises InvalidInput naming the setting that is wrong."""
    return ProcessorPlugins(event_schema(settings), key_layout(settings), aggregate(settings))


def event_schema(settings: Settings) -> EventSchema:
    """The event schema. Raises InvalidInput naming the setting that is wrong."""
    named = settings.config.events.plugins.event_schema
    return _loaded("event_schema", named, settings, EventSchema) if named else ConfiguredSchema(settings)


def key_layout(settings: Settings) -> KeyLayout:
    """The key layout. Raises InvalidInput naming the setting that is wrong."""
    named = settings.config.events.plugins.key_layout
    return _loaded("key_layout", named, settings, KeyLayout) if named else DayShards(settings.config.events.shards)


def replay_message(settings: Settings) -> ReplayMessage:
    """The replay message. Raises InvalidInput naming the setting that is wrong."""
    named = settings.config.events.plugins.replay_message
    return _loaded("replay_message", named, settings, ReplayMessage) if named else PlainReplayMessage()


def aggregate(settings: Settings) -> Aggregate:
    """The aggregate. Raises InvalidInput naming the setting that is wrong."""
    named = settings.config.events.plugins.aggregate
    return _loaded("aggregate", named, settings, Aggregate) if named else HourlyTotals()


def _loaded(name: str, path: str, settings: Settings, kind: type[Any]) -> Any:
    field = f"events.plugins.{name}"
    module, _, attribute = path.partition(":")
    try:
        factory = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInput(field, path, f"can't be loaded ({error}); write package.module:name") from error
    try:
        plugin = factory(settings)
    except TypeError as error:
        raise InvalidInput(field, path, f"can't be called with the settings ({error})") from error
    if not isinstance(plugin, kind):
        methods = sorted(entry for entry in vars(kind) if not entry.startswith("_"))
        raise InvalidInput(field, path, f"gives no {kind.__name__}; it needs the methods {', '.join(methods)}")
    return plugin
