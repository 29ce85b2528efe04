"""Partitions: the values that a table's projection (or Glue) allows, and the prefixes where they are stored."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlglot import exp

from backend.local.athena.catalog import Catalog, Column, Table
from backend.local.athena.dates import strftime
from backend.local.athena.errors import QueryError
from backend.local.athena.predicates import columns_of, literals_of, weaken

MAX_PREFIXES: Final = 500
"""More than this many are listed by the prefixes above them, and what does not match is left out."""
_PLACE: Final = re.compile(r"\$\{(\w+)\}")
_UNITS: Final = {"YEARS": 365 * 86400, "MONTHS": 30 * 86400, "WEEKS": 604800, "DAYS": 86400, "HOURS": 3600}
_NOW: Final = re.compile(r"NOW(?:\s*([+-])\s*(\d+)\s*(YEARS?|MONTHS?|WEEKS?|DAYS?|HOURS?))?", re.IGNORECASE)

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Runs one statement on DuckDB and returns its rows."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The values one column may have, as texts in the object keys: ``texts``, or the numbers of a range."""

    column: Column
    texts: Sequence[str] = ()
    numbers: range | None = None
    digits: str = ""

    @property
    def relation(self) -> str:
        """A SELECT of every text as ``x``."""
        if self.numbers is None:
            return f"SELECT x FROM (VALUES {', '.join(f'({_sql(text)})' for text in self.texts)}) v(x)"
        text = f"format('{{:0{int(self.digits)}d}}', n)" if self.digits else "CAST(n AS VARCHAR)"
        return f"SELECT {text} AS x FROM range({self.numbers.start}, {self.numbers.stop}, {self.numbers.step}) r(n)"

    def holds(self, text: str) -> bool:
        """Whether an object's key may have this text."""
        if self.numbers is None:
            return text in self.texts
        return text.isascii() and text.isdigit() and int(text) in self.numbers and _padded(text, self.digits) == text


@dataclass(frozen=True, slots=True)
class Prefix:
    """A place to list: ``values`` is the text of each partition column that is certain there, by name.

    ``pattern`` matches the location of an object and names the columns that are not certain; ``kept``, where it is
    given, are the combinations of the columns ``order`` that are wanted.
    """

    location: str
    values: Mapping[str, str]
    pattern: re.Pattern[str] | None = None
    order: Sequence[str] = ()
    kept: frozenset[tuple[str, ...]] | None = None
    domains: Mapping[str, Domain] = field(default_factory=dict)

    def values_of(self, uri: str) -> Mapping[str, str] | None:
        """Each partition column's text for an object that was listed here; None when it is in none that is wanted."""
        if self.pattern is None:
            return self.values
        match = self.pattern.match(uri)
        if match is None:
            return None
        values = {**self.values, **match.groupdict()}
        if not all(self.domains[name].holds(text) for name, text in match.groupdict().items()):
            return None
        wanted = self.kept is None or tuple(values[name] for name in self.order) in self.kept
        return values if wanted else None


def prefixes(table: Table, catalog: Catalog, predicate: exp.Expr | None, ask: Ask) -> list[Prefix]:
    """Where the rows that can satisfy ``predicate`` may be, and nowhere else. Raises QueryError.

    ``predicate`` is Trino's, on the table's columns.
    """
    if not table.keys:
        return [Prefix(_folder(table.location), {})]
    if table.parameters.get("projection.enabled", "").lower() == "true":
        return _projected(table, predicate, ask)
    return _registered(table, catalog.partitions(table), predicate, ask)


def partition_location(table: Table, values: Mapping[str, str]) -> str:
    """The folder of one partition, its values as SQL gives them: zero-padded as the projection says."""
    texts = {
        key.name: _padded(values[key.name], table.parameters.get(f"projection.{key.name}.digits")) for key in table.keys
    }
    return _folder(_PLACE.sub(lambda place: texts[place.group(1).lower()], template_of(table)))


def template_of(table: Table) -> str:
    """``storage.location.template``, or Hive's own layout below the table's location."""
    hive = _folder(table.location) + "".join(f"{key.name}=${{{key.name}}}/" for key in table.keys)
    return table.parameters.get("storage.location.template") or hive


def _projected(table: Table, predicate: exp.Expr | None, ask: Ask) -> list[Prefix]:
    domains = {key.name: _domain(table, key, predicate) for key in table.keys}
    template = _folder(template_of(table))
    order = [name.lower() for name in _PLACE.findall(template)]
    if missing := [name for name in domains if name not in order]:
        raise QueryError(f"HIVE_INVALID_METADATA: {template} has no ${{{missing[0]}}}")
    mentioned = columns_of(weaken(predicate, order)) if predicate is not None else set()
    depth = max((order.index(name) + 1 for name in mentioned), default=0)
    found = _combinations([domains[name] for name in order[:depth]], predicate, ask)
    shown = depth
    while len(rows := sorted({row[:shown] for row in found})) > MAX_PREFIXES:
        shown -= 1
    kept = frozenset(found) if shown < depth else None
    return [_prefix(template, dict(zip(order, row, strict=False)), domains, order[:depth], kept) for row in rows]


def _combinations(domains: Sequence[Domain], predicate: exp.Expr | None, ask: Ask) -> list[tuple[str, ...]]:
    """Texts of the combinations that satisfy what the predicate says of partitions. Column by column, so that what a
    year excludes is not multiplied by every month and day."""
    if not domains or predicate is None:
        return [()]
    sql = ""
    for place, domain in enumerate(domains):
        name = domain.column.name
        typed = f'CAST(x AS {domain.column.duckdb_type}) AS "{name}"'
        alone = weaken(predicate, [name]).sql("duckdb")
        own = f'SELECT * FROM (SELECT x AS "{name}|text", {typed} FROM ({domain.relation})) WHERE {alone}'
        both = f"({sql}) a CROSS JOIN ({own}) b" if sql else f"({own}) a"
        known = weaken(predicate, [done.column.name for done in domains[: place + 1]])
        sql = f"SELECT * FROM {both} WHERE {known.sql('duckdb')}"
    texts = ", ".join(f'"{domain.column.name}|text"' for domain in domains)
    return [tuple(row) for row in ask(f"SELECT {texts} FROM ({sql}) ORDER BY ALL")]


def _prefix(
    template: str,
    values: Mapping[str, str],
    domains: Mapping[str, Domain],
    order: Sequence[str],
    kept: frozenset[tuple[str, ...]] | None,
) -> Prefix:
    filled = _PLACE.sub(lambda place: values.get(place.group(1).lower(), place.group(0)), template)
    open_from = _PLACE.search(filled)
    if open_from is None:
        return Prefix(filled, values)
    pattern = re.escape(filled)
    for name in domains:
        if name in values:
            continue
        place = re.escape(f"${{{name}}}")
        pattern = pattern.replace(place, f"(?P<{name}>[^/]+)", 1).replace(place, f"(?P={name})")
    return Prefix(filled[: open_from.start()], values, re.compile(pattern), order, kept, domains)


def _domain(table: Table, key: Column, predicate: exp.Expr | None) -> Domain:
    def option(name: str) -> str:
        return table.parameters.get(f"projection.{key.name}.{name}", "").strip()

    kind = option("type").lower()
    if kind == "integer":
        first, last = (int(part) for part in option("range").split(","))
        return Domain(key, (), range(first, last + 1, int(option("interval") or 1)), option("digits"))
    if kind == "enum":
        texts: Iterable[str] = [value.strip() for value in option("values").split(",")]
    elif kind == "date":
        texts = _dates(option("range"), option("format"), option("interval") or "1", option("interval.unit") or "DAYS")
    elif kind == "injected":
        texts = literals_of(predicate, key.name)
        if not texts:
            raise QueryError(
                f"CONSTRAINT_VIOLATION: For the injected projected partition column {key.name}, the WHERE clause must "
                "contain only static equality conditions, and at least one such condition must be present."
            )
    else:
        raise QueryError(f"INVALID_TABLE_PROPERTY: projection.{key.name}.type: {kind or 'nothing'} is not known")
    return Domain(key, list(dict.fromkeys(texts)))


def _dates(limits: str, form: str, interval: str, unit: str) -> list[str]:
    written = strftime(form)
    first, last = (_moment(part.strip(), written) for part in limits.split(","))
    name = unit.upper().rstrip("S") + "S"
    texts = []
    while first <= last:
        texts.append(first.strftime(written))
        if name in ("YEARS", "MONTHS"):
            months = first.month - 1 + int(interval) * (12 if name == "YEARS" else 1)
            first = first.replace(year=first.year + months // 12, month=months % 12 + 1, day=1)
        else:
            first += datetime.timedelta(seconds=int(interval) * _UNITS[name])
    return texts


def _moment(text: str, form: str) -> datetime.datetime:
    if now := _NOW.fullmatch(text):
        sign, count, unit = now.groups()
        shift = int(count or 0) * _UNITS[(unit or "DAYS").upper().rstrip("S") + "S"]
        moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=-shift if sign == "-" else shift)
    else:
        moment = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC)
    return moment


def _registered(
    table: Table, entries: Sequence[tuple[tuple[str, ...], str]], predicate: exp.Expr | None, ask: Ask
) -> list[Prefix]:
    names = [key.name for key in table.keys]
    known = weaken(predicate, names) if predicate is not None else exp.true()
    if not entries:
        return []
    texts = ", ".join(f"({place}, {', '.join(map(_sql, values))})" for place, (values, _) in enumerate(entries))
    cast = ", ".join(f'CAST(v{i} AS {key.duckdb_type}) AS "{key.name}"' for i, key in enumerate(table.keys))
    fields = ", ".join(f"v{i}" for i in range(len(names)))
    rows = ask(
        f"SELECT place FROM (SELECT place, {cast} FROM (VALUES {texts}) v(place, {fields})) "
        f"WHERE {known.sql('duckdb')} ORDER BY place"
    )
    return [Prefix(_folder(entries[place][1]), dict(zip(names, entries[place][0], strict=True))) for (place,) in rows]


def _sql(text: str) -> str:
    return str(exp.Literal.string(text).sql("duckdb"))


def _folder(location: str) -> str:
    return location if location.endswith("/") else location + "/"


def _padded(text: str, digits: str | None) -> str:
    return text.zfill(int(digits)) if digits else text
