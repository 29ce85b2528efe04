"""An hour of order events for the demo, taken in by the ingest's own core as of the times they were sent.

What is invented is the time: gate, raw object, index and message are written as ``POST /ingest`` writes them, and the
event processor finds the messages in its queue. So it processes the hour when the demo starts, and its times say so.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import orjson

from backend.aws import Clients
from backend.events.delivery import delivery_of
from backend.events.ingest import Ingest
from backend.events.reading import JSON, Bounds, read_body
from backend.local.orders import Sending, Shop
from backend.logs import make_logger
from backend.settings import Settings

SPAN_SECONDS: Final = 3600
ONE_OF: Final = 18
"""One order of so many is in the history: some hundred events, written in seconds."""
TOGETHER_SECONDS: Final = 60
"""Events of a minute are taken as one request, received when the last of them was sent."""
HEADERS: Final = {"user-agent": "synthetic orders (history)", "content-type": JSON}


@dataclass(frozen=True, slots=True)
class SeededEvents:
    """What was taken, and how long it took."""

    stored: int
    duplicates: int
    refused: int
    seconds: float


def seed_events(settings: Settings, clients: Clients, shop: Shop, now: float) -> SeededEvents:
    """Takes in the hour of ``shop`` before ``now`` (epoch s)."""
    began = time.monotonic()
    # What goes wrong is counted here; the function's log is no place for it.
    ingest = Ingest(settings, clients, make_logger("seed-events", io.StringIO()))
    sendings = shop.history(now - SPAN_SECONDS, now, ONE_OF)
    counts = {"stored": 0, "duplicate": 0, "error": 0}
    for _, minute in groupby(sendings, key=lambda sending: sending.at // TOGETHER_SECONDS):
        for outcome in _take(list(minute), settings, ingest):
            counts[outcome] += 1
    return SeededEvents(counts["stored"], counts["duplicate"], counts["error"], time.monotonic() - began)


def _take(sendings: Sequence[Sending], settings: Settings, ingest: Ingest) -> list[str]:
    """The status of each of them."""
    at = sendings[-1].at
    body = orjson.dumps([sending.event for sending in sendings])
    entries = read_body(body, JSON, Bounds(settings.config.events, settings.config.limits, at)).entries
    delivery = delivery_of({"headers": HEADERS}, at)
    return [outcome.status for outcome in ingest.take_all(entries, delivery)]
