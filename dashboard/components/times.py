"""Instants on the screen: written by the server for the first paint, kept moving by ``assets/shell.js`` after it.

Every instant is a ``<time>`` with ``data-t`` (epoch seconds) and ``data-f`` (its format), so that the browser can
show another time zone and let ages grow without asking the server, and so that an unchanged view stays the same bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dash import html

from backend.contract.verdict import duration


def stamp(at: float, class_name: str = "") -> html.Time:
    """A point in time with its date: ``21 Nov, 14:05 UTC``."""
    return _time(at, "stamp", class_name)


def exact(at: float, class_name: str = "") -> html.Time:
    """A point in time to the second: ``21 Nov, 14:05:07 UTC``."""
    return _time(at, "exact", class_name)


def ago(at: float, class_name: str = "") -> html.Time:
    """How long something is over: ``12 s ago``."""
    return _time(at, "ago", class_name)


def lasting(since: float, class_name: str = "") -> html.Time:
    """How long something has been going on: ``2 h 5 min``."""
    return _time(since, "for", class_name)


def written(at: float, form: str, now: float) -> str:
    """The text of an instant as ``stamp``, ``exact``, ``ago`` or ``for``. The twin of ``write`` in shell.js."""
    if form in ("stamp", "exact"):
        instant = datetime.fromtimestamp(at, UTC)
        clock = f"{instant:%H:%M}" if form == "stamp" else f"{instant:%H:%M:%S}"
        return f"{instant.day} {instant:%b}, {clock} UTC"
    text = duration(max(now - at, 0.0))
    return f"{text} ago" if form == "ago" else text


def iso(at: float) -> str:
    """``2026-11-21T14:05:00Z``."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def short_day(date: str) -> str:
    """``23 Oct`` of ``2026-10-23``."""
    day = datetime.fromisoformat(date)
    return f"{day.day} {day:%b}"


def _time(at: float, form: str, class_name: str) -> html.Time:
    second = round(at)
    # Only what does not depend on the moment of drawing: ``dashboard.html`` writes ages into the first paint.
    text = written(second, "exact" if form == "exact" else "stamp", second)
    attributes: dict[str, Any] = {"data-t": str(second), "data-f": form}
    if class_name:
        attributes["className"] = class_name
    return html.Time(text, dateTime=iso(second), **attributes)
