"""Queries by name: each one is a file in ``sql/``, its values are bound and never part of its text.

A file has two kinds of holes. ``%(name)s`` is a value: PyAthena quotes it (text by doubling its quotes, as Trino
wants it). ``{name}`` is a piece of SQL that the product builds itself, such as the relation of a range of days: it
comes with the values it binds, and takes no text from outside. A ``{name}`` that is a file in ``sql/shared/`` is that
file, holes and all: what several queries say in the same words stands there once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

Value = str | int | float
"""What may be bound."""

_VALUE: Final = re.compile(r"%\(([a-z_0-9]+)\)s")
_PART: Final = re.compile(r"\{([a-z_0-9]+)\}")
_FOLDER: Final = "sql"
_SHARED: Final = "shared"


@dataclass(frozen=True, slots=True)
class Query:
    """The SQL of one question. ``values`` are the names it binds, ``parts`` those of the SQL that it is given."""

    name: str
    sql: str
    values: frozenset[str]
    parts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Part:
    """SQL for a ``{name}``, built from names of ``contract.tables`` alone, and the values it binds."""

    sql: str
    values: Mapping[str, Value] = field(default_factory=dict)


def query_of(name: str, sql: str) -> Query:
    """The query of a text. Raises ValueError where the text holds a per cent sign that binds nothing."""
    rest = _VALUE.sub("", sql).replace("%%", "")
    if "%" in rest:
        raise ValueError(f"{name}: write %% for a per cent sign; {rest[rest.index('%') :][:40]!r} binds nothing")
    return Query(name, sql, frozenset(_VALUE.findall(sql)), frozenset(_PART.findall(sql)))


@cache
def named_query(name: str) -> Query:
    """The query of ``sql/<name>.sql``. Raises KeyError for a name without a file."""
    if name not in query_names():
        raise KeyError(name)
    return query_of(name, _PART.sub(_shared, _text(f"{name}.sql")))


def _text(*path: str) -> str:
    return resources.files(__package__).joinpath(_FOLDER, *path).read_text("utf-8")


def _shared(hole: re.Match[str]) -> str:
    """The text of a hole that is shared; another hole stays as it is, for who asks to fill."""
    try:
        return _text(_SHARED, f"{hole[1]}.sql").strip()
    except FileNotFoundError:
        return hole[0]


@cache
def query_names() -> frozenset[str]:
    """The names of all queries there are."""
    files = resources.files(__package__).joinpath(_FOLDER).iterdir()
    return frozenset(file.name.removesuffix(".sql") for file in files if file.name.endswith(".sql"))


def fill(sql: str, parts: Mapping[str, Part]) -> str:
    """``sql`` with its ``{name}`` filled in."""
    return _PART.sub(lambda hole: parts[hole[1]].sql, sql)
