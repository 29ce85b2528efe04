"""Series requests: what they are read from, what they answer, and what is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.errors import InvalidInput
from backend.contract.tables import HOUR, LIVE, MINUTE, partition
from dashboard.data.hot import HotStore
from dashboard.data.series import SeriesAnswer, SeriesService, parse_series_request
from tests.dashboard.data.feeding import ENVIRONMENT, NOW, Clock, every, growing, put, samples
from tests.memory_table import MemoryTable

CATALOGUE = load_catalogue()


class Bench:
    """A service over a table; asks as a URL does."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.clock = Clock()
        self.hot = HotStore(self.table, 5.0, self.clock)
        self.service = SeriesService(self.hot, self.clock)

    def ask(self, **args: str) -> SeriesAnswer:
        args = {name.removesuffix("_"): value for name, value in args.items()}
        request = parse_series_request(args, CATALOGUE, ENVIRONMENT, self.clock())
        return self.service.answer(request)

    def lines(self, **args: str) -> dict[str, list[tuple[float, float]]]:
        return {name: [(t - NOW, v) for t, v in points] for name, points in self.ask(**args).lines}


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.hot.close()


def test_an_hour_is_shown_at_the_series_own_spacing(bench: Bench) -> None:
    put(bench.table, samples("cpu_utilization", every(10, -3600, value=40), host="a"))
    answer = bench.ask(metric="cpu_utilization")
    assert (answer.level, answer.step_seconds) == (LIVE, 10)
    ((name, points),) = answer.lines
    assert (name, len(points), points[-1]) == ("a", 361, (NOW, 40))


def test_rates_are_what_the_samples_say_from_the_first_point_on(bench: Bench) -> None:
    put(bench.table, samples("records_in", growing(15, -4500, by=150), operator="map"))
    ((name, points),) = bench.lines(metric="records_in").items()
    assert name == "map"
    assert [v for _, v in points] == [10.0] * 241


def test_a_day_is_read_from_minutes_and_continued_from_live_samples(bench: Bench) -> None:
    put(bench.table, samples("cpu_utilization", every(60, -7200)))
    bench.table.merge(ENVIRONMENT, NOW - 7200, NOW - 1800)
    answer = bench.ask(metric="cpu_utilization", from_="now-24h")
    assert (answer.level, answer.step_seconds) == (MINUTE, 60)
    assert [t - NOW for t, _ in answer.lines[0][1]] == list(range(-7200, 1, 60))


def test_an_hour_is_drawn_from_minutes_where_samples_are_kept_for_less(bench: Bench) -> None:
    put(bench.table, samples("cpu_utilization", every(10, -3600, value=40), host="a"))
    bench.table.merge(ENVIRONMENT, NOW - 3600, NOW - 600)
    bench.service = SeriesService(bench.hot, bench.clock, live_seconds=600)
    answer = bench.ask(metric="cpu_utilization")
    assert answer.level == MINUTE
    assert answer.lines[0][1][0][0] == NOW - 3600
    assert bench.ask(metric="cpu_utilization", from_="now-5m").level == LIVE


def test_the_hour_that_is_filling_is_as_new_as_its_newest_minute(bench: Bench) -> None:
    put(bench.table, samples("cpu_utilization", every(60, -7200)))
    bench.table.merge(ENVIRONMENT, NOW - 7200, NOW - 1800)
    answer = bench.ask(metric="cpu_utilization", from_="now-30d")
    assert answer.level == HOUR
    assert answer.as_of is not None
    assert NOW - 60 <= answer.as_of <= NOW
    silent = bench.ask(metric="cpu_utilization", from_="now-30d", to=str(NOW - 3000))
    assert silent.as_of is not None
    assert silent.as_of <= NOW - 3000


def test_a_week_up_to_now_is_read_from_what_is_held_in_memory(bench: Bench) -> None:
    put(bench.table, samples("cpu_utilization", every(60, -7200)))
    bench.table.merge(ENVIRONMENT, NOW - 7200, NOW - 300)
    answer = bench.ask(metric="cpu_utilization", from_="now-7d")
    assert (answer.level, bench.ask(metric="cpu_utilization", from_="now-2d").level) == (HOUR, MINUTE)
    assert answer.as_of is not None
    assert answer.as_of >= NOW - 60, "with the live tail"
    bench.table.queries.clear()
    assert bench.ask(metric="cpu_utilization", from_="now-7d").lines == answer.lines
    assert bench.table.queries == []


def test_who_draws_minutes_sees_a_whole_hour_where_samples_are_kept_for_less(bench: Bench) -> None:
    put(bench.table, samples("dlq_records", every(30, -3600, value=2), error_type="parse_error"))
    bench.table.merge(ENVIRONMENT, NOW - 3600, NOW - 600)
    bench.table.items = {
        key: item
        for key, item in bench.table.items.items()
        if "@live" not in item["metric_type"]["S"] or float(item["timestamp"]["N"]) >= NOW - 600
    }
    bench.table._index = None
    request = parse_series_request({"metric": "dlq_records", "stat": "sum"}, CATALOGUE, ENVIRONMENT, NOW)
    answer = bench.service.answer(replace(request, finest=MINUTE))
    ((_, points),) = answer.lines
    assert (points[0][0], answer.spacing_seconds) == (NOW - 3600, 60)
    assert sum(value for _, value in points) == 2 * 121


def test_a_month_is_read_from_hours_and_continued_from_minutes_and_live_samples(bench: Bench) -> None:
    put(bench.table, samples("records_in", growing(300, -6 * 3600, by=3000), operator="map"))
    bench.table.merge(ENVIRONMENT, NOW - 6 * 3600, NOW - 3600)
    answer = bench.ask(metric="records_in", from_="now-30d")
    assert answer.level == HOUR
    ((_, points),) = answer.lines
    assert [t - NOW for t, _ in points] == list(range(-6 * 3600, 1, 3600))
    assert [v for _, v in points] == pytest.approx([10.0] * len(points))


def test_hours_ahead_of_the_merge_are_whole_hours(bench: Bench) -> None:
    """Hours put together from minutes must not lack their first minutes."""
    bench.clock.now = NOW + 1800
    put(bench.table, samples("dlq_records", every(60, -5 * 3600, 1800, value=1.0)))
    bench.table.merge(ENVIRONMENT, NOW - 5 * 3600, NOW - 5 * 3600 + 60)
    points = bench.lines(metric="dlq_records", from_="now-30d", stat="sum")["all"]
    whole = [v for t, v in points if -3 * 3600 <= t < 0]
    assert whole
    assert whole == [60.0] * len(whole)


def test_a_fleet_is_read_from_minutes(bench: Bench) -> None:
    fleet = [samples("cpu_utilization", every(60, -1200, value=n), host=f"h{n:03}") for n in range(30)]
    put(bench.table, *fleet)
    bench.table.merge(ENVIRONMENT, NOW - 1200, NOW - 180)
    answer = bench.ask(metric="cpu_utilization", from_="now-15m")
    assert answer.level == MINUTE
    assert [name for name, _ in answer.lines] == [*(f"h{n:03}" for n in range(10, 30)), "other"]


def test_a_host_outside_the_worst_twenty_is_still_found(bench: Bench) -> None:
    fleet = [samples("cpu_utilization", every(60, -1200, value=n), host=f"h{n:03}") for n in range(30)]
    put(bench.table, *fleet)
    bench.table.merge(ENVIRONMENT, NOW - 1200, NOW - 180)
    assert bench.lines(metric="cpu_utilization", from_="now-15m", host="h001")["h001"][-1] == (0, 1)


def test_a_group_or_a_host_is_one_line_and_all_is_one_line(bench: Bench) -> None:
    put(bench.table, *(samples("cpu_utilization", every(60, -600, value=v), host=h) for h, v in (("a", 10), ("b", 30))))
    assert list(bench.lines(metric="cpu_utilization")) == ["a", "b"]
    assert list(bench.lines(metric="cpu_utilization", group="hostname")) == ["a", "b"]
    assert list(bench.lines(metric="cpu_utilization", group="a")) == ["a"]
    assert list(bench.lines(metric="cpu_utilization", host="b")) == ["b"]
    assert bench.lines(metric="cpu_utilization", group="all")["all"][-1] == (0, 20)


@pytest.mark.parametrize("start", ["now-1h", "now-24h"])
@pytest.mark.parametrize(("stat", "value"), [("avg", 20), ("max", 30), ("min", 10), ("sum", 40)])
def test_all_groups_together_say_the_same_at_every_level(bench: Bench, start: str, stat: str, value: float) -> None:
    put(bench.table, *(samples("cpu_utilization", every(10, -600, value=v), host=h) for h, v in (("a", 10), ("b", 30))))
    bench.table.merge(ENVIRONMENT, NOW - 600, NOW - 180)
    points = bench.lines(metric="cpu_utilization", group="all", stat=stat, from_=start)["all"]
    assert {v for _, v in points} == {value}


@pytest.mark.parametrize("start", ["now-1h", "now-24h"])
def test_the_last_value_of_a_counter_is_the_sum_of_its_series_at_every_level(bench: Bench, start: str) -> None:
    put(bench.table, *(samples("records_in", every(10, -600, value=7), operator="map", subtask=s) for s in "12"))
    bench.table.merge(ENVIRONMENT, NOW - 600, NOW - 180)
    assert {v for _, v in bench.lines(metric="records_in", stat="last", from_=start)["map"]} == {14}


def test_percentiles_come_from_merged_distributions_at_every_level(bench: Bench) -> None:
    quick = samples("latency_ms", every(10, -600), region_="eu", observations=[[10, 990]])
    slow = samples("latency_ms", every(10, -600), region_="us", observations=[[1000, 20]])
    put(bench.table, quick, slow)
    bench.table.merge(ENVIRONMENT, NOW - 600, NOW - 180)
    for start in ("now-1h", "now-24h"):
        points = bench.lines(metric="latency_ms", group="all", from_=start)["all"]
        assert {round(v, -1) for _, v in points} == {1000}


def test_a_past_range_is_found_at_the_level_that_has_it(bench: Bench) -> None:
    """A series of 2014, imported as a backfill: only live items tell of it."""
    year_2014 = 1_392_388_100.0
    old = samples("cpu_utilization", {year_2014 - NOW + i * 300: 0.1 * i for i in range(288)}, host="ec2")
    bench.table.put_samples(old, NOW, "metrics/backfill-1.json")
    for window in (86400, 14 * 86400):
        answer = bench.ask(metric="cpu_utilization", from_=str(year_2014), to=str(year_2014 + window))
        assert answer.level == LIVE
        assert answer.lines[0][0] == "ec2"
        assert len(answer.lines[0][1]) == 288


def test_a_morning_of_days_ago_is_read_once_and_not_kept(bench: Bench) -> None:
    long_ago = {t - 180_000: value for t, value in every(300, -86400).items()}
    put(bench.table, samples("cpu_utilization", long_ago))
    bench.table.merge(ENVIRONMENT, NOW - 180_000 - 86400, NOW - 180_000)
    bench.table.queries.clear()
    answer = bench.ask(metric="cpu_utilization", from_=str(NOW - 260_000), to=str(NOW - 230_000))
    assert answer.level == MINUTE
    assert len(answer.lines[0][1]) == 100
    names = [name for name, _, _ in bench.table.queries if not name.startswith("@")]
    assert names == [partition("cpu_utilization", MINUTE, ENVIRONMENT)]


def test_environments_are_kept_apart(bench: Bench) -> None:
    put(bench.table, samples("cpu_utilization", every(60, -600, value=1)))
    put(bench.table, samples("cpu_utilization", every(60, -600, value=2), environment="staging"))
    assert {v for _, v in bench.lines(metric="cpu_utilization", environment="staging")["host-1"]} == {2}


def test_nothing_stored_is_no_line(bench: Bench) -> None:
    answer = bench.ask(metric="cpu_utilization")
    assert answer.lines == ()
    assert answer.as_of is None
    assert answer.as_json()["series"] == []


def test_the_answer_has_the_promised_shape_and_does_not_move_with_the_clock(bench: Bench) -> None:
    put(bench.table, samples("records_in", growing(60, -600, by=60), operator="map"))
    body = bench.ask(metric="records_in").as_json()
    assert body == {
        "metric": "records_in",
        "unit": "records/s",
        "stat": "rate",
        "step_seconds": 60.0,
        "level": "live",
        "environment": "production",
        "series": [{"name": "map", "points": [(NOW + t, 1.0) for t in range(-540, 1, 60)]}],
    }
    bench.clock.now += 20
    assert bench.ask(metric="records_in").as_json() == body


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({}, "metric"),
        ({"metric": ""}, "metric"),
        ({"metric": "cpu"}, "metric"),
        ({"metric": "x" * 100_000}, "metric"),
        ({"metric": "cpu_utilization\x00"}, "metric"),
        ({"metric": "cpu_utilization", "stat": "p99"}, "stat"),
        ({"metric": "cpu_utilization", "stat": "x" * 100_000}, "stat"),
        ({"metric": "records_in", "host": "a"}, "host"),
        ({"metric": "cpu_utilization", "host": "a", "group": "b"}, "group"),
        ({"metric": "cpu_utilization", "group": "a\x00"}, "group"),
        ({"metric": "cpu_utilization", "group": "a" * 257}, "group"),
        ({"metric": "cpu_utilization", "host": "\n"}, "host"),
        ({"metric": "cpu_utilization", "environment": "\u202e"}, "environment"),
        ({"metric": "cpu_utilization", "from": "nan"}, "from"),
        ({"metric": "cpu_utilization", "from": "1e309"}, "from"),
        ({"metric": "cpu_utilization", "from": "now", "to": "now-1h"}, "from"),
        ({"metric": "cpu_utilization", "to": "-inf"}, "to"),
    ],
)
def test_what_is_wrong_is_named(args: Mapping[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_series_request(args, CATALOGUE, ENVIRONMENT, NOW)
    assert caught.value.field == field
    assert len(str(caught.value)) < 500


def test_names_that_real_operators_have_are_taken() -> None:
    name = "Source: orders[1] -> Calc[2] -> 'watermark', (x = y)"
    request = parse_series_request({"metric": "records_in", "group": name}, CATALOGUE, ENVIRONMENT, NOW)
    assert request.group == name
