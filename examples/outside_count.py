"""Outside counters for the daily check, as docs/checks.md shows them: how many events an hour should have.

Try one with a ``pulseboard.toml`` that says

    [checks]
    external_count = "examples.outside_count:from_http"

They are told where to ask by the variables ``OUTSIDE_COUNT_URL`` and ``OUTSIDE_COUNT_DATABASE``.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import Final

import requests

TIMEOUT_SECONDS: Final = 10.0
QUERY: Final = "SELECT count(*) FROM orders WHERE received_at >= ? AND received_at < ? AND environment = ?"


def from_http(hour_start: float, hour_end: float, environment: str) -> int:
    """What a producer's own API says: ``GET <url>?from=&to=&environment=`` answers ``{"count": 1234}``."""
    asked = {"from": str(int(hour_start)), "to": str(int(hour_end)), "environment": environment}
    answer = requests.get(os.environ["OUTSIDE_COUNT_URL"], params=asked, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    return int(answer.json()["count"])


def from_sql(hour_start: float, hour_end: float, environment: str) -> int:
    """What a database has. Any driver of Python's DB-API does as SQLite's does here; mind its parameter style."""
    with closing(sqlite3.connect(os.environ["OUTSIDE_COUNT_DATABASE"])) as connection:
        (count,) = connection.execute(QUERY, (hour_start, hour_end, environment)).fetchone()
    return int(count)
