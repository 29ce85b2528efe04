"""UTC days: which of them Athena reads as Parquet, which as JSON, which objects came too late for Parquet. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from backend.contract.errors import InvalidInput
from backend.contract.tables import METRICS_PREFIX

DAY_SECONDS: Final = 86_400
LATENESS_SECONDS: Final = 2 * 3600
"""A day is closed so long after its end: agents that were cut off deliver until then without a second compaction."""
SKEW_SECONDS: Final = 60.0
"""What was handled so long before a day was listed was in the listing, however clocks differ."""
MOST_DAYS: Final = 401
"""Days that one query reads at most: 400 days from any time of a day touch one more."""
MOST_NAMED: Final = 20
"""Late objects of one day that a statement names; of a day with more, all objects are read."""
MOST_NAMED_IN_ALL: Final = 400
"""Late objects that one statement names; Athena takes 256 KB."""
MOST_NAMED_LENGTH: Final = 100_000
"""Characters of their keys, each of which may have a thousand."""
PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9._=/-]{1,1024}")
"""Keys that a statement names."""
_DAY_OF_KEY: Final = re.compile(re.escape(METRICS_PREFIX) + r"year=(\d{4})/month=(\d{2})/day=(\d{2})/.")


def day_of(at: float) -> date:
    """The UTC day of an instant, epoch seconds."""
    return datetime.fromtimestamp(at, UTC).date()


def day_start(day: date) -> int:
    """The beginning of a UTC day, epoch seconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def closed_at(day: date) -> int:
    """When a UTC day is closed, epoch seconds: from then on it may be compacted."""
    return day_start(day) + DAY_SECONDS + LATENESS_SECONDS


def last_closed(now: float) -> date:
    """The newest UTC day that is closed."""
    return day_of(now - LATENESS_SECONDS - DAY_SECONDS)


def day_path(day: date) -> str:
    """The folder of a day as every table's partitions have it: ``year=2026/month=11/day=03/``."""
    return f"year={day.year:04}/month={day.month:02}/day={day.day:02}/"


def day_of_key(key: str) -> date | None:
    """The UTC day in whose partition an object of samples lies; None for a key that is in none."""
    if not (match := _DAY_OF_KEY.match(key)):
        return None
    try:
        return date(*map(int, match.groups()))
    except ValueError:
        return None


def days_between(first: date, last: date) -> list[date]:
    """Every day from ``first`` to ``last``, both included. Raises InvalidInput for none, and for too many."""
    count = (last - first).days + 1
    if count < 1:
        raise InvalidInput("from", first.isoformat(), f"must not lie after to ({last.isoformat()})")
    if count > MOST_DAYS:
        raise InvalidInput("from", first.isoformat(), f"makes a range of {count} days; history takes {MOST_DAYS}")
    return [first + timedelta(days=number) for number in range(count)]


@dataclass(frozen=True, slots=True)
class Days:
    """What is known of days. ``generations`` are those in Parquet, ``empty`` are closed and had no object.

    Every other day is read as JSON.
    """

    generations: Mapping[date, int] = field(default_factory=dict)
    empty: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class LateObjects:
    """Keys of objects that came after their day was compacted; ``whole`` are days whose objects are not all named."""

    keys: Mapping[date, tuple[str, ...]] = field(default_factory=dict)
    whole: frozenset[date] = frozenset()

    @classmethod
    def of(cls, objects: Iterable[tuple[date, str]], whole: Iterable[date] = ()) -> LateObjects:
        """Of pairs of day and key, and of days that may have more than those."""
        found: dict[date, set[str]] = {}
        for day, key in objects:
            found.setdefault(day, set()).add(key)
        every = [key for keys in found.values() for key in keys]
        crowded = len(every) > MOST_NAMED_IN_ALL or sum(map(len, every)) > MOST_NAMED_LENGTH
        many = {
            day
            for day, keys in found.items()
            if crowded or len(keys) > MOST_NAMED or not all(map(PLAIN_KEY.fullmatch, keys))
        } | set(whole)
        named = {day: tuple(sorted(keys)) for day, keys in found.items() if day not in many}
        return cls(named, frozenset(many))

    def days(self) -> frozenset[date]:
        """The days with late objects."""
        return self.whole | self.keys.keys()


def by_month(days: Iterable[date]) -> Iterator[tuple[int, int, list[int]]]:
    """Year, month and the days in it, ascending: what one predicate names."""
    months: dict[tuple[int, int], list[int]] = {}
    for day in sorted(days):
        months.setdefault((day.year, day.month), []).append(day.day)
    for (year, month), numbers in months.items():
        yield year, month, numbers
