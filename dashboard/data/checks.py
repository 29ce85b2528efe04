"""The scheduled checks as the Alerts page shows them: each with its state now, and the reconciliation hour by hour."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.contract.checks import (
    CHECKS,
    STAGES,
    Check,
    CheckResult,
    CheckStatus,
    HourCounts,
    Standing,
    overdue,
    standing,
)
from backend.contract.errors import InvalidInput
from dashboard.data.alerts_sources import Alerts
from dashboard.data.replay_sources import Shared
from dashboard.data.request import ViewRequest

logger = logging.getLogger(__name__)

RECONCILIATION: Final = "reconciliation"
HOURS: Final = (24, 48)
"""Lengths of the strip, the usual one first."""
HOUR: Final = 3600
CHECKS_SECONDS: Final = 15.0
LATEST_CHECKS: Final = "latest checks"
"""What the newest results are shared under, by every page that reads them."""
STRIP_SECONDS: Final = 60.0
"""The strip changes once an hour."""


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check and what is known of it now. ``state`` is unknown where no result is of here and young enough.

    ``overdue_seconds``: the newest result is so old, where that is more than three of the check's intervals.
    ``elsewhere``: the environment that it looks at, where that is another one.
    """

    check: Check
    state: CheckStatus
    result: CheckResult | None
    overdue_seconds: float | None = None
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    """The reconciliation of the newest hours, oldest first: one entry an hour, None where nothing is known of it."""

    first: float
    hours: tuple[HourCounts | None, ...]


@dataclass(frozen=True, slots=True)
class ChecksData:
    """All checks in their order, and the strip; None where no reconciliation was ever recorded."""

    checks: tuple[CheckView, ...]
    strip: Strip | None
    hours: int


def load_checks(service: Alerts, shared: Shared, request: ViewRequest, now: float) -> ChecksData:
    """Raises InvalidInput for a length of the strip that there is not."""
    hours = _hours(request)
    latest = shared(LATEST_CHECKS, service.latest_checks, CHECKS_SECONDS)
    since = now // HOUR * HOUR - hours * HOUR
    results = shared(
        f"reconciliation {hours}", lambda: service.checks(since, now + HOUR, RECONCILIATION), STRIP_SECONDS
    )
    newest = latest.get(RECONCILIATION)
    counted = [result for result in (*results, newest) if result and result.environment == request.environment]
    views = tuple(view_of(check, latest.get(check.name), request.environment, now) for check in CHECKS)
    return ChecksData(views, strip_of(counted, hours, now), hours)


def standing_in(environment: str, check: Check, latest: CheckResult | None, now: float) -> Standing:
    """How a check stands in an environment: what it found in another one says nothing of this."""
    if latest is not None and latest.environment != environment:
        return Standing(check, "unknown", f"It looks at {latest.environment}, not at {environment}")
    return standing(check, latest, now)


def view_of(check: Check, result: CheckResult | None, environment: str, now: float) -> CheckView:
    """What a check's newest result says of an environment at ``now``: nothing, once it is older than three of its
    intervals, or where it is of another one."""
    if result is None:
        return CheckView(check, "unknown", None)
    if result.environment != environment:
        return CheckView(check, "unknown", None, elsewhere=result.environment)
    late = overdue(check, result, now)
    return CheckView(check, result.status if late is None else "unknown", result, late)


def strip_of(results: Iterable[CheckResult], hours: int, now: float) -> Strip | None:
    """The newest word on each of the last ``hours`` hours; None where there never was any."""
    said: dict[float, HourCounts] = {}
    for result in sorted(results, key=lambda one: one.at):
        for row in result.details.get("hours") or ():
            counted = hour_counts(row)
            if counted is not None:
                said[counted.hour] = counted
    if not said:
        return None
    first = now // HOUR * HOUR - (hours - 1) * HOUR
    return Strip(first, tuple(said.get(first + index * HOUR) for index in range(hours)))


def hour_counts(row: Any) -> HourCounts | None:
    """One hour of a result's details; None for what is not of that shape, as records of other versions may be."""
    try:
        counts: Mapping[str, Any] = row["counts"]
        match, external = row.get("match_percent"), row.get("external")
        return HourCounts(
            hour=float(row["hour"]) // HOUR * HOUR,
            counts={stage: None if counts.get(stage) is None else int(counts[stage]) for stage in STAGES},
            match_percent=None if match is None else float(match),
            settled=bool(row["settled"]),
            external=None if external is None else int(external),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.warning("an hour of the reconciliation can't be read: %r", error)
        return None


def _hours(request: ViewRequest) -> int:
    text = request.get("hours")
    hours = next((number for number in HOURS if text in (None, str(number))), None)
    if hours is None:
        raise InvalidInput("hours", text, f"must be one of {', '.join(map(str, HOURS))}")
    return hours
