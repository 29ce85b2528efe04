"""TOML tables to frozen dataclasses: unknown, missing and wrongly typed fields are refused by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from backend.contract.errors import InvalidInput

T = TypeVar("T")


def build(cls: type[T], entry: Mapping[str, Any], where: str) -> T:
    """One dataclass from a TOML table: unknown, missing and wrongly typed fields are refused by name."""
    if not isinstance(entry, Mapping):
        raise InvalidInput(where, entry, f"must be a table, [{where}]")
    hints = _hints(cls)  # type: ignore[arg-type]
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for name in entry:
        if name not in known:
            raise InvalidInput(f"{where}.{name}", entry[name], f"is not a known field; use one of {', '.join(known)}")
    for name, field in known.items():
        if name not in entry and field.default is MISSING and field.default_factory is MISSING:
            raise InvalidInput(f"{where}.{name}", None, "is missing; add it")
    return cls(**{name: _coerce(hints[name], value, f"{where}.{name}") for name, value in entry.items()})


@cache
def _hints(cls: type) -> dict[str, Any]:
    """Annotations as types. They are kept: resolving them costs more than everything else about a table."""
    return get_type_hints(cls)


def _coerce(hint: Any, value: Any, where: str) -> Any:
    """Checks one TOML value against its annotation (literals, optionals, nested tables, plain types)."""
    options = [h for h in get_args(hint) if h is not type(None)] if type(None) in get_args(hint) else [hint]
    for option in options:
        if get_origin(option) is Literal:
            if value in get_args(option):
                return value
            raise InvalidInput(where, value, f"must be one of {', '.join(map(str, get_args(option)))}")
        origin = get_origin(option) or option
        if origin is float and isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise InvalidInput(where, value, "must be a finite number")
            return float(value)
        if isinstance(value, dict) and hasattr(origin, "__dataclass_fields__"):
            return build(origin, value, where)
        if isinstance(value, origin) and not (isinstance(value, bool) and origin is not bool):
            _check_elements(option, value, where)
            return value
    expected = " or ".join(getattr(get_origin(option) or option, "__name__", str(option)) for option in options)
    raise InvalidInput(where, value, f"has the wrong type; it must be {expected}")


def _check_elements(hint: Any, value: Any, where: str) -> None:
    """Elements of ``list[str]`` and ``dict[str, str]``; other element types are their builder's business."""
    if not get_args(hint) or get_args(hint)[-1] is not str:
        return
    for place, element in value.items() if isinstance(value, dict) else enumerate(value):
        if not isinstance(element, str):
            raise InvalidInput(f"{where}[{place}]", element, "has the wrong type; it must be str")
