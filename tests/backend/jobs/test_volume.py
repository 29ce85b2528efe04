"""Records of an hour against the same hour of earlier weeks."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from backend.contract.jobs import JobRun
from backend.jobs.calendars import OpenTime
from backend.jobs.volume import VolumeReport, compare, hour_of, hourly, report, weeks_before, windows
from backend.settings_jobs import Calendar, DatasetConfig

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, WEEK = 3600, 7 * 86_400
NOW = datetime(2026, 11, 18, 12, 20, tzinfo=BERLIN).timestamp()


def config(**calendar: object) -> DatasetConfig:
    return DatasetConfig(calendar=Calendar(**{"time_zone": "Europe/Berlin", **calendar}))  # type: ignore[arg-type]


def loads(weeks: int, records: int = 1000, now: float = NOW) -> list[JobRun]:
    """A run at five past each hour, from so many weeks ago on; the last one is that of the last full hour."""
    newest = hour_of(now, BERLIN) - HOUR
    starts = [newest - week * WEEK - hour * HOUR + 300 for week in range(weeks + 1) for hour in range(28)]
    return [JobRun("load", str(at), "SUCCESS", at, ended_at=at + 60, records=records) for at in starts]


def said(runs: list[JobRun], now: float = NOW, **calendar: object) -> VolumeReport:
    wanted = config(**calendar)
    return report(hourly(runs, BERLIN, now), wanted, OpenTime(wanted.calendar), now)


def without(runs: list[JobRun], hour: float) -> list[JobRun]:
    return [run for run in runs if hour_of(run.started_at, BERLIN) != hour]


def test_hours_like_those_before_are_no_news() -> None:
    assert said(loads(5)) == VolumeReport()


def test_an_hour_without_its_records_differs_and_says_how_it_was_found() -> None:
    newest = hour_of(NOW, BERLIN) - HOUR
    found = said(without(loads(5), newest))
    assert found.going_on
    assert found.latest is not None
    assert (found.latest.hour, found.latest.records, found.latest.expected, found.latest.low) == (newest, 0, 1000, 500)
    assert found.latest.weeks == 4
    assert found.latest.method == "median of 4 weeks, +/- the larger of 3 x 1.4826 x MAD (0) and 50% (500)"


def test_an_hour_that_was_odd_is_shown_for_a_day_and_over_once_the_next_is_right() -> None:
    odd = hour_of(NOW, BERLIN) - 5 * HOUR
    found = said(without(loads(5), odd))
    assert (found.going_on, found.latest and found.latest.hour) == (False, odd)


def test_an_hour_whose_runs_have_not_ended_is_not_judged() -> None:
    newest = hour_of(NOW, BERLIN) - HOUR
    going_on = JobRun("load", "r", "STARTED", newest + 300, heartbeat_at=NOW - 5)
    assert said([*without(loads(5), newest), going_on]) == VolumeReport()


def test_below_three_weeks_nothing_is_said() -> None:
    assert said(loads(2)).note == "not enough history: 2 of at least 3 weeks"
    assert said([]).note == "nothing was loaded in the weeks looked at"
    silent = [JobRun("load", "r", "SUCCESS", NOW - 4000, ended_at=NOW - 3900)]
    assert said(silent).note == "its runs do not say how many records they load"


def test_hours_in_which_the_calendar_is_closed_are_not_judged() -> None:
    day = [run for run in loads(5) if 8 <= datetime.fromtimestamp(run.started_at, BERLIN).hour < 20]
    assert said(day, hours="08:00-20:00") == VolumeReport()
    assert said([run for run in day if run.started_at < NOW - 86_400], hours="08:00-20:00").going_on


def test_nothing_is_missed_on_a_holiday() -> None:
    today = datetime.fromtimestamp(NOW, BERLIN).date()
    midnight = NOW - 12 * HOUR - 20 * 60
    assert said([run for run in loads(5) if run.started_at < midnight]).going_on
    assert said([run for run in loads(5) if run.started_at < midnight], holidays=[today.isoformat()]) == VolumeReport()


def test_a_holiday_is_no_history() -> None:
    newest = hour_of(NOW, BERLIN) - HOUR
    runs = without(without(loads(5), newest - WEEK), newest - 2 * WEEK)
    days = [datetime.fromtimestamp(NOW, BERLIN).date() - timedelta(days=age) for age in (7, 8, 14, 15)]
    closed = [day.isoformat() for day in days]
    assert said(runs, holidays=closed).note == "not enough history: 2 of at least 3 weeks"


def test_the_same_hour_is_that_of_the_clock() -> None:
    monday = datetime(2026, 10, 26, 9, tzinfo=BERLIN).timestamp()
    before = weeks_before(monday, 1, BERLIN)
    assert before == datetime(2026, 10, 19, 9, tzinfo=BERLIN).timestamp()
    assert monday - before == WEEK + HOUR
    skipped = datetime(2026, 4, 5, 2, tzinfo=BERLIN).timestamp()
    assert weeks_before(skipped, 1, BERLIN) is None


def test_the_windows_hold_what_is_looked_at() -> None:
    runs = loads(5)
    held = [run for run in runs if any(start <= run.started_at < end for start, end in windows(config(), BERLIN, NOW))]
    assert said(held) == said(runs)
    assert len(windows(config(), BERLIN, NOW)) == 6


COUNTS = st.lists(st.integers(0, 10**7), min_size=3, max_size=12)


@given(COUNTS, st.integers(0, 10**7), st.sampled_from([0.1, 0.5, 2.0]))
def test_an_hour_differs_only_outside_of_its_bounds_which_hold_what_is_usual(
    history: list[int], records: int, tolerance: float
) -> None:
    found = compare(0.0, records, history, tolerance)
    middle = sorted(history)[len(history) // 2] if len(history) % 2 else None
    if middle is not None:
        assert compare(0.0, middle, history, tolerance) is None
    if found is not None:
        assert not found.low <= records <= found.high
        assert found.low <= found.expected <= found.high
        assert abs(records - found.expected) > tolerance * found.expected - 1e-2


@given(st.integers(0, 400), st.integers(1, 12))
def test_weeks_before_is_the_same_wall_time(hours: int, weeks: int) -> None:
    at = datetime(2026, 10, 20, tzinfo=BERLIN).timestamp() + hours * HOUR
    earlier = weeks_before(at, weeks, BERLIN)
    wall = datetime.fromtimestamp(at, BERLIN).replace(tzinfo=None) - timedelta(weeks=weeks)
    assert earlier is None or datetime.fromtimestamp(earlier, BERLIN).replace(tzinfo=None, fold=0) == wall.replace(
        fold=0
    )
