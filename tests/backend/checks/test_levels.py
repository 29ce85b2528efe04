"""Metrics as the checks read them: stored minutes and hours, continued from live samples, the past not read twice."""

from __future__ import annotations

from collections.abc import Iterator

from backend.checks.levels import KEPT_SECONDS, Levels
from backend.contract.rollup import LiveSeries, Merged, Stats, encode_live
from backend.contract.tables import HOUR, LIVE, MINUTE, partition
from backend.processor.items import Row
from backend.settings import Settings

START = 1_795_258_800
"""A whole hour."""
METRIC = "events_ingested"


class Store:
    """Partitions as lists of rows; ``asked`` are the queries."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.asked: list[tuple[str, float]] = []

    def merged(self, level: str, at: int, increase: float) -> None:
        """A stored bucket that grew by so much."""
        stats = Stats(1, increase, increase, increase, increase, increase, 60.0)
        self._put(level, at, Merged({"shop": stats}, stats, 1).encode())

    def live(self, at: int, *values: float) -> None:
        """Samples of a minute, ten seconds apart."""
        offsets = [10.0 * index for index in range(len(values))]
        self._put(LIVE, at, encode_live([LiveSeries("shop", "ingest-api", offsets, list(values))]))

    def query(self, name: str, start: float, end: float) -> Iterator[Row]:
        """The rows of a partition, as MetricsStore gives them."""
        assert start <= end, "DynamoDB refuses a range whose end comes first"
        self.asked.append((name, start))
        return (row for row in self.rows.get(name, []) if start <= row.timestamp <= end)

    def _put(self, level: str, at: int, data: str) -> None:
        rows = self.rows.setdefault(partition(METRIC, level, "production"), [])
        rows[:] = [row for row in rows if row.timestamp != at] + [Row(at, data, 0, 0, "")]


def grown(buckets: dict[float, Merged]) -> dict[float, float | None]:
    return {at - START: merged.total.increase for at, merged in buckets.items()}


def levels(store: Store) -> Levels:
    return Levels(store, Settings())  # type: ignore[arg-type]


def test_stored_minutes_go_on_from_live_samples() -> None:
    store = Store()
    store.merged(MINUTE, START, 5)
    store.live(START, 99)
    store.live(START + 60, 1, 2)
    assert grown(levels(store).minutes(METRIC, START, START + 120)) == {0: 5, 60: 3}


def test_hours_go_on_from_minutes_and_these_from_live_samples() -> None:
    store = Store()
    store.merged(HOUR, START - 3600, 50)
    store.merged(MINUTE, START, 5)
    store.live(START + 60, 1)
    assert grown(levels(store).hours(METRIC, START - 7200, START + 600)) == {-3600: 50, 0: 6}


def test_a_metric_that_never_came_has_no_buckets() -> None:
    assert levels(Store()).minutes(METRIC, START, START + 600) == {}
    assert levels(Store()).hours(METRIC, START, START + 600) == {}


def test_the_past_is_read_once_in_a_while_and_its_newest_part_each_time() -> None:
    store = Store()
    for minute in range(0, 3600, 60):
        store.merged(MINUTE, START + minute, 1)
    read, name = levels(store), partition(METRIC, MINUTE, "production")
    read.minutes(METRIC, START, START + 3600)
    store.asked.clear()
    store.merged(MINUTE, START + 3540, 7)
    store.merged(MINUTE, START, 9)
    again = grown(read.minutes(METRIC, START, START + 3660))
    assert [start > START + 2000 for asked, start in store.asked if asked == name] == [True]
    assert (again[3540], again[0]) == (7, 1)
    # What came late for the past is seen once everything is read again.
    assert grown(read.minutes(METRIC, START, START + 3600 + KEPT_SECONDS + 60))[0] == 9


def test_samples_are_those_of_the_time_asked_for() -> None:
    store = Store()
    store.live(START, 1, 2, 3)
    (values,) = levels(store).samples(METRIC, START + 5, START + 15).values()
    assert values == {START + 10: 2}


def test_what_was_read_to_now_says_of_yesterday_what_yesterday_had() -> None:
    store = Store()
    for hour in range(-3, 2):
        store.merged(HOUR, START + 3600 * hour, 5)
        store.merged(MINUTE, START + 3600 * hour, 5)
    read = levels(store)
    read.hours(METRIC, START - 48 * 3600, START + 3 * 3600)
    assert grown(read.hours(METRIC, START - 86400, START)) == {-10800: 5, -7200: 5, -3600: 5}
    assert grown(read.minutes(METRIC, START - 3600, START)) == {-3600: 5}
    # The day before the first event had none, whatever is kept of later ones.
    assert read.hours(METRIC, START - 2 * 86400, START - 86400) == {}
