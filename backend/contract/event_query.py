"""Filters of events as the API, the pages, the command line and replays write them: one parser for all. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from backend.contract.errors import InvalidInput
from backend.contract.events import STATUSES, EventQuery, EventTime
from backend.contract.ranges import parse_range

FIELDS: Final = ("entity_id", "event_type", "source", "status", "error_type", "operator", "correlation_id")
"""Filters by one value, in the order in which pages show them."""
NAMES: Final = (*FIELDS, "event_ids", "from", "to", "time")
DEFAULT_FROM: Final = "now-1h"
DEFAULT_FROM_NAMED: Final = "now-90d"
"""Where the events are named by entity, id or correlation id, all that is kept is searched."""
MAX_TEXT: Final = 256
MAX_IDS: Final = 10_000
_EVENT_ID: Final = re.compile(r"[0-9a-f]{64}")


def parse_query(values: Mapping[str, Any], now: float) -> EventQuery:
    """The query of API parameters: ``FIELDS``, ``event_ids`` (list, or text with commas), ``from``, ``to``, ``time``.

    Empty values count as absent; other names are ignored. Raises InvalidInput naming the field that is wrong.
    """
    texts = {name: _text(values, name) for name in FIELDS}
    ids = _ids(values.get("event_ids"))
    named = ids or texts["entity_id"] or texts["correlation_id"]
    wanted = parse_range(
        _moment(values, "from"), _moment(values, "to"), now, DEFAULT_FROM_NAMED if named else DEFAULT_FROM
    )
    status = texts.pop("status")
    if status is not None and status not in STATUSES:
        raise InvalidInput("status", status, f"must be one of {', '.join(STATUSES)}")
    time = values.get("time") or "received"
    if time not in ("received", "occurred"):
        raise InvalidInput("time", time, "must be received or occurred")
    return EventQuery(wanted.start, wanted.end, cast("EventTime", time), status=status, event_ids=ids, **texts)


def query_json(query: EventQuery) -> dict[str, Any]:
    """The query as ``parse_query`` reads it back, with absolute times in epoch ms; what is not set is left out."""
    values: dict[str, Any] = {name: getattr(query, name) for name in FIELDS if getattr(query, name)}
    if query.event_ids:
        values["event_ids"] = list(query.event_ids)
    if query.time != "received":
        values["time"] = query.time
    return {**values, "from": str(round(query.start * 1000)), "to": str(round(query.end * 1000))}


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise InvalidInput(name, value, f"must be printable text of at most {MAX_TEXT} characters")
    return value


def _moment(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInput(name, value, "must be a time: epoch seconds, epoch ms, ISO 8601 with a zone, or now-1h")
    return str(value)


def _ids(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list | tuple):
        raise InvalidInput("event_ids", value, "must be a list of event ids")
    if len(entries) > MAX_IDS:
        raise InvalidInput("event_ids", f"{len(entries)} ids", f"are too many; name at most {MAX_IDS}, or use filters")
    for entry in entries:
        if not isinstance(entry, str) or not _EVENT_ID.fullmatch(entry.strip()):
            raise InvalidInput("event_ids", entry, "is not an event id; it has 64 hexadecimal digits")
    return tuple(dict.fromkeys(entry.strip() for entry in entries))
