from __future__ import annotations

from datetime import date, timedelta

import pytest

from backend.contract.errors import InvalidInput
from backend.history.days import (
    MOST_DAYS,
    MOST_NAMED,
    MOST_NAMED_LENGTH,
    LateObjects,
    by_month,
    day_of,
    day_of_key,
    day_path,
    day_start,
    days_between,
)

NEW_YEAR = date(2027, 1, 1)


def test_a_day_has_a_beginning_and_a_folder_and_is_found_by_both() -> None:
    assert day_of(day_start(NEW_YEAR)) == NEW_YEAR
    assert day_of(day_start(NEW_YEAR) - 0.001) == date(2026, 12, 31)
    assert day_path(NEW_YEAR) == "year=2027/month=01/day=01/"
    assert day_of_key(f"metrics/{day_path(NEW_YEAR)}metrics-1.json") == NEW_YEAR


@pytest.mark.parametrize(
    "key",
    [
        "metrics/year=2027/month=1/day=1/a.json",
        "metrics/year=2026/month=02/day=30/a.json",
        "metrics/a.json",
        "events/year=2027/month=01/day=01/a.json",
        "metrics/year=2027/month=01/day=01/",
    ],
)
def test_a_key_that_is_in_no_partition_has_no_day(key: str) -> None:
    assert day_of_key(key) is None


def test_a_range_is_refused_that_ends_before_it_begins_or_is_too_long() -> None:
    assert days_between(NEW_YEAR, NEW_YEAR) == [NEW_YEAR]
    with pytest.raises(InvalidInput, match="from"):
        days_between(NEW_YEAR, NEW_YEAR - timedelta(days=1))
    with pytest.raises(InvalidInput, match="history takes 401"):
        days_between(NEW_YEAR, NEW_YEAR + timedelta(days=MOST_DAYS))


def test_days_are_told_by_month() -> None:
    assert list(by_month([NEW_YEAR, date(2026, 12, 31), date(2026, 12, 30)])) == [(2026, 12, [30, 31]), (2027, 1, [1])]


def test_of_a_day_with_many_late_objects_all_are_read() -> None:
    many = [(NEW_YEAR, f"key-{number}") for number in range(MOST_NAMED + 1)]
    late = LateObjects.of([*many, (date(2026, 12, 31), "b"), (date(2026, 12, 31), "a"), (date(2026, 12, 31), "a")])
    assert late.whole == {NEW_YEAR}
    assert late.keys == {date(2026, 12, 31): ("a", "b")}
    assert late.days() == {NEW_YEAR, date(2026, 12, 31)}


def test_keys_are_named_as_long_as_they_are_plain_and_not_too_long_together() -> None:
    before = NEW_YEAR - timedelta(days=1)
    assert LateObjects.of([(NEW_YEAR, "it's"), (before, "a")]) == LateObjects({before: ("a",)}, frozenset({NEW_YEAR}))
    keys = [f"{number:01000}" for number in range(MOST_NAMED_LENGTH // 1000 + 1)]
    many = [(NEW_YEAR - timedelta(days=number % 20), key) for number, key in enumerate(keys)]
    assert not LateObjects.of(many[:-1]).whole
    assert not LateObjects.of(many).keys
