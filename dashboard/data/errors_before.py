"""What failed in the period before, for the Errors page where it compares: read and counted as the range itself is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from backend.contract.catalogue import Catalogue
from backend.contract.ranges import TimeRange
from backend.contract.tables import MINUTE
from dashboard.data.errors import Bars, ErrorSource, Failures, Reading, read
from dashboard.data.errors_metrics import DEAD_LETTERS, Rates, SeriesSource, rates
from dashboard.data.models import Line
from dashboard.data.series import ALL, SeriesRequest

TOTAL: Final = "all types"


@dataclass(frozen=True, slots=True)
class PeriodBefore:
    """``failures`` is None where no event store is connected, or where no event is kept that long; ``dead_letters``
    where no source counts them, or nothing was reported. Both pass the filters that the range's pass."""

    range: TimeRange
    failures: Failures | None
    dead_letters: Rates | None

    @property
    def known_from(self) -> float | None:
        """From when failed events of the period are known, epoch s; None where all of it is, or nothing."""
        return None if self.failures is None else self.failures.reading.cut_from

    @property
    def failed(self) -> Line | None:
        """Failed events a bar, all types together, moved onto the range."""
        return None if self.failures is None else _total(self.failures.bars, self.range.seconds)

    @property
    def rate(self) -> Line | None:
        """Dead letters a minute, all types together, moved onto the range."""
        return None if self.dead_letters is None else _total(self.dead_letters, self.range.seconds)


def read_before(source: ErrorSource, before: TimeRange, kept_seconds: float, now: float) -> Reading | None:
    """The newest failed events of the period before, as many as are read of a range, as far as they are kept.

    None where none is kept that long. Raises what the source raises.
    """
    kept_from = now - kept_seconds
    if kept_from >= before.end:
        return None
    found = read(source, max(before.start, kept_from), before.end, now)
    unread = found.cut_from is None and kept_from > before.start
    return replace(found, start=before.start, cut_from=kept_from if unread else found.cut_from)


def rates_before(
    source: SeriesSource, seen: frozenset[str], catalogue: Catalogue, environment: str, before: TimeRange, now: float
) -> Rates | None:
    """Dead letters of the period before, all types together; None where nothing tells of them."""
    if DEAD_LETTERS not in seen:
        return None
    found = source.answer(SeriesRequest(catalogue[DEAD_LETTERS], environment, before, "sum", ALL, MINUTE))
    return rates(found, now) if found.lines else None


def _total(found: Bars | Rates, later: float) -> Line | None:
    """One value for each stack, in its middle, ``later`` seconds later; None where no stack is known."""
    columns = list(zip(*(values for _, values in found.lines), strict=True))
    totals = tuple(None if set(column) == {None} else sum(value or 0 for value in column) for column in columns)
    if set(totals) <= {None}:
        return None
    return Line(TOTAL, found.x0 + found.step / 2 + later, found.step, totals)
