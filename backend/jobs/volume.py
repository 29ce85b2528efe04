"""How many records a dataset gets in an hour, against the same hour of earlier weeks. Pure.

Method: the expectation is the median of the same local hour of the weeks before, leaving out weeks in which the
calendar was closed in that hour or the dataset did not exist yet. An hour differs when it lies further from the median
than three times the spread (1.4826 x the median absolute deviation, which outliers don't widen) and further than
``volume_tolerance`` of the median. Below three weeks of history nothing is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from backend.contract.jobs import JobRun, VolumeFinding
from backend.jobs.calendars import OpenTime
from backend.jobs.config import LEAST_WEEKS
from backend.jobs.watch import is_lost
from backend.settings_jobs import DatasetConfig

HOUR_SECONDS: Final = 3600
LOOK_HOURS: Final = 24
"""Full hours that are judged each time, the newest last."""

SPREADS: Final = 3.0
MAD_TO_SIGMA: Final = 1.4826
"""Makes the median absolute deviation of normally distributed values their standard deviation."""
SLACK_SECONDS: Final = 2 * HOUR_SECONDS
"""Read around each week's hours: clocks may have changed in between."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Records by the hour in which their runs started (its beginning, epoch s, in the dataset's time zone).

    ``unsettled`` are hours with runs that have not ended, or did not say how many records they loaded. ``first`` is
    the start of the first successful run that is known: an hour before it has no count, one after it has at least 0.
    """

    counts: Mapping[float, int] = field(default_factory=dict)
    unsettled: frozenset[float] = frozenset()
    first: float | None = None

    def of(self, hour: float) -> int | None:
        """The records of an hour; None where that is not known."""
        if self.first is None or hour in self.unsettled or hour < self.first:
            return None
        return self.counts.get(hour, 0)


@dataclass(frozen=True, slots=True)
class VolumeReport:
    """``latest`` is the newest hour of the last day that differs, ``going_on`` whether that is the newest judged.

    ``note`` says why nothing could be said; "" where something could.
    """

    latest: VolumeFinding | None = None
    going_on: bool = False
    note: str = ""


def hour_of(at: float, zone: ZoneInfo) -> float:
    """The beginning of the local hour that an instant lies in."""
    local = datetime.fromtimestamp(at, zone)
    return round(at - 60 * local.minute - local.second - local.microsecond / 1e6, 3)


def weeks_before(hour: float, weeks: int, zone: ZoneInfo) -> float | None:
    """The same local hour so many weeks earlier; None where clocks skipped it. Of two the first."""
    wall = datetime.fromtimestamp(hour, zone).replace(tzinfo=None, fold=0) - timedelta(weeks=weeks)
    at = wall.replace(tzinfo=zone).timestamp()
    return at if datetime.fromtimestamp(at, zone).replace(tzinfo=None) == wall else None


def hourly(runs: Iterable[JobRun], zone: ZoneInfo, now: float) -> Hours:
    """Records by hour of successful runs."""
    counts: dict[float, int] = defaultdict(int)
    unsettled: set[float] = set()
    first: float | None = None
    for run in runs:
        hour = hour_of(run.started_at, zone)
        if run.status == "SUCCESS":
            first = run.started_at if first is None else min(first, run.started_at)
            if run.records is None:
                unsettled.add(hour)
            else:
                counts[hour] += run.records
        elif run.status == "STARTED" and not is_lost(run, now):
            unsettled.add(hour)
    return Hours(dict(counts), frozenset(unsettled), first)


def windows(config: DatasetConfig, zone: ZoneInfo, now: float) -> list[tuple[float, float]]:
    """The times (epoch s) whose runs ``report`` needs: the last day, the same day of each week before, and of one
    more, which tells whether the dataset was there then."""
    first, end = hour_of(now, zone) - LOOK_HOURS * HOUR_SECONDS, now
    week = 7 * 86_400
    return [
        (first - weeks * week - SLACK_SECONDS, end - weeks * week + (SLACK_SECONDS if weeks else 0))
        for weeks in range(config.volume_weeks + 2)
    ]


def report(hours: Hours, config: DatasetConfig, calendar: OpenTime, now: float) -> VolumeReport:
    """What the last full hours look like. An hour in which the calendar is closed is not judged."""
    newest = hour_of(now, calendar.zone)
    judged: list[tuple[float, VolumeFinding | None]] = []
    most_weeks = 0
    for age in range(1, LOOK_HOURS + 1):
        hour = hour_of(newest - age * HOUR_SECONDS, calendar.zone)
        records, history = hours.of(hour), _history(hours, hour, config, calendar)
        if calendar.seconds(hour, hour + HOUR_SECONDS) == 0:
            continue
        most_weeks = max(most_weeks, len(history))
        # Where no records are usual, a few are no news.
        if records is not None and len(history) >= LEAST_WEEKS and median(history) > 0:
            judged.append((hour, compare(hour, records, history, config.volume_tolerance)))
    found = [finding for _, finding in judged if finding is not None]
    return VolumeReport(
        latest=found[0] if found else None,
        going_on=bool(judged) and judged[0][1] is not None,
        note="" if judged else _note(hours, most_weeks),
    )


def compare(hour: float, records: int, history: Sequence[int], tolerance: float) -> VolumeFinding | None:
    """The hour, if it differs from the same hour of earlier weeks; None where it does not."""
    expected = float(median(history))
    spread = MAD_TO_SIGMA * float(median(abs(count - expected) for count in history))
    allowed = max(SPREADS * spread, tolerance * expected)
    low, high = max(0.0, expected - allowed), expected + allowed
    if low <= records <= high:
        return None
    weeks = len(history)
    method = (
        f"median of {weeks} weeks, +/- the larger of 3 x 1.4826 x MAD ({SPREADS * spread:,.0f}) and "
        f"{100 * tolerance:g}% ({tolerance * expected:,.0f})"
    )
    return VolumeFinding(hour, records, expected, round(low, 3), round(high, 3), weeks, method)


def _history(hours: Hours, hour: float, config: DatasetConfig, calendar: OpenTime) -> list[int]:
    """Counts of the same hour of the weeks before, as far as they are known and data was expected."""
    earlier = (weeks_before(hour, weeks, calendar.zone) for weeks in range(1, config.volume_weeks + 1))
    opened = (at for at in earlier if at is not None and calendar.seconds(at, at + HOUR_SECONDS) > 0)
    return [count for at in opened if (count := hours.of(at)) is not None]


def _note(hours: Hours, weeks: int) -> str:
    if hours.first is None:
        return "nothing was loaded in the weeks looked at"
    if not hours.counts:
        return "its runs do not say how many records they load"
    if weeks < LEAST_WEEKS:
        return f"not enough history: {weeks} of at least {LEAST_WEEKS} weeks"
    return "no hour of the last day could be judged: none usually has records, or their runs have not ended"
