"""The built-in event schema: required fields and JSON types per event type, from ``[events.types]``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.contract.errors import VALUE_LIMIT
from backend.events.failures import EventFailure
from backend.events.raw import RawEvent
from backend.settings import EventType, Settings

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


class ConfiguredSchema:
    """Checks the fields of ``[events.types.<name>]``. Types that are not configured pass as they are."""

    def __init__(self, settings: Settings) -> None:
        self._types = settings.config.events.types

    def check(self, event: RawEvent) -> Mapping[str, Any]:
        """The payload with every configured field under its own name, also where an alias of it was sent.

        Raises EventFailure: ``parse_error`` where the payload is no object or lacks a field, ``validation_error`` where
        a value has another type than the configured one.
        """
        expected = self._types.get(event.event_type)
        if expected is None:
            return event.payload if isinstance(event.payload, dict) else {"value": event.payload}
        if not isinstance(event.payload, dict):
            raise EventFailure("parse_error", f"payload: {_shown(event.payload)} must be an object")
        fields = _renamed(event.payload, expected)
        _check_present(fields, expected, event)
        _check_types(fields, expected)
        return fields


def _renamed(payload: Mapping[str, Any], expected: EventType) -> dict[str, Any]:
    fields = dict(payload)
    for name, others in expected.aliases.items():
        for other in others:
            if name not in fields and other in fields:
                fields[name] = fields.pop(other)
    return fields


def _check_present(fields: Mapping[str, Any], expected: EventType, event: RawEvent) -> None:
    missing = [name for name in expected.fields if name not in fields]
    if not missing:
        return
    unknown = [name for name in fields if name not in expected.fields]
    hint = f"; it has {', '.join(sorted(unknown)[:10])}, which may be its new name" if unknown else ""
    raise EventFailure("parse_error", f"payload.{missing[0]}: is missing in {event.event_type}{hint}"[:2000])


def _check_types(fields: Mapping[str, Any], expected: EventType) -> None:
    for name, kind in expected.fields.items():
        value = fields[name]
        # In Python a boolean is an integer; in JSON it is not.
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
            raise EventFailure("validation_error", f"payload.{name}: {_shown(value)} must be of type {kind}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= VALUE_LIMIT else text[:VALUE_LIMIT] + "..."
