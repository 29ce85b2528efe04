"""The Errors page over failed events and metrics of a schema change that broke parsing: no AWS."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from backend.contract.events import EventRecord
from backend.contract.records import Sample, make_sample
from dashboard.data.hot import HotStore
from dashboard.data.series import SeriesService
from dashboard.pages import PAGES
from dashboard.pages.base import Page
from dashboard.services import Services
from tests.dashboard import fakes
from tests.dashboard.event_fakes import KINDS, OPERATORS, FakeInvestigation, several
from tests.memory_table import MemoryTable

EVERY = 30
SPAN = 3600 + 3000


@cache
def measured(now: float) -> MemoryTable:
    """A table with an hour of the metrics that the page shows; for reading only, so tests share it."""
    table, draw = MemoryTable(), random.Random(7)
    totals: dict[tuple[str, str], float] = {}
    for step in range(SPAN // EVERY, -1, -1):
        t = now // EVERY * EVERY - step * EVERY
        table.put_samples(_at(t, now, draw, totals), t, f"metrics/metrics-{t}.json")
    return table


def _at(t: float, now: float, draw: random.Random, totals: dict[tuple[str, str], float]) -> list[Sample]:
    broken = max(0.0, 1 - (now - t) / 1500)
    made = [
        _sample(t, "dlq_records", round(share / 100 * (2 + 36 * broken) * draw.random() * 2), error_type=kind)
        for kind, (_, share) in KINDS.items()
    ]
    made += [
        _sample(t, "firehose_put_success", 4_800 + round(300 * draw.random()), stream="orders"),
        _sample(t, "firehose_failed_put_count", 0, stream="orders"),
        _sample(t, "timeouts", round(2 + 2 * math.sin(t / 400) + 2 * draw.random())),
        _sample(t, "duplicate_records_detected", round(draw.random() * 1.4)),
        _sample(t, "duplicate_events", 1 if draw.random() > 0.8 else 0, source="app"),
    ]
    for number, operator in enumerate(OPERATORS):
        came = 2_400 * (1 - 0.02 * number)
        wrong = came * (0.004 + (0.14 * broken if operator == "parse-orders" else 0.001 * number))
        for metric, grown in (("records_in", came), ("records_error", wrong)):
            totals[metric, operator] = totals.get((metric, operator), 0.0) + round(grown)
            made.append(_sample(t, metric, totals[metric, operator], operator=operator))
    return made


def _sample(t: float, metric: str, value: float, **labels: str) -> Sample:
    return make_sample(
        timestamp=t, metric_type=metric, value=value, hostname="host-1", environment="production", labels=labels
    )


def services(
    records: Sequence[EventRecord] | None = None,
    *,
    pages: tuple[Page, ...] = PAGES,
    now: Callable[[], float] = time.time,
    events: bool = True,
    metrics: bool = True,
) -> tuple[Services, FakeInvestigation]:
    """Services with an investigation over ``records`` (480 failed events by default), and that investigation."""
    built = fakes.services(pages=pages, now=now)
    source = FakeInvestigation(several(480, now()) if records is None else records)
    anything: Any = source
    built.events = anything if events else None
    built.hot = HotStore(measured(now()) if metrics else MemoryTable(), 5.0, now)
    built.series = SeriesService(built.hot, now)
    return built, source
