"""The built-in event schema: required fields and JSON types per event type, from ``[events.types]``. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from backend.contract.redaction import REDACTED
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


LIKENESS: Final = 0.5
"""How alike two names must be to be taken for each other in a hint; difflib's ratio, 1 is equal."""
SHOWN: Final = 60
"""Characters of a wrong value that its error shows."""


class ConfiguredSchema:
    """Checks the fields of ``[events.types.<name>]``. Types that are not configured pass as they are."""

    def __init__(self, settings: Settings) -> None:
        self._types = settings.config.events.types
        self._redacted = frozenset(name.casefold() for name in settings.config.access.redacted_fields)

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
        self._check_types(fields, expected)
        return fields

    def _check_types(self, fields: Mapping[str, Any], expected: EventType) -> None:
        for name, kind in expected.fields.items():
            value = fields[name]
            # In Python a boolean is an integer; in JSON it is not.
            if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
                shown = REDACTED if name.casefold() in self._redacted else _shown(value)
                raise EventFailure("validation_error", f"payload.{name}: {shown} must be of type {kind}")


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
    near = get_close_matches(missing[0], unknown, n=1, cutoff=LIKENESS)
    hint = f"; it has {near[0]}, which may be its new name" if near else ""
    raise EventFailure("parse_error", f"payload.{missing[0]}: is missing in {event.event_type}{hint}"[:2000])


def _shown(value: Any) -> str:
    """A value as errors show it to everybody who may look: never what is inside of objects and arrays."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
