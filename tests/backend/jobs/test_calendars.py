"""Open time of calendars, over midnight, holidays and the days on which clocks change."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.errors import InvalidInput
from backend.jobs.calendars import DAYS, Hours, OpenTime, parse_hours
from backend.settings_jobs import Calendar

WEEK = list(DAYS[:5])
BERLIN = "Europe/Berlin"
HOUR = 3600.0


def at(text: str, zone: str = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def open_time(**fields: object) -> OpenTime:
    return OpenTime(Calendar(**{"time_zone": BERLIN, **fields}))  # type: ignore[arg-type]


def test_a_calendar_without_limits_is_open_all_the_time() -> None:
    calendar = OpenTime(Calendar())
    assert (calendar.seconds(1000.0, 5000.0), calendar.after(1000.0, 60.0), calendar.words()) == (4000.0, 1060.0, "")


def test_no_time_lies_between_an_instant_and_an_earlier_one() -> None:
    calendar = OpenTime(Calendar(hours="06:00-22:00"))
    noon = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("UTC")).timestamp()
    assert calendar.seconds(noon, noon - HOUR) == 0.0


def test_only_hours_of_named_days_count() -> None:
    calendar = open_time(days=WEEK, hours="06:00-22:00")
    friday, monday = at("2026-11-20T21:00"), at("2026-11-23T06:30")
    assert calendar.seconds(friday, monday) == 1.5 * HOUR
    assert calendar.after(friday, HOUR) == at("2026-11-20T22:00")
    assert calendar.after(friday, HOUR + 60) == at("2026-11-23T06:01")
    assert calendar.seconds(monday, friday) == 0.0


def test_a_holiday_is_no_day_of_data() -> None:
    calendar = open_time(hours="06:00-22:00", holidays=["2026-12-25", "2026-12-26"])
    assert calendar.seconds(at("2026-12-24T21:00"), at("2026-12-27T07:00")) == 2 * HOUR
    assert calendar.words() == "Mon to Sun 06:00 to 22:00 Europe/Berlin, 2 holidays"


def test_hours_over_midnight_belong_to_the_day_they_begin_on() -> None:
    calendar = open_time(days=["fri"], hours="22:00-06:00")
    assert calendar.seconds(at("2026-11-19T00:00"), at("2026-11-23T00:00")) == 8 * HOUR
    assert calendar.seconds(at("2026-11-21T05:00"), at("2026-11-21T12:00")) == HOUR
    assert calendar.seconds(at("2026-11-20T00:00"), at("2026-11-20T06:00")) == 0.0


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-24", 24), ("2026-10-25", 25)],
    ids=["before spring", "spring", "before autumn", "autumn"],
)
def test_a_day_is_as_long_as_clocks_make_it(day: str, hours: int) -> None:
    calendar = open_time(days=[DAYS[datetime.fromisoformat(day).weekday()]])
    start = at(f"{day}T00:00")
    assert calendar.seconds(start - 2 * HOUR, start + 30 * HOUR) == hours * HOUR


def test_an_hour_that_clocks_skip_is_no_open_time() -> None:
    calendar = open_time(hours="01:00-04:00")
    assert calendar.seconds(at("2026-03-29T00:00"), at("2026-03-29T12:00")) == 2 * HOUR
    skipped = open_time(hours="02:30-04:00")
    assert skipped.seconds(at("2026-03-29T00:00"), at("2026-03-29T12:00")) == HOUR
    assert skipped.after(at("2026-03-29T00:00"), 60.0) == at("2026-03-29T03:01")
    closed = open_time(hours="01:00-02:30")
    assert closed.seconds(at("2026-03-29T00:00"), at("2026-03-29T12:00")) == HOUR


def test_an_hour_that_comes_twice_counts_twice() -> None:
    calendar = open_time(hours="02:00-03:00")
    assert calendar.seconds(at("2026-10-25T00:00"), at("2026-10-25T12:00")) == 2 * HOUR
    whole = open_time(hours="02:30-02:15")
    start = at("2026-10-24T02:30")
    assert whole.seconds(start, start + 49 * HOUR) == 49 * HOUR - 15 * 60


def test_a_calendar_of_holidays_only_never_opens() -> None:
    friday = at("2026-11-20T00:00")
    days = [(date(2026, 11, 18) + timedelta(days=day)).isoformat() for day in range(1200)]
    assert open_time(holidays=days).after(friday, 60.0) is None


CALENDARS = st.builds(
    Calendar,
    days=st.lists(st.sampled_from(DAYS), min_size=1),
    hours=st.sampled_from(["00:00-24:00", "06:00-22:00", "22:00-06:00", "02:30-02:00", "01:30-02:30"]),
    time_zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe"]),
    holidays=st.lists(st.sampled_from(["2026-10-25", "2026-03-29", "2026-03-08"])),
)
INSTANTS = st.integers(1_772_000_000, 1_794_000_000)


@given(CALENDARS, INSTANTS, st.integers(0, 500_000), st.integers(0, 500_000))
def test_open_time_adds_up_and_is_never_more_than_real_time(
    calendar: Calendar, start: int, first: int, second: int
) -> None:
    made = OpenTime(calendar)
    middle, end = start + first, start + first + second
    whole = made.seconds(start, end)
    assert 0.0 <= whole <= end - start
    assert made.seconds(start, middle) + made.seconds(middle, end) == pytest.approx(whole, abs=1e-3)


@given(CALENDARS, INSTANTS, st.integers(1, 300_000))
def test_the_instant_after_some_open_time_has_just_that_much_behind_it(
    calendar: Calendar, start: int, wanted: int
) -> None:
    made = OpenTime(calendar)
    found = made.after(start, wanted)
    assert found is not None
    assert made.seconds(start, found) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"days": ["monday"]}, "calendar.days[0]"),
        ({"days": []}, "calendar.days"),
        ({"hours": "6-22"}, "calendar.hours"),
        ({"hours": "06:00-25:00"}, "calendar.hours"),
        ({"hours": "06:60-22:00"}, "calendar.hours"),
        ({"hours": "24:00-06:00"}, "calendar.hours"),
        ({"hours": "06:00-06:00"}, "calendar.hours"),
        ({"time_zone": "Berlin"}, "calendar.time_zone"),
        ({"time_zone": "/etc/passwd"}, "calendar.time_zone"),
        ({"holidays": ["2026-12-25", "25.12.2026"]}, "calendar.holidays[1]"),
    ],
)
def test_a_mistake_is_named_by_its_field(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_time(**fields)
    assert caught.value.field == field


def test_a_time_of_day_lies_within_hours_over_midnight() -> None:
    hours = parse_hours("22:00-06:00", "quiet_hours")
    assert [hours.contains(minute) for minute in (0, 359, 360, 1319, 1320)] == [True, True, False, False, True]
    assert Hours(0, 1440).contains(1439)
