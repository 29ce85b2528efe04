"""What pages ask of history and what comes back. Shared with the dashboard; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from backend.contract.rollup import Merged

ErrorKind = Literal[
    "throttled", "timeout", "cancelled", "limit", "results", "denied", "missing", "data", "unreachable", "failed"
]
TRANSIENT: Final[frozenset[ErrorKind]] = frozenset({"throttled", "timeout", "results", "unreachable", "failed"})
"""Kinds of errors that may be gone at the next try without anybody doing anything."""


class HistoryError(Exception):
    """Why history could not be read. Its text is one line that says what to do.

    ``query_id`` is Athena's, where a query was started.
    """

    def __init__(self, kind: ErrorKind, message: str, query_id: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.query_id = query_id

    @property
    def transient(self) -> bool:
        """Whether another try may succeed."""
        return self.kind in TRANSIENT


@dataclass(frozen=True, slots=True)
class Cost:
    """What statements cost: ``statements`` run, bytes scanned, US dollars as Athena bills them, seconds they took.

    ``reused``: Athena gave an earlier answer again and scanned nothing.
    """

    statements: int = 0
    scanned_bytes: int = 0
    dollars: float = 0.0
    seconds: float = 0.0
    reused: bool = False

    def plus(self, other: Cost) -> Cost:
        """Both together; statements run side by side take as long as the longest."""
        if not self.statements or not other.statements:
            return other if not self.statements else self
        return Cost(
            self.statements + other.statements,
            self.scanned_bytes + other.scanned_bytes,
            self.dollars + other.dollars,
            max(self.seconds, other.seconds),
            self.reused and other.reused,
        )


@dataclass(frozen=True, slots=True, order=True)
class MetricWanted:
    """One metric of a question. ``by_group``: each group apart, not only all together; ``pinned``: groups that are
    wanted by name, whether they are among the worst or not; ``bands``: how the groups of a fleet spread."""

    metric: str
    by_group: bool = False
    pinned: tuple[str, ...] = ()
    bands: bool = False


@dataclass(frozen=True, slots=True)
class HistoryQuestion:
    """Metrics of one environment over [``start``, ``end``), epoch s, in buckets of ``step`` seconds.

    ``metrics`` are ordered, each one once, so that equal questions are equal.
    """

    environment: str
    metrics: tuple[MetricWanted, ...]
    start: int
    end: int
    step: int


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """The buckets of each metric that has any: ``{metric: {epoch s: Merged}}``, times ascending."""

    buckets: Mapping[str, Mapping[float, Merged]] = field(default_factory=dict)
    cost: Cost = Cost()
    rows: int = 0
    """How many rows came, a measure of what the answer takes in memory."""
    bands: Mapping[str, Mapping[float, Merged]] = field(default_factory=dict)
    """The same for what was asked with ``bands``: how groups spread, no groups."""


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """What a question comes down to: ``statements`` by name, none where no day holds anything.

    ``key`` tells whether the same would be asked as before. ``settled``: all its days are compacted, and what came
    late is named, so the answer stays the same until the key changes.
    """

    key: str = ""
    settled: bool = True
    statements: Mapping[str, Any] = field(default_factory=dict)
