"""Mappings: how a program's own metrics become the catalogue's. Data in TOML, checked loudly when loaded.

``mappings/*.toml`` are the ready ones; a user's own file is given by its path.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from backend.contract.build import build
from backend.contract.catalogue import Catalogue
from backend.contract.errors import InvalidInput

Combine = Literal["sum", "max", "min", "avg"]
TARGET: Final = "target"
"""The name under which a hostname template finds the address that was scraped."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """One source metric as one metric of the catalogue.

    ``match`` and ``exclude`` are label -> regular expression (whole value). ``labels`` are our label -> source
    label. The value is the source's, per second if ``rate``, divided by the series of ``ratio_to`` with the same
    labels, taken from 1 if ``complement``, times ``scale``. What ends in the same (metric, host, labels), subtasks
    of an operator for instance, is combined by ``combine``. Below zero means "no value yet" unless ``negative``.
    """

    source: str
    metric: str
    combine: Combine
    hostname: str = "{target}"
    labels: dict[str, str] = field(default_factory=dict)
    match: dict[str, str] = field(default_factory=dict)
    exclude: dict[str, str] = field(default_factory=dict)
    scale: float = 1.0
    ratio_to: str | None = None
    complement: bool = False
    rate: bool = False
    negative: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """Adds label ``take`` of ``source`` to every series with equal ``on`` labels; ``otherwise`` stands in for it."""

    source: str
    take: str
    on: list[str] = field(default_factory=list)
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Unique:
    """Where several ``id`` values share one ``name`` inside ``within``, the name gets the start of its id."""

    name: str
    id: str
    within: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Prefix:
    """Our ``label`` is prefixed with our label ``by`` as soon as one collection has more than one ``by``."""

    label: str
    by: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping file. ``no_value`` are the numbers by which the program says that it has none."""

    name: str
    rule: list[Rule]
    join: list[Join] = field(default_factory=list)
    unique: list[Unique] = field(default_factory=list)
    prefix: Prefix | None = None
    no_value: list[float] = field(default_factory=list)

    @property
    def wanted(self) -> frozenset[str]:
        """The source metrics that the rules need."""
        names = {rule.source for rule in self.rule} | {join.source for join in self.join}
        return frozenset(names | {rule.ratio_to for rule in self.rule if rule.ratio_to})


def ready_mappings() -> list[str]:
    """Names of the mappings that come with Pulseboard."""
    folder = resources.files(__package__).joinpath("mappings")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_mapping(name: str, catalogue: Catalogue) -> Mapping:
    """The ready mapping ``name``, or the one in the file ``name``.

    Raises InvalidInput naming the rule and field of the first entry that does not fit.
    """
    if name in ready_mappings():
        text = resources.files(__package__).joinpath("mappings", f"{name}.toml").read_text("utf-8")
    elif Path(name).is_file():
        text = Path(name).read_text("utf-8")
    else:
        ready = ", ".join(ready_mappings())
        raise InvalidInput("mapping", name, f"is neither a file nor one of {ready}; check the path")
    return parse_mapping(text, Path(name).stem, catalogue)


def parse_mapping(text: str, name: str, catalogue: Catalogue) -> Mapping:
    """The mapping of a TOML text. Raises InvalidInput."""
    where = f"mapping {name}"
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(where, str(error), "is not valid TOML; mend the line it names") from error
    mapping = build(
        Mapping,
        {
            "name": name,
            **data,
            "rule": _entries(Rule, data, "rule", where),
            "join": _entries(Join, data, "join", where),
            "unique": _entries(Unique, data, "unique", where),
        },
        where,
    )
    if not mapping.rule:
        raise InvalidInput(where, "", "has no [[rule]]; at least one is needed")
    for index, rule in enumerate(mapping.rule):
        _check(rule, catalogue, f"{where}, rule {index + 1} ({rule.source})")
    combines: dict[str, str] = {}
    for rule in mapping.rule:
        if combines.setdefault(rule.metric, rule.combine) != rule.combine:
            raise InvalidInput(f"{where}, {rule.metric}", rule.combine, "differs from another rule of this metric")
    return mapping


def _entries(cls: type[T], data: Table[str, Any], key: str, where: str) -> list[T]:
    entries = data.get(key, [])
    if not isinstance(entries, list):
        raise InvalidInput(f"{where}.{key}", entries, f"must be tables written [[{key}]]")
    return [build(cls, entry, f"{where}, {key} {index + 1}") for index, entry in enumerate(entries)]


def _check(rule: Rule, catalogue: Catalogue, where: str) -> None:
    if rule.metric not in catalogue:
        raise InvalidInput(f"{where}.metric", rule.metric, "is not in the catalogue; see docs/metrics.md")
    metric = catalogue[rule.metric]
    if metric.group_by not in (None, "hostname") and metric.group_by not in rule.labels:
        raise InvalidInput(f"{where}.labels", rule.labels, f"lacks {metric.group_by}, by which the metric is grouped")
    for label, pattern in (*rule.match.items(), *rule.exclude.items()):
        try:
            re.compile(pattern)
        except re.error as error:
            raise InvalidInput(f"{where}.{label}", pattern, f"is no regular expression ({error})") from error
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(rule.hostname) if name is not None]
    except ValueError:
        names = [""]
    if not all(name.isidentifier() for name in names):
        raise InvalidInput(f"{where}.hostname", rule.hostname, "must hold plain {label} places only")
