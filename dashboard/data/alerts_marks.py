"""Marks on time charts: alerts and what people posted, such as deploys, read once for all charts of a range."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.alerts import SEVERITIES, Annotation, FoundAnnotations
from dashboard.data.alerts_sources import Alerts
from dashboard.data.replay_sources import Shared
from dashboard.data.request import ViewRequest

logger = logging.getLogger(__name__)

MOST_MARKS: Final = 50
MARKS_SECONDS: Final = 15.0
ALERT: Final = "alert"
"""The kind of marks that are alerts."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of [start, end), at most ``MOST_MARKS`` of ``number``: the worst, then the newest.

    ``cut``: there are more than ``number``, older ones. ``unreadable``: there may be others, they could not be read.
    """

    start: float
    end: float
    shown: tuple[Annotation, ...] = ()
    number: int = 0
    unreadable: bool = False
    cut: bool = False


def read_marks(service: Alerts | None, shared: Shared, request: ViewRequest, now: float) -> Marks:
    """The marks of the request's range. Charts are drawn without them where they can't be read."""
    wanted = request.range(now)
    if service is None:
        return Marks(wanted.start, wanted.end)

    def read() -> FoundAnnotations:
        return service.annotations(wanted.start, wanted.end, request.environment)

    try:
        found = shared(f"marks {request.environment} {request.start} {request.end}", read, MARKS_SECONDS)
    except (BotoCoreError, ClientError, TimeoutError) as error:
        logger.warning("marks can't be read: %s", error)
        return Marks(wanted.start, wanted.end, unreadable=True)
    return replace(chosen(found.found, wanted.start, wanted.end), cut=found.cut)


def lasting(mark: Annotation, end: float) -> float | None:
    """Until when a mark lasts: an alert without an end is open, and lasts to the ``end`` of the range."""
    return end if mark.kind == ALERT and mark.until is None else mark.until


def chosen(found: Sequence[Annotation], start: float, end: float) -> Marks:
    """Those that touch the range; where there are too many, the worst and newest, in the order of time."""
    inside = [mark for mark in found if mark.at < end and (lasting(mark, end) or mark.at) >= start]
    ranked = sorted(inside, key=lambda mark: (_rank(mark), -mark.at))[:MOST_MARKS]
    return Marks(start, end, tuple(sorted(ranked, key=lambda mark: mark.at)), len(inside))


def _rank(mark: Annotation) -> int:
    """What people posted explains what alerts say: it comes first."""
    return SEVERITIES.index(mark.severity) + 1 if mark.severity in SEVERITIES else 0
