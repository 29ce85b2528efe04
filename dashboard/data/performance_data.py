"""Everything the Performance page shows, as plain data between its reading and its drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backend.contract.anomaly import Anomaly
from backend.contract.catalogue import Metric
from backend.contract.ranges import TimeRange
from dashboard.data.anomalies import State
from dashboard.data.models import Line
from dashboard.data.performance_cause import Cause
from dashboard.data.request import ViewRequest
from dashboard.data.source import Source

PanelState = Literal["shown", "empty", "not_connected"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart. ``metric`` has its thresholds; ``previous`` are lines of the period before, moved onto the range.

    ``unusual`` are its anomalies, ``noticing`` whether none of them means that nothing was (None: nobody looks).
    ``as_of`` is the epoch second of its newest point, ``spacing`` how far apart points lie, in seconds; ``silent``: the
    newest is too long ago for that.
    ``unfiltered`` are the chosen filters it can't apply, ``note`` what a reader must know of how it is made.
    """

    key: str
    state: PanelState
    metric: Metric
    lines: tuple[Line, ...] = ()
    previous: tuple[Line, ...] = ()
    unusual: tuple[Anomaly, ...] = ()
    noticing: State | None = None
    as_of: float | None = None
    spacing: float = 0.0
    silent: bool = False
    unfiltered: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One operator over the range; None where no source says it.

    Latency in ms; ``busy`` and ``backpressured`` in ms of each second, now. ``records_in`` and ``records_out`` are how
    many came and left, ``lost`` how many of them went nowhere: neither out, nor in error, nor on their way. ``lost`` is
    None where that can't be told; ``why_fewer`` says why fewer leave than come by design.
    """

    name: str
    latency: float | None = None
    latency_max: float | None = None
    latency_now: float | None = None
    latency_usual: float | None = None
    busy: float | None = None
    backpressured: float | None = None
    records_in: float | None = None
    records_out: float | None = None
    lost: float | None = None
    why_fewer: str = ""


@dataclass(frozen=True, slots=True)
class Operators:
    """``rows`` None: no source reports operators. ``busiest`` and ``held_up`` are names, "" where nobody stands out."""

    rows: tuple[OperatorRow, ...] | None
    busiest: str = ""
    held_up: str = ""
    as_of: float | None = None

    def row(self, name: str) -> OperatorRow | None:
        """The row of that operator."""
        return next((row for row in self.rows or () if row.name == name), None)


@dataclass(frozen=True, slots=True)
class Drill:
    """One operator looked at closely: its charts by key. ``known`` False: nothing in the range has that name."""

    operator: str
    panels: Mapping[str, Panel]
    known: bool


@dataclass(frozen=True, slots=True)
class Past:
    """A chart whose newest value is beyond a threshold; ``line`` names the worst of its lines."""

    panel: str
    state: Literal["degraded", "critical"]
    value: float
    line: str


@dataclass(frozen=True, slots=True)
class PerformanceData:
    """``range`` is what is shown; ``past`` are charts other than latency's that are beyond their thresholds, the worst
    first."""

    request: ViewRequest
    environments: tuple[str, ...]
    range: TimeRange
    panels: Mapping[str, Panel]
    operators: Operators
    drill: Drill | None
    cause: Cause
    past: Sequence[Past]
    source: Source
    as_of: float | None
    synthetic: bool = False

    @property
    def spacing(self) -> float:
        """How far apart the points of what reports most often lie, in seconds; 0 where nothing does."""
        return min((panel.spacing for panel in self.panels.values() if panel.as_of is not None), default=0.0)

    @property
    def display(self) -> bool:
        """Whether an unattended display looks: nothing to press."""
        return self.request.role == "display"
