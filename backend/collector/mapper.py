"""Applies a mapping to scraped series. It remembers only what rates need: the previous value of a counter."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from backend.collector.exposition import Series
from backend.collector.mapping import TARGET, Combine, Join, Mapping, Rule, Unique

Labels = dict[str, str]
Patterns = list[tuple[str, re.Pattern[str]]]
Key = tuple[str, Combine, str, tuple[tuple[str, str], ...]]
"""Metric, how values combine, hostname, our labels: values of one key become one row."""
ID_LENGTH: Final = 6
COMBINE: Final[dict[Combine, Callable[[Sequence[float]], float]]] = {
    "sum": math.fsum,
    "max": max,
    "min": min,
    "avg": lambda values: math.fsum(values) / len(values),
}


class Row(NamedTuple):
    """One value in the catalogue's terms."""

    metric: str
    hostname: str
    labels: Labels
    value: float


@dataclass(slots=True)
class Mapped:
    """What one target gave; ``skipped`` values mean "no value yet"."""

    rows: list[Row] = field(default_factory=list)
    skipped: int = 0


class _Host(dict[str, str]):
    """The labels a hostname template may use; one the series lacks is replaced by the target's address."""

    def __missing__(self, key: str) -> str:
        return self[TARGET]


class Mapper:
    """One mapping, applied again and again. Not to be used by two threads at once."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self._previous: dict[tuple[str, str, frozenset[tuple[str, str]]], tuple[float, float]] = {}
        self._match = [_patterns(rule.match) for rule in mapping.rule]
        self._exclude = [_patterns(rule.exclude) for rule in mapping.rule]
        self._several = False

    def apply(self, series: Iterable[Series], target: str, at: float) -> Mapped:
        """The rows of one target's series, scraped at ``at``."""
        found: dict[str, list[tuple[Labels, float]]] = defaultdict(list)
        for name, labels, number in series:
            found[name].append((labels, number))
        for join in self.mapping.join:
            _join(found, join)
        for unique in self.mapping.unique:
            _make_unique(found, unique)
        skipped = 0
        values: dict[Key, list[float]] = defaultdict(list)
        for rule, match, exclude in zip(self.mapping.rule, self._match, self._exclude, strict=True):
            wholes = {frozenset(labels.items()): value for labels, value in found.get(rule.ratio_to or "", ())}
            for labels, raw in found.get(rule.source, ()):
                if not _matches(labels, match, exclude):
                    continue
                identity = frozenset(labels.items())
                whole = wholes.get(identity, 0.0) if rule.ratio_to else 1.0
                if self._is_missing(raw, rule) or self._is_missing(whole, rule) or not whole:
                    skipped += 1
                    continue
                value = self._rate((target, rule.source, identity), at, raw) if rule.rate else raw
                if value is not None:
                    part = value / whole
                    values[_key(rule, labels, target)].append((1 - part if rule.complement else part) * rule.scale)
        rows = [
            Row(metric, host, dict(ours), COMBINE[how](several))
            for (metric, how, host, ours), several in values.items()
        ]
        return Mapped(rows, skipped)

    def prefixed(self, rows: list[Row]) -> list[Row]:
        """All targets' rows of one collection, with groups of different jobs told apart.

        Once there was more than one job the names stay prefixed, so that they don't change to and fro.
        """
        prefix = self.mapping.prefix
        if prefix is None:
            return rows
        self._several |= len({row.labels[prefix.by] for row in rows if prefix.by in row.labels}) > 1
        if not self._several:
            return rows
        return [
            row._replace(labels={**row.labels, prefix.label: f"{row.labels[prefix.by]}/{row.labels[prefix.label]}"})
            if prefix.by in row.labels and prefix.label in row.labels
            else row
            for row in rows
        ]

    def _is_missing(self, value: float, rule: Rule) -> bool:
        return not math.isfinite(value) or value in self.mapping.no_value or (value < 0 and not rule.negative)

    def _rate(self, key: tuple[str, str, frozenset[tuple[str, str]]], at: float, value: float) -> float | None:
        """Growth per second since the scrape before; None at the first one and after a reset."""
        previous = self._previous.get(key)
        self._previous[key] = (at, value)
        if previous is None or at <= previous[0] or value < previous[1]:
            return None
        return (value - previous[1]) / (at - previous[0])


def _key(rule: Rule, labels: Labels, target: str) -> Key:
    ours = tuple(sorted((our, labels[theirs]) for our, theirs in rule.labels.items() if labels.get(theirs)))
    return rule.metric, rule.combine, rule.hostname.format_map(_Host({**labels, TARGET: target})), ours


def _row(key: Key, values: Sequence[float]) -> Row:
    metric, how, host, labels = key
    return Row(metric, host, dict(labels), COMBINE[how](values))


def _patterns(table: Labels) -> Patterns:
    return [(label, re.compile(pattern)) for label, pattern in table.items()]


def _matches(labels: Labels, match: Patterns, exclude: Patterns) -> bool:
    fits = all(pattern.fullmatch(labels.get(name, "")) for name, pattern in match)
    return fits and not any(pattern.fullmatch(labels.get(name, "")) for name, pattern in exclude)


def _join(found: dict[str, list[tuple[Labels, float]]], join: Join) -> None:
    names = {
        tuple(labels.get(on, "") for on in join.on): labels[join.take]
        for labels, _ in found.get(join.source, ())
        if join.take in labels
    }
    for rows in found.values():
        for labels, _ in rows:
            if join.take in labels:
                continue
            name = names.get(tuple(labels.get(on, "") for on in join.on)) or labels.get(join.otherwise or "")
            if name:
                labels[join.take] = name


def _make_unique(found: dict[str, list[tuple[Labels, float]]], unique: Unique) -> None:
    ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    labelled = [
        labels for rows in found.values() for labels, _ in rows if unique.name in labels and unique.id in labels
    ]
    keys = [(*(labels.get(within, "") for within in unique.within), labels[unique.name]) for labels in labelled]
    for key, labels in zip(keys, labelled, strict=True):
        ids[key].add(labels[unique.id])
    for key, labels in zip(keys, labelled, strict=True):
        if len(ids[key]) > 1:
            labels[unique.name] += f" {labels[unique.id][:ID_LENGTH]}"
