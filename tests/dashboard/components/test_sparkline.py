from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dashboard.components.sparkline import MOST_POINTS, domain, sparkline, thin
from dashboard.data.models import Line
from dashboard.html import render


def drawn(values: tuple[float | None, ...], **options: object) -> str:
    return render(sparkline(Line("l", 0, 60, values), "Lag", "records", **options), 0)  # type: ignore[arg-type]


def test_the_text_alternative_tells_start_end_and_extremes() -> None:
    label = 'aria-label="Lag over the range: from 10 records to 30 records, lowest 5 records, highest 1,200 records"'
    assert label in drawn((10, 5, None, 1200, 30))


def test_the_threshold_is_drawn_only_where_it_lies_in_range() -> None:
    assert "warning 10,000 records" in drawn((1, 20_000), warning=10_000)
    assert "warning" not in drawn((1, 200), warning=10_000)


def test_less_than_two_values_are_no_line() -> None:
    assert "spark-empty" in drawn((None, 4, None))
    assert "spark-empty" in render(sparkline(None, "Lag", "records"), 0)


def test_gaps_break_the_line() -> None:
    whole, broken = drawn((1, 2, 3, 4)), drawn((1, 2, None, 4))
    assert broken.count("fill-opacity") == whole.count("fill-opacity") == 1
    assert broken.split("fill-opacity")[0].count("M") == whole.split("fill-opacity")[0].count("M") + 1


def test_the_period_before_is_dotted_behind_the_line_and_told_in_words() -> None:
    before = Line("l", 0, 60, (2, 4, 3))
    page = drawn((10, 5, 30), before=before)
    assert "stroke-dasharray" in page.split("fill-opacity")[0]
    assert "lowest 5 records, highest 30 records. The period before, dotted: from 2 records to 3 records, " in page
    assert 'title="Dotted: the period before"' in page
    for alone in (drawn((10, 5, 30)), drawn((10, 5, 30), before=Line("l", 0, 60, (None, None)))):
        assert not {"dash", "title", "before"} & set(re.findall("[a-z]+", alone))


def test_both_periods_have_one_scale() -> None:
    low, high = (drawn((10, 20), before=Line("l", 0, 60, (top, top))) for top in (20, 2000))
    assert low.split("fill-opacity")[1] != high.split("fill-opacity")[1]


@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=2000))
def test_thinning_keeps_it_short_and_keeps_known_values(values: list[float | None]) -> None:
    kept = thin(values, MOST_POINTS)
    assert len(kept) == min(len(values), MOST_POINTS)
    assert set(kept) <= set(values)


def test_a_single_spike_survives_thinning() -> None:
    assert 99.0 in thin([1.0] * 700 + [99.0] + [1.0] * 700, MOST_POINTS)


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=50), st.booleans())
def test_the_range_is_never_empty_and_holds_every_value(values: list[float], higher: bool) -> None:
    low, high = domain(values, higher)
    assert low < high
    assert all(low <= value <= high for value in values)


def test_a_line_of_zeros_lies_on_the_ground() -> None:
    assert domain([0.0, 0.0], higher_is_worse=True) == (0.0, 1.0)
