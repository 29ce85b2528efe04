"""What a month uses, from metrics of the last weeks at their pace: the amounts that a cost is reckoned from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from backend.contract.catalogue import Catalogue
from backend.contract.costs import a_month, gb_seconds
from backend.contract.ranges import TimeRange
from backend.contract.tables import HOUR as HOURS
from dashboard.data.forecast import HOUR
from dashboard.data.points import Points, Stat
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest

FILES: Final = "files_processed"
WRITES: Final = "successful_writes"
WRITE_UNITS: Final = "dynamodb_consumed_write_capacity"
INVOCATIONS: Final = "lambda_invocations"
DURATION: Final = "lambda_duration_ms"
BUCKET: Final = "s3_bucket_bytes"
TOLD: Final = "alerts_delivered"
UNITS_A_WRITE: Final = 2
"""An item and its row in the index, each below 1 KB."""
_ASKED: Final[tuple[tuple[str, Stat, str | None], ...]] = (
    (FILES, "sum", ALL), (WRITES, "sum", ALL), (WRITE_UNITS, "sum", ALL), (INVOCATIONS, "sum", None),
    (DURATION, "max", None), (BUCKET, "avg", ALL), (TOLD, "sum", ALL),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Amounts:
    """``monthly`` by item of ``backend.contract.costs``; what is not measured is absent. ``counted_seconds`` says in
    which time those were counted that are a pace."""

    monthly: Mapping[str, float] = field(default_factory=dict)
    counted_seconds: Mapping[str, float] = field(default_factory=dict)


def cost_requests(
    catalogue: Catalogue, connected: frozenset[str], environment: str, wanted: TimeRange
) -> list[SeriesRequest]:
    """What amounts are counted from, at the level of hours; what is not connected costs no query."""
    return [
        SeriesRequest(catalogue[key], environment, wanted, stat, group, HOURS)
        for key, stat, group in _ASKED
        if key in connected
    ]


def amounts(answers: Sequence[SeriesAnswer], catalogue: Catalogue, connected: frozenset[str], end: float) -> Amounts:
    """The amounts of a month as of ``end``, epoch s, where an hour closed: what is counted later has no time yet."""
    closed = [replace(answer, lines=_until(answer, end)) for answer in answers]
    found = {answer.request.metric.key: answer for answer in closed if answer.lines}
    monthly: dict[str, float] = {}
    if FILES in found:
        monthly["objects_put"] = monthly["objects_read"] = _a_month(_only(found[FILES]), end)
    if WRITE_UNITS in found:
        monthly["write_units"] = _a_month(_only(found[WRITE_UNITS]), end)
    elif WRITES in found:
        monthly["write_units"] = UNITS_A_WRITE * _a_month(_only(found[WRITES]), end)
    if INVOCATIONS in found:
        monthly["lambda_requests"] = sum(_a_month(points, end) for _, points in found[INVOCATIONS].lines)
        if DURATION in found and (compute := gb_seconds(*(_by_time(found[key]) for key in (INVOCATIONS, DURATION)))):
            monthly["lambda_gb_seconds"] = a_month(compute, _covered(found[INVOCATIONS], end))
    if BUCKET in found:
        monthly["bucket_bytes"] = _only(found[BUCKET])[-1][1]
    if TOLD in found:
        monthly["alert_messages"] = _a_month(_only(found[TOLD]), end)
    counted_by = {
        "objects_put": FILES, "objects_read": FILES, "write_units": WRITE_UNITS if WRITE_UNITS in found else WRITES,
        "lambda_requests": INVOCATIONS, "lambda_gb_seconds": INVOCATIONS, "alert_messages": TOLD,
    }  # fmt: skip
    published = [metric for metric in catalogue.published if metric.key in connected]
    if published:
        monthly["custom_metrics"] = float(len(published))
        monthly["alarms"] = float(sum(metric.alarm is not None for metric in catalogue.published))
    counted = {item: _covered(found[key], end) for item, key in counted_by.items() if item in monthly}
    return Amounts(monthly, counted)


def _until(answer: SeriesAnswer, end: float) -> tuple[tuple[str, Points], ...]:
    closed = ((name, [point for point in points if point[0] < end]) for name, points in answer.lines)
    return tuple((name, points) for name, points in closed if points)


def _only(answer: SeriesAnswer) -> Points:
    return answer.lines[0][1]


def _by_time(answer: SeriesAnswer) -> dict[str, dict[float, float]]:
    return {name: dict(points) for name, points in answer.lines}


def _a_month(points: Points, end: float) -> float:
    return a_month(sum(value for _, value in points), max(end - points[0][0], HOUR))


def _covered(answer: SeriesAnswer, end: float) -> float:
    return max(end - min(points[0][0] for _, points in answer.lines if points), HOUR)
