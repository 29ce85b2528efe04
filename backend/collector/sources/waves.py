"""Smooth, reproducible curves: noise that is a pure function of its name and the time, and a load with a closed sum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from backend.collector.sources.incidents import DAY, FIRST_MONDAY, HOUR

BUSIEST_HOUR: Final = 15


@lru_cache(maxsize=16_384)
def unit_noise(seed: int, name: str, step: int) -> float:
    """A number in [0, 1) fixed by its arguments."""
    digest = blake2b(f"{seed}/{name}/{step}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


def wave(seed: int, name: str, at: float, period: float) -> float:
    """Value noise in [-1, 1]: random points ``period`` seconds apart, joined by a cosine."""
    step = math.floor(at / period)
    part = (1 - math.cos(math.pi * (at / period - step))) / 2
    here, there = unit_noise(seed, name, step), unit_noise(seed, name, step + 1)
    return 2 * (here + (there - here) * part) - 1


def daytime(at: float) -> float:
    """-1 in the small hours, 1 in the busiest hour (UTC)."""
    return math.cos(math.tau * (at - BUSIEST_HOUR * HOUR) / DAY)


@dataclass(frozen=True, slots=True)
class Load:
    """Records per second produced upstream: a mean with a daily and two quicker rhythms, always above zero."""

    mean: float
    rhythms: tuple[tuple[float, float, float], ...] = (
        (0.28, DAY, BUSIEST_HOUR * HOUR),
        (0.05, 2820.0, 0.0),
        (0.03, 437.0, 0.0),
    )
    """(amplitude, period s, time of the crest)."""

    def rate(self, at: float) -> float:
        """Records per second at an instant."""
        return self.mean * (1 + sum(a * math.cos(math.tau * (at - crest) / p) for a, p, crest in self.rhythms))

    def produced(self, at: float) -> float:
        """Records from the pipeline's beginning to ``at``: the integral of ``rate``."""
        return self._antiderivative(at) - self._antiderivative(FIRST_MONDAY)

    def _antiderivative(self, at: float) -> float:
        swing = sum(a * p / math.tau * math.sin(math.tau * (at - crest) / p) for a, p, crest in self.rhythms)
        return self.mean * (at + swing)
