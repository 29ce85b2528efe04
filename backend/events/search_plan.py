"""Which partitions of ``PipelineEvents`` answer a query, and which events of theirs it means. Pure.

The order of every answer is that of ``received_key``, newest first; it is also what a position in an answer is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backend.contract.event_items import ERROR, STATUS, received_key
from backend.contract.events import SECOND, EventQuery, EventRecord, utc_seconds, utc_text
from backend.contract.tables import (
    CORRELATION_INDEX,
    ENTITY_ID,
    ERROR_DAY,
    ERROR_DAY_INDEX,
    EXPIRES_AT,
    RECEIVED_AT,
    RECEIVED_KEY,
    SOURCE_DAY,
    SOURCE_DAY_INDEX,
    TYPE_DAY,
    TYPE_DAY_INDEX,
)
from backend.events.plugins import KeyLayout
from backend.settings import Config

RESERVED: Final = "@"
"""Partitions that begin so hold no events; entity ids may not."""
MOST_TOGETHER: Final = 64
"""Partitions that are read side by side, unless one day has more."""
CORRELATION_ID: Final = "correlation_id"
_AFTER: Final = "$"
"""The character after ``#``: a text that ends in it sorts behind every ``received_key`` of the same instant."""
_MILLISECOND: Final = SECOND // 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A partition of the table (``index`` None) or of an index, ordered by ``sort``."""

    index: str | None
    attribute: str
    value: str
    sort: str = RECEIVED_AT

    def between(self, low: str, high: str) -> tuple[str, str]:
        """The bounds of its sort key for the texts of the times received from ``low`` to ``high``."""
        return (low, high + _AFTER) if self.sort == RECEIVED_KEY else (low, high)


@dataclass(frozen=True, slots=True)
class Span:
    """Times received, as the texts of the first and the last millisecond that are meant; ``empty`` where none is."""

    low: str
    high: str

    @property
    def empty(self) -> bool:
        """No instant lies in it."""
        return self.low > self.high

    def until(self, position: str | None) -> Span:
        """What is left of it from a position on; the position's own instant may hold more."""
        return self if position is None else Span(self.low, min(self.high, instant_of(position)))


@dataclass(frozen=True, slots=True)
class Group:
    """Partitions to read side by side. Once they are, everything newer than the position ``end`` has been seen."""

    parts: list[Part]
    end: str


def instant_of(position: str) -> str:
    """The text of the time received of a position."""
    return position[: len("2026-11-21T15:46:35.123Z")]


def before_instant(received_at: str) -> str:
    """The position at which everything newer than an instant has been seen, and nothing of the instant itself."""
    return received_at + _AFTER


def before_day(day: str) -> str:
    """The position at which all of a day has been seen and nothing of the day before it."""
    return before_instant(utc_text(utc_seconds(f"{day}T00:00:00.000Z") - 0.001))


def position_of(record: EventRecord) -> str:
    """The position of an event."""
    return received_key(utc_text(record.received_at), record.event_id)


def scan_range(query: EventQuery, config: Config) -> tuple[float, float]:
    """The times received that have to be read, epoch seconds, the end exclusive.

    An event that occurred in a range is received up to its type's late limit after it, and before it where its
    producer's clock is ahead, which the ingest takes up to ``limits.future_seconds``.
    """
    events = config.events
    if query.time == "received":
        return query.start, query.end
    limits = {name: entry.late_seconds or events.late_seconds for name, entry in events.types.items()}
    if query.event_type is not None:
        late = limits.get(query.event_type, events.late_seconds)
    else:
        late = max(events.late_seconds, *limits.values(), 0)
    return query.start - config.limits.future_seconds, query.end + late


def span_of(start: float, end: float) -> Span:
    """The whole milliseconds with ``start`` <= them < ``end``, epoch seconds."""
    first, after = (-(-round(seconds * SECOND) // _MILLISECOND) for seconds in (start, end))
    return Span(*(utc_text(millisecond / 1000) for millisecond in (first, after - 1)))


def groups(query: EventQuery, span: Span, types: Sequence[str], layout: KeyLayout) -> Iterator[Group]:
    """The partitions to read, newest first: those of one group together, the groups one after the other.

    ``types`` are all types that ever arrived, used where nothing else leads to the events.
    """
    if span.empty or (query.entity_id or "").startswith(RESERVED):
        return
    if query.entity_id is not None:
        yield Group([Part(None, ENTITY_ID, query.entity_id, RECEIVED_KEY)], span.low)
    elif query.correlation_id is not None:
        yield Group([Part(CORRELATION_INDEX, CORRELATION_ID, query.correlation_id)], span.low)
    elif _failed_only(query):
        yield from _by_days(ERROR_DAY_INDEX, ERROR_DAY, ("",), span, layout)
    elif query.event_type is not None:
        yield from _by_days(TYPE_DAY_INDEX, TYPE_DAY, (query.event_type,), span, layout)
    elif query.source is not None:
        yield from _by_days(SOURCE_DAY_INDEX, SOURCE_DAY, (query.source,), span, layout)
    else:
        yield from _by_days(TYPE_DAY_INDEX, TYPE_DAY, types, span, layout)


def leads_nowhere_else(query: EventQuery) -> bool:
    """Whether only the list of all types leads to the query's events."""
    filters = (query.entity_id, query.correlation_id, query.event_type, query.source)
    return not (query.event_ids or _failed_only(query) or any(entry is not None for entry in filters))


def _failed_only(query: EventQuery) -> bool:
    """Only failed events have an error, and so its type and operator."""
    return query.status == "failed" or query.error_type is not None or query.operator is not None


def _by_days(index: str, attribute: str, names: Sequence[str], span: Span, layout: KeyLayout) -> Iterator[Group]:
    """One day, then two, four and so on: the first rows cost one day's queries, an empty quarter few rounds."""
    parts: list[Part] = []
    days, wanted = 0, 1
    for day in _days(span) if names else ():
        of_day = [Part(index, attribute, value) for name in names for value in layout.partitions(name, day)]
        parts, days = parts + of_day, days + 1
        if days >= wanted or len(parts) + len(of_day) > MOST_TOGETHER:
            yield Group(parts, before_day(day))
            parts, days, wanted = [], 0, wanted * 2
    if parts:
        yield Group(parts, before_day(day))


def _days(span: Span) -> Iterator[str]:
    first, day = (datetime.fromtimestamp(utc_seconds(text), UTC).date() for text in (span.low, span.high))
    while day >= first:
        yield day.isoformat()
        day -= timedelta(days=1)


def matches(record: EventRecord, query: EventQuery) -> bool:
    """Whether every filter of the query holds for an event; the ids of ``event_ids`` are not looked at."""
    at = record.received_at if query.time == "received" else record.occurred_at
    error = record.error
    return (
        query.start <= at < query.end
        and query.entity_id in (None, record.entity_id)
        and query.event_type in (None, record.event_type)
        and query.source in (None, record.source)
        and query.status in (None, record.status)
        and query.correlation_id in (None, record.correlation_id)
        and (query.error_type is None or (error is not None and error.error_type == query.error_type))
        and (query.operator is None or (error is not None and error.operator == query.operator))
    )


_FILTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "event_type": ("event_type",),
    "source": ("source",),
    "status": (STATUS,),
    CORRELATION_ID: (CORRELATION_ID,),
    "error_type": (ERROR, "error_type"),
    "operator": (ERROR, "operator"),
}
"""Filters of a query by the attribute of the item that they look at."""


def request(part: Part, query: EventQuery, span: Span, now: float) -> dict[str, Any]:
    """The parameters of the DynamoDB query for a partition, newest first.

    Its filter spares sending what ``matches`` would refuse, and expired items, which DynamoDB deletes late.
    """
    names = {"#partition": part.attribute, "#sort": part.sort, f"#{EXPIRES_AT}": EXPIRES_AT}
    low, high = part.between(span.low, span.high)
    values = {":partition": {"S": part.value}, ":low": {"S": low}, ":high": {"S": high}, ":now": {"N": str(int(now))}}
    clauses = [f"#{EXPIRES_AT} > :now"]
    for field, path in _FILTERS.items():
        wanted = getattr(query, field)
        # DynamoDB refuses filters by the attributes of the key.
        if wanted is not None and path != (part.attribute,):
            names |= {f"#{name}": name for name in path}
            values[f":{field}"] = {"S": wanted}
            clauses.append(f"{'.'.join(f'#{name}' for name in path)} = :{field}")
    return {
        **({"IndexName": part.index} if part.index else {}),
        "KeyConditionExpression": "#partition = :partition AND #sort BETWEEN :low AND :high",
        "FilterExpression": " AND ".join(clauses),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ScanIndexForward": False,
    }
