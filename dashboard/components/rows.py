"""Tables on screens that can't scroll: how many rows they hold, and what is said of the others.

An unattended display gets only its rows. Anybody else may look through ``?kiosk``, which the server can't know: the
rows beyond are marked, and the stylesheet leaves them out there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dash import html


def held(number: int, room: int) -> int:
    """How many of so many rows there is room for: where not for all, the last place is for what is said of the rest."""
    return number if number <= room else room - 1


def beyond(left_out: bool) -> dict[str, Any]:
    """Attributes of a row that a screen without scrolling has no room for."""
    return {"className": "beyond"} if left_out else {}


def rest(words: Callable[[int], str], shown: int, few: int, total: int, class_name: str) -> list[html.P]:
    """What is said of rows that are left out, ``words`` of how many are not: of the ``shown`` ones, of ``total``, and
    of the ``few`` that a screen without scrolling holds."""
    lines = []
    if shown < total:
        lines.append(html.P(words(shown), className=class_name if few == shown else f"{class_name} no-kiosk"))
    if few < shown:
        lines.append(html.P(words(few), className=f"{class_name} kiosk-only"))
    return lines
