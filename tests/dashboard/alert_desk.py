"""The Alerts page over fakes, frozen in time."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboard.data.request import Role, ViewRequest, parse_view_request
from dashboard.html import fill, render
from dashboard.pages.alerts import PAGE
from dashboard.pages.base import View
from dashboard.services import Services
from tests.dashboard import fakes
from tests.dashboard.alert_fakes import FakeAlerts
from tests.dashboard.fakes import NOW


def request(role: Role = "operator", **query: str) -> ViewRequest:
    """The page's request with parameters of the URL; ``from_`` is ``from``."""
    named = {name.rstrip("_"): value for name, value in query.items()}
    return parse_view_request("alerts", named, "production", NOW, PAGE.parameters, role)


@dataclass
class AlertDesk:
    """``service`` answers; the clock stands at NOW."""

    service: FakeAlerts = field(default_factory=lambda: FakeAlerts.busy(NOW))

    def __post_init__(self) -> None:
        self.services: Services = fakes.services(pages=(PAGE,), now=lambda: NOW)
        self.services.alerts = self.service

    def view(self, role: Role = "operator", **query: str) -> View:
        """The page's view for who looks."""
        return PAGE.view(self.services.load(request(role, **query)), NOW)

    def html(self, role: Role = "operator", **query: str) -> str:
        """The whole page."""
        return render(fill(PAGE.layout(), self.view(role, **query).props), NOW)

    def part(self, name: str, role: Role = "operator", **query: str) -> str:
        """One region of the page."""
        return render(self.view(role, **query).props[name]["children"], NOW)
