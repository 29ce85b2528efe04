"""The Replay page over fakes, frozen in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dashboard.data.request import Role, ViewRequest, parse_view_request
from dashboard.html import fill, render
from dashboard.pages.base import View
from dashboard.pages.replay import PAGE
from dashboard.services import Services
from tests.dashboard import fakes
from tests.dashboard.fakes import NOW
from tests.dashboard.replay_fakes import (
    FakeAudit,
    FakeDeadLetters,
    FakeEvents,
    FakeReplays,
    entries,
    events,
    letters,
    replays,
)


@dataclass
class Desk:
    """The page over fakes, frozen at NOW."""

    events: FakeEvents = field(default_factory=lambda: FakeEvents(NOW, events(NOW, 180)))
    replays: FakeReplays = field(default_factory=lambda: FakeReplays(replays(NOW)))
    letters: FakeDeadLetters = field(default_factory=lambda: FakeDeadLetters(NOW, letters(NOW)))
    audit: FakeAudit = field(default_factory=lambda: FakeAudit(entries(NOW)))

    def __post_init__(self) -> None:
        self.clock = [NOW]
        self.services: Services = fakes.services(pages=(PAGE,), now=lambda: self.clock[0])
        wired: Any = self.services
        wired.events, wired.replays = self.events, self.replays
        wired.dead_letters, wired.audit = self.letters, self.audit

    def view(self, role: Role = "operator", **query: str) -> View:
        return PAGE.view(self.services.load(request(role, **query)), self.clock[0])

    def html(self, role: Role = "operator", **query: str) -> str:
        return render(fill(PAGE.layout(), self.view(role, **query).props), NOW)


def request(role: Role = "operator", **query: str) -> ViewRequest:
    named = {name.rstrip("_"): value for name, value in query.items()}
    return parse_view_request("replay", named, "production", NOW, PAGE.parameters, role)
