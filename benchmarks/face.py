"""What the page benchmarks share: the dashboard over fake data in a process of its own, and Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chromium-headless-shell")
READY = "#react-entry-point #page-health[data-filled=yes]"
STATIC = """<!doctype html><html lang="en"><head><title>Static</title></head>
<body><section id="verdict" data-status="healthy"><h1>Healthy</h1><p>A page without any script.</p></section></body>
</html>
"""


def serve(port: int) -> None:
    """Runs the dashboard over fake health data until it is told to end; ``/static.html`` is there to compare with."""
    from dashboard import api
    from dashboard.app import create_app
    from pulseboard.commands.serve import Server
    from tests.dashboard import fakes

    def make() -> object:
        services = fakes.services(fakes.FakeHealth(), hot_refresh_seconds=0.5)
        app = create_app(services)
        api.register(app.server, services)
        app.server.add_url_rule("/static.html", "static_page", lambda: STATIC)
        return app.server

    Server(make, "127.0.0.1", port).run()


@contextmanager
def dashboard(url: str | None = None, *start: str) -> Iterator[str]:
    """The address of a running dashboard: ``url`` when given, else one started for the purpose.

    ``start``: the module that runs it and its options, which the port follows; by default this one.
    """
    if url:
        yield url.rstrip("/")
        return
    port = _free_port()
    command = [sys.executable, "-m", *(start or ("benchmarks.face",)), str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        _wait(f"http://127.0.0.1:{port}/healthz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@contextmanager
def chromium(*extra: str) -> Iterator[Browser]:
    """The system's Chromium, with windows where there is one: users have it so."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *extra])
        try:
            yield browser
        finally:
            browser.close()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    import time

    import requests

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the dashboard ended with code {process.returncode}")
        try:
            if requests.get(url, timeout=1).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.05)
    raise SystemExit(f"the dashboard did not answer at {url} within 30 s")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
