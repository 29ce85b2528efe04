"""Metrics beside the failed events: dead letters by type, error rates of operators, delivery, time-outs, duplicates.

They are read through the hot store like those of every page and do not depend on filters of single events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from backend.contract.catalogue import Catalogue, Metric
from backend.contract.ranges import TimeRange
from backend.contract.tables import MINUTE as MINUTES
from backend.contract.verdict import SILENT_INTERVALS, State
from dashboard.data.errors import Count, bar_step
from dashboard.data.lines import line_of, rounded, trend_of
from dashboard.data.models import Line
from dashboard.data.points import Points
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest

MINUTE: Final = 60
DEAD_LETTERS: Final = "dlq_records"
RECORDS_IN: Final = "records_in"
RECORDS_ERROR: Final = "records_error"
DELIVERED: Final = "firehose_put_success"
REPEATED: Final = "duplicate_events"
TRENDS: Final = (
    ("firehose_failed_put_count", "Firehose failed puts"),
    ("timeouts", "Time-outs"),
    ("duplicate_records_detected", "Duplicates"),
)
"""Counters shown as a rate per minute, and their titles."""


class SeriesSource(Protocol):
    """Where lines are read: ``dashboard.data.series.SeriesService``."""

    def answer(self, request: SeriesRequest) -> SeriesAnswer:
        """The lines of a request."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Amounts per minute by group: value ``i`` is the average over [x0 + i * step, x0 + (i + 1) * step), epoch s.

    None where nothing at all was reported.
    """

    x0: float
    step: float
    lines: tuple[tuple[str, tuple[float | None, ...]], ...]
    warning: float | None
    critical: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """A counter as a rate per minute. ``state`` is None where the catalogue has no threshold to judge by.

    ``value`` is that of the newest closed stretch, None where the series is silent; ``total`` the range's sum.
    """

    key: str
    title: str
    unit: str
    state: State | None
    value: float | None
    total: float | None
    age_seconds: float | None
    change: float | None
    warning: float | None
    critical: float | None
    line: Line | None


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """An operator's records over the range. ``errors`` and ``records`` are None where no metric tells."""

    name: str
    errors: float | None = None
    records: float | None = None
    failed: int = 0

    @property
    def rate_percent(self) -> float | None:
        """Records in error of those that came in; None where unknown or where nothing came in."""
        return None if self.errors is None or not self.records else 100 * self.errors / self.records


@dataclass(frozen=True, slots=True)
class ErrorMetrics:
    """``operators`` is None where neither metric is connected; ``totals`` are sums by metric, None where unknown."""

    dead_letters: Rates | None
    operators: tuple[OperatorRow, ...] | None
    trends: tuple[Trend, ...]
    totals: Mapping[str, float | None]
    as_of: float | None


def read_metrics(
    source: SeriesSource, seen: frozenset[str], catalogue: Catalogue, environment: str, wanted: TimeRange, now: float
) -> ErrorMetrics:
    """All of them for a range; a metric not in ``seen`` is not connected and costs no query."""

    def answer(key: str, group: str | None) -> SeriesAnswer | None:
        if key not in seen:
            return None
        return source.answer(SeriesRequest(catalogue[key], environment, wanted, "sum", group, MINUTES))

    dead_letters = answer(DEAD_LETTERS, None)
    trends = [(key, title, answer(key, ALL)) for key, title in TRENDS]
    sums = {key: answer(key, ALL) for key in (DELIVERED, REPEATED)}
    errors, records = answer(RECORDS_ERROR, None), answer(RECORDS_IN, None)
    given = [dead_letters, errors, records, *sums.values(), *(found for _, _, found in trends)]
    return ErrorMetrics(
        dead_letters=None if dead_letters is None else rates(dead_letters, now),
        operators=None if errors is None and records is None else operator_rows(errors, records),
        trends=tuple(trend(catalogue[key], title, found, wanted, now) for key, title, found in trends),
        totals={key: _total(found) for key, found in sums.items()},
        as_of=max((found.as_of for found in given if found is not None and found.as_of), default=None),
    )


def rates(answer: SeriesAnswer, now: float) -> Rates:
    """The groups' amounts per minute, worst first, in stretches that hold at least one report each."""
    step, x0, number = _grid(answer, now)
    reported = [False] * number
    slots = {name: [0.0] * number for name, _ in answer.lines}
    for name, points in answer.lines:
        for t, value in points:
            index = int((t - x0) // step)
            if 0 <= index < number:
                slots[name][index] += value
                reported[index] = True
    worst = sorted(slots.items(), key=lambda line: (-sum(line[1]), line[0]))
    metric = answer.request.metric
    return Rates(
        x0, step,
        tuple(
            (name, tuple(rounded(value * MINUTE / step) if reported[i] else None for i, value in enumerate(values)))
            for name, values in worst
            if sum(values) or len(worst) == 1
        ),
        metric.warning, metric.critical,
    )  # fmt: skip


def trend(metric: Metric, title: str, answer: SeriesAnswer | None, wanted: TimeRange, now: float) -> Trend:
    """The counter's rate per minute over the range and now."""
    unit = f"{metric.unit}/min"
    limits = (metric.warning, metric.critical)
    if answer is None:
        return Trend(metric.key, title, unit, "not_connected", None, None, None, None, *limits, None)
    step, x0, _ = _grid(answer, now)
    values = {x0 + i * step: value for i, value in enumerate(_first(rates(answer, now))) if value is not None}
    newest = answer.as_of
    silent = newest is None or min(now, wanted.end) - newest > SILENT_INTERVALS * max(answer.spacing_seconds, MINUTE)
    value = values[max(values)] if values and not silent else None
    judged = metric.warning is not None or metric.critical is not None
    state: State | None = None
    if value is None:
        state = "unknown"
    elif judged:
        state = metric.state(value)
    return Trend(
        key=metric.key, title=title, unit=unit, state=state, value=value, total=_total(answer),
        age_seconds=None if newest is None else max(now - newest, 0.0), change=trend_of(values),
        warning=metric.warning, critical=metric.critical,
        line=line_of(title, values, wanted.start, min(wanted.end, now), step),
    )  # fmt: skip


def operator_rows(errors: SeriesAnswer | None, records: SeriesAnswer | None) -> tuple[OperatorRow, ...]:
    """Each operator's sums over the range; one that reports no errors has an unknown number of them."""
    wrong, came = ({} if found is None else _sums(found) for found in (errors, records))
    return tuple(OperatorRow(name, wrong.get(name), came.get(name)) for name in sorted(wrong.keys() | came.keys()))


def with_failed(rows: Sequence[OperatorRow] | None, counts: Sequence[Count]) -> tuple[OperatorRow, ...]:
    """The rows with failed events by operator beside them, worst first: by failed events, then by error rate."""
    known = {row.name: row for row in rows or ()}
    failed = {count.name: count.number for count in counts}
    joined = [
        OperatorRow(name, row.errors, row.records, failed.get(name, 0)) if (row := known.get(name)) else
        OperatorRow(name, failed=failed[name])
        for name in known.keys() | failed.keys()
    ]  # fmt: skip
    return tuple(sorted(joined, key=lambda row: (-row.failed, -(row.rate_percent or 0.0), row.name)))


def _grid(answer: SeriesAnswer, now: float) -> tuple[int, float, int]:
    """Width, start and number of the closed stretches that lie inside the range whole."""
    wanted = answer.request.range
    step = bar_step(wanted.seconds, max(answer.spacing_seconds, MINUTE))
    x0 = -(-wanted.start // step) * step
    return step, x0, max(int((min(wanted.end, now) - x0) // step), 0)


def _first(found: Rates) -> tuple[float | None, ...]:
    return found.lines[0][1] if found.lines else ()


def _sums(answer: SeriesAnswer) -> dict[str, float]:
    return {name: _sum(points) for name, points in answer.lines if name != ALL}


def _total(answer: SeriesAnswer | None) -> float | None:
    return _sum(answer.lines[0][1]) if answer is not None and answer.lines else None


def _sum(points: Points) -> float:
    return sum(value for _, value in points)
