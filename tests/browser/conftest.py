"""A real server on loopback with fake data behind it, and one Chromium for all tests."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from dash import html
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, ViewportSize, expect, sync_playwright
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from dashboard.access.settings import load_access
from dashboard.app import assemble
from dashboard.components.chart import chart
from dashboard.pages import PAGES
from dashboard.pages import base as pages
from tests.dashboard import fakes

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first there is. The headless shell is the same engine without windows: a page costs half the CPU time."""
SIZE: ViewportSize = {"width": 1280, "height": 800}
EXPECTED = ("Failed to load resource",)
"""What Chromium itself prints for an answer that is not 2xx; tests that cause one allow it."""


class Quiet(WSGIRequestHandler):
    """Prints no access log."""

    def log(self, *args: Any) -> None:
        """Says nothing."""


class Face:
    """The dashboard over a fake health service, with ``more`` pages; can be stopped and started on the same port."""

    def __init__(self, *more: pages.Page) -> None:
        self.fake = fakes.FakeHealth()
        self.services = fakes.services(self.fake, pages=(*PAGES, chart_page(), *more))
        self._server: BaseWSGIServer | None = None
        self._app = assemble(self.services, load_access({}))
        self._port = 0
        self.start()

    def start(self) -> None:
        """Listens; on the port of before after a stop."""
        self._server = make_server("127.0.0.1", self._port, self._app, threaded=True, request_handler=Quiet)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Refuses connections from here on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def reset(self) -> None:
        """As it was at the start."""
        self.fake.make, self.fake.error = fakes.health, None
        self.services.build_id = "build-1"
        if self._server is None:
            self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"


def chart_page() -> pages.Page:
    """A page with one chart, as later pages will have them."""

    def view(data: Any, now: float) -> pages.View:
        trace: Mapping[str, Any] = {"type": "scatter", "x0": 0, "dx": 1, "y": [now % 1000, 2, 3, now % 7, 5]}
        return pages.View({"page-chart": {"data-filled": "yes"}}, as_of=now, charts={"chart-load": [trace]})

    def layout() -> html.Div:
        return html.Div(chart("load", "Load"), id="page-chart", **{"data-filled": "no"})

    return pages.Page("chart", "/chart", "Chart", "A chart", layout, lambda *_: None, view)


@pytest.fixture(scope="session")
def _face() -> Iterator[Face]:
    face = Face()
    yield face
    face.stop()
    face.services.views.close()
    face.services.answers.close()


@pytest.fixture
def face(_face: Face) -> Face:
    """The server, as new."""
    _face.reset()
    return _face


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the session, the system's."""
    expect.set_options(timeout=10_000)
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def clean_console(page: Page) -> Iterator[Page]:
    """Fails when the page complained, but for failed fetches a test provokes."""
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def raised(error: Error) -> None:
        complaints.append(str(error))

    page.on("console", said)
    page.on("pageerror", raised)
    yield page
    with suppress(Error):  # navigating just now
        page.evaluate("0")  # what was said until here arrives with an answer
    page.remove_listener("console", said)
    page.remove_listener("pageerror", raised)
    assert [text for text in complaints if not text.startswith(EXPECTED)] == []


@contextmanager
def opened_page(chromium: Browser, url: str) -> Iterator[Page]:
    """A page in a context of its own: an empty cache, nothing stored."""
    context = chromium.new_context(base_url=url, viewport=SIZE)
    page = context.new_page()
    yield page
    context.close()


@contextmanager
def as_new(page: Page, url: str) -> Iterator[Page]:
    """A page that others have used, with nothing of what they left but Chromium's compiled scripts: a load takes half
    the CPU time of one in a page of its own."""
    page.context.clear_cookies()
    page.context.clear_permissions()
    page.set_viewport_size(SIZE)
    page.mouse.move(0, 0)
    page.goto(f"{url}/healthz")
    page.evaluate("localStorage.clear(), sessionStorage.clear()")
    try:
        yield page
    finally:
        page.unroute_all(behavior="ignoreErrors")


@pytest.fixture(scope="module")
def _used(chromium: Browser, _face: Face) -> Iterator[Page]:
    with opened_page(chromium, _face.url) as page:
        yield page


@pytest.fixture
def tab(_used: Page, face: Face) -> Iterator[Page]:
    """A page as new, whose console has to stay clean. One for a file of tests: not for what can't be taken back, as an
    installed clock can't."""
    with as_new(_used, face.url) as page, clean_console(page):
        yield page


@pytest.fixture
def own_tab(chromium: Browser, face: Face) -> Iterator[Page]:
    """A page that no other test has, whose console has to stay clean."""
    with opened_page(chromium, face.url) as page, clean_console(page):
        yield page


def ready(page: Page, name: str = "health") -> None:
    """Waits until Dash has taken over from the first paint."""
    page.wait_for_selector("#first-paint", state="detached")
    page.wait_for_selector(f"#react-entry-point #page-{name}[data-filled=yes]", state="attached")
