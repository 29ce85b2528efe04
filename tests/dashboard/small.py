"""A dashboard of one small page over a table in memory: services as the real ones are wired."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from flask_caching.backends import SimpleCache

from backend.settings import load_settings
from dashboard.api import register
from dashboard.data.request import ViewRequest
from dashboard.pages.base import Page, View
from dashboard.services import Services, build_services
from tests.dashboard.data.feeding import Clock
from tests.memory_table import MemoryTable

TICK = 5.0
"""The hot refresh of the default settings, seconds."""


def load(services: Services, request: ViewRequest, now: float) -> Any:
    """The newest CPU values of the request's environment."""
    return services.health.load(request, now)


def view(data: Any, now: float) -> View:
    return View({"verdict": {"children": data.verdict.status}}, data.as_of or None)


SMALL = Page("small", "/small", "Small", "For tests", layout=lambda: None, load=load, view=view)


class Dashboard:
    """Services, their table and clock, and a client of the HTTP interface."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.clock = Clock()
        self.services = build_services(
            load_settings({}),
            self.table,
            (SMALL,),
            "build-1",
            SimpleCache(),
            self.clock,  # type: ignore[arg-type]
        )
        self.serve()

    def serve(self) -> None:
        """Puts the interface over the services as they are now."""
        server = Flask("small")
        register(server, self.services)
        self.client: FlaskClient = server.test_client()

    def settle(self) -> None:
        """Waits for views that are made in the background."""
        for cache in (self.services.views, self.services.answers):
            with cache._lock:
                flights = [flight for flight, *_ in cache._pending.values()]
            for flight in flights:
                flight.exception(10)

    def go_on(self, seconds: float) -> None:
        self.settle()
        self.clock.now += seconds
