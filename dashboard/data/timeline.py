"""The verdict's own past: status per bucket, since when it holds, the days of the strip, the last incidents. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from backend.contract.catalogue import Metric
from backend.contract.verdict import SILENT_INTERVALS, State, Status, duration, status_of
from dashboard.data.models import DayState, DayStatus, Incident

DAY_SECONDS: Final = 86400
STRIP_DAYS: Final = 30
LAST_INCIDENTS: Final = 5
JOIN_SECONDS: Final = 300
"""Bad stretches closer together than this are one incident."""
SHORTEST_INCIDENT: Final = 120
OPEN_SECONDS: Final = 90
"""An incident is open while the newest minute is bad; the minute being filled is not judged yet."""
_RANK: Final[Mapping[str, int]] = {"no_data": 0, "healthy": 1, "unknown": 2, "degraded": 3, "critical": 4}


class SignalPast(NamedTuple):
    """One signal's values by bucket start (ascending) and how long a value speaks for itself."""

    metric: Metric
    title: str
    values: Mapping[float, float]
    interval: float


class Moment(NamedTuple):
    """The verdict over one bucket. ``status`` None: nothing was connected yet. ``worst``: titles of what was bad."""

    t: float
    status: Status | None
    worst: tuple[str, ...]


def moments(past: Sequence[SignalPast], start: float, end: float, step: int) -> list[Moment]:
    """The verdict at each bucket in [start, end)."""
    cursors = [_Cursor(signal) for signal in past]
    result: list[Moment] = []
    t = start // step * step
    while t < end:
        states = [cursor.state(t) for cursor in cursors]
        bad = tuple(c.title for c, s in zip(cursors, states, strict=True) if s not in ("healthy", "not_connected"))
        connected = any(state != "not_connected" for state in states)
        result.append(Moment(t, status_of(states) if connected else None, bad))
        t += step
    return result


class _Cursor:
    """Walks one signal's values forward in time."""

    def __init__(self, signal: SignalPast) -> None:
        self.title = signal.title
        self._metric = signal.metric
        self._reach = SILENT_INTERVALS * signal.interval
        self._items = list(signal.values.items())
        self._next = 0

    def state(self, t: float) -> State:
        while self._next < len(self._items) and self._items[self._next][0] <= t:
            self._next += 1
        if not self._next:
            return "not_connected"
        at, value = self._items[self._next - 1]
        return "unknown" if t - at > self._reach else self._metric.state(value)


def since(past: Sequence[Moment], status: Status, now: float) -> float:
    """The epoch second from which ``status`` has held: the start of the unbroken run that reaches the present."""
    began = now
    for moment in reversed(past):
        if moment.status != status:
            break
        began = moment.t
    return began


def days(
    fine: Sequence[Moment], fine_step: int, coarse: Sequence[Moment], coarse_step: int, now: float
) -> list[DayState]:
    """The last 30 UTC days, oldest first; a day counts minutes where there are minutes, else hours."""
    bad: dict[str, float] = {}
    known: dict[str, float] = {}
    worst: dict[str, DayStatus] = {}
    fine_from = fine[0].t if fine else now
    hours = ((m, min(float(coarse_step), fine_from - m.t)) for m in coarse if m.t < fine_from)
    for moment, seconds in [*hours, *((m, float(fine_step)) for m in fine)]:
        if moment.status is None:
            continue
        date = _date(moment.t)
        if _RANK[moment.status] > _RANK[worst.get(date, "no_data")]:
            worst[date] = moment.status
        known[date] = known.get(date, 0.0) + seconds
        bad[date] = bad.get(date, 0.0) + (seconds if moment.status != "healthy" else 0.0)
    today = now // DAY_SECONDS * DAY_SECONDS
    starts = [today - back * DAY_SECONDS for back in range(STRIP_DAYS - 1, -1, -1)]
    result = []
    for start in starts:
        date, passed = _date(start), min(now - start, DAY_SECONDS)
        whole = known.get(date, 0.0) >= passed - 2 * max(coarse_step, fine_step)
        covered = None if whole else known.get(date, 0.0)
        result.append(_day(date, worst.get(date, "no_data"), int(bad.get(date, 0.0) // 60), covered))
    return result


def incidents(past: Sequence[Moment], step: int, now: float) -> list[Incident]:
    """The last five stretches of at least two minutes in which the verdict was not healthy, newest first."""
    runs: list[list[Moment]] = []
    for moment in past:
        if moment.status in (None, "healthy"):
            continue
        if runs and moment.t - runs[-1][-1].t <= JOIN_SECONDS + step:
            runs[-1].append(moment)
        else:
            runs.append([moment])
    found = [run for run in runs if run[-1].t + step - run[0].t >= SHORTEST_INCIDENT]
    return [_incident(run, step, now) for run in reversed(found[-LAST_INCIDENTS:])]


def _incident(run: Sequence[Moment], step: int, now: float) -> Incident:
    end = run[-1].t + step
    worst: Status = max((m.status for m in run if m.status), key=lambda s: _RANK[s])
    titles = list(dict.fromkeys(title for moment in run for title in moment.worst))
    return Incident(run[0].t, None if end > now - OPEN_SECONDS else end, worst, ", ".join(titles))


def _day(date: str, status: DayStatus, bad_minutes: int, covered: float | None) -> DayState:
    """``covered``: how many seconds of the day there is data for, None for (nearly) all that have passed."""
    if status == "no_data":
        return DayState(date, status, 0, "no data")
    partly = "" if covered is None else f" in {duration(covered)} with data"
    if status == "healthy":
        return DayState(date, status, 0, f"healthy{partly}" if partly else "healthy all day")
    lasted = f"{status} at worst, not healthy for {duration(bad_minutes * 60)}"
    return DayState(date, status, bad_minutes, lasted + partly)


def _date(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).date().isoformat()
