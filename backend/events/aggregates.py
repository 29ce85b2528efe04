"""Aggregates of events: the built-in hourly totals, and versions that know which events they were made of. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from backend.events.raw import RawEvent

SAMPLE_IDS: Final = 10
"""Event ids that a version names."""
FIELDS: Final = 50
"""Numeric fields that hourly totals add up; an event with a thousand of them must not make the item too large."""
_HASH_SPACE: Final = 1 << 256
_HASH_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an aggregate, ``number`` from 1 on.

    ``input_hash`` stands for the set of event ids that went in: the same set, in whatever order, has the same hash.
    ``sample_ids`` are the smallest of them.
    """

    number: int
    events: int
    input_hash: str
    sample_ids: tuple[str, ...]
    state: Mapping[str, Any]


def hash_of(event_ids: Iterable[str], before: str = "0") -> str:
    """The hash of a set of ids that is ``before`` and these, none of which may be in it already.

    The sum of the ids' SHA-256 modulo 2^256: it grows by what is added, without the ids that are in it.
    """
    total = int(before, 16) + sum(int(hashlib.sha256(entry.encode()).hexdigest(), 16) for entry in event_ids)
    return f"{total % _HASH_SPACE:0{_HASH_DIGITS}x}"


def next_version(latest: Version | None, event_ids: Sequence[str], state: Mapping[str, Any]) -> Version:
    """The version after ``latest`` (None: there is none), with these events in ``state`` as well."""
    sample = sorted({*(latest.sample_ids if latest else ()), *event_ids})[:SAMPLE_IDS]
    return Version(
        number=latest.number + 1 if latest else 1,
        events=(latest.events if latest else 0) + len(event_ids),
        input_hash=hash_of(event_ids, latest.input_hash if latest else "0"),
        sample_ids=tuple(sample),
        state=state,
    )


class HourlyTotals:
    """Built in: per event type and hour of occurrence the number of events and the sum, least and greatest value of
    each number in the payload's first level."""

    def normalise(self, event: RawEvent, fields: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """The payload's numbers."""
        numbers = {name: value for name, value in fields.items() if _is_number(value)}
        return {"numbers": dict(sorted(numbers.items())[:FIELDS])}

    def window(self, event: RawEvent, normal: Mapping[str, Any]) -> str:  # noqa: ARG002
        """``order_placed#2026-11-21T15:00:00Z``."""
        hour = datetime.fromtimestamp(event.occurred_at // 3600 * 3600, UTC)
        return f"{event.event_type}#{hour:%Y-%m-%dT%H:%M:%SZ}"

    def add(self, state: Mapping[str, Any] | None, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """``{"count": 3, "numbers": {"amount": {"count": 3, "sum": 60.5, "min": 10, "max": 30.5}}}``."""
        count = state["count"] if state else 0
        totals: dict[str, dict[str, float]] = {name: dict(of) for name, of in state["numbers"].items()} if state else {}
        for event in events:
            for name, value in event["numbers"].items():
                totals[name] = _with(totals.get(name), value)
        # The first by name of all that came, whatever the order they came in: what is cut once would be cut again.
        return {"count": count + len(events), "numbers": dict(sorted(totals.items())[:FIELDS])}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _with(total: Mapping[str, float] | None, value: float) -> dict[str, float]:
    if total is None:
        return {"count": 1, "sum": value, "min": value, "max": value}
    return {
        "count": total["count"] + 1,
        "sum": total["sum"] + value,
        "min": min(total["min"], value),
        "max": max(total["max"], value),
    }
