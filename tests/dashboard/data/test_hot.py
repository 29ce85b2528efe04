"""The hot store: what it asks DynamoDB for, and what it gives while DynamoDB fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from backend.contract.tables import HOUR, LATE, LIVE, MINUTE, partition
from dashboard.data.hot import KEEP_SECONDS, MAX_COLUMNS, Column, HotStore, Wanted
from dashboard.data.reader import Row
from tests.dashboard.data.feeding import ENVIRONMENT, NOW, Clock, every, growing, put, samples
from tests.memory_table import MemoryTable

REFRESH = 5.0
CPU = partition("cpu_utilization", LIVE, ENVIRONMENT)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table() -> MemoryTable:
    table = MemoryTable()
    put(table, samples("cpu_utilization", every(10, -1800)))
    table.queries.clear()
    return table


@pytest.fixture
def store(table: MemoryTable, clock: Clock) -> Iterator[HotStore]:
    store = HotStore(table, REFRESH, clock)
    yield store
    store.close()


def column(store: HotStore, back: float = 1800, metric: str = "cpu_utilization", level: str = LIVE) -> Column:
    wanted = Wanted(metric, ENVIRONMENT, level, store._clock() - back)
    return store.columns([wanted])[metric, level]


def asked(table: MemoryTable, name: str = CPU) -> list[tuple[float, float]]:
    found = [(start, end) for partition_name, start, end in table.queries if partition_name == name]
    table.queries.clear()
    return found


def times(column: Column) -> list[float]:
    return sorted(t - NOW for values in column.samples.values() for t in values)


def test_the_first_use_reads_the_range_asked_for(table: MemoryTable, store: HotStore) -> None:
    assert times(column(store, back=600)) == list(range(-600, 1, 10))
    assert asked(table) == [(NOW - 600, NOW + 60)]


def test_within_one_tick_nothing_is_read_again(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store)
    table.queries.clear()
    clock.now += REFRESH - 0.1
    column(store)
    assert table.queries == []


def test_a_refresh_reads_only_the_tail(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store)
    asked(table)
    clock.now += REFRESH
    put(table, samples("cpu_utilization", {5: 2.0}))
    assert times(column(store))[-1] == 5
    ((start, end),) = asked(table)
    assert start == NOW - 180
    assert end > clock.now


def test_samples_within_the_lateness_allowance_are_found_by_the_tail(
    table: MemoryTable, store: HotStore, clock: Clock
) -> None:
    column(store)
    clock.now += REFRESH
    table.put_samples(samples("cpu_utilization", {-115.0: 7.0}), clock.now, "metrics/metrics-slow.json")
    assert -115 in times(column(store))


def test_an_earlier_range_loads_only_the_gap(table: MemoryTable, store: HotStore) -> None:
    column(store, back=600)
    asked(table)
    found = column(store, back=1200)
    assert times(found) == list(range(-1200, 1, 10))
    gap, tail = asked(table)
    assert gap == (NOW - 1200, NOW - 600)
    assert tail == (NOW - 180, NOW + 60)


@pytest.mark.parametrize("offset", [0, 1, 29.5, 59])
def test_nothing_is_lost_at_the_edges_of_what_was_read(
    table: MemoryTable, store: HotStore, clock: Clock, offset: float
) -> None:
    clock.now += offset
    for back in (300, 900, 1500, 1800):
        column(store, back)
        clock.now += REFRESH
    found = times(column(store, 1800))
    assert found == list(range(int(found[0]), 1, 10))
    assert found[0] <= -1700


def test_a_pause_leaves_no_hole(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store, back=1800)
    put(table, samples("cpu_utilization", every(10, 10, 7200)))
    clock.now += 7200
    column(store, back=600)
    assert times(column(store, back=3 * 3600)) == list(range(-1800, 7201, 10))


def test_what_is_older_than_needed_is_forgotten(clock: Clock) -> None:
    table = MemoryTable()
    put(table, samples("cpu_utilization", every(60, -8 * 3600)))
    store = HotStore(table, REFRESH, clock)
    for _ in range(3):
        clock.now += 61
        found = column(store, back=10 * 3600)
        oldest = clock.now - KEEP_SECONDS[LIVE] - NOW
        assert oldest - 60 <= times(found)[0] <= oldest + 60
    asked(table)
    clock.now += REFRESH
    column(store, back=10 * 3600)
    assert len(asked(table)) == 1
    store.close()


def test_many_readers_at_once_make_one_query_per_column(table: MemoryTable, clock: Clock) -> None:
    readers = 8
    inside = threading.Semaphore(0)
    go_on = threading.Event()

    class Slow:
        def query(self, name: str, start: float, end: float) -> list[Row]:
            if name == CPU:
                inside.release()
                assert go_on.wait(10)
            return table.query(name, start, end)

    store = HotStore(Slow(), REFRESH, clock, workers=2 * readers)
    barrier = threading.Barrier(readers + 1)
    found: list[Column] = []

    def read() -> None:
        barrier.wait(10)
        found.append(column(store))

    threads = [threading.Thread(target=read) for _ in range(readers)]
    for thread in threads:
        thread.start()
    barrier.wait(10)
    assert inside.acquire(timeout=10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    store.close()
    assert len(found) == readers
    assert {id(c) for c in found} == {id(found[0])}
    assert len(asked(table)) == 1


def test_a_metric_never_seen_costs_no_query_and_keeps_nothing(table: MemoryTable, store: HotStore) -> None:
    wanted = [Wanted(f"metric-{n}", f"environment-{n}", LIVE, NOW - 60) for n in range(5)]
    found = store.columns(wanted)
    assert all(not c.samples for c in found.values())
    assert [name for name, _, _ in table.queries if "environment-" in name] == []
    assert store._columns == {}


def test_a_metric_is_known_at_the_refresh_after_its_first_sample(
    table: MemoryTable, store: HotStore, clock: Clock
) -> None:
    assert not column(store, metric="disk_usage").samples
    put(table, samples("disk_usage", {1: 50.0}))
    clock.now += REFRESH
    assert times(column(store, metric="disk_usage")) == [1]
    assert store.environments() == (ENVIRONMENT,)


def test_a_failing_read_keeps_the_last_good_data_and_says_so(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    good = times(column(store))
    table.broken = ConnectionError("no route")
    clock.now += REFRESH
    found = column(store)
    assert times(found) == good
    assert found.error == "ConnectionError: no route"
    assert found.refreshed_at == NOW
    assert store.trouble() == ("ConnectionError: no route", NOW)


def test_a_failing_read_is_tried_once_a_tick(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store)
    table.broken = ConnectionError("no route")
    clock.now += REFRESH
    table.queries.clear()
    for _ in range(10):
        column(store)
    assert len(asked(table)) == 1


def test_the_first_good_read_after_failures_clears_the_error(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store)
    put(table, samples("cpu_utilization", {5: 2.0}))
    table.broken = ConnectionError("no route")
    clock.now += REFRESH
    column(store)
    table.broken = None
    clock.now += REFRESH
    found = column(store)
    assert found.error is None
    assert times(found)[-1] == 5
    assert store.trouble() is None


def test_a_column_never_read_raises_what_the_reader_raised(table: MemoryTable, store: HotStore) -> None:
    store.seen()
    table.broken = ConnectionError("no route")
    with pytest.raises(ConnectionError):
        column(store)


def late(table: MemoryTable, clock: Clock, t: float, value: float = 99.0, name: str = "late") -> None:
    """A sample that arrives at ``clock`` and is announced as late."""
    table.put_samples(samples("cpu_utilization", {t: value}), clock.now, f"metrics/metrics-{name}.json")
    assert table.query(LATE, 0, 1e11)
    table.queries.clear()


def test_a_late_announcement_makes_the_column_read_again(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store)
    clock.now += REFRESH
    late(table, clock, -1195.0)
    assert -1195 in times(column(store))
    ((start, _),) = asked(table)
    assert start == NOW - 1200


def test_an_announcement_is_followed_once(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store)
    clock.now += REFRESH
    late(table, clock, -1195.0)
    column(store)
    for _ in range(4):
        asked(table)
        clock.now += REFRESH
        column(store)
        assert [start for start, _ in asked(table)] == [NOW - 180]


def test_two_equal_announcements_of_one_second_both_count(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store)
    clock.now += REFRESH
    late(table, clock, -1195.0, name="first")
    column(store)
    late(table, clock, -1193.0, name="second")  # same minute, same second of arrival
    clock.now += REFRESH
    assert -1193 in times(column(store))


def test_late_samples_that_nobody_looks_at_cost_nothing(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store, back=600)
    clock.now += REFRESH
    put(table, samples("cpu_utilization", {-12 * 3600.0: 5.0}), key="metrics/metrics-old.json")
    late(table, clock, -12 * 3600.0, name="older")
    column(store, back=600)
    assert [start for start, _ in asked(table)] == [NOW - 180]


def test_an_announcement_during_a_read_is_not_lost(table: MemoryTable, clock: Clock) -> None:
    """A read under way when the announcement comes may have been too early for the samples."""
    store_of: list[HotStore] = []

    class Interrupting:
        armed = False

        def query(self, name: str, start: float, end: float) -> list[Row]:
            rows = table.query(name, start, end)
            if self.armed and name == CPU:
                self.armed = False
                late(table, clock, -1195.0)
                store_of[0]._late_at = 0.0
                store_of[0]._follow_late()
            return rows

    reader = Interrupting()
    store = HotStore(reader, REFRESH, clock)
    store_of.append(store)
    column(store)
    clock.now += REFRESH
    reader.armed = True
    column(store)
    clock.now += REFRESH
    assert -1195 in times(column(store))
    store.close()


def test_a_failed_read_of_late_samples_is_repeated(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    column(store)
    clock.now += REFRESH
    late(table, clock, -1195.0)
    broken = table.query

    def failing(name: str, start: float, end: float) -> list[Row]:
        if name == CPU:
            raise ConnectionError("no route")
        return broken(name, start, end)

    table.query = failing  # type: ignore[method-assign]
    column(store)
    table.query = broken  # type: ignore[method-assign]
    clock.now += REFRESH
    assert -1195 in times(column(store))


def test_the_number_of_columns_is_bounded_and_the_newest_stay(clock: Clock) -> None:
    class Everything:
        def query(self, name: str, start: float, end: float) -> list[Row]:
            if name == "@seen":
                return [Row(0, "", f"e{n}", "cpu_utilization") for n in range(MAX_COLUMNS + 10)]
            return []

    store = HotStore(Everything(), REFRESH, clock)
    for n in range(MAX_COLUMNS + 10):
        clock.now += 0.001
        store.columns([Wanted("cpu_utilization", f"e{n}", LIVE, NOW - 60)])
    assert len(store._columns) == MAX_COLUMNS
    assert partition("cpu_utilization", LIVE, f"e{MAX_COLUMNS + 9}") in store._columns
    assert partition("cpu_utilization", LIVE, "e0") not in store._columns
    store.close()


@pytest.mark.parametrize(("level", "ticks"), [(MINUTE, 4), (HOUR, 24)])
def test_merged_levels_are_read_as_seldom_as_they_change(
    table: MemoryTable, store: HotStore, clock: Clock, level: str, ticks: int
) -> None:
    name = partition("cpu_utilization", level, ENVIRONMENT)
    table.merge(ENVIRONMENT, NOW - 1800, NOW - 180)
    column(store, level=level)
    asked(table, name)
    clock.now = NOW
    for _ in range(ticks - 1):
        clock.now += REFRESH
        column(store, level=level)
    assert asked(table, name) == []
    clock.now += REFRESH
    column(store, level=level)
    assert len(asked(table, name)) == 1


def test_a_past_range_is_read_and_not_kept(table: MemoryTable, store: HotStore) -> None:
    found = store.closed("cpu_utilization", ENVIRONMENT, LIVE, NOW - 900, NOW - 600)
    assert times(found)[0] == -900
    assert store._columns == {}


def test_what_a_view_holds_does_not_change_under_it(table: MemoryTable, store: HotStore, clock: Clock) -> None:
    held: Any = column(store).samples
    before = {key: dict(values) for key, values in held.items()}
    clock.now += REFRESH
    put(table, samples("cpu_utilization", {5: 2.0}))
    assert column(store).samples is not held
    assert {key: dict(values) for key, values in held.items()} == before


def test_counters_and_other_metrics_share_one_look_at_late_arrivals(table: MemoryTable, store: HotStore) -> None:
    put(table, samples("records_in", growing(10, -600), operator="map"))
    table.queries.clear()
    store.columns([Wanted(m, ENVIRONMENT, LIVE, NOW - 600) for m in ("cpu_utilization", "records_in")])
    assert [name for name, _, _ in table.queries].count(LATE) == 1
