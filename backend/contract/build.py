"""TOML tables to frozen dataclasses: unknown, missing and wrongly typed fields are refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from backend.contract.errors import InvalidInput

T = TypeVar("T")


def build(cls: type[T], entry: Mapping[str, Any], where: str) -> T:
    """One dataclass from a TOML table: unknown, missing and wrongly typed fields are refused by name."""
    hints = get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for name in entry:
        if name not in known:
            raise InvalidInput(f"{where}.{name}", entry[name], f"is not a known field; use one of {', '.join(known)}")
    values: dict[str, Any] = {}
    for name, value in entry.items():
        values[name] = _coerce(hints[name], value, f"{where}.{name}")
    try:
        return cls(**values)
    except TypeError as error:
        raise InvalidInput(where, str(error), "is incomplete; add the field it names") from error


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
            return float(value)
        if isinstance(value, dict) and hasattr(origin, "__dataclass_fields__"):
            return build(origin, value, where)
        if isinstance(value, origin) and not (isinstance(value, bool) and origin is not bool):
            return value
    raise InvalidInput(where, value, f"has the wrong type; it must be {hint}")
