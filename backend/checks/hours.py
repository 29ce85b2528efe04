"""Events hour by hour and stage by stage: what is accounted for and where the rest is missing. Pure.

Hours are UTC hours of the time received. What is compared are the events themselves, not only their numbers: a raw
object without an index item, an item without its object, an item that nobody processed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backend.contract.checks import STAGES, Finding, HourCounts
from backend.contract.events import EventStatus, utc_text

HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 86400


@dataclass(frozen=True, slots=True)
class Indexed:
    """An event as the index knows it."""

    raw_key: str
    received_at: float
    status: EventStatus


@dataclass(frozen=True, slots=True)
class Orphan:
    """A raw object that the index does not know, at the time received of its gate.

    ``kept`` False: its gate is gone too, so both are past their time to live, or were deleted together; ``at`` is then
    when the object was written.
    """

    raw_key: str
    at: float
    kept: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read. ``ingested`` is by hour, without an hour that nothing was counted for.

    The index was read back to ``indexed_from`` (epoch s), the objects of the UTC days from ``stored_from`` on; both lie
    behind the start of what is judged unless reading was cut. ``stored`` None: this key layout can't be listed by day.
    """

    ingested: Mapping[float, float]
    indexed: Sequence[Indexed]
    stored: frozenset[str] | None
    orphans: Sequence[Orphan]
    indexed_from: float
    stored_from: float
    external: Mapping[float, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """How many events of an hour are missing where. ``everywhere``: counted as ingested, and nowhere to be found."""

    everywhere: int = 0
    stored: int = 0
    indexed: int = 0
    processed: int = 0

    @property
    def total(self) -> int:
        """Events that are not accounted for."""
        return self.everywhere + self.stored + self.indexed + self.processed

    @property
    def places(self) -> str:
        """Where they are missing, in words."""
        named = (
            (self.everywhere, "counted at the start but neither in S3 nor indexed"),
            (self.stored, "indexed but not in S3"),
            (self.indexed, "in S3 but not indexed"),
            (self.processed, "indexed but neither processed nor dead-lettered"),
        )
        return ", ".join(f"{count:,} {where}" for count, where in named if count)


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour's counts and what is missing of it."""

    counts: HourCounts
    missing: Missing
    forgotten: int = 0

    @property
    def judged(self) -> bool:
        """Whether there is a number to judge."""
        return self.counts.match_percent is not None

    @property
    def empty(self) -> bool:
        """Nothing of it was found at any stage that could be counted, and one could be."""
        known = [count for count in self.counts.counts.values() if count is not None]
        return bool(known) and not any(known) and not self.forgotten

    @property
    def counted(self) -> bool:
        """Whether somebody counted its events when they came: without, none of them can be missed everywhere."""
        return self.counts.counts["ingested"] is not None or self.counts.external is not None


def hours_of(evidence: Evidence, start: float, end: float, settled_before: float) -> list[Hour]:
    """Every hour from ``start`` to ``end`` (epoch s, whole hours), oldest first.

    An hour is settled when it ended by ``settled_before``. What was counted as ingested an hour late, because an
    earlier try had left its gate, is set against what the hour before has too many of.
    """
    by_hour: dict[float, list[Indexed]] = {}
    for event in evidence.indexed:
        by_hour.setdefault(hour_of(event.received_at), []).append(event)
    orphans = Counter((hour_of(orphan.at), orphan.kept) for orphan in evidence.orphans)
    found: list[Hour] = []
    uncounted = 0
    for hour in range(int(start), int(end), HOUR_SECONDS):
        readable = hour >= evidence.indexed_from
        listed = evidence.stored is not None and hour // DAY_SECONDS * DAY_SECONDS >= evidence.stored_from
        made = _hour(
            evidence, float(hour), by_hour.get(hour, []) if readable else None, listed, orphans[hour, True],
            orphans[hour, False], uncounted, hour + HOUR_SECONDS <= settled_before,
        )  # fmt: skip
        ingested = evidence.ingested.get(hour)
        known = len(by_hour.get(hour, [])) + orphans[hour, True]
        # An hour without a count has not too many: they would hide what the next one lost.
        uncounted = 0 if ingested is None else max(0, known - round(ingested))
        found.append(made)
    return found


def hour_of(at: float) -> float:
    """The beginning of the UTC hour of an instant."""
    return at // HOUR_SECONDS * HOUR_SECONDS


def hour_text(hour: float) -> str:
    """An hour as people read it: ``2026-11-21 15:00``, UTC."""
    return utc_text(hour)[:16].replace("T", " ")


def finding_of(hour: Hour) -> Finding:
    """What is missing of an hour, in a sentence."""
    counts = hour.counts
    external = "" if counts.external is None else f"; the outside count is {counts.external:,}"
    sentence = f"{counts.match_percent:.2f} % accounted for, {hour.missing.total:,} missing: {hour.missing.places}"
    return Finding(hour_text(counts.hour), (sentence.removesuffix(": ") + external), details={"hour": counts.hour})


def rows(hours: Iterable[Hour]) -> list[dict[str, object]]:
    """The hours as JSON, for the page's strip: the fields of HourCounts, and what is missing by place."""
    return [
        {
            "hour": hour.counts.hour,
            "counts": dict(hour.counts.counts),
            "match_percent": hour.counts.match_percent,
            "settled": hour.counts.settled,
            "external": hour.counts.external,
            "missing": hour.missing.places,
            "forgotten": hour.forgotten,
        }
        for hour in hours
    ]


def _hour(
    evidence: Evidence, hour: float, indexed: list[Indexed] | None, listed: bool, orphans: int, forgotten: int,
    uncounted: int, settled: bool,
) -> Hour:  # fmt: skip
    """One hour; ``indexed`` None: the index was not read so far back. ``uncounted`` is left of the hour before."""
    ingested = evidence.ingested.get(hour)
    external = evidence.external.get(hour)
    stored = evidence.stored if listed else None
    counts: dict[str, int | None] = dict.fromkeys(STAGES)
    counts["ingested"] = None if ingested is None else round(ingested)
    if indexed is None:
        return Hour(HourCounts(hour, counts, None, settled, external), Missing(), forgotten)
    states = Counter(event.status for event in indexed)
    without_object = 0 if stored is None else sum(event.raw_key not in stored for event in indexed)
    stuck = sum(event.status == "received" and (stored is None or event.raw_key in stored) for event in indexed)
    known = len(indexed) + orphans
    counts |= {
        "stored": None if stored is None else known - without_object + forgotten,
        "indexed": len(indexed),
        "processed": states["processed"],
        "dead_lettered": states["failed"],
    }
    nowhere = max(0, round(ingested or 0) - known - forgotten - uncounted, (external or 0) - known)
    missing = Missing(nowhere, without_object, orphans, stuck)
    expected = known + nowhere
    unread = evidence.stored is not None and not listed
    if not settled or unread or forgotten or not expected:
        return Hour(HourCounts(hour, counts, None, settled, external), missing, forgotten)
    match = 100 * (expected - missing.total) / expected
    return Hour(HourCounts(hour, counts, match, settled, external), missing)
