"""A mergeable quantile sketch with 1 % relative error.

DDSketch (Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch", VLDB 2019) with a dictionary of
bins, for values >= 0. Percentiles of merged sketches are percentiles of the merged data, which averaged percentiles
are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, Self

RELATIVE_ERROR: Final = 0.01
_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
LOG_GAMMA: Final = math.log(_GAMMA)
_MIDDLE: Final = 2 / (1 + _GAMMA)
ZERO_BIN: Final = -100_000
"""Bin of values up to ``SMALLEST``."""
SMALLEST: Final = 1e-9


class Sketch:
    """Counts of values in logarithmic bins. Values below zero count as zero."""

    __slots__ = ("bins",)

    def __init__(self, bins: dict[int, float] | None = None) -> None:
        self.bins: dict[int, float] = bins if bins is not None else {}

    def add(self, value: float, count: float = 1) -> None:
        """Counts ``value`` ``count`` times."""
        index = math.ceil(math.log(value) / LOG_GAMMA) if value > SMALLEST else ZERO_BIN
        self.bins[index] = self.bins.get(index, 0) + count

    def merge(self, other: Self) -> None:
        """Adds the other's counts."""
        bins = self.bins
        for index, count in other.bins.items():
            bins[index] = bins.get(index, 0) + count

    @property
    def count(self) -> float:
        """How many values were counted."""
        return sum(self.bins.values())

    def quantile(self, q: float) -> float | None:
        """The value at quantile ``q`` (0..1), within 1 %; None when nothing was counted."""
        total = self.count
        if not total:
            return None
        rank, seen = q * (total - 1), 0.0
        for index in sorted(self.bins):
            seen += self.bins[index]
            if seen > rank:
                return _value(index)
        return _value(max(self.bins))

    def count_up_to(self, limit: float) -> float:
        """How many values were at most ``limit``; the bin that holds the limit counts where its middle lies."""
        return sum(count for index, count in self.bins.items() if _value(index) <= limit)

    def flat(self) -> list[float]:
        """``[index, count, index, count, ...]`` in index order, for storing."""
        return [number for index in sorted(self.bins) for number in (index, self.bins[index])]

    @classmethod
    def from_flat(cls, numbers: Sequence[float]) -> Self:
        """The sketch that ``flat`` gave."""
        return cls({int(numbers[i]): numbers[i + 1] for i in range(0, len(numbers), 2)})

    @classmethod
    def of(cls, observations: Iterable[Sequence[float]]) -> Self:
        """The sketch of ``[value, count]`` pairs."""
        sketch = cls()
        for value, count in observations:
            sketch.add(value, count)
        return sketch


def _value(index: int) -> float:
    return 0.0 if index == ZERO_BIN else _MIDDLE * _GAMMA**index
