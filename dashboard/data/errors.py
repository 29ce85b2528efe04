"""Failed events for the Errors page: cross-filtered, counted and laid out over time in process. Pure but for ``read``.

One reading of a range serves every viewer and every filter: choosing a slice costs no query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from backend.contract.events import EventPage, EventRecord
from dashboard.data.request import ViewRequest

DIMENSIONS: Final = ("error_type", "operator", "entity_id", "event_type", "source")
"""What failed events are counted by, each a filter of the URL under the same name."""
FILTERS: Final = (*DIMENSIONS, "correlation_id")
UNKNOWN: Final = "unknown"
"""Stands for the error type and the operator of a failed event without an error record."""
MOST_READ: Final = 2000
MOST_BARS: Final = 60
NICE_STEPS: Final = (
    15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600,
)  # fmt: skip
"""Widths of bars, seconds; the last gives 29 bars for the longest range there is."""


class ErrorSource(Protocol):
    """Where failed events are read: ``backend.events.investigation.Investigation``."""

    def errors(self, start: float, end: float, limit: int = MOST_READ) -> EventPage:
        """Failed events received in [start, end), newest first, at most ``limit``."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The failed events of a range, newest first. ``cut_from``: how far back it goes where it was cut."""

    events: tuple[EventRecord, ...]
    start: float
    end: float
    read_at: float
    cut_from: float | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many failed events carry a value of a dimension."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Bars:
    """Stacked bars: value ``i`` of a line is the count in [x0 + i * step, x0 + (i + 1) * step), epoch seconds.

    None is a stretch that was not read, never zero.
    """

    x0: float
    step: float
    lines: tuple[tuple[str, tuple[int | None, ...]], ...]

    @property
    def tallest(self) -> int:
        """The height of the tallest stack."""
        columns = zip(*(values for _, values in self.lines), strict=True)
        return max((sum(value or 0 for value in column) for column in columns), default=0)


@dataclass(frozen=True, slots=True)
class Failures:
    """A reading seen through the request's filters.

    ``counts`` of a dimension leave that dimension's own filter out, so a chosen slice stays among its siblings; so do
    ``bars``, by error type. ``newest`` are the first of ``matching`` events that pass all filters.
    """

    reading: Reading
    chosen: Mapping[str, str]
    matching: int
    newest: tuple[EventRecord, ...]
    counts: Mapping[str, tuple[Count, ...]]
    bars: Bars

    @property
    def last_at(self) -> float | None:
        """When the newest event that passes all filters was received, epoch s."""
        return self.newest[0].received_at if self.newest else None


def read(source: ErrorSource, start: float, end: float, now: float) -> Reading:
    """The newest ``MOST_READ`` failed events received in [start, end). Raises what the source raises."""
    page = source.errors(start, end, limit=MOST_READ)
    return Reading(page.events, start, end, now, page.scanned.start if page.truncated else None)


def chosen(request: ViewRequest) -> dict[str, str]:
    """The filters that the URL carries, by name."""
    values = {name: request.operator if name == "operator" else request.get(name) for name in FILTERS}
    return {name: value for name, value in values.items() if value}


def value_of(record: EventRecord, name: str) -> str:
    """What an event carries under the name of a filter."""
    if name in ("error_type", "operator"):
        return UNKNOWN if record.error is None else str(getattr(record.error, name))
    return str(getattr(record, name))


def matching(events: Iterable[EventRecord], filters: Mapping[str, str], but: str = "") -> list[EventRecord]:
    """The events that pass all filters, the one named ``but`` left out."""
    wanted = [(name, value) for name, value in filters.items() if name != but]
    return [record for record in events if all(value_of(record, name) == value for name, value in wanted)]


def count_by(events: Iterable[EventRecord], name: str) -> tuple[Count, ...]:
    """How many events carry each value, most first; equal ones in alphabetical order."""
    found = Counter(value_of(record, name) for record in events)
    return tuple(Count(value, number) for value, number in sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def bar_step(seconds: float, least: float = 0.0) -> int:
    """The narrowest nice width that gives a range at most ``MOST_BARS`` bars and is not below ``least`` seconds."""
    return next((step for step in NICE_STEPS if step >= least and seconds / step <= MOST_BARS), NICE_STEPS[-1])


def bars_of(events: Iterable[EventRecord], reading: Reading, order: Sequence[str]) -> Bars:
    """The events by error type over the reading's range; types in ``order``, bottom of the stack first."""
    step = bar_step(reading.end - reading.start)
    x0 = reading.start // step * step
    number = int((reading.end - x0) // step) + (1 if (reading.end - x0) % step else 0)
    unread = 0 if reading.cut_from is None else int((reading.cut_from - x0) // step)
    slots = {name: [0] * number for name in order}
    for record in events:
        slots[value_of(record, "error_type")][min(int((record.received_at - x0) // step), number - 1)] += 1
    return Bars(x0, step, tuple((name, (*[None] * unread, *values[unread:])) for name, values in slots.items()))


def failures(reading: Reading, request: ViewRequest, rows: int) -> Failures:
    """The reading through the request's filters; ``newest`` holds at most ``rows`` events."""
    filters = chosen(request)
    shown = matching(reading.events, filters)
    siblings = matching(reading.events, filters, but="error_type")
    counts = {name: count_by(matching(reading.events, filters, but=name), name) for name in DIMENSIONS}
    order = [count.name for count in counts["error_type"]]
    return Failures(reading, filters, len(shown), tuple(shown[:rows]), counts, bars_of(siblings, reading, order))
