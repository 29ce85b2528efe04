"""Everything the Errors page shows, as plain data between its reading and its drawing."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.data.errors import Failures
from dashboard.data.errors_before import PeriodBefore
from dashboard.data.errors_metrics import ErrorMetrics
from dashboard.data.insights import InsightsQuery
from dashboard.data.open_event import OpenEvent
from dashboard.data.request import ViewRequest


@dataclass(frozen=True, slots=True)
class ErrorsData:
    """``failures`` is None where no event store is connected. Events are those of ``own_environment`` alone.

    ``opened`` is the event whose drawer is open. ``as_of`` is the epoch second of what was read last. ``before`` is the
    period before, where the request compares.
    """

    request: ViewRequest
    own_environment: str
    environments: tuple[str, ...]
    failures: Failures | None
    metrics: ErrorMetrics
    opened: OpenEvent | None
    queries: tuple[InsightsQuery, ...]
    max_replays: int
    as_of: float | None
    synthetic_sources: tuple[str, ...] = ()
    before: PeriodBefore | None = None

    @property
    def synthetic(self) -> bool:
        """Whether a generator's events are among those read."""
        read = (self.failures, self.before.failures if self.before else None)
        events = (event for found in read if found for event in found.reading.events)
        return any(event.source in self.synthetic_sources for event in events)

    @property
    def display(self) -> bool:
        """Whether an unattended display looks: nothing to press, entity ids masked."""
        return self.request.role == "display"

    @property
    def foreign(self) -> bool:
        """Whether the environment chosen is not the one that events belong to."""
        return self.request.environment != self.own_environment


def traced_by(failures: Failures | None, opened: OpenEvent | None) -> tuple[str, str] | None:
    """The log field and value by which one order is traced: what is chosen or open, else the newest failed event's."""
    if opened is not None and opened.detail is not None:
        return "correlation_id", opened.detail.record.correlation_id
    if failures is None:
        return None
    for name in ("correlation_id", "entity_id"):
        if name in failures.chosen:
            return name, failures.chosen[name]
    return ("entity_id", failures.newest[0].entity_id) if failures.newest else None
