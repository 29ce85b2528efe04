"""Runs of the merge over a table that fills: due minutes, late ones, interruptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.contract.catalogue import Catalogue
from backend.contract.rollup import Merged
from backend.processor.core import ObjectPart, process
from backend.processor.merge_run import MergeReport, run_merge
from backend.processor.merge_state import MergeState, Range
from backend.settings import Limits, Retention

HOUR = 1_795_258_800
"""A full hour."""


class Pipeline:
    """Writes objects and runs the merge, at times the test chooses."""

    def __init__(
        self, world: Any, catalogue: Catalogue, sample: Callable[..., Any], body: Callable[..., bytes]
    ) -> None:
        self.world, self.catalogue, self.sample, self.body = world, catalogue, sample, body
        self.retention = Retention()
        self.objects = 0

    def deliver(self, samples: list[tuple[float, float]], at: float, metric: str = "records_in", **more: Any) -> None:
        """One object with (time, value) samples of one series, processed at ``at``."""
        labels = {"operator": "map"} if metric == "records_in" else {}
        name = more.pop("name", "metrics")
        records = [self.sample(timestamp=t, value=v, metric_type=metric, labels=labels, **more) for t, v in samples]
        self.objects += 1
        self.world.clock.now = at
        part = ObjectPart(f"metrics/{name}-{self.objects}.json", modified=at, spacing_seconds=60.0)
        result = process(
            self.body(records), part, now=at, catalogue=self.catalogue, limits=Limits(), retention=self.retention
        )
        assert result.quarantined == []
        self.world.store.write(result.items)

    def merge(self, at: float, deadline: float | None = None) -> MergeReport:
        self.world.clock.now = at
        return run_merge(self.world.store, self.catalogue, self.retention, at, deadline)

    def stored(self, level: str, metric: str = "records_in") -> dict[int, Merged]:
        rows = self.world.store.query(f"{metric}@{level}#production", 0, 2**40)
        return {row.timestamp - HOUR: Merged.decode(row.data) for row in rows}


@pytest.fixture
def pipeline(world: Any, catalogue: Catalogue, samples: Any, body: Any) -> Pipeline:
    return Pipeline(world, catalogue, samples, body)


def counter(first: int, last: int, step: int = 60) -> list[tuple[float, float]]:
    """A counter that grows by one a second, as (time, value)."""
    return [(HOUR + t, float(t)) for t in range(first, last, step)]


def test_a_minute_is_merged_once_the_lateness_allowance_has_passed(pipeline: Pipeline) -> None:
    pipeline.deliver(counter(0, 120, 20), at=HOUR + 120)
    pipeline.merge(HOUR + 60 + 119)
    assert pipeline.stored("1m") == {}
    pipeline.merge(HOUR + 60 + 120)
    assert list(pipeline.stored("1m")) == [0]
    pipeline.merge(HOUR + 120 + 130)
    assert [m.total.increase for m in pipeline.stored("1m").values()] == [40, 60]


def test_a_second_run_has_nothing_to_do_and_an_hour_closes_once(pipeline: Pipeline) -> None:
    for minute in range(0, 60, 10):
        pipeline.deliver(counter(60 * minute, 60 * minute + 600, 20), at=HOUR + 60 * minute + 600)
        pipeline.merge(HOUR + 60 * minute + 600)
    assert pipeline.stored("1h") == {}
    report = pipeline.merge(HOUR + 3600 + 120)
    assert report.hours > 0
    (hour,) = pipeline.stored("1h").values()
    assert hour.total.count == 180
    assert hour.total.increase == 3580
    before = pipeline.world.items()
    again = pipeline.merge(HOUR + 3600 + 130)
    assert (again.minutes, again.hours, again.complete) == (0, 0, True)
    assert len(pipeline.world.items()) == len(before)


def test_run_by_run_gives_what_one_run_gives(pipeline: Pipeline) -> None:
    for start in range(0, 4200, 700):
        pipeline.deliver(counter(start, start + 700, 20), at=HOUR + start + 700)
        pipeline.merge(HOUR + start + 700)
    pipeline.merge(HOUR + 4400)
    stepwise = {level: pipeline.stored(level) for level in ("1m", "1h")}
    for item in pipeline.world.items():
        if item["metric_type"]["S"] == "@merge" or "kept_until" in item:
            key = {name: item[name] for name in ("metric_id", "timestamp")}
            pipeline.world.clients.dynamodb.delete_item(TableName="InfraMetrics", Key=key)
    assert pipeline.stored("1m") == {}
    pipeline.merge(HOUR + 4400)
    assert {level: pipeline.stored(level) for level in ("1m", "1h")} == stepwise


def test_an_hour_that_ends_in_silence_is_closed(pipeline: Pipeline) -> None:
    pipeline.deliver(counter(0, 600), at=HOUR + 600)
    pipeline.merge(HOUR + 1200)
    pipeline.merge(HOUR + 3600 + 120)
    assert list(pipeline.stored("1h")) == [0]


def test_empty_minutes_write_nothing(pipeline: Pipeline) -> None:
    pipeline.deliver([(HOUR, 1.0), (HOUR + 1800, 2.0)], at=HOUR + 1810)
    pipeline.merge(HOUR + 2100)
    assert list(pipeline.stored("1m")) == [0, 1800]


def test_a_late_object_makes_its_minutes_and_the_following_ones_right(pipeline: Pipeline) -> None:
    pipeline.deliver(counter(0, 300), at=HOUR + 300)
    pipeline.deliver(counter(600, 4200), at=HOUR + 4200)
    pipeline.merge(HOUR + 4400)
    gap = pipeline.stored("1m")
    assert gap[600].total.increase == 360
    pipeline.deliver(counter(300, 600), at=HOUR + 4500)
    report = pipeline.merge(HOUR + 4510)
    assert report.recomputed >= 6
    minutes = pipeline.stored("1m")
    assert [minutes[t].total.increase for t in range(300, 660, 60)] == [60] * 6
    assert pipeline.stored("1h")[0].total.count == 60
    assert pipeline.merge(HOUR + 4520).recomputed == 0


def test_a_late_object_of_an_open_hour_is_in_the_hour(pipeline: Pipeline) -> None:
    pipeline.deliver(counter(0, 1200), at=HOUR + 1200)
    pipeline.merge(HOUR + 1500)
    pipeline.deliver([(HOUR + 30, 999.0)], at=HOUR + 1800, metric="cpu_utilization")
    pipeline.deliver(counter(20, 1220), at=HOUR + 1800)
    pipeline.merge(HOUR + 1810)
    pipeline.merge(HOUR + 4000)
    assert pipeline.stored("1h")[0].total.count == 40
    assert pipeline.stored("1h", "cpu_utilization")[0].total.last == 999.0


def test_history_is_not_overwritten_from_what_is_left_of_it(pipeline: Pipeline) -> None:
    pipeline.deliver(counter(0, 60, 10), at=HOUR + 60)
    pipeline.merge(HOUR + 300)
    whole = pipeline.stored("1m")
    # A day later the live items have expired; one more sample of that minute arrives.
    pipeline.deliver([(HOUR + 55, 55.0)], at=HOUR + 90_000)
    report = pipeline.merge(HOUR + 90_010)
    assert (report.skipped, report.recomputed) == (1, 0)
    assert pipeline.stored("1m") == whole


def test_a_backfill_in_two_objects_is_merged_from_both(pipeline: Pipeline) -> None:
    old = HOUR - 4 * 365 * 86400
    for number, host in enumerate("ab"):
        values = [(old + 300 * n, float(n)) for n in range(30)]
        pipeline.deliver(values, at=HOUR + 100 * number, metric="cpu_utilization", hostname=host, name="backfill-")
        pipeline.merge(HOUR + 100 * number + 20)
    minutes = pipeline.stored("1m", "cpu_utilization")
    assert len(minutes) == 30
    assert {m.total.count for m in minutes.values()} == {2}
    hours = pipeline.stored("1h", "cpu_utilization")
    assert sum(h.total.count for h in hours.values()) == 60


def test_out_of_time_it_keeps_its_place_and_goes_on(pipeline: Pipeline) -> None:
    pipeline.deliver(counter(0, 7200, 30), at=HOUR + 7200)
    reports = [pipeline.merge(HOUR + 7400, deadline=0.0)]
    assert not reports[0].complete
    stop = Stopwatch()
    while not reports[-1].complete:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("backend.processor.merge_run.time", stop)
            reports.append(pipeline.merge(HOUR + 7400, deadline=stop.now + 20))
        assert len(reports) < 100
    assert len(reports) > 3
    assert len(pipeline.stored("1m")) == 120
    assert [h.total.count for h in pipeline.stored("1h").values()] == [120, 120]
    assert pipeline.stored("1m")[7140].total.increase == 60


class Stopwatch:
    """A clock that goes on by one second whenever it is read."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def test_one_damaged_item_stops_its_own_metric_only(pipeline: Pipeline) -> None:
    pipeline.deliver(counter(0, 60, 20), at=HOUR + 60)
    pipeline.deliver([(HOUR, 5.0)], at=HOUR + 60, metric="cpu_utilization")
    item = {
        "metric_id": {"S": "damaged"},
        "timestamp": {"N": str(HOUR)},
        "metric_type": {"S": "records_in@live#production"},
        "data": {"S": "["},
    }
    pipeline.world.clients.dynamodb.put_item(TableName="InfraMetrics", Item=item)
    report = pipeline.merge(HOUR + 300)
    assert list(report.failed) == ["records_in@1m#production"]
    assert list(pipeline.stored("1m", "cpu_utilization")) == [0]


def test_increases_of_published_counters_are_published_once(pipeline: Pipeline) -> None:
    values = [(HOUR + 20 * n, float(n // 4)) for n in range(12)]
    pipeline.deliver(values, at=HOUR + 240, metric="checkpoint_failures_total")
    assert pipeline.merge(HOUR + 500).published.values == {
        ("CheckpointFailures", HOUR): {0: 1},
        ("CheckpointFailures", HOUR + 60): {1.0: 1},
        ("CheckpointFailures", HOUR + 120): {1.0: 1},
        ("CheckpointFailures", HOUR + 180): {0.0: 1},
    }
    pipeline.deliver([(HOUR + 10, 0.0)], at=HOUR + 600, metric="checkpoint_failures_total")
    late = pipeline.merge(HOUR + 610)
    assert late.recomputed
    assert late.published.values == {}


def test_late_ranges_that_lie_near_are_one() -> None:
    state = MergeState()
    state.wait_for([Range("p", "m", 0, 600), Range("p", "m", 1200, 1800), Range("p", "m", 90_000, 90_060)])
    state.wait_for([Range("p", "m", 300, 2400), Range("q", "m", 0, 0)])
    assert state.waiting == [Range("p", "m", 0, 2400), Range("p", "m", 90_000, 90_060), Range("q", "m", 0, 0)]
    state.wait_for(Range("p", "m", 10**6 * n, 10**6 * n) for n in range(1, 80))
    assert state.waiting[0] == Range("p", "m", 0, 79 * 10**6)
    assert MergeState.decode(state.encode()) == state
