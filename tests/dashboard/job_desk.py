"""The Jobs page over fakes, frozen in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import EndpointConnectionError

from backend.contract.checks import CheckResult
from dashboard.data.jobs_store import RunStore
from dashboard.data.request import Role, ViewRequest, parse_view_request
from dashboard.html import fill, render
from dashboard.pages.base import View
from dashboard.pages.jobs import PAGE
from dashboard.services import Services
from tests.dashboard import fakes
from tests.dashboard.fakes import NOW
from tests.dashboard.job_fakes import FakeChecks, FakeReader, FakeRetries, backfill, datasets, jobs_check, runs

AWAY: Final = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
"""What is raised where AWS can't be reached."""


def full_reader(now: float = NOW) -> FakeReader:
    """Runs of two days, a backfill that died, four datasets."""
    more, plan = backfill(now)
    return FakeReader([*runs(now), *more], (plan,), datasets(now))


def checks(now: float = NOW) -> FakeChecks:
    """Both checks ran a moment ago."""
    fresh = CheckResult("datasets", now - 20, "failed", "1 dataset is late")
    return FakeChecks({"jobs": jobs_check(now), "datasets": fresh})


def connect(services: Services, reader: FakeReader, found: FakeChecks | None, retries: FakeRetries | None) -> None:
    """Gives services the fakes; all runs are held at once."""
    wired: Any = services
    wired.jobs, wired.retries, wired.alerts = reader, retries, found
    wired.runs = RunStore(reader, services.now, days=1)


@dataclass
class Desk:
    """The page over fakes, frozen at NOW."""

    reader: FakeReader = field(default_factory=full_reader)
    checks: FakeChecks | None = field(default_factory=checks)

    def __post_init__(self) -> None:
        self.clock = [NOW]
        self.retries = FakeRetries(self.reader.known)
        self.services: Services = fakes.services(pages=(PAGE,), now=lambda: self.clock[0])
        connect(self.services, self.reader, self.checks, self.retries)

    def view(self, role: Role = "operator", **query: str) -> View:
        return PAGE.view(self.services.load(request(role, **query)), self.clock[0])

    def html(self, role: Role = "operator", **query: str) -> str:
        return render(fill(PAGE.layout(), self.view(role, **query).props), self.clock[0])


def part(desk: Desk, ident: str, role: Role = "operator", **query: str) -> str:
    """The HTML of one region of the page."""
    return render(desk.view(role, **query).props[ident]["children"], NOW)


def request(role: Role = "operator", **query: str) -> ViewRequest:
    named = {"from": "now-24h", **{name.rstrip("_"): value for name, value in query.items()}}
    return parse_view_request("jobs", named, "production", NOW, PAGE.parameters, role)
