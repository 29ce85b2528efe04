"""Which resources end somewhere, and how near each of them is. Pure.

Limits come from the catalogue: a metric's ``limit``, or where it has no hard one its critical or warning threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from backend.contract.catalogue import Catalogue, Metric
from backend.contract.rollup import OTHER
from dashboard.data.forecast import DAY, HOUR, Forecast, Reach, Shortage, median_spacing, reach
from dashboard.data.points import Points
from dashboard.data.series import ALL

RowState = Literal[
    "reached", "peaks", "reaches", "may", "clear", "shortage", "silent", "failed", "pending", "not_connected"
]
"""``peaks``: not now, but each day already."""
KIND: Final = {"limit": "limit", "critical": "critical threshold", "warning": "warning threshold"}
FLEET: Final = "95th percentile"
"""The group that stands for a fleet's upper end: one host of twenty is past it."""
SILENT_HOURS: Final = 3
MOST_GROUPS: Final = 5
"""Groups of a metric that are forecast: those nearest to its limit."""
_LOOK_AHEAD_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Watched:
    """A metric whose limit is watched; ``grouped``: each of its groups has the limit, not all together.

    ``per_host`` ones follow the page's host filter.
    """

    key: str
    grouped: bool = False
    per_host: bool = False


WATCHED: Final = (
    Watched("disk_usage", grouped=True, per_host=True),
    Watched("memory_usage", grouped=True, per_host=True),
    Watched("cpu_utilization", grouped=True, per_host=True),
    Watched("task_slots_available"),
    Watched("s3_bucket_bytes"),
    Watched("lambda_concurrent_executions"),
    Watched("dynamodb_capacity_percent", grouped=True),
)


@dataclass(frozen=True, slots=True)
class Limit:
    """``falls``: it is met from above, as free slots are."""

    value: float
    kind: str
    falls: bool


@dataclass(frozen=True, slots=True)
class Prospect:
    """One line and where it goes. ``newest`` is its last hourly value and that hour's start; ``outcome`` None: the
    model could not be fitted. ``spacing`` is how far apart its newest hourly values lie, in seconds."""

    metric: Metric
    group: str
    newest: tuple[float, float]
    outcome: Forecast | Shortage | None
    spacing: float = HOUR


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One resource against its limit. ``at`` is when ``value`` was measured, epoch s; ``reach`` where there is a
    forecast, ``shortage`` where there is too little to make one."""

    metric: Metric
    group: str
    limit: Limit
    state: RowState
    value: float | None = None
    at: float | None = None
    reach: Reach | None = None
    shortage: Shortage | None = None
    forecast: Forecast | None = None

    @property
    def key(self) -> str:
        """What the URL calls it."""
        return f"{self.metric.key}/{self.group}"

    @property
    def days(self) -> float | None:
        """Days until the limit is met, most likely or else at the earliest; None where it is not in sight."""
        if self.reach is None:
            return None
        return self.reach.earliest if self.reach.likely is None else self.reach.likely


def limit_of(metric: Metric) -> Limit:
    """Where the metric's capacity ends. Raises ValueError for one that has neither limit nor threshold."""
    for kind in KIND:
        value = getattr(metric, kind)
        if value is not None:
            return Limit(float(value), kind, metric.direction == "lower_is_worse")
    raise ValueError(f"{metric.key} has no limit in the catalogue")


def pressing(lines: Sequence[tuple[str, Points]], limit: Limit, most: int = MOST_GROUPS) -> list[str]:
    """The groups nearest to their limit a month from now, by plain growth: which of them to look at closely.

    Lines that a fleet's rollups hold only now and then come after those that are whole, and last those that ended
    before the others: a host that was removed fills no disk.
    """
    latest = max((points[-1][0] for name, points in lines if points), default=0.0)
    longest = max((len(points) for _, points in lines), default=0)

    def rank(line: tuple[str, Points]) -> tuple[bool, bool, float, str]:
        name, points = line
        first, last = _peak(points[:24], falls=limit.falls), _peak(points[-24:], falls=limit.falls)
        days = max((points[-1][0] - points[0][0]) / DAY, 1.0)
        ahead = last + (last - first) / days * _LOOK_AHEAD_DAYS
        left = ahead - limit.value if limit.falls else limit.value - ahead
        return _silent(points[-1][0], usual_spacing(points), latest), len(points) < longest / 2, left, name

    named = [line for line in lines if line[0] not in (OTHER, ALL) and line[1]]
    return [name for name, _ in sorted(named, key=rank)[:most]]


def usual_spacing(points: Points) -> float:
    """How far apart a line's newest hourly values lie, in seconds, at least an hour."""
    return max(median_spacing(points[-24:]), HOUR)


def _silent(at: float, spacing: float, now: float) -> bool:
    return now - at > SILENT_HOURS * spacing


def _peak(points: Points, *, falls: bool) -> float:
    values = [value for _, value in points]
    return min(values) if falls else max(values)


def limit_rows(
    catalogue: Catalogue,
    seen: frozenset[str],
    prospects: Iterable[Prospect],
    newest: Mapping[tuple[str, str], tuple[float, float]],
    now: float,
    *,
    pending: bool,
) -> tuple[LimitRow, ...]:
    """Every watched resource, the most urgent first; of each metric at least one row.

    ``newest`` has fresher values by (metric, group) than the hourly ones; ``pending``: forecasts are still being made.
    """
    rows = [_row(prospect, newest.get((prospect.metric.key, prospect.group)), now) for prospect in prospects]
    told = {row.metric.key for row in rows}
    for watched in WATCHED:
        metric = catalogue[watched.key]
        if metric.key not in told:
            waiting: RowState = "pending" if pending else "shortage"
            state: RowState = waiting if metric.key in seen else "not_connected"
            rows.append(LimitRow(metric, ALL, limit_of(metric), state))
    return tuple(sorted(rows, key=_urgency))


def _row(prospect: Prospect, fresher: tuple[float, float] | None, now: float) -> LimitRow:
    metric, limit, outcome = prospect.metric, limit_of(prospect.metric), prospect.outcome
    at, value = prospect.newest
    at += HOUR
    if fresher is not None and fresher[0] >= prospect.newest[0]:
        at, value = fresher
    found = reach(outcome, limit.value, now, falls=limit.falls) if isinstance(outcome, Forecast) else None
    state = _state(value, limit, outcome, found, silent=_silent(at, prospect.spacing, now))
    return LimitRow(
        metric, prospect.group, limit, state, value, min(at, now), found,
        outcome if isinstance(outcome, Shortage) else None, outcome if isinstance(outcome, Forecast) else None,
    )  # fmt: skip


def _state(
    value: float, limit: Limit, outcome: Forecast | Shortage | None, found: Reach | None, *, silent: bool
) -> RowState:
    if silent:
        return "silent"
    if _past(value, limit):
        return "reached"
    if isinstance(outcome, Forecast) and outcome.step == DAY and _past(outcome.history[-1][1], limit):
        return "peaks"
    if found is None:
        return "shortage" if outcome is not None else "failed"
    if found.likely is not None:
        return "reaches"
    return "clear" if found.earliest is None else "may"


def _past(value: float, limit: Limit) -> bool:
    return value <= limit.value if limit.falls else value >= limit.value


_ORDER: Final[Mapping[str, int]] = {
    "reached": 0, "peaks": 1, "reaches": 2, "may": 3, "clear": 4, "silent": 5, "failed": 6, "shortage": 7, "pending": 8,
    "not_connected": 9,
}  # fmt: skip


def _urgency(row: LimitRow) -> tuple[int, float, float, str, str]:
    left = 0.0 if row.value is None else abs(row.limit.value - row.value) / max(abs(row.limit.value), 1.0)
    return _ORDER[row.state], float("inf") if row.days is None else row.days, left, row.metric.title, row.group
