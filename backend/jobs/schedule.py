"""When a job is due, and which starts it missed. Pure.

A cron schedule is due by the clock of its time zone: a time that clocks skip is due right after, one that comes twice
is due once; schedules with ``*`` or ``*/n`` for minute or hour go by real time (as Debian's cron does; cronsim). An
interval is due so long after the start before.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from backend.contract.errors import InvalidInput
from backend.jobs.calendars import parse_zone

EARLY_SECONDS: Final = 60.0
"""A start so long before it is due counts as that start: schedulers and workers have clocks of their own."""
MOST_MISSED: Final = 1_000
"""So many missed starts are listed at most, the oldest first."""
_CRON_FIELDS: Final = 5
_EVERY: Final = re.compile(r"every (\d{1,4}) (minute|hour|day)s?")
_UNITS: Final = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed schedule: ``every`` seconds after the start before, or ``cron`` in ``zone`` where that is None."""

    text: str
    zone: ZoneInfo
    every: float | None = None

    def due_after(self, anchor: float) -> Iterator[float]:
        """Instants (epoch s) after ``anchor`` at which it is due, without end.

        For an interval the anchor is the start before; for cron any instant.
        """
        if self.every is not None:
            at = anchor
            while True:
                at += self.every
                yield at
        for due in CronSim(self.text, datetime.fromtimestamp(anchor, UTC).astimezone(self.zone)):
            yield due.timestamp()

    @property
    def early(self) -> float:
        """How long before it is due a start may come; less than half of a short interval."""
        return EARLY_SECONDS if self.every is None else min(EARLY_SECONDS, self.every / 2)


def parse_schedule(text: str, time_zone: str, where: str = "schedule") -> Schedule:
    """A schedule as ``JobConfig`` has it: cron of five fields, or ``every 15 minutes``. Raises InvalidInput."""
    zone = parse_zone(time_zone, where.replace(".schedule", ".time_zone"))
    if text.startswith("every"):
        found = _EVERY.fullmatch(text)
        if found is None or int(found[1]) == 0:
            raise InvalidInput(where, text, "must be an interval such as every 15 minutes, every 2 hours")
        return Schedule(text, zone, int(found[1]) * _UNITS[found[2]])
    remedy = 'must be cron of five fields such as "0 2 * * *", or every 15 minutes'
    if len(text.split()) != _CRON_FIELDS:
        raise InvalidInput(where, text, remedy)
    try:
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise InvalidInput(where, text, remedy) from None
    return Schedule(text, zone)


def missed_starts(
    schedule: Schedule, starts: Sequence[float], since: float, now: float, grace_seconds: float
) -> list[float]:
    """Instants after ``since`` at which the job was due and did not start, the oldest ``MOST_MISSED`` of them.

    ``starts`` are the starts of its runs (epoch s), those before ``since`` too. Due times are judged once their grace
    is over: no run started from a little before (``EARLY_SECONDS``) to ``grace_seconds`` after. ``since`` is the
    latest of when the job was first seen and how far back ``starts`` go: what was due before is not known.
    """
    ordered = sorted(starts)
    found = _missed_intervals if schedule.every is not None else _missed_times
    return list(islice(found(schedule, ordered, since, now - grace_seconds, grace_seconds), MOST_MISSED))


def _missed_times(
    schedule: Schedule, starts: Sequence[float], since: float, judged: float, grace: float
) -> Iterator[float]:
    for due in takewhile(lambda at: at < judged, schedule.due_after(since)):
        place = bisect_left(starts, due - schedule.early)
        if place == len(starts) or starts[place] > due + grace:
            yield due


def _missed_intervals(
    schedule: Schedule, starts: Sequence[float], since: float, judged: float, grace: float
) -> Iterator[float]:
    """Between two starts, those due times that the second one came too late for."""
    first = bisect_left(starts, since)
    anchors = [starts[first - 1] if first else since, *starts[first:]]
    for anchor, following in zip(anchors, [*anchors[1:], judged + grace], strict=True):
        for due in schedule.due_after(anchor):
            if due + grace >= following:
                break
            if due > since:
                yield due
