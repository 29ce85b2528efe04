"""What pages are made of: plain data between the services that read and the views that draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from backend.contract.slo import SloCard
from backend.contract.verdict import State, Status, Verdict

DayStatus = Literal["healthy", "degraded", "critical", "unknown", "no_data"]


@dataclass(frozen=True, slots=True)
class Line:
    """An evenly spaced line: value ``i`` is at ``x0 + i * dx`` epoch seconds; None is a gap."""

    name: str
    x0: float
    dx: float
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """A line against the period before. ``line`` is that period's, moved onto the range; None where nothing of it is
    known. ``change`` is the relative change of the averages (0.2 = 20 % more, ``inf`` from zero), None when unknown;
    ``why_unknown`` then says why."""

    line: Line | None
    change: float | None
    why_unknown: str = ""


@dataclass(frozen=True, slots=True)
class SignalCard:
    """A golden signal. ``trend`` is the relative change of the second half of the range against the first
    (0.2 = 20 % more), None when unknown. ``note`` says how the value is made, e.g. "from late records dropped"."""

    key: str
    title: str
    unit: str
    value: float | None
    state: State
    detail: str
    age_seconds: float | None
    trend: float | None
    higher_is_worse: bool
    warning: float | None
    critical: float | None
    sparkline: Line | None
    note: str = ""
    before: Compared | None = None
    """Against the period before, where the request compares: then this is told instead of ``trend``."""


@dataclass(frozen=True, slots=True)
class CheckpointCard:
    """Checkpoints over the shown range: how many completed and failed (increases of the counters)."""

    state: State
    detail: str
    completed: float | None
    failed: float | None
    success_percent: float | None
    last_duration_ms: float | None
    age_seconds: float | None


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """One part of Pulseboard itself: when it was last seen at work. ``value`` is what it measured, in words."""

    key: str
    title: str
    state: State
    age_seconds: float | None
    detail: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class DayState:
    """One UTC day of the strip. ``worst`` is the day's worst status, ``bad_minutes`` how long it was not healthy."""

    date: str
    status: DayStatus
    bad_minutes: int
    detail: str


@dataclass(frozen=True, slots=True)
class Incident:
    """A stretch in which the verdict was not healthy, from the verdict's own history. ``end`` None: still open."""

    start: float
    end: float | None
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class HealthData:
    """Everything the Health page shows. Parts that later work connects are None: shown as not connected yet."""

    environment: str
    environments: tuple[str, ...]
    verdict: Verdict
    signals: tuple[SignalCard, ...]
    checkpoints: CheckpointCard
    slos: tuple[SloCard, ...]
    self_checks: tuple[SelfCheck, ...]
    days: tuple[DayState, ...]
    incidents: tuple[Incident, ...]
    as_of: float
    """Epoch second of the newest sample behind the page."""
    synthetic: bool
    """True when samples of the synthetic source are among what is shown: the page says so."""
    interval_seconds: float = 60.0
    """Usual spacing of the signals' own samples, seconds: what "too old" is measured in."""
    links: bool = False
    """Whether parts lead to the pages that explain them; displays have nothing to press."""
    open_alerts: Mapping[str, int] | None = None
    alerts_problem: str = ""
    """Why the open alerts are not known now, where they could not be read."""
    dataset_freshness: Mapping[str, int] | None = None
    """Datasets by state, the worst first."""
    datasets_problem: str = ""
