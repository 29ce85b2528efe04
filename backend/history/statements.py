"""Statements: a named query with its parts and its values, ready to be run. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from backend.contract.errors import InvalidInput
from backend.history.queries import Part, Query, Value, fill


@dataclass(frozen=True, slots=True)
class Statement:
    """``sql`` names its values as ``%(name)s``; ``values`` are those. ``name`` is the query's, for logs and errors."""

    name: str
    sql: str
    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same for statements that ask the same."""
        asked = orjson.dumps([self.sql, dict(self.values)], option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(asked, digest_size=16).hexdigest()


def statement(query: Query, values: Mapping[str, Value], parts: Mapping[str, Part] | None = None) -> Statement:
    """The statement of ``query`` with everything that it asks for.

    Raises InvalidInput naming a value that can't be bound, ValueError for a value or a part that is missing or that
    nothing asks for, or that two parts bind differently: then the program is wrong, not its input.
    """
    parts = parts or {}
    if query.parts != parts.keys():
        raise ValueError(f"{query.name} takes the parts {sorted(query.parts)}, not {sorted(parts)}")
    if query.values != values.keys():
        raise ValueError(f"{query.name} binds {sorted(query.values)}, not {sorted(values)}")
    bound = dict(values)
    for part in parts.values():
        for name, value in part.values.items():
            if bound.setdefault(name, value) != value:
                raise ValueError(f"{query.name}: {name} is bound twice")
    for name, value in bound.items():
        check_value(name, value)
    return Statement(query.name, fill(query.sql, parts), bound)


def check_value(name: str, value: object) -> None:
    """Raises InvalidInput where ``value`` is nothing that a statement can carry as it is."""
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidInput(name, value, "must not hold a NUL character")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(name, value, "must be a text or a number")
    elif not math.isfinite(value):
        raise InvalidInput(name, value, "must be a finite number")
