"""Commas between the elements of an array, however the bytes arrive."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backend.processor.arrays import ArrayScanner

values = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab"\\[]{},é', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='k"]}', max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(values, min_size=1, max_size=6), st.integers(1, 7))
def test_elements_lie_between_the_commas(elements: list[Any], chunk: int) -> None:
    data = (" " + json.dumps(elements, ensure_ascii=False)).encode()
    scanner = ArrayScanner()
    commas = [c for i in range(0, len(data), chunk) for c in scanner.feed(data[i : i + chunk])]
    assert scanner.opened == 1
    assert scanner.closed == len(data) - 1
    cuts = [scanner.opened, *commas, scanner.closed]
    assert [json.loads(data[a + 1 : b]) for a, b in pairwise(cuts)] == elements


def test_an_array_that_ends_early_has_no_end() -> None:
    scanner = ArrayScanner()
    assert list(scanner.feed(b'[{"a": 1}, {"b": "')) == [9]
    assert scanner.closed is None
