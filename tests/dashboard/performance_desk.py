"""The dashboard over the synthetic pipeline in memory, at the height of its scripted slowdown or well before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from backend.collector.sources.incidents import DEMO_EVERY, DEMO_FIRST, DEMO_KINDS, DEMO_LASTS
from backend.collector.sources.synthetic import SyntheticSource
from backend.contract.catalogue import load_catalogue
from backend.settings import Settings
from dashboard.data.anomalies import AnomalyService
from dashboard.data.request import ViewRequest
from dashboard.pages import PAGES
from dashboard.services import Services, build_services
from tests.dashboard.fakes import NOW, DictStore
from tests.memory_table import MemoryTable

CATALOGUE = load_catalogue()
EVERY = 30.0
SPAN = 1800.0
SLOW_AFTER = DEMO_FIRST + DEMO_KINDS.index("lag_growth") * DEMO_EVERY + DEMO_LASTS / 2
"""Seconds from a demo's start until its slowdown is at its height."""


def pipeline(now: float, *, slow: bool) -> SyntheticSource:
    """The synthetic pipeline, ``slow`` at ``now`` or quiet for hours."""
    started = now - SLOW_AFTER if slow else now + SPAN
    return SyntheticSource(CATALOGUE, demo_started_at=started, interval_seconds=EVERY)


@cache
def table(now: float, *, slow: bool = True) -> MemoryTable:
    """The samples of the last half hour; for reading only, so tests share it."""
    made, source = MemoryTable(CATALOGUE), pipeline(now, slow=slow)
    since: float | None = None
    for step in range(int(SPAN // EVERY), -1, -1):
        at = now - step * EVERY
        made.put_samples(source.collect(at, since).samples, at, f"metrics/metrics-{at}.json")
        since = at
    return made


def services(reading: MemoryTable | None = None, now: Callable[[], float] = lambda: NOW, **config: Any) -> Services:
    """The real services over a table, by default the slow pipeline's."""
    settings = Settings()
    settings = replace(settings, config=replace(settings.config, **config))
    reader: Any = reading or table(now())
    built = build_services(settings, reader, PAGES, "build-1", DictStore(), now)
    built.anomalies.close()
    # Their past is read in the background, which no test of a page waits for.
    built.anomalies = AnomalyService(built.series, now, submit=lambda _job: None)
    return built


def request(**changes: Any) -> ViewRequest:
    """A look at the page's last hour."""
    return ViewRequest("performance", "production", **changes)
