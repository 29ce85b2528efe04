"""When jobs are due, and which starts they missed."""

from __future__ import annotations

from datetime import datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from backend.contract.errors import InvalidInput
from backend.jobs.schedule import MOST_MISSED, missed_starts, parse_schedule

BERLIN = "Europe/Berlin"
MINUTE = 60.0


def at(text: str, zone: str = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def due(text: str, after: float, count: int) -> list[float]:
    return list(islice(parse_schedule(text, BERLIN).due_after(after), count))


def test_cron_goes_by_the_clock_of_its_time_zone() -> None:
    assert due("30 6 * * 1-5", at("2026-11-20T07:00"), 2) == [at("2026-11-23T06:30"), at("2026-11-24T06:30")]
    winter, summer = due("0 6 * * *", at("2026-03-28T05:00"), 2)
    assert summer - winter == 23 * 3600


def test_a_time_that_clocks_skip_is_due_right_after() -> None:
    assert due("30 2 * * *", at("2026-03-28T12:00"), 2) == [at("2026-03-29T03:00"), at("2026-03-30T02:30")]


def test_a_time_that_comes_twice_is_due_once() -> None:
    assert due("30 2 * * *", at("2026-10-24T12:00"), 2) == [at("2026-10-25T02:30"), at("2026-10-26T02:30")]


def test_every_quarter_of_an_hour_goes_by_real_time() -> None:
    found = due("*/15 * * * *", at("2026-10-25T01:59"), 9)
    assert [later - earlier for earlier, later in pairwise(found)] == [900.0] * 8


def missed(text: str, starts: list[str], since: str, now: str, grace: float = 10 * MINUTE) -> list[float]:
    return missed_starts(parse_schedule(text, BERLIN), [at(start) for start in starts], at(since), at(now), grace)


def test_a_start_is_missed_once_its_grace_is_over() -> None:
    assert missed("0 2 * * *", [], "2026-11-20T12:00", "2026-11-21T02:10") == []
    assert missed("0 2 * * *", [], "2026-11-20T12:00", "2026-11-21T02:11") == [at("2026-11-21T02:00")]


@pytest.mark.parametrize("start", ["01:59:30", "02:00", "02:09:59"])
def test_a_start_a_little_early_or_within_its_grace_is_none_that_was_missed(start: str) -> None:
    assert missed("0 2 * * *", [f"2026-11-21T{start}"], "2026-11-20T12:00", "2026-11-21T09:00") == []


@pytest.mark.parametrize("start", ["01:50", "02:11"])
def test_a_start_at_another_time_does_not_count(start: str) -> None:
    found = missed("0 2 * * *", [f"2026-11-21T{start}"], "2026-11-20T12:00", "2026-11-21T09:00")
    assert found == [at("2026-11-21T02:00")]


def test_what_was_due_before_the_job_was_seen_is_not_missed() -> None:
    assert missed("0 2 * * *", [], "2026-11-21T02:05", "2026-11-21T12:00") == []


def test_a_day_on_which_clocks_change_has_its_one_start() -> None:
    on_time = ["2026-10-24T02:30", "2026-10-25T02:31", "2026-10-26T02:30"]
    assert missed("30 2 * * *", on_time, "2026-10-23T12:00", "2026-10-26T12:00") == []
    spring = ["2026-03-28T02:30", "2026-03-29T03:01", "2026-03-30T02:30"]
    assert missed("30 2 * * *", spring, "2026-03-27T12:00", "2026-03-30T12:00") == []


def test_an_interval_counts_from_the_start_before() -> None:
    starts = ["2026-11-21T10:03", "2026-11-21T10:18", "2026-11-21T11:10"]
    found = missed("every 15 minutes", starts, "2026-11-21T10:00", "2026-11-21T11:20", 5 * MINUTE)
    assert found == [at("2026-11-21T10:33"), at("2026-11-21T10:48"), at("2026-11-21T11:03")]
    later = missed("every 15 minutes", starts, "2026-11-21T11:09", "2026-11-21T11:31", 5 * MINUTE)
    assert later == [at("2026-11-21T11:25")]


def test_an_interval_without_any_start_counts_from_when_the_job_was_first_seen() -> None:
    assert missed("every 2 hours", [], "2026-11-21T10:00", "2026-11-21T12:05") == []
    assert missed("every 2 hours", [], "2026-11-21T10:00", "2026-11-21T12:11") == [at("2026-11-21T12:00")]


def test_a_job_that_is_gone_for_months_costs_a_bounded_list() -> None:
    assert len(missed("* * * * *", [], "2026-01-01T00:00", "2026-11-21T00:00")) == MOST_MISSED


@pytest.mark.parametrize(
    "text",
    ["daily", "0 2 * *", "0 0 2 * * *", "61 2 * * *", "0 0 31 2 *", "every 0 minutes", "every minute", "every 5 weeks"],
)
def test_a_schedule_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^jobs\.load\.schedule: "):
        parse_schedule(text, "UTC", "jobs.load.schedule")


def test_an_unknown_time_zone_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match=r"^jobs\.load\.time_zone: 'Berlin'"):
        parse_schedule("0 2 * * *", "Berlin", "jobs.load.schedule")
