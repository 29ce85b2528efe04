"""Lines for the screen: even, short, and with their extremes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.data.lines import SPARK_POINTS, line_of, rounded, trend_of

values = st.dictionaries(st.integers(0, 86_399), st.floats(-1e9, 1e9), min_size=1, max_size=300)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, 0),
        (1234.5, 1234),
        (12345.6, 12350),
        (0.00123456, 0.001235),
        (-99.994, -99.99),
        (float("inf"), float("inf")),
    ],
)
def test_values_have_four_digits(value: float, shown: float) -> None:
    assert rounded(value) == shown


def test_what_is_no_number_does_not_become_zero() -> None:
    assert math.isnan(rounded(float("nan")))


def test_a_line_is_even_and_keeps_gaps() -> None:
    line = line_of("x", {0: 1, 60: 2, 120: 3, 600: 4}, 0, 600, 60)
    assert line is not None
    assert (line.x0, line.dx) == (0, 60)
    assert line.values[:3] == (1, 2, 3)
    assert line.values[-1] == 4
    assert None in line.values[3:10]


@given(values)
def test_a_line_is_short_and_holds_the_extremes(found: dict[int, float]) -> None:
    line = line_of("x", found, 0, 86_399, 60)
    assert line is not None
    assert len(line.values) <= SPARK_POINTS + 2
    shown = [v for v in line.values if v is not None]
    middle = sorted(found.values())[len(found) // 2]
    farthest = max(found.values(), key=lambda v: abs(v - middle))
    assert any(abs(v - middle) >= abs(rounded(farthest) - middle) * 0.999 for v in shown)
    assert min(shown) >= rounded(min(found.values()))
    assert max(shown) <= rounded(max(found.values()))


def test_nothing_in_the_range_is_no_line() -> None:
    assert line_of("x", {}, 0, 600, 60) is None
    assert line_of("x", {5000: 1}, 0, 600, 60) is None


@pytest.mark.parametrize(
    ("series", "trend"),
    [
        ([10, 10, 12, 12], 0.2),
        ([10, 10, 5, 5], -0.5),
        ([0, 0, 5, 5], None),
        ([1, 2, 3], None),
        ([-10, -10, -5, -5], 0.5),
    ],
)
def test_a_trend_compares_the_halves(series: list[float], trend: float | None) -> None:
    found = trend_of({float(i): v for i, v in enumerate(series)})
    assert found == (trend if trend is None else pytest.approx(trend))
