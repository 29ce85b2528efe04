"""The verdict's past: status by minute, since when, days, incidents."""

from __future__ import annotations

import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.verdict import Status
from dashboard.data.timeline import Moment, SignalPast, days, incidents, moments, since

CATALOGUE = load_catalogue()
DAY = 86400
NOW = 1_795_219_200.0 + 12 * 3600
"""Noon of 2026-11-21 UTC."""


def lag(values: dict[float, float], interval: float = 60) -> SignalPast:
    return SignalPast(CATALOGUE["consumer_lag_records"], "Consumer lag", values, interval)


def failures(values: dict[float, float]) -> SignalPast:
    return SignalPast(CATALOGUE["checkpoint_failures_total"], "Checkpoint failures", values, 60)


def statuses(*past: SignalPast, end: float) -> list[Status | None]:
    return [moment.status for moment in moments(past, 0, end, 60)]


def run(status: Status | None, minutes: int, start: float, step: float = 60) -> list[Moment]:
    return [Moment(start + i * step, status, ("Lag",) if status != "healthy" else ()) for i in range(minutes)]


def test_each_minute_has_the_worst_status() -> None:
    found = moments([lag({0: 5, 60: 20_000, 120: 5}), failures({0: 0, 60: 1, 120: 0})], 0, 180, 60)
    assert found == [
        Moment(0, "healthy", ()),
        Moment(60, "critical", ("Consumer lag", "Checkpoint failures")),
        Moment(120, "healthy", ()),
    ]


def test_before_anything_was_connected_there_is_no_status() -> None:
    assert statuses(lag({120: 5}), end=240) == [None, None, "healthy", "healthy"]
    assert statuses(lag({}), end=120) == [None, None]


def test_a_value_speaks_for_three_intervals_and_then_is_unknown() -> None:
    assert statuses(lag({0: 5}), end=360) == ["healthy"] * 4 + ["unknown"] * 2
    assert statuses(lag({0: 5}), failures({t * 60.0: 0.0 for t in range(6)}), end=360)[4:] == ["degraded"] * 2


def test_since_is_the_start_of_the_unbroken_run() -> None:
    past = [*run("healthy", 5, 0), *run("critical", 2, 300), *run("healthy", 3, 420)]
    assert since(past, "healthy", 600) == 420
    assert since(past, "critical", 600) == 600
    assert since([], "healthy", 600) == 600
    assert since(run("healthy", 5, 0), "healthy", 300) == 0


def by_date(found: list) -> dict:  # type: ignore[type-arg]
    return {day.date: (day.status, day.bad_minutes, day.detail) for day in found}


def test_the_strip_has_thirty_days_and_says_where_there_is_no_data() -> None:
    found = days([], 60, [], 3600, NOW)
    assert len(found) == 30
    assert (found[0].date, found[-1].date) == ("2026-10-23", "2026-11-21")
    assert {(day.status, day.detail) for day in found} == {("no_data", "no data")}


def test_a_day_is_its_worst_status_and_counts_minutes() -> None:
    today = NOW - 12 * 3600
    fine = [*run("healthy", 100, today), *run("degraded", 10, today + 6000), *run("critical", 3, today + 6600)]
    fine += run("healthy", 720 - 113, today + 6780)
    assert by_date(days(fine, 60, [], 3600, NOW))["2026-11-21"] == (
        "critical",
        13,
        "critical at worst, not healthy for 13 min",
    )


def test_a_day_with_gaps_is_not_called_healthy_all_day() -> None:
    today = NOW - 12 * 3600
    whole = by_date(days(run("healthy", 720, today), 60, [], 3600, NOW))["2026-11-21"]
    assert whole == ("healthy", 0, "healthy all day")
    part = by_date(days(run("healthy", 60, today), 60, [], 3600, NOW))["2026-11-21"]
    assert part == ("healthy", 0, "healthy in 60 min with data")


def test_hours_and_minutes_of_one_day_are_not_counted_twice() -> None:
    yesterday = NOW - 36 * 3600
    fine_from = yesterday + 12.5 * 3600
    coarse = run("degraded", 13, yesterday, 3600)
    fine = run("degraded", 690, fine_from)
    status, bad, _ = by_date(days(fine, 60, coarse, 3600, NOW))["2026-11-20"]
    assert (status, bad) == ("degraded", 24 * 60)


def test_an_unknown_day_is_not_healthy() -> None:
    found = by_date(days(run("unknown", 720, NOW - 12 * 3600), 60, [], 3600, NOW))["2026-11-21"]
    assert found[0] == "unknown"


def test_incidents_are_bad_stretches_newest_first() -> None:
    past = [
        *run("healthy", 10, 0),
        *run("degraded", 3, 600),
        *run("critical", 2, 780),
        *run("healthy", 60, 900),
        *run("unknown", 5, 4500),
        *run("healthy", 60, 4800),
    ]
    found = incidents(past, 60, 8400)
    assert [(i.start, i.end, i.status, i.reason) for i in found] == [
        (4500, 4800, "unknown", "Lag"),
        (600, 900, "critical", "Lag"),
    ]


def test_an_incident_that_goes_on_has_no_end() -> None:
    (found,) = incidents([*run("healthy", 5, 0), *run("critical", 5, 300)], 60, 610)
    assert (found.start, found.end) == (300, None)


def test_a_short_pause_does_not_make_two_incidents() -> None:
    past = [*run("critical", 3, 0), *run("healthy", 5, 180), *run("critical", 3, 480), *run("healthy", 20, 660)]
    assert [(i.start, i.end) for i in incidents(past, 60, 1860)] == [(0, 660)]
    apart = [*run("critical", 3, 0), *run("healthy", 7, 180), *run("critical", 3, 600), *run("healthy", 20, 780)]
    assert len(incidents(apart, 60, 1980)) == 2


def test_one_bad_minute_is_no_incident() -> None:
    assert incidents([*run("healthy", 5, 0), *run("critical", 1, 300), *run("healthy", 20, 360)], 60, 1560) == []


def test_only_the_last_five_are_listed() -> None:
    past = [m for n in range(8) for m in [*run("critical", 3, n * 3600), *run("healthy", 57, n * 3600 + 180)]]
    assert [i.start for i in incidents(past, 60, 8 * 3600)] == [n * 3600 for n in (7, 6, 5, 4, 3)]


@pytest.mark.parametrize("status", [None, "healthy"])
def test_nothing_bad_is_no_incident(status: Status | None) -> None:
    assert incidents(run(status, 100, 0), 60, 6000) == []
