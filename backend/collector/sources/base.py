"""What every source gives: samples of one instant, and what it could not give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from backend.contract.records import Sample


@dataclass(frozen=True, slots=True)
class Collected:
    """One collection. ``skipped`` counts values that mean "no value yet"; ``problems`` are lines for a person."""

    samples: list[Sample]
    skipped: int = 0
    problems: list[str] = field(default_factory=list)


class Source(Protocol):
    """Something metrics can be read from."""

    @property
    def name(self) -> str:
        """The name it goes by on the command line and in the log."""

    def collect(self, at: float, since: float | None) -> Collected:
        """Reads everything once; all samples carry ``at`` (epoch s).

        ``since`` is the time of the collection before: counters that say what happened in between cover
        ``since``..``at``; None for a single run, when they cover the source's own interval. A part that can't be
        read is told in ``problems`` and never costs the rest.
        """
