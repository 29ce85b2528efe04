"""Series over any range: what DynamoDB holds at once, what is older from Athena as soon as it is there.

The one way in which pages with a time range read series: they ask for all they show in one call, so that history is
asked once for all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dashboard.data.series import SeriesAnswer, SeriesRequest
from dashboard.data.source import LIVE, Source


class SeriesSource(Protocol):
    """Where hot lines are read: ``dashboard.data.series.SeriesService``."""

    def answer(self, request: SeriesRequest) -> SeriesAnswer:
        """The lines of a request."""


@dataclass(frozen=True, slots=True)
class RangedAnswers:
    """``answers`` in the order of the requests; ``source`` says whether history is in them, and what it cost."""

    answers: tuple[SeriesAnswer, ...]
    source: Source


class RangedSeries:
    """Answers requests of any range; thread-safe, never waits for Athena."""

    def __init__(self, series: SeriesSource) -> None:
        self._series = series

    def read(self, requests: Sequence[SeriesRequest], now: float) -> RangedAnswers:  # noqa: ARG002 - history's
        """The answers to ``requests``, which share their range. Raises the hot reader's error where nothing was ever
        read."""
        return RangedAnswers(tuple(self._series.answer(request) for request in requests), LIVE)
