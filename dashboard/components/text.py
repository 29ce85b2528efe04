"""Numbers as people read them, built on the verdict's own formatting."""

from __future__ import annotations

import math
from typing import Final

from backend.contract.verdict import amount, duration

STEADY: Final = 0.02
"""Changes below this share are called steady."""
MASK_KEEPS: Final = 2
_SIZES: Final = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3))
LEAST_LAG: Final = 0.01
"""Seconds: what took less is not told apart from what took nothing."""


def number_and_unit(value: float, unit: str) -> tuple[str, str]:
    """``(4,120, records)``; units that belong to the digits stay apart too: ``(99.2, %)``."""
    text = amount(value, unit)
    if text.endswith("%"):
        return text[:-1], "%"
    number, _, shown_unit = text.partition(" ")
    return number, shown_unit


def percent(value: float, places: int = 1) -> str:
    """A percentage that never rounds up to 100 nor down to 0: ``99.94%``, ``>99.99%``."""
    if 100 - 0.5 * 10**-places < value < 100:
        return f">{100 - 10**-places:.{places}f}%"
    if 0 < value < 0.5 * 10**-places:
        return f"<{10**-places:.{places}f}%"
    text = f"{value:,.{places}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def change(trend: float | None) -> tuple[str, str]:
    """A relative change as ``(direction, words)``: ``("up", "12% higher")``, ``("steady", "steady")``."""
    if trend is None:
        return "unknown", "no trend yet"
    if abs(trend) < STEADY:
        return "steady", "steady"
    word = "higher" if trend > 0 else "lower"
    size = f"{1 + trend:,.0f} times as high" if trend >= 9 else f"{abs(trend):.0%} {word}"
    return ("up" if trend > 0 else "down"), size


def lag(seconds: float) -> str:
    """How long something took to arrive, without its sign: ``< 0.01 s``, ``0.35 s``, ``4.2 s``, ``12 min``."""
    size = abs(seconds)
    if size < LEAST_LAG:
        return f"< {LEAST_LAG:g} s"
    if size >= 100:
        return duration(size)
    return f"{size:.{1 if size >= 1 else 2}f} s"


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 day``, ``3 days``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def took(seconds: float) -> str:
    """How long something took: ``1.2 s``, from ten seconds on as any length of time. The twin is in grid.js."""
    return duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"


def size(number: float) -> str:
    """Bytes by thousands, with a digit after the point below 100: ``12.3 KB``, ``1.4 GB``. The twin is in source.js."""
    for unit, factor in _SIZES:
        if number >= factor:
            shown = f"{number / factor:.{0 if number >= 100 * factor else 1}f}"
            return f"{shown.removesuffix('.0')} {unit}"
    return f"{number:.0f} bytes"


def dollars(value: float) -> str:
    """US dollars to the cent, less than one with two digits that say something: ``$0.05``, ``$0.00005``. The twin is in
    source.js."""
    if value >= 0.01 or value <= 0:
        return f"${value:,.2f}"
    return f"${value:.{1 - math.floor(math.log10(value))}f}".rstrip("0")


def masked(ident: str) -> str:
    """An entity's id as displays show it: its first two and last two characters, nothing of a short one."""
    return f"{ident[:MASK_KEEPS]}…{ident[-MASK_KEEPS:]}" if len(ident) > 2 * MASK_KEEPS else "…"


def plain(text: str) -> str:
    """A text for a chart: Plotly reads a few tags in texts, so angle brackets are written as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
