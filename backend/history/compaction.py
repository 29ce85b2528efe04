"""Compaction: a closed day's JSON becomes Parquet, in Athena's own SQL, and the ledger says when it counts.

Every step may be the last one of a run, and two runs may meet. So a run writes to a generation that nobody ever wrote
to, counts what is in it against what it was made from, and switches the day to it in one conditional write. Until then
pages read what they read before; what a run leaves behind is never switched to, and removed later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final, Literal, NamedTuple, Protocol

from backend.contract.tables import METRICS_DATABASE, METRICS_PARQUET
from backend.history import source
from backend.history.days import Days, LateObjects, day_of, last_closed
from backend.history.ledger import KEPT_DAYS, DayEntry, Index, Ledger, forget, manifest_key
from backend.history.listing import Bucket, DayObjects, Stored

GRACE_SECONDS: Final = 86_400
"""A generation that was read until a switch is kept so long: a query may still be at it."""
MOST_DAYS: Final = 50
"""Days of one run; the next one goes on."""
MOST_PROBLEM: Final = 500
SORTED_BY: Final = ("metric_type", "environment", "hostname", "timestamp")

Result = Literal["compacted", "empty", "unchanged", "busy", "superseded", "failed"]
"""Busy: objects came meanwhile, so it is for the next run. Superseded: another run was quicker."""


class QueryFailed(Exception):  # noqa: N818 - what happened
    """A statement that Athena did not complete, in Athena's words, which name the object that it could not read."""


class Athena(Protocol):
    """Runs a statement to its end and returns its rows. Raises QueryFailed."""

    def __call__(self, sql: str) -> Sequence[Sequence[Any]]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a day. ``problem`` says why it failed; ``cured`` is whether it had failed before."""

    day: date
    result: Result
    problem: str = ""
    entry: DayEntry | None = None
    cured: bool = False


class Counted(NamedTuple):
    """``lines`` that were read, and ``samples`` that differ among them."""

    lines: int
    samples: int


def due_days(index: Index, found: Iterable[DayObjects], now: float) -> list[date]:
    """The closed days whose objects are not those that the ledger knows: oldest first, those that failed last."""
    last = last_closed(now)
    first = last - timedelta(days=KEPT_DAYS - 1)
    due = [
        one.day for one in found if first <= one.day <= last and (index.get(one.day) or DayEntry()).digest != one.digest
    ]
    return sorted(due, key=lambda day: (bool((index.get(day) or DayEntry()).problem), day))


def empty_days(index: Index, found: Iterable[DayObjects], now: float) -> list[date]:
    """Closed days without an object, after the first day that has any, of which the ledger knows nothing."""
    there = {one.day for one in found}
    if not there:
        return []
    last = last_closed(now)
    first = max(min(there), last - timedelta(days=KEPT_DAYS - 1))
    between = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [day for day in between if day not in there and day not in index]


def garbage(index: Index, stored: Iterable[Stored], now: float) -> list[Stored]:
    """Generations that no query reads any more. Of days that the ledger does not know nothing is garbage."""
    return [
        one
        for one in stored
        if (entry := index.get(one.day)) is not None
        and (entry.state != "parquet" or entry.generation != one.generation)
        and max(one.newest, entry.compacted_at) + GRACE_SECONDS < now
    ]


class _Work(NamedTuple):
    """A day as it was found at ``began`` (epoch s): its objects with their versions, and what the ledger said."""

    day: date
    began: float
    found: DayObjects
    versions: Mapping[str, str]
    before: DayEntry

    @property
    def days(self) -> Days:
        return Days({self.day: self.before.generation} if self.before.state == "parquet" else {})


class Compaction:
    """Compacts days one by one. What S3 or the ledger answer with an error passes through; what Athena does is told."""

    def __init__(self, ledger: Ledger, bucket: Bucket, athena: Athena, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._bucket = bucket
        self._athena = athena
        self._clock = clock

    def plan(self) -> list[date]:
        """The days to be done, at most ``MOST_DAYS``. The ledger forgets what is too old, and notes days without data
        and days that were looked at in vain."""
        began = self._clock()
        found = list(self._bucket.days())
        digests = {one.day: one.digest for one in found}

        def noted(index: Index) -> Index:
            changed = forget(index, day_of(began))
            for day, entry in changed.items():
                if entry.state == "parquet" and digests.get(day) == entry.digest:
                    changed[day] = replace(entry, checked_at=max(began, entry.checked_at))
            changed |= dict.fromkeys(empty_days(index, found, began), DayEntry("empty", checked_at=began))
            return changed

        return due_days(self._ledger.change(noted), found, began)[:MOST_DAYS]

    def clean(self) -> int:
        """Removes generations that nobody reads; how many."""
        index, now = self._ledger.read(), self._clock()
        unused = garbage(index, self._bucket.generations(), now)
        for one in unused:
            self._bucket.remove([*one.keys, manifest_key(one.day, one.generation)])
        return len(unused)

    def compact(self, day: date) -> Outcome:
        """Compacts one day as far as it goes; safe to be run again, and by two at once."""
        began = self._clock()
        found, versions = self._bucket.day(day)
        work = _Work(day, began, found, versions, self._ledger.read().get(day, DayEntry()))
        parquet = work.before.state == "parquet"
        known = self._ledger.manifest(day, work.before.generation) if parquet else {}
        new = [key for key, version in versions.items() if known.get(key) != version]
        if not new:
            return self._unchanged(work)
        late = LateObjects.of((day, key) for key in new) if parquet else LateObjects()
        written_to = max((one.generation for one in self._bucket.generations(day)), default=-1)
        generation = self._ledger.reserve(day, written_to + 1)
        try:
            self._athena(insert_statement(day, generation, work.days, late, self._bucket.name))
            self._bucket.settle(day, generation)
            read, written = self._count(work, generation, late)
        except QueryFailed as error:
            return self._failed(day, str(error))
        if written == (read.samples, read.samples):
            return self._switch(work, generation, read)
        if self._bucket.day(day)[0].digest != found.digest:
            return Outcome(day, "busy")
        problem = f"{read.samples} samples were read, but {written.samples} written, in {written.lines} lines"
        return self._failed(day, problem)

    def _count(self, work: _Work, generation: int, late: LateObjects) -> tuple[Counted, Counted]:
        rows = self._athena(count_statement(work.day, generation, work.days, late, self._bucket.name))
        counted = {side: Counted(int(lines or 0), int(samples)) for side, lines, samples in rows}
        return counted["read"], counted["written"]

    def _switch(self, work: _Work, generation: int, read: Counted) -> Outcome:
        """Lets pages read the generation, unless another run has changed the day meanwhile."""
        day, found = work.day, work.found
        size = sum(one.size for one in self._bucket.generations(day) if one.generation == generation)
        self._ledger.put_manifest(day, generation, work.versions)
        now = self._clock()

        def switched(index: Index) -> Index:
            entry = index.get(day, DayEntry())
            if _moved(entry, work):
                return index
            return {
                **index,
                day: DayEntry(
                    state="parquet",
                    generation=generation,
                    next_generation=entry.next_generation,
                    rows=read.lines,
                    samples=read.samples,
                    parquet_bytes=size,
                    json_bytes=found.size,
                    objects=found.objects,
                    digest=found.digest,
                    compacted_at=now,
                    checked_at=work.began,
                ),
            }

        entry = self._ledger.change(switched).get(day, DayEntry())
        if entry.generation != generation:
            return Outcome(day, "superseded")
        return Outcome(day, "compacted", entry=entry, cured=bool(work.before.problem))

    def _unchanged(self, work: _Work) -> Outcome:
        """Objects of the day have expired, and none came: what there is in Parquet is all."""
        day = work.day

        def noted(index: Index) -> Index:
            entry = index.get(day, DayEntry())
            if _moved(entry, work) or entry.state != "parquet":
                return index
            return {**index, day: replace(entry, digest=work.found.digest, checked_at=work.began, problem="")}

        self._ledger.change(noted)
        return Outcome(day, "unchanged", cured=bool(work.before.problem))

    def _failed(self, day: date, problem: str) -> Outcome:
        """The day stays as it was; the next run tries again."""
        problem = " ".join(problem.split())[:MOST_PROBLEM]

        def noted(index: Index) -> Index:
            return {**index, day: replace(index.get(day, DayEntry()), problem=problem)}

        self._ledger.change(noted)
        return Outcome(day, "failed", problem)


def _moved(entry: DayEntry, work: _Work) -> bool:
    """Whether another run has changed the day since this one looked at it."""
    same = (entry.state, entry.generation) == (work.before.state, work.before.generation)
    return not same or entry.checked_at > work.began


def insert_statement(day: date, generation: int, days: Days, late: LateObjects, bucket: str) -> str:
    """Writes what is read of a day to a new generation.

    Athena ignores the order of what is inserted unless it may matter, hence the OFFSET: sorted by metric, the row
    groups of other metrics are skipped.
    """
    columns = ", ".join(f'"{name}"' for name in source.COLUMNS)
    order = ", ".join(f'"{name}"' for name in SORTED_BY)
    samples = source.relation(day, day, days, late, bucket=bucket)
    place = f"{day.year}, {day.month}, {day.day}, {generation}"
    return (
        f"INSERT INTO {METRICS_DATABASE}.{METRICS_PARQUET} ({columns}, year, month, day, generation)\n"
        f"SELECT {columns}, {place} FROM (\n{samples}\n) AS samples\nORDER BY {order} OFFSET 0"
    )


def count_statement(day: date, generation: int, days: Days, late: LateObjects, bucket: str) -> str:
    """Two rows: ``read`` and ``written``, each with the number of lines and of samples that differ."""
    sides = {"read": source.lines(day, days, late, bucket=bucket), "written": source.generation(day, generation)}
    identity = ", ".join(f'"{name}"' for name in source.IDENTITY)
    return "\nUNION ALL\n".join(
        f"SELECT '{side}' AS side, sum(copies) AS lines, count(*) AS samples FROM (\n"  # noqa: S608
        f"SELECT count(*) AS copies FROM (\n{lines}\n) AS found GROUP BY {identity}) AS counted"
        for side, lines in sides.items()
    )
