"""Prometheus text to series, line by line: a bad line is counted and named, and costs only itself. Pure.

The parser proper is prometheus_client's. It gives up at the first bad line of a document and renames counters, so
it is handed one line at a time, and only those a mapping wants: a Flink TaskManager has ten times as many.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?=[{ \t])")
_REST: Final = re.compile(
    r"""\s* (?: \{ (?: [^"}] | "(?:[^"\\]|\\.)*" )* \} )? \s+                # labels
        [-+]? (?: \d[\d.eE+-]* | \.\d[\deE+-]* | [nN]a[nN] | [iI]nf\w* )       # value
        (?: \s+ -?[\d.]+ )? \s* ( \#\ .* )?                                # time, exemplar""",
    re.VERBOSE,
)
"""Shape only: enough to tell a metric nobody asked for from something that is no metric."""


class Series(NamedTuple):
    """One line: a metric, its labels and its value."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(slots=True)
class Parsed:
    """A document. ``lines`` counts its sample lines, good or bad; ``first_bad`` is (line number, text)."""

    series: list[Series] = field(default_factory=list)
    lines: int = 0
    bad: int = 0
    first_bad: tuple[int, str] | None = None

    @property
    def good(self) -> int:
        """Sample lines that can be read, wanted or not."""
        return self.lines - self.bad


def parse_exposition(text: str, wanted: Collection[str]) -> Parsed:
    """The series of ``text`` whose metric name is in ``wanted``."""
    parsed = Parsed()
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line[0] == "#" or not (line := line.strip()):
            continue
        parsed.lines += 1
        name = _NAME.match(line)
        try:
            rest = name and _REST.fullmatch(line, name.end())
            if not name or not rest:
                raise ValueError(line)
            if name[0] in wanted:
                parsed.series.extend(_read(line if rest[1] is None else line[: rest.start(1)]))
        except (ValueError, IndexError, KeyError):
            parsed.bad += 1
            parsed.first_bad = parsed.first_bad or (number, line)
    return parsed


def _read(line: str) -> list[Series]:
    return [
        Series(sample.name, sample.labels, float(sample.value))
        for family in text_string_to_metric_families(line)
        for sample in family.samples
    ]
