"""Compaction: whatever happens in between, pages read each sample once, and a repeat ends in the same state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from backend.history import compaction
from backend.history.compaction import (
    GRACE_SECONDS,
    QueryFailed,
    due_days,
    empty_days,
    garbage,
    last_closed,
)
from backend.history.days import LateObjects, day_start
from backend.history.ledger import KEPT_DAYS, DayEntry
from backend.history.listing import DayObjects, Stored
from tests.backend.history.lake import BUCKET, DAY, NIGHT, Crash, Lake, samples

DONE = DayEntry("parquet", 0, 1, digest="same", compacted_at=NIGHT, checked_at=NIGHT)


@pytest.fixture
def lake() -> Iterator[Lake]:
    with mock_aws():
        yield Lake()


def found(age: int, digest: str = "same") -> DayObjects:
    return DayObjects(DAY - timedelta(days=age), 1, 1, digest)


def test_a_day_is_closed_two_hours_after_its_end() -> None:
    end = day_start(DAY) + 86_400
    assert last_closed(end + 2 * 3600 - 1) == DAY - timedelta(days=1)
    assert last_closed(end + 2 * 3600) == DAY


def test_what_is_due_is_closed_and_new_or_changed_oldest_first_and_what_failed_last() -> None:
    index = {DAY: DONE, DAY - timedelta(days=1): DONE, DAY - timedelta(days=4): DayEntry(problem="corrupt")}
    days = [found(-1), found(0), found(1, "other"), found(2), found(3), found(4), found(KEPT_DAYS)]
    assert [(DAY - day).days for day in due_days(index, days, NIGHT)] == [3, 2, 1, 4]


def test_a_closed_day_without_objects_is_empty_once_there_are_any_before_it() -> None:
    assert empty_days({}, [], NIGHT) == []
    assert [(DAY - day).days for day in empty_days({}, [found(3), found(1)], NIGHT)] == [2, 0]
    assert empty_days({DAY: DayEntry("empty")}, [found(1)], NIGHT) == []


def test_only_what_no_query_may_be_reading_is_garbage() -> None:
    later = NIGHT + GRACE_SECONDS + 1
    unknown = DAY - timedelta(days=1)
    stored = [Stored(DAY, number, ("k",), 1, NIGHT) for number in (0, 1)] + [Stored(unknown, 0, ("k",), 1, NIGHT)]
    index = {DAY: replace(DONE, generation=1)}
    assert [one.generation for one in garbage(index, stored, later)] == [0]
    assert garbage(index, stored, later - 2) == [], "a query may still be at it"
    assert garbage({DAY: replace(DONE, generation=1, compacted_at=later)}, stored, later) == []
    writing = [Stored(DAY, 2, ("k",), 1, later - 5)]
    assert garbage(index, writing, later) == [], "a run may still be writing it"
    failed = {DAY: DayEntry(next_generation=2, problem="x")}
    assert [one.generation for one in garbage(failed, stored, later)] == [0, 1]


def test_a_day_is_compacted_once_and_reads_the_same(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a", "b"]))
    lake.put("metrics-2", samples(["b", "c"]))
    before, work = lake.read(), lake.compaction()
    assert work.plan() == [DAY]
    outcome = work.compact(DAY)
    entry = outcome.entry
    assert outcome.result == "compacted"
    assert entry is not None
    assert (entry.rows, entry.samples, entry.objects, entry.generation, entry.parquet_bytes) == (8, 6, 2, 0, 7)
    assert lake.read() == before
    assert work.plan() == []
    assert work.compact(DAY).result == "unchanged"
    assert len(lake.statements) == 2


def test_samples_are_sorted_by_metric_so_that_others_are_skipped(lake: Lake) -> None:
    lake.put("metrics-1", samples(["b", "a"]) + samples(["a"], metric_type="aaa"))
    lake.compaction().compact(DAY)
    assert 'ORDER BY "metric_type", "environment", "hostname", "timestamp" OFFSET 0' in lake.statements[0]


def test_parquet_lies_where_its_projection_looks_not_where_hive_puts_it(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a"]))
    lake.compaction().compact(DAY)
    (stored,) = lake.bucket.generations(DAY)
    assert stored.keys == ("history/metrics/year=2026/month=11/day=03/generation=0/part.parquet",)


def test_what_comes_later_is_read_at_once_and_compacted_with_what_has_expired(lake: Lake) -> None:
    first = lake.put("metrics-1", samples(["a", "b"]))
    lake.compaction().compact(DAY)
    lake.expire(first)
    key = lake.put("metrics-2", samples(["b", "c"]))
    late = LateObjects.of([(DAY, key)])
    expected = lake.read(late)
    assert len(expected) == 6
    lake.now += 86_400
    assert lake.compaction().plan() == [DAY]
    outcome = lake.compaction().compact(DAY)
    assert outcome.result == "compacted"
    assert outcome.entry is not None
    assert (outcome.entry.generation, outcome.entry.samples) == (1, 6)
    assert lake.read() == expected


def test_objects_that_expire_change_nothing_and_are_not_looked_at_again(lake: Lake) -> None:
    keys = [lake.put(f"metrics-{number}", samples(["a"], [number])) for number in range(2)]
    lake.compaction().compact(DAY)
    lake.expire(keys[0])
    lake.now += 30 * 86_400
    assert lake.compaction().plan() == [DAY]
    assert lake.compaction().compact(DAY).result == "unchanged"
    assert lake.compaction().plan() == []
    assert len(lake.read()) == 2


def test_an_object_that_was_written_again_with_more_in_it_is_new(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a"], [0]))
    lake.compaction().compact(DAY)
    lake.put("metrics-1", samples(["a"], [0, 1]))
    assert lake.compaction().compact(DAY).result == "compacted"
    assert len(lake.read()) == 2


def test_a_lost_manifest_costs_a_second_look_and_no_sample(lake: Lake) -> None:
    gone = lake.put("metrics-1", samples(["a"]))
    lake.put("metrics-2", samples(["b"]))
    lake.compaction().compact(DAY)
    before = lake.read()
    lake.s3.delete_object(Bucket=BUCKET, Key="history/ledger/metrics/2026-11-03/0.gz")
    lake.expire(gone)
    assert lake.compaction().compact(DAY).result == "compacted"
    assert lake.read() == before


def test_a_lost_ledger_never_writes_into_a_generation_that_is_there(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a"]))
    lake.compaction().compact(DAY)
    before = lake.read()
    lake.s3.delete_object(Bucket=BUCKET, Key="history/ledger/metrics.json")
    outcome = lake.compaction().compact(DAY)
    assert outcome.entry is not None
    assert outcome.entry.generation == 1
    assert lake.read() == before


def test_a_run_that_dies_after_any_step_loses_and_doubles_nothing(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a", "b"]))
    lake.put("metrics-2", samples(["b", "c"]))
    before = lake.read()
    steps = 0
    alive = 0

    def step(*_: Any, **__: Any) -> None:
        nonlocal alive
        alive -= 1
        if alive < 0:
            raise Crash

    lake.s3.meta.events.register("before-call.s3", step)
    lake.before = step
    while True:
        alive = steps
        with suppress(Crash):
            outcome = lake.compaction().compact(DAY)
            break
        alive = 1_000
        assert lake.read() == before, f"after {steps} steps"
        steps += 1
    assert steps > 10
    assert outcome.result in ("compacted", "unchanged")
    assert outcome.result == "compacted" or lake.ledger.read()[DAY].state == "parquet"
    alive = 1_000
    assert lake.read() == before
    entry = lake.ledger.read()[DAY]
    lake.now += 10 * 86_400
    later = max(lake.now, max(one.newest for one in lake.bucket.generations()) + 2 * GRACE_SECONDS)
    lake.now = later
    removed = lake.compaction().clean()
    assert removed >= 1
    assert [one.generation for one in lake.bucket.generations(DAY)] == [entry.generation]
    assert lake.read() == before


def test_of_two_runs_at_once_one_counts(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a", "b"]))
    before = lake.read()
    inner: list[str] = []

    def meanwhile(sql: str) -> None:
        if sql.startswith("SELECT") and not inner:
            inner.append("")
            lake.now += 1
            inner[0] = lake.compaction().compact(DAY).result

    lake.before = meanwhile
    assert lake.compaction().compact(DAY).result == "superseded"
    assert inner == ["compacted"]
    assert lake.read() == before
    assert lake.ledger.read()[DAY].generation == 1


def test_an_object_that_comes_meanwhile_puts_the_day_back(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a"]))

    def meanwhile(sql: str) -> None:
        if sql.startswith("SELECT"):
            lake.put("metrics-2", samples(["b"]))

    lake.before = meanwhile
    outcome = lake.compaction().compact(DAY)
    assert (outcome.result, outcome.problem) == ("busy", "")
    assert len(lake.read()) == 4
    lake.before = lambda _: None
    assert lake.compaction().plan() == [DAY]
    assert lake.compaction().compact(DAY).result == "compacted"
    assert len(lake.read()) == 4


def test_a_count_that_differs_is_told_and_the_day_stays_json(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a"]))

    def lossy(sql: str) -> None:
        if sql.startswith("SELECT"):
            lake.lose_parquet()

    lake.before = lossy
    outcome = lake.compaction().compact(DAY)
    assert (outcome.result, outcome.problem) == ("failed", "2 samples were read, but 1 written, in 1 lines")
    assert len(lake.read()) == 2
    lake.before = lambda _: None
    healed = lake.compaction().compact(DAY)
    assert (healed.result, healed.cured) == ("compacted", True)
    assert lake.ledger.read()[DAY].problem == ""


def test_what_athena_says_of_a_failure_is_kept_with_the_day(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a"]))

    def corrupt(_: str) -> None:
        raise QueryFailed("HIVE_CURSOR_ERROR: Row is not a valid JSON Object\n in s3://b/metrics/x.json " + "x" * 900)

    lake.before = corrupt
    outcome = lake.compaction().compact(DAY)
    entry = lake.ledger.read()[DAY]
    assert (outcome.result, entry.state, entry.next_generation) == ("failed", "json", 1)
    assert "s3://b/metrics/x.json" in entry.problem
    assert len(entry.problem) == 500


def test_one_run_takes_so_many_days_and_notes_what_is_empty(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MOST_DAYS", 2)
    for age in range(4):
        if age != 1:
            lake.put("metrics-1", samples(["a"], [0], DAY - timedelta(days=age)), DAY - timedelta(days=age))
    due = lake.compaction().plan()
    assert due == [DAY - timedelta(days=3), DAY - timedelta(days=2)]
    assert lake.ledger.read() == {DAY - timedelta(days=1): DayEntry("empty", checked_at=NIGHT)}


def test_a_day_that_was_empty_is_compacted_when_something_comes(lake: Lake) -> None:
    lake.put("metrics-1", samples(["a"], [0], DAY - timedelta(days=1)), DAY - timedelta(days=1))
    lake.compaction().plan()
    key = lake.put("metrics-2", samples(["b"]))
    assert lake.read() == []
    assert len(lake.read(LateObjects.of([(DAY, key)]))) == 2
    assert DAY in lake.compaction().plan()
    assert lake.compaction().compact(DAY).result == "compacted"
    assert len(lake.read()) == 2
