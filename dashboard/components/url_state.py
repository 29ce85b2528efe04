"""What the URL says about the shell: range, refresh, theme, time zone, kiosk. Bad values become sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from backend.contract.errors import InvalidInput
from backend.contract.ranges import parse_time
from dashboard.data.request import COMPARE, DEFAULT_FROM, checked_ends, parse_compare, parse_view_request

KEPT: Final = (
    "from", "to", "compare", "environment", "host", "operator", "refresh", "theme", "tz", "kiosk", "rotate", "every"
)  # fmt: skip
"""The parameters that links keep from page to page, in the order they are written."""
RANGES: Final = {
    "now-15m": "Last 15 minutes",
    "now-1h": "Last hour",
    "now-3h": "Last 3 hours",
    "now-6h": "Last 6 hours",
    "now-12h": "Last 12 hours",
    "now-24h": "Last 24 hours",
    "now-2d": "Last 2 days",
    "now-7d": "Last 7 days",
    "now-30d": "Last 30 days",
    "now-90d": "Last 90 days",
}
REFRESHES: Final = {"": "Auto", "5s": "5 s", "15s": "15 s", "1m": "1 min", "5m": "5 min", "off": "Off"}
THEMES: Final = ("dark", "light")
ZONES: Final = ("utc", "browser")
UNITS: Final = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_LAST: Final = re.compile(r"now-(\d+)([smhdw])")
_REFRESH: Final = re.compile(r"(\d{1,5})(s|m)?")
_OFF: Final = ("0", "false", "no", "off")
EXACT_SECONDS: Final = 600
"""Shorter ranges are written with their seconds."""
FASTEST_SECONDS: Final = 1
SLOWEST_SECONDS: Final = 86_400
LEAST_ROTATION_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class UrlState:
    """A checked query. ``values`` holds what was usable, ``problems`` one sentence for each value that was not."""

    values: Mapping[str, str]
    problems: tuple[str, ...] = ()
    now: float = 0.0

    def get(self, name: str, default: str = "") -> str:
        """A usable value or the default."""
        return self.values.get(name, default)

    @property
    def kiosk(self) -> bool:
        """True for ``?kiosk`` with or without a value; ``kiosk=0`` is a no."""
        return "kiosk" in self.values

    @property
    def range_label(self) -> str:
        """What the range control shows; in UTC, for the browser alone knows its zone."""
        return range_words(self.get("from", DEFAULT_FROM), self.get("to", "now"), self.now)

    def query(self, **changes: str | None) -> str:
        """The query string with ``changes`` applied (None takes a parameter out), led by ``?`` unless empty."""
        values: dict[str, str | None] = {**self.values, **changes}
        pairs = [(name, values[name]) for name in KEPT if values.get(name) is not None]
        # A bare ``kiosk`` stays bare; everything else without a value is left out.
        words = [urlencode([(name, value)]) if value else name for name, value in pairs if value or name == "kiosk"]
        return f"?{'&'.join(words)}" if words else ""


def range_words(start: str, end: str, now: float) -> str:
    """``now-10m`` to ``now`` as ``Last 10 minutes``, absolute ends as ``20 Nov 14:00 – 21 Nov 09:00 UTC``. The twin of
    words in assets/range.js; ends that can't be read are a fixed range."""
    if end == "now" and (last := _LAST.fullmatch(start)):
        return f"Last {_length(last, one='')}"
    try:
        fixed = not (start.startswith("now") or end.startswith("now"))
        if fixed:
            return _between(parse_time(start, now, "from"), parse_time(end, now, "to"), now)
        return f"{_end_words(start, now)} – {_end_words(end, now)}"
    except InvalidInput:
        return "Fixed range"


def _length(match: re.Match[str], one: str = "1 ") -> str:
    number, word = int(match[1]), UNITS[match[2]]
    return f"{one}{word}" if number == 1 else f"{number} {word}s"


def _end_words(end: str, now: float) -> str:
    """One end beside one that moves with the clock."""
    if end == "now":
        return end
    if last := _LAST.fullmatch(end):
        return f"{_length(last)} ago"
    at = parse_time(end, now, "from")
    return f"{_day(at, now)} {_clock(at)} UTC"


def _between(start: float, end: float, now: float) -> str:
    seconds = end - start < EXACT_SECONDS
    last = "" if _day(start, now) == _day(end, now) else f"{_day(end, now)} "
    return f"{_day(start, now)} {_clock(start, seconds=seconds)} – {last}{_clock(end, seconds=seconds)} UTC"


def _day(at: float, now: float) -> str:
    """Its day and month, with the year where that is not this one."""
    day, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    return f"{day.day} {day:%b}" if day.year == today.year else f"{day.day} {day:%b %Y}"


def _clock(at: float, *, seconds: bool = False) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S" if seconds else "%H:%M")


def asks_kiosk(args: Mapping[str, str]) -> bool:
    """Whether a query asks for the display's look: ``kiosk`` with or without a value, but for a no."""
    value = args.get("kiosk")
    return value is not None and value.lower() not in _OFF


def parse_url_state(args: Mapping[str, str], pages: frozenset[str], now: float) -> UrlState:
    """The usable part of a query and what is wrong with the rest. ``pages`` are the names ``rotate`` may use."""
    values: dict[str, str] = {}
    problems: list[str] = []
    for name in KEPT:
        value = args.get(name)
        if value is None or (value == "" and name != "kiosk"):
            continue
        try:
            _check(name, value, pages, now)
        except InvalidInput as problem:
            problems.append(str(problem))
        else:
            values[name] = value
    try:
        checked_ends(values, now)
    except InvalidInput as problem:
        problems.append(str(problem))
        values.pop("from", None)
        values.pop("to", None)
    if not asks_kiosk(values):
        values.pop("kiosk", None)
    return UrlState(values, tuple(problems), now)


def _check(name: str, value: str, pages: frozenset[str], now: float) -> None:
    if name in ("environment", "host", "operator"):
        parse_view_request("", {name: value}, "", now)
    elif name == COMPARE:
        parse_compare({name: value})
    elif name == "refresh":
        _check_refresh(value)
    elif name == "theme" and value not in THEMES:
        raise InvalidInput(name, value, "must be dark or light; leave it out to follow the system")
    elif name == "tz" and value not in ZONES:
        raise InvalidInput(name, value, "must be utc or browser")
    elif name == "rotate":
        unknown = [page for page in value.split(",") if page not in pages]
        if unknown:
            raise InvalidInput(name, unknown[0], f"is not a page; use {', '.join(sorted(pages))}, separated by commas")
    elif name == "every" and not (value.isascii() and value.isdigit() and int(value) >= LEAST_ROTATION_SECONDS):
        raise InvalidInput(name, value, f"must be whole seconds, at least {LEAST_ROTATION_SECONDS}")


def _check_refresh(value: str) -> None:
    match = _REFRESH.fullmatch(value)
    seconds = int(match[1]) * (60 if match[2] == "m" else 1) if match else 0
    if value != "off" and not FASTEST_SECONDS <= seconds <= SLOWEST_SECONDS:
        raise InvalidInput("refresh", value, "must be off or a time like 15s or 1m, between 1 s and a day")
