"""Refreshes happen on a grid of time, so that how often something is read does not depend on who asks when.

With ages instead of ticks, viewers of different phases would each find data a little too old and refresh it.
"""

from __future__ import annotations


def same_tick(earlier: float, now: float, every: float) -> bool:
    """Whether both moments lie in one interval of the grid of ``every`` seconds."""
    return earlier // every == now // every


def ticks_between(earlier: float, now: float, every: float) -> float:
    """How many grid lines lie between the two moments."""
    return now // every - earlier // every
