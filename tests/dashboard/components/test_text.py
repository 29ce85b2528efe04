from __future__ import annotations

import pytest

from dashboard.components.text import change, count, dollars, lag, masked, number_and_unit, percent, size
from dashboard.components.times import iso, short_day, written
from tests.dashboard.fakes import NOW


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (61_200, "records", ("61,200", "records")),
        (6_420, "ms", ("6.42", "s")),
        (842, "ms", ("842", "ms")),
        (99.62, "%", ("99.6", "%")),
        (0, "records/min", ("0", "records/min")),
    ],
)
def test_numbers_and_units_come_apart(value: float, unit: str, shown: tuple[str, str]) -> None:
    assert number_and_unit(value, unit) == shown


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [(100, 1, "100%"), (99.999, 1, ">99.9%"), (99.74, 2, "99.74%"), (0, 0, "0%"), (0.004, 1, "<0.1%"), (58, 0, "58%")],
)
def test_percentages_never_round_to_all_or_nothing(value: float, places: int, shown: str) -> None:
    assert percent(value, places) == shown


@pytest.mark.parametrize(
    ("trend", "shown"),
    [
        (None, ("unknown", "no trend yet")),
        (0.01, ("steady", "steady")),
        (0.12, ("up", "12% higher")),
        (-0.3, ("down", "30% lower")),
        (11, ("up", "12 times as high")),
    ],
)
def test_changes_are_words(trend: float | None, shown: tuple[str, str]) -> None:
    assert change(trend) == shown


def test_counts_have_a_plural() -> None:
    assert [count(n, "day") for n in (0, 1, 1200)] == ["0 days", "1 day", "1,200 days"]


def test_sizes_and_prices_are_read_at_a_glance() -> None:
    sizes = (0, 999, 12_300, 999.9e6, 10e9)
    assert [size(n) for n in sizes] == ["0 bytes", "999 bytes", "12.3 KB", "1000 MB", "10 GB"]
    prices = (0.0, 0.0000512, 0.00005, 0.05, 1234.5)
    assert [dollars(n) for n in prices] == ["$0.00", "$0.000051", "$0.00005", "$0.05", "$1,234.50"]


def test_instants_are_written_in_their_format() -> None:
    assert written(NOW, "stamp", NOW) == "21 Nov, 14:15 UTC"
    assert written(NOW - 40, "ago", NOW) == "40 s ago"
    assert written(NOW - 7500, "for", NOW) == "2 h 5 min"
    assert written(NOW + 5, "ago", NOW) == "0 s ago"
    assert iso(NOW) == "2026-11-21T14:15:00Z"
    assert short_day("2026-10-03") == "3 Oct"


@pytest.mark.parametrize(("ident", "shown"), [("order-10042", "or…42"), ("ab12", "…"), ("a", "…"), ("ab123", "ab…23")])
def test_a_masked_id_keeps_its_ends_and_a_short_one_nothing(ident: str, shown: str) -> None:
    assert masked(ident) == shown


def test_an_exact_time_has_seconds() -> None:
    assert written(NOW + 7, "exact", NOW) == "21 Nov, 14:15:07 UTC"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.00184, "< 0.01 s"), (0.0, "< 0.01 s"), (-0.002, "< 0.01 s"), (0.35, "0.35 s"), (4.21, "4.2 s"), (-7, "7.0 s"),
     (1200.0, "20 min")],
)  # fmt: skip
def test_a_lag_has_no_more_digits_than_it_means(seconds: float, shown: str) -> None:
    assert lag(seconds) == shown
