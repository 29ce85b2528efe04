"""A file of events through the ingest's own core, in parts that a request would hold.

Straight through AWS rather than over HTTP: the caller has AWS's credentials already, as for every other command,
requests needn't be signed, and an interrupted import goes on where the API's limits would end it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from backend.contract.errors import InvalidInput
from backend.events.delivery import delivery_of
from backend.events.ingest import Ingest
from backend.events.outcome import UNAVAILABLE
from backend.events.reading import JSON, NDJSON, Bounds, read_body
from backend.settings import Settings

PART: Final = 200
"""Events that are taken at once: well within the time that the ingest gives itself for a request."""
HEADERS: Final = {"user-agent": "pulseboard ingest events"}


@dataclass(slots=True)
class Imported:
    """What became of a file's events. ``refused`` has a line for each that can't be taken, with its place.

    ``unavailable`` counts those that AWS did not take, or that were not tried any more after a part of which none was.
    """

    total: int = 0
    stored: int = 0
    duplicates: int = 0
    unavailable: int = 0
    refused: list[str] = field(default_factory=list)


def import_events(content: bytes, settings: Settings, ingest: Ingest, clock: Callable[[], float]) -> Imported:
    """Takes in the events of NDJSON, a JSON array or one object. ``clock`` is epoch seconds.

    Raises InvalidInput for a file without any event.
    """
    # A file may be larger than a request; each event is held to its own limits all the same.
    events = replace(settings.config.events, body_bytes=len(content) + 1, body_events=max(1, len(content)))
    entries = read_body(content, _kind(content), Bounds(events, settings.config.limits, clock())).entries
    done = Imported(total=len(entries))
    for start in range(0, len(entries), PART):
        part = entries[start : start + PART]
        outcomes = ingest.take_all(part, delivery_of({"headers": HEADERS}, clock()))
        for number, (entry, outcome) in enumerate(zip(part, outcomes, strict=True), start):
            done.stored += outcome.status == "stored"
            done.duplicates += outcome.status == "duplicate"
            error = outcome.error or {}
            if error.get("code") == UNAVAILABLE:
                done.unavailable += 1
            elif error:
                message = error["message"]
                done.refused.append(message if isinstance(entry, InvalidInput) else _of_file(message, number))
        if all((outcome.error or {}).get("code") == UNAVAILABLE for outcome in outcomes):
            done.unavailable += len(entries) - start - len(part)
            break
    return done


def _of_file(message: str, number: int) -> str:
    """The reader names an event's place in the file; the ingest knows the one within its part."""
    return re.sub(r"^(\[\d+\]\.)?", f"[{number}].", message)


def _kind(content: bytes) -> str:
    """A first line that is an object of its own is NDJSON's."""
    first = content.lstrip().split(b"\n", 1)[0].strip()
    return NDJSON if first.startswith(b"{") and first.endswith(b"}") else JSON
