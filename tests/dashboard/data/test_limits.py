"""Limits of the catalogue against forecasts: which is urgent, which is not in sight, and what nobody can say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.contract.catalogue import load_catalogue
from dashboard.data.forecast import DAY, HOUR, Forecast, Shortage
from dashboard.data.limits import WATCHED, LimitRow, Prospect, limit_of, limit_rows, pressing
from tests.dashboard.data.feeding import NOW

CATALOGUE = load_catalogue()
DISK, SLOTS = CATALOGUE["disk_usage"], CATALOGUE["task_slots_available"]


def growing(value: float, a_day: float, band: float = 2.0) -> Forecast:
    middle = tuple(value + a_day * (day + 1) for day in range(90))
    return Forecast(
        NOW + DAY / 2, DAY, middle, tuple(v - band for v in middle), tuple(v + band for v in middle),
        ((NOW - DAY / 2, value),),
    )  # fmt: skip


def prospect(group: str, outcome: Forecast | Shortage | None, value: float = 60.0, age: float = HOUR) -> Prospect:
    return Prospect(DISK, group, (NOW - age, value), outcome)


def rows(*prospects: Prospect, pending: bool = False) -> tuple[LimitRow, ...]:
    seen = frozenset({DISK.key, "cpu_utilization"})
    return limit_rows(CATALOGUE, seen, prospects, {}, NOW, pending=pending)


def test_a_hard_limit_goes_before_thresholds_and_the_critical_one_before_the_warning() -> None:
    kinds = {watched.key: limit_of(CATALOGUE[watched.key]).kind for watched in WATCHED}
    assert kinds == {
        "disk_usage": "limit", "memory_usage": "critical", "cpu_utilization": "critical",
        "task_slots_available": "limit", "s3_bucket_bytes": "limit", "lambda_concurrent_executions": "limit",
        "dynamodb_capacity_percent": "limit",
    }  # fmt: skip
    assert limit_of(replace(DISK, limit=None)).kind == "warning"
    assert limit_of(SLOTS).falls
    with pytest.raises(ValueError, match="no limit"):
        limit_of(CATALOGUE["network_in"])


def test_the_most_urgent_limit_comes_first() -> None:
    found = rows(
        prospect("calm", growing(60, 0)),
        prospect("later", growing(60, 1)),
        prospect("soon", growing(60, 4)),
        prospect("full", growing(60, 4), value=100.0),
        prospect("perhaps", growing(97.5, 0, band=3)),
        prospect("new", Shortage(HOUR, 48 * HOUR)),
        prospect("broken", None),
    )
    assert [(row.group, row.state) for row in found if row.metric is DISK] == [
        ("full", "reached"), ("soon", "reaches"), ("later", "reaches"), ("perhaps", "may"), ("calm", "clear"),
        ("broken", "failed"), ("new", "shortage"),
    ]  # fmt: skip
    assert found[1].reach is not None
    assert (found[1].reach.earliest, found[1].reach.likely, found[1].reach.latest) == (9.5, 9.5, 10.5)


def test_a_host_that_fell_silent_is_not_forecast_as_if_it_were_there() -> None:
    days = tuple((NOW - (day - 0.5) * DAY, 60.0) for day in range(30, 0, -1))
    known = replace(growing(60, 4), history=days)
    (row, *_) = rows(prospect("gone", known, age=5 * HOUR))
    assert (row.state, row.days) == ("silent", 9.5)
    (daily, *_) = rows(replace(prospect("daily", known, age=2 * DAY), spacing=DAY))
    assert daily.state == "reaches"


def test_every_watched_resource_has_a_row_and_what_is_not_connected_says_so() -> None:
    states = {row.metric.key: row.state for row in rows(prospect("a", growing(60, 0)))}
    assert states.keys() == {watched.key for watched in WATCHED}
    assert (states["cpu_utilization"], states["s3_bucket_bytes"]) == ("shortage", "not_connected")
    waiting = {row.metric.key: row.state for row in rows(pending=True)}
    assert (waiting["cpu_utilization"], waiting["s3_bucket_bytes"]) == ("pending", "not_connected")


def test_the_newest_value_counts_and_may_be_past_the_limit_already() -> None:
    newest = {(DISK.key, "a"): (NOW - 30, 100.0)}
    row = limit_rows(CATALOGUE, frozenset(), [prospect("a", growing(60, 1))], newest, NOW, pending=False)[0]
    assert (row.value, row.at, row.state) == (100.0, NOW - 30, "reached")


def test_the_groups_looked_at_are_those_that_grow_towards_the_limit() -> None:
    def line(name: str, value: float, a_day: float, every: int = 1) -> tuple[str, list[tuple[float, float]]]:
        return name, [(NOW - (240 - i) * HOUR, value + a_day * i / 24) for i in range(0, 240, every)]

    lines = [
        line("high", 80, 0),
        line("grows", 40, 3),
        line("low", 20, 0),
        line("seldom", 95, 2, 12),
        line("other", 99, 0),
    ]
    assert pressing(lines, limit_of(DISK), 3) == ["grows", "high", "low"]
    gone = [(name, points[:-12]) for name, points in (line("removed", 99, 0), line("retired", 98, 0))]
    assert pressing([*gone, *lines], limit_of(DISK), 4) == ["grows", "high", "low", "seldom"]
    falling = [line("full", 40, 0), line("drains", 30, -2)]
    assert pressing(falling, limit_of(SLOTS), 1) == ["drains"]
