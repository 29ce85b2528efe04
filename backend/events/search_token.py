"""Tokens of a search's next page: where it stands, for which query. Pure.

A token carries the range of the first page, so that ``now-1h`` means the same on every page. It is no secret: another
position of the same query is all that forging one would give.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import Final

from backend.contract.errors import InvalidInput
from backend.contract.event_query import query_json
from backend.contract.events import EventQuery, utc_seconds
from backend.contract.ranges import LONGEST_SECONDS, OLDEST
from backend.events.search_plan import instant_of

_POSITION: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(#[0-9a-f]{64}|\$)")
_CHECK_DIGITS: Final = 16
_LONGEST: Final = 1024


def write_token(query: EventQuery, position: str) -> str:
    """The token of what follows ``position`` in the answer to ``query``."""
    text = json.dumps([query.start, query.end, position], separators=(",", ":"))
    return base64.urlsafe_b64encode(f"{_check(query, text)}{text}".encode()).decode().rstrip("=")


def read_token(query: EventQuery, token: str) -> tuple[EventQuery, str]:
    """The query with the range of its first page, and the position to go on from.

    Raises InvalidInput for what is no token, and for one of a query with other filters or an earlier range.
    """
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
        check, text = data[:_CHECK_DIGITS], data[_CHECK_DIGITS:]
        start, end, position = json.loads(text)
        first = replace(query, start=float(start), end=float(end))
        fits = len(token) <= _LONGEST and bool(_POSITION.fullmatch(position)) and _sound(first, position)
    except (ValueError, TypeError, RecursionError, OverflowError):
        fits = False
    if not fits:
        raise InvalidInput("token", token, "is not a token of this search; leave it out to begin with the first page")
    if check != _check(query, text) or query.start < first.start or query.end < first.end:
        raise InvalidInput("token", token, "belongs to another search; repeat its filters, or leave it out")
    return first, position


def _sound(first: EventQuery, position: str) -> bool:
    """Whether the range could have been asked for and the position is a time. Raises ValueError where it is none."""
    utc_seconds(instant_of(position))
    return OLDEST <= first.start < first.end and first.end - first.start <= LONGEST_SECONDS


def _check(query: EventQuery, text: str) -> str:
    """Ties a token's text to the query's filters. Relative ranges move on from page to page, so they don't count."""
    filters = query_json(replace(query, start=0, end=0))
    return hashlib.sha256(json.dumps([filters, text], sort_keys=True).encode()).hexdigest()[:_CHECK_DIGITS]
