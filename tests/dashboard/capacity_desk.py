"""The Capacity page over a table in memory, with forecasts that were made by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_caching.backends import SimpleCache

from backend.contract.catalogue import load_catalogue
from backend.settings import load_settings
from dashboard.data.capacity_costs import Amounts
from dashboard.data.forecast import DAY, HOUR, Forecast, Shortage
from dashboard.data.forecasts import Outlook
from dashboard.data.limits import Prospect
from dashboard.pages import PAGES
from dashboard.services import Services, build_services
from tests.dashboard.data.feeding import NOW, every, put, samples
from tests.memory_table import MemoryTable

CATALOGUE = load_catalogue()
DISK, CPU, MEMORY = (CATALOGUE[key] for key in ("disk_usage", "cpu_utilization", "memory_usage"))


@dataclass
class FakeForecasts:
    """Gives what it holds."""

    held: Outlook | None
    making: bool = False

    def outlook(self, environment: str, host: str | None = None) -> tuple[Outlook | None, bool]:
        """As ForecastService.outlook."""
        return self.held, self.making

    def close(self) -> None:
        """Nothing to end."""


def growing(value: float, a_day: float, band: float = 2.0, now: float = NOW) -> Forecast:
    """Grows by the day as it did for ten days before."""
    middle = tuple(value + a_day * (day + 1) for day in range(90))
    history = tuple((now - (10 - day - 0.5) * DAY, value - (9 - day) * a_day) for day in range(10))
    low, high = (tuple(v + side * band for v in middle) for side in (-1, 1))
    return Forecast(now + DAY / 2, DAY, middle, low, high, history)


def outlook(*prospects: Prospect, now: float = NOW) -> Outlook:
    """As of ``now``; by default a disk that fills in two weeks, memory that does not, and a new host."""
    given = prospects or (
        Prospect(DISK, "server-1", (now - HOUR, 70.0), growing(70, 2, now=now)),
        Prospect(MEMORY, "server-2", (now - HOUR, 40.0), growing(40, 0, now=now)),
        Prospect(CPU, "server-3", (now - HOUR, 30.0), Shortage(20 * HOUR, 48 * HOUR)),
    )
    return Outlook(now, given, Amounts({"objects_put": 8640.0, "write_units": 1_287_360.0}, {"objects_put": 7 * DAY}))


def table(hosts: int = 3, now: float = NOW, minutes: int = 30) -> MemoryTable:
    """Minutes of host metrics, merged; each of them lies at 20 and the host's number."""
    filled = MemoryTable()
    shift = now - NOW
    for host in range(1, hosts + 1):
        for key in ("cpu_utilization", "memory_usage", "disk_usage", "network_in"):
            put(filled, samples(key, every(60, shift - minutes * 60, shift, value=20 + host), host=f"server-{host}"))
    filled.merge("production", now // 60 * 60 - 60 * minutes - 60, now // 60 * 60 - 180)
    return filled


def services(held: MemoryTable, forecasts: FakeForecasts, now: Any = lambda: NOW) -> Services:
    """The product's services over a table."""
    reader: Any = held
    built = build_services(load_settings({}), reader, PAGES, "build-1", SimpleCache(), now)
    built.forecasts.close()
    stand_in: Any = forecasts
    built.forecasts = stand_in
    return built
