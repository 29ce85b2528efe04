"""When data is expected: the open time of a calendar between two instants. Pure.

Open time is real time that goes by while the calendar is open: a day on which clocks are set forward has 23 hours of
it, one on which they are set back 25.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend.contract.errors import InvalidInput
from backend.settings_jobs import Calendar

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60
LOOK_AHEAD_DAYS: Final = 800
"""So far an instant of open time is looked for: beyond two years of holidays nothing is expected at all."""
_HOURS: Final = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of a day, in minutes since midnight. Where ``end`` is not after ``start`` they go on past midnight."""

    start: int
    end: int

    @property
    def over_midnight(self) -> bool:
        """Whether the end lies on the day after."""
        return self.end <= self.start

    def contains(self, minute: float) -> bool:
        """Whether a time of day, in minutes since midnight, lies within; the end does not."""
        if self.over_midnight:
            return minute >= self.start or minute < self.end
        return self.start <= minute < self.end


def parse_hours(text: str, where: str) -> Hours:
    """Hours as ``06:00-22:00``; ``22:00-06:00`` goes over midnight, ``24:00`` is the day's end.

    Raises InvalidInput, naming ``where``.
    """
    found = _HOURS.fullmatch(text)
    numbers = [int(number) for number in found.groups()] if found else []
    if not numbers or max(numbers[1::2]) > 59:
        raise InvalidInput(where, text, "must be hours such as 06:00-22:00")
    start, end = 60 * numbers[0] + numbers[1], 60 * numbers[2] + numbers[3]
    if start >= DAY_MINUTES or end > DAY_MINUTES:
        raise InvalidInput(where, text, "must lie between 00:00 and 24:00, and begin before 24:00")
    if start == end:
        raise InvalidInput(where, text, "begins when it ends; write 00:00-24:00 for the whole day")
    return Hours(start, end)


def parse_zone(name: str, where: str) -> ZoneInfo:
    """A time zone of the IANA database. Raises InvalidInput, naming ``where``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(where, name, "is not a known time zone; use a name such as Europe/Berlin") from None


class OpenTime:
    """The open time of one calendar. ``where`` is what mistakes are named by. Raises InvalidInput.

    Hours over midnight belong to the day on which they begin. An opening time that clocks skip is the moment they
    skip it; of a time that comes twice the first opens and the last closes.
    """

    def __init__(self, calendar: Calendar, where: str = "calendar") -> None:
        self.zone = parse_zone(calendar.time_zone, f"{where}.time_zone")
        self._name = calendar.time_zone
        self._hours = parse_hours(calendar.hours, f"{where}.hours")
        self._days = _parse_days(calendar.days, f"{where}.days")
        self._holidays = _parse_holidays(calendar.holidays, f"{where}.holidays")

    @property
    def always(self) -> bool:
        """Whether it never closes."""
        return self._hours == Hours(0, DAY_MINUTES) and len(self._days) == len(DAYS) and not self._holidays

    def seconds(self, start: float, end: float) -> float:
        """Open seconds from ``start`` to ``end`` (epoch s)."""
        if self.always or end <= start:
            return max(0.0, end - start)
        return math.fsum(
            min(closes, end) - max(opens, start) for opens, closes in self._windows(start, end) if closes > start
        )

    def after(self, start: float, seconds: float) -> float | None:
        """The instant at which so many open seconds have gone by since ``start``; None where that never happens."""
        if self.always:
            return start + seconds
        left = seconds
        for opens, closes in self._windows(start, start + seconds + LOOK_AHEAD_DAYS * 86_400):
            begin = max(opens, start)
            if closes - begin >= left:
                return begin + left
            left -= max(0.0, closes - begin)
        return None

    def words(self) -> str:
        """The calendar in words: ``Mon to Fri 06:00 to 22:00 Europe/Berlin, 2 holidays``; "" where it is always."""
        if self.always:
            return ""
        start, end = (f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in (self._hours.start, self._hours.end))
        count = len(self._holidays)
        holidays = f", {count} holiday{'s' if count > 1 else ''}" if count else ""
        return f"{_days_words(self._days)} {start} to {end} {self._name}{holidays}"

    def _windows(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        """Open windows that end after ``start`` and begin before ``end``, in order, none overlapping."""
        day = datetime.fromtimestamp(start, self.zone).date() - timedelta(days=1)
        before = -math.inf
        while True:
            opens = instant(day, self._hours.start, self.zone, last=False)
            if opens >= end:
                return
            if day.weekday() in self._days and day not in self._holidays:
                closing_day = day + timedelta(days=1) if self._hours.over_midnight else day
                closes = instant(closing_day, self._hours.end, self.zone, last=True)
                # Where clocks are set back, the end of one day's hours may come after the beginning of the next one's.
                opens, before = max(opens, before), max(closes, before)
                if closes > start and closes > opens:
                    yield opens, closes
            day += timedelta(days=1)


@lru_cache(maxsize=4096)
def instant(day: date, minutes: int, zone: ZoneInfo, *, last: bool) -> float:
    """Epoch seconds of a time of day (minutes since midnight, up to 1,440). Of a time that comes twice the first or
    the last; of one that clocks skip, the moment they skip it."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    before, after = (wall.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if before <= after:
        return after if last else before
    # Skipped: with the offset of before it lies after the change, with that of after it lies before it.
    low, high = int(after), int(before)
    offset = datetime.fromtimestamp(low, UTC).astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, UTC).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return float(high)


def _parse_days(days: list[str], where: str) -> tuple[int, ...]:
    for number, day in enumerate(days):
        if day not in DAYS:
            raise InvalidInput(f"{where}[{number}]", day, f"must be one of {', '.join(DAYS)}")
    if not days:
        raise InvalidInput(where, days, "names no day; leave it out for all of them")
    return tuple(sorted({DAYS.index(day) for day in days}))


def _parse_holidays(holidays: list[str], where: str) -> frozenset[date]:
    found = set()
    for number, text in enumerate(holidays):
        try:
            found.add(date.fromisoformat(text))
        except ValueError:
            raise InvalidInput(f"{where}[{number}]", text, "must be a date such as 2026-12-25") from None
    return frozenset(found)


def _days_words(days: tuple[int, ...]) -> str:
    """``Mon to Fri`` where they follow one another, else ``Mon, Wed``."""
    names = [DAYS[day].capitalize() for day in days]
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{names[0]} to {names[-1]}"
    return ", ".join(names)
