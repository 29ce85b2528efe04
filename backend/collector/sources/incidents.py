"""Scripted incidents of the synthetic pipeline, as data, with the closed-form sums its counters need. Pure.

An incident ramps up, holds and ramps down (a trapezoid), so a level at an instant and an area up to an instant are
both exact: a counter that follows the area is the same whether it is read every second or every five minutes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "dlq_spike", "checkpoint_failure", "lag_growth", "late_data", "job_restart",
    # Only when somebody asks for them (`pulseboard trip`).
    "cpu_saturation", "memory_pressure", "slow_records", "broker_loss", "delivery_failure", "duplicate_records",
    "unreadable_records",
    # Metrics that the synthetic pipeline has nothing of but while they are tripped; called as they are.
    "dlq_records", "s3_upload_failures", "job_failures", "lambda_error_rate", "lambda_duration_percent",
    "dynamodb_throttled_requests", "dynamodb_capacity_percent", "burn_rate_1h", "burn_rate_6h", "burn_rate_3d",
    "executions_failed_percent",
]  # fmt: skip

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86400.0
WEEK: Final = 7 * DAY
FIRST_MONDAY: Final = 946_857_600.0
"""2000-01-03T00:00:00Z: the synthetic pipeline's counters started here."""
RAMP: Final = 0.375
STEEP: Final = 0.01
"""Parts of an incident's duration that each ramp takes: as things go wrong by themselves, and when somebody asks."""


@dataclass(frozen=True, slots=True)
class Incident:
    """``start`` seconds after its schedule's begin, ``duration`` seconds, at most ``peak`` (1 = past critical).

    ``ramp`` is the part of the duration that each ramp takes; ``rise`` is how many seconds the first one takes, where
    the two differ.
    """

    kind: Kind
    start: float
    duration: float
    peak: float = 1.0
    ramp: float = RAMP
    rise: float | None = None

    def level(self, offset: float) -> float:
        """0 outside, ``peak`` in the middle, linear between."""
        rise, fall = self._ramps()
        begun, left = offset - self.start, self.start + self.duration - offset
        return self.peak * min(1.0, max(0.0, min(begun / rise, left / fall)))

    def area(self, offset: float) -> float:
        """The integral of ``level`` up to ``offset``, level-seconds."""
        rise, fall = self._ramps()
        passed = min(max(offset - self.start, 0.0), self.duration)
        rising = min(passed, rise)
        holding = min(max(passed - rise, 0.0), self.duration - rise - fall)
        falling = max(passed - (self.duration - fall), 0.0)
        return self.peak * (rising**2 / (2 * rise) + holding + falling - falling**2 / (2 * fall))

    def _ramps(self) -> tuple[float, float]:
        fall = self.duration * self.ramp
        return (fall if self.rise is None else self.rise), fall


@dataclass(frozen=True, slots=True)
class Schedule:
    """Incidents repeated every ``period`` seconds from ``begin`` until ``end`` (epoch s). None crosses a period."""

    incidents: Sequence[Incident]
    period: float
    begin: float
    end: float = math.inf

    def level(self, kind: Kind, at: float) -> float:
        """The strongest level of that kind at an instant."""
        if not self.begin <= at < self.end:
            return 0.0
        offset = (at - self.begin) % self.period
        return max((i.level(offset) for i in self.incidents if i.kind == kind), default=0.0)

    def area(self, kind: Kind, at: float) -> float:
        """Level-seconds of that kind from ``begin`` to ``at``."""
        rounds, offset = self._position(at)
        chosen = [i for i in self.incidents if i.kind == kind]
        return rounds * sum(i.area(self.period) for i in chosen) + sum(i.area(offset) for i in chosen)

    def begun(self, kind: Kind, at: float) -> tuple[int, float]:
        """How many incidents of that kind began up to ``at``, and when the last one did (``begin`` without one)."""
        rounds, offset = self._position(at)
        starts = sorted(i.start for i in self.incidents if i.kind == kind)
        if not starts:
            return 0, self.begin
        now = [start for start in starts if start <= offset]
        last = now[-1] if now else starts[-1] - self.period
        return rounds * len(starts) + len(now), self.begin + max(0.0, rounds * self.period + last)

    def _position(self, at: float) -> tuple[int, float]:
        elapsed = max(0.0, min(at, self.end) - self.begin)
        rounds = int(elapsed // self.period)
        return rounds, elapsed - rounds * self.period


@dataclass(frozen=True, slots=True)
class Timeline:
    """Several schedules, one after the other."""

    schedules: tuple[Schedule, ...]

    def joined(self, more: Sequence[Schedule]) -> Timeline:
        """This timeline with further schedules beside its own."""
        return Timeline((*self.schedules, *more)) if more else self

    def level(self, kind: Kind, at: float) -> float:
        """The strongest level at an instant."""
        return max(s.level(kind, at) for s in self.schedules)

    def area(self, kind: Kind, at: float) -> float:
        """Level-seconds up to an instant."""
        return sum(s.area(kind, at) for s in self.schedules)

    def begun(self, kind: Kind, at: float) -> tuple[int, float]:
        """Incidents begun up to an instant, and the begin of the last."""
        found = [s.begun(kind, at) for s in self.schedules]
        return sum(count for count, _ in found), max((last for count, last in found if count), default=FIRST_MONDAY)


def _day(number: int, *incidents: tuple[Kind, float, float]) -> list[Incident]:
    return [Incident(kind, number * DAY + hour * HOUR, minutes * MINUTE) for kind, hour, minutes in incidents]


WEEKLY: Final[tuple[Incident, ...]] = (
    *_day(0, ("lag_growth", 8.4, 25), ("dlq_spike", 14.6, 15)),
    *_day(1, ("job_restart", 3.3, 5), ("late_data", 11.2, 20), ("dlq_spike", 19.7, 12)),
    *_day(2, ("checkpoint_failure", 6.1, 12), ("lag_growth", 15.3, 30)),
    *_day(3, ("dlq_spike", 2.8, 15), ("late_data", 9.9, 18), ("lag_growth", 20.4, 20)),
    *_day(4, ("checkpoint_failure", 10.6, 10), ("dlq_spike", 16.2, 20)),
    *_day(5, ("late_data", 7.5, 25), ("lag_growth", 18.8, 20)),
    *_day(6, ("dlq_spike", 5.2, 12), ("checkpoint_failure", 13.4, 12), ("late_data", 21.6, 15)),
)
"""Two or three short incidents a day (UTC), the same every week: (kind, hour, minutes)."""

DEMO_QUIET_BEFORE: Final = 15 * MINUTE
DEMO_FIRST: Final = 2 * MINUTE
DEMO_EVERY: Final = 20 * MINUTE
DEMO_LASTS: Final = 4 * MINUTE
DEMO_KINDS: Final[tuple[Kind, ...]] = ("dlq_spike", "lag_growth", "checkpoint_failure", "late_data")
DEMO_CYCLE: Final = tuple(
    Incident(kind, DEMO_FIRST + turn * DEMO_EVERY, DEMO_LASTS) for turn, kind in enumerate(DEMO_KINDS)
)
"""What a demo shows, in turn."""


def timeline(demo_started_at: float | None) -> Timeline:
    """The weekly incidents; for a demo, quiet from 15 minutes before its start and then the demo's cycle."""
    if demo_started_at is None:
        return Timeline((Schedule(WEEKLY, WEEK, FIRST_MONDAY),))
    return Timeline(
        (
            Schedule(WEEKLY, WEEK, FIRST_MONDAY, demo_started_at - DEMO_QUIET_BEFORE),
            Schedule(DEMO_CYCLE, len(DEMO_CYCLE) * DEMO_EVERY, demo_started_at),
        )
    )


TRIPPED_ONLY: Final[tuple[Kind, ...]] = (
    "dlq_records", "s3_upload_failures", "job_failures", "lambda_error_rate", "lambda_duration_percent",
    "dynamodb_throttled_requests", "dynamodb_capacity_percent", "burn_rate_1h", "burn_rate_6h", "burn_rate_3d",
    "executions_failed_percent",
)  # fmt: skip
"""Metrics of which there are samples only while they are tripped."""
KIND_OF_METRIC: Final[Mapping[str, Kind]] = {
    "cpu_utilization": "cpu_saturation",
    "memory_usage": "memory_pressure",
    "consumer_lag_records": "lag_growth",
    "kafka_deserialization_errors_total": "unreadable_records",
    "checkpoint_failures_total": "checkpoint_failure",
    "firehose_failed_put_count": "delivery_failure",
    "latency_ms": "slow_records",
    "window_completeness": "late_data",
    "duplicate_records_detected": "duplicate_records",
    "kafka_broker_alive_count": "broker_loss",
    **{kind: kind for kind in TRIPPED_ONLY},
}
"""What has to go wrong for the alarm of a metric to fire."""
RISES: Final[Mapping[Kind, float]] = {"lag_growth": 120.0}
"""Seconds that what is tripped takes to its peak, where it can't come at once: a backlog does not grow faster than
records are produced, or the consumer's offsets would go back."""
_NEVER_AGAIN: Final = 1e12


def trip(kind: Kind, at: float, seconds: float) -> Schedule:
    """One steep incident that never comes again: from ``at`` (epoch s) on, ``seconds`` long once it has risen."""
    rise = RISES.get(kind)
    incident = Incident(kind, 0.0, seconds + (rise or 0.0), ramp=STEEP, rise=rise)
    return Schedule((incident,), _NEVER_AGAIN, at)
