"""What of a payload nobody is shown: values of configured field names, at any depth. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

REDACTED: Final = "[redacted]"


def redacted(value: Any, names: Iterable[str]) -> Any:
    """The JSON value with the values of all fields called ``names`` (compared without case) replaced.

    What stands under such a name goes as a whole, whatever its type. The value given stays as it is.
    """
    return _redacted(value, frozenset(name.casefold() for name in names))


def _redacted(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: REDACTED if str(name).casefold() in names else _redacted(inner, names)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_redacted(inner, names) for inner in value]
    return value
