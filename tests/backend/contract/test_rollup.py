"""Stored shapes survive being stored; samples of many objects are gathered once; series combine as they should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.rollup import (
    LiveSeries,
    Merged,
    Stats,
    decode_live,
    encode_live,
    gather,
    in_parallel,
    in_sequence,
    increase,
)
from backend.contract.sketch import Sketch

numbers = st.floats(-1e12, 1e12)
sketches = st.lists(st.floats(0, 1e6), max_size=20).map(lambda values: Sketch.of([v, 1] for v in values))
stats = st.builds(
    Stats,
    count=st.integers(1, 1000),
    average=numbers,
    low=numbers,
    high=numbers,
    last=numbers,
) | st.builds(
    Stats,
    count=st.integers(1, 1000),
    average=numbers,
    low=numbers,
    high=numbers,
    last=numbers,
    increase=st.floats(0, 1e12),
    span=st.floats(0, 3600),
)
histograms = st.builds(
    Stats,
    count=st.integers(1, 1000),
    average=numbers,
    low=numbers,
    high=numbers,
    last=numbers,
    sketch=sketches,
)


def as_numbers(s: Stats) -> tuple[object, ...]:
    return (s.count, s.average, s.low, s.high, s.last, s.increase, s.span, s.sketch.bins if s.sketch else None)


@given(one=stats | histograms)
def test_stats_survive_being_stored(one: Stats) -> None:
    assert as_numbers(Stats.decode(one.encode())) == as_numbers(one)


@given(
    groups=st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=10), stats | histograms, max_size=5),
    total=stats | histograms,
    bands=st.none() | sketches,
)
def test_a_merged_bucket_survives_being_stored(groups: dict[str, Stats], total: Stats, bands: Sketch | None) -> None:
    again = Merged.decode(Merged(groups, total, 7, bands).encode())
    assert {name: as_numbers(s) for name, s in again.groups.items()} == {n: as_numbers(s) for n, s in groups.items()}
    assert as_numbers(again.total) == as_numbers(total)
    assert (again.bands.bins if again.bands is not None else None) == (bands.bins if bands is not None else None)
    assert again.group_count == 7


def test_a_live_item_survives_being_stored() -> None:
    series = [LiveSeries("g", "s", [0, 10.5], [1, 2.25]), LiveSeries("", "ü|a=1", [59.999], [[3.0, 2.0, 5, 1]])]
    assert decode_live(encode_live(series)) == series


def test_the_same_sample_in_two_objects_counts_once() -> None:
    first = encode_live([LiveSeries("g", "s", [0, 10], [1, 2])])
    second = encode_live([LiveSeries("g", "s", [10, 20.5], [2, 3]), LiveSeries("g", "t", [0], [9])])
    found = gather([(600, first), (600, second), (600, first), (660, first)])
    assert found == {("g", "s"): {600: 1, 610: 2, 620.5: 3, 660: 1, 670: 2}, ("g", "t"): {600: 9}}


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50))
def test_a_growing_counter_grew_by_its_difference(steps: list[int]) -> None:
    values = [sum(steps[: i + 1]) for i in range(len(steps))]
    assert increase(values) == values[-1] - values[0]


@pytest.mark.parametrize(
    ("values", "grown"),
    [([5], 0), ([], 0), ([5, 7, 3, 4], 2 + 3 + 1), ([5, 0, 0], 0), ([9, 1, 9, 1], 1 + 8 + 1)],
)
def test_a_fall_is_a_reset_to_zero(values: list[float], grown: float) -> None:
    assert increase(values) == grown


@pytest.mark.parametrize(("how", "expected"), [("sum", 40), ("max", 30), ("min", 10), ("avg", 25)])
def test_series_side_by_side_combine_as_the_catalogue_says(how: str, expected: float) -> None:
    first, second = Stats(1, 10, 8, 12, 11), Stats(3, 30, 28, 32, 31)
    both = in_parallel([first, second], how)  # type: ignore[arg-type]
    assert both.average == expected
    assert both.count == 4


def test_an_average_keeps_the_extremes_of_its_series() -> None:
    both = in_parallel([Stats(1, 10, 8, 12, 11), Stats(1, 30, 28, 32, 31)], "avg")
    assert (both.low, both.high) == (8, 32)


def test_increases_add_up_over_the_longest_span() -> None:
    both = in_parallel([Stats(1, 1, 1, 1, 1, 60.0, 60.0), Stats(1, 1, 1, 1, 1, 5.0, 10.0)], "sum")
    assert (both.increase, both.span) == (65, 60)


def test_buckets_in_a_row_add_increases_and_spans_and_keep_the_newest_last() -> None:
    joined = in_sequence([Stats(2, 10, 5, 15, 12, 30.0, 60.0), Stats(6, 20, 10, 25, 21, 50.0, 60.0)])
    assert (joined.count, joined.average, joined.low, joined.high, joined.last) == (8, 17.5, 5, 25, 21)
    assert (joined.increase, joined.span) == (80, 120)


def test_sketches_merge_either_way_and_their_parts_stay_as_they_were() -> None:
    parts = [Stats(1, 1, 1, 1, 1, sketch=Sketch.of([[v, 1]])) for v in (1.0, 100.0)]
    for joined in (in_parallel(parts, "avg"), in_sequence(parts)):
        assert joined.sketch is not None
        assert joined.sketch.count == 2
    assert [p.sketch.count for p in parts if p.sketch] == [1, 1]
