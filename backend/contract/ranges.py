"""Time ranges as URLs write them, and the level of detail a range is read at. Pure: ``now`` is passed in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backend.contract.errors import InvalidInput
from backend.contract.tables import HOUR, LEVEL_SECONDS, LIVE, MINUTE

_RELATIVE: Final = re.compile(r"now(?:-([0-9]{1,6})([smhdw]))?")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SECONDS_BELOW: Final = 1e11
"""Numbers below are epoch seconds, from here on epoch milliseconds (1e11 s is the year 5138)."""
OLDEST: Final = 946_684_800
LONGEST_SECONDS: Final = 400 * 86400
POINTS_WANTED: Final = 300
REMEDY: Final = "must be epoch seconds, epoch ms, ISO 8601 with a zone, now or now-<n>[smhdw]"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """``start`` <= ``end``, epoch seconds. ``live`` when the end moves with the clock ("now")."""

    start: float
    end: float
    live: bool

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


def parse_time(text: str, now: float, field: str) -> float:
    """Epoch seconds of one end of a range. Raises InvalidInput naming ``field``."""
    text = text.strip()
    if match := _RELATIVE.fullmatch(text):
        seconds = now - (int(match[1]) * _UNIT_SECONDS[match[2]] if match[1] else 0)
        if seconds < OLDEST:
            raise InvalidInput(field, text, "lies before the year 2000")
        return seconds
    try:
        number = float(text)
        seconds = number if abs(number) < _SECONDS_BELOW else number / 1000
    except ValueError:
        seconds = _iso_seconds(text, field)
    if not OLDEST <= seconds <= now + 10 * 365 * 86400:
        raise InvalidInput(field, text, "lies before the year 2000 or more than 10 years ahead")
    return seconds


def _iso_seconds(text: str, field: str) -> float:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field, text, REMEDY) from None
    if instant.tzinfo is None:
        raise InvalidInput(field, text, REMEDY)
    return instant.timestamp()


def parse_range(start: str | None, end: str | None, now: float, default: str = "now-1h") -> TimeRange:
    """The range of a URL's ``from`` and ``to``. Raises InvalidInput naming the field that is wrong."""
    begin = parse_time(start or default, now, "from")
    finish = parse_time(end or "now", now, "to")
    if begin >= finish:
        raise InvalidInput("from", start or default, f"must lie before to ({end or 'now'})")
    if finish - begin > LONGEST_SECONDS:
        raise InvalidInput("from", start or default, "makes a range of more than 400 days; narrow it")
    live = (end or "now").strip().startswith("now")
    return TimeRange(begin, finish, live)


def level_for(seconds: float) -> str:
    """The coarsest level that still gives a line of ``seconds`` at least 300 points, else the finest."""
    for level in (HOUR, MINUTE):
        if seconds / LEVEL_SECONDS[level] >= POINTS_WANTED:
            return level
    return LIVE
