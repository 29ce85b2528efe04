"""The sketch: within 1 % of the data, mergeable, and the same as the published implementation."""

from __future__ import annotations

import ddsketch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.sketch import RELATIVE_ERROR, Sketch

values = st.lists(st.floats(0.001, 1e9), min_size=1, max_size=200)
quantiles = st.sampled_from([0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0])
NEAR = RELATIVE_ERROR * 1.0001


def sketch_of(numbers: list[float]) -> Sketch:
    return Sketch.of([n, 1] for n in numbers)


def exact(numbers: list[float], q: float) -> float:
    """The value at rank q * (n - 1), cut to a whole rank."""
    return sorted(numbers)[int(q * (len(numbers) - 1))]


@given(numbers=values, q=quantiles)
def test_a_quantile_is_within_one_percent_of_the_data(numbers: list[float], q: float) -> None:
    assert sketch_of(numbers).quantile(q) == pytest.approx(exact(numbers, q), rel=NEAR)


@given(numbers=values, q=quantiles)
def test_it_agrees_with_the_published_implementation(numbers: list[float], q: float) -> None:
    theirs = ddsketch.DDSketch(RELATIVE_ERROR)
    for number in numbers:
        theirs.add(number)
    assert sketch_of(numbers).quantile(q) == pytest.approx(theirs.get_quantile_value(q), rel=2 * NEAR)


@given(parts=st.lists(values, min_size=1, max_size=5))
def test_merged_sketches_are_the_sketch_of_all(parts: list[list[float]]) -> None:
    merged = Sketch()
    for part in parts:
        merged.merge(sketch_of(part))
    assert merged.bins == sketch_of([n for part in parts for n in part]).bins


def test_percentiles_of_merged_data_are_not_averages_of_percentiles() -> None:
    quick, slow = [10.0] * 990, [1000.0] * 10 + [10.0] * 0
    merged = sketch_of(quick)
    merged.merge(sketch_of(slow))
    p99 = merged.quantile(0.99)
    averaged = (sketch_of(quick).quantile(0.99) + sketch_of(slow).quantile(0.99)) / 2  # type: ignore[operator]
    assert p99 == pytest.approx(exact(quick + slow, 0.99), rel=NEAR)
    assert averaged == pytest.approx(505, rel=NEAR)
    assert abs(p99 - averaged) > 400


@given(numbers=values)
def test_it_survives_being_stored(numbers: list[float]) -> None:
    sketch = sketch_of(numbers)
    assert Sketch.from_flat(sketch.flat()).bins == sketch.bins
    assert sketch.flat()[::2] == sorted(sketch.flat()[::2])


@given(numbers=values, limit=st.floats(0.001, 1e9))
def test_counting_up_to_a_limit_errs_only_within_one_percent_of_it(numbers: list[float], limit: float) -> None:
    counted = sketch_of(numbers).count_up_to(limit)
    surely = sum(n < limit * (1 - 2 * RELATIVE_ERROR) for n in numbers)
    at_most = sum(n <= limit * (1 + 2 * RELATIVE_ERROR) for n in numbers)
    assert surely <= counted <= at_most


def test_counts_weigh() -> None:
    sketch = Sketch.of([[10, 99], [1000, 1]])
    assert sketch.count == 100
    assert sketch.quantile(0.5) == pytest.approx(10, rel=NEAR)
    assert sketch.quantile(1.0) == pytest.approx(1000, rel=NEAR)


def test_nothing_has_no_quantile() -> None:
    assert Sketch().quantile(0.5) is None
    assert Sketch().count == 0


def test_zero_and_below_count_as_zero() -> None:
    sketch = Sketch.of([[0, 1], [-5, 1], [7, 1]])
    assert sketch.quantile(0.0) == 0.0
    assert sketch.quantile(1.0) == pytest.approx(7, rel=NEAR)
    assert sketch.count_up_to(0) == 2
