"""A dashboard over a table in memory that fills as time goes on: what viewer benchmarks load.

``python -m benchmarks.memory_server PORT``: two environments, an hour and a half of history, new samples every 5 s.
DynamoDB is left out on purpose: its emulator would compete with the server for two cores. Queries are counted
where the product sends them, in ``/metrics``.
"""

from __future__ import annotations

import sys
import threading
import time

from flask import Flask
from flask_caching.backends import SimpleCache

from backend.collector.sources.synthetic import SyntheticSource
from backend.settings import load_settings
from dashboard import api
from dashboard.app import build_id, create_app
from dashboard.pages import PAGES
from dashboard.services import build_services
from pulseboard.commands.serve import Server
from tests.memory_table import MemoryTable

ENVIRONMENTS = ("production", "staging")
HISTORY_SECONDS = 5400
LIVE_EVERY = 5.0


class LockedTable(MemoryTable):
    """Written by one thread, read by many."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def write(self, items):  # type: ignore[no-untyped-def]
        with self._lock:
            super().write(items)

    def query(self, name, start, end):  # type: ignore[no-untyped-def]
        with self._lock:
            return super().query(name, start, end)


def build_server() -> Flask:
    table = LockedTable()
    settings = load_settings({})
    now = time.time()
    sources = [SyntheticSource(settings.catalogue, environment=name, interval_seconds=60) for name in ENVIRONMENTS]
    for source, environment in zip(sources, ENVIRONMENTS, strict=True):
        table.play(source, now - HISTORY_SECONDS, now, 60)
        table.merge(environment, now - HISTORY_SECONDS, now // 60 * 60 - 120)
    threading.Thread(target=_keep_filling, args=(table, sources), daemon=True).start()
    services = build_services(settings, table, PAGES, build_id(), SimpleCache())  # type: ignore[arg-type]
    app = create_app(services)
    api.register(app.server, services)
    server: Flask = app.server
    return server


def _keep_filling(table: MemoryTable, sources: list[SyntheticSource]) -> None:
    since = time.time()
    while True:
        time.sleep(LIVE_EVERY)
        now = time.time()
        for number, source in enumerate(sources):
            table.put_samples(source.collect(now, since).samples, now, f"metrics/metrics-{int(now)}-{number}.json")
        since = now


if __name__ == "__main__":
    Server(build_server, "127.0.0.1", int(sys.argv[1])).run()
