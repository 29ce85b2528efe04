"""What an error says apart from its numbers: errors that say the same are one group."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

MAX_LENGTH: Final = 200
KEPT: Final = 20_000
"""Normalised texts that are remembered: most errors come again as they are."""
_PLACES: Final = (
    (re.compile(r"\"[^\"]*\"|`[^`]*`|(?<!\w)'[^']*'(?!\w)|‘[^’]*’|“[^”]*”|«[^»]*»"), "<text>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?(?:[T ]\d{2}:\d{2}(?::[\d.,]+)?(?:Z|[+-]\d{2}:?\d{2})?)?"), "<date>"),
    (re.compile(r"\b\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\b"), "<time>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d])\w+(?:-\w+)*\b|\b\w+(?:-\w+)*-\d\w*\b"), "<id>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<n>"),
)  # fmt: skip
"""What varies from one failure to the next, the most telling first; each is replaced by what it is."""
_PLACEHOLDER: Final = re.compile(r"(<(?:text|url|id|date|time|hex|n)>)")
_SPACE: Final = re.compile(r"\s+")


@lru_cache(maxsize=KEPT)
def normalised(error_type: str, message: str) -> str:
    """The error with numbers, ids, hex, dates, times, addresses and quoted parts replaced by what they are.

    Only the first line counts.
    """
    lines = [line for line in message.splitlines() if line.strip()]
    text = _SPACE.sub(" ", lines[0] if lines else "").strip()[: 2 * MAX_LENGTH]
    if error_type and text.startswith(f"{error_type}:"):
        text = text.removeprefix(f"{error_type}:").strip()
    for pattern, place in _PLACES:
        parts = _PLACEHOLDER.split(text)
        text = "".join(part if index % 2 else pattern.sub(place, part) for index, part in enumerate(parts))
    text = text[:MAX_LENGTH].rstrip()
    if not text:
        return error_type or "no message"
    return f"{error_type}: {text}" if error_type else text


def group_key(message: str) -> str:
    """Twelve hex digits that name a group in URLs."""
    return hashlib.sha256(message.encode("utf-8", "replace")).hexdigest()[:12]
