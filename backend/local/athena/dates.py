"""Java's date patterns, as SQL functions and table properties have them, in the letters of strftime."""

from __future__ import annotations

import re
from typing import Final

from backend.local.athena.errors import not_served

_LETTERS: Final = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_PART: Final = re.compile(r"'([^']*)'|(([A-Za-z])\3*)|%")


def strftime(pattern: str, **more: str) -> str:
    """``yyyy-MM-dd'T'HH`` as ``%Y-%m-%dT%H``; ``more`` letters are those that only the caller's strftime knows.

    Raises QueryError for letters that are not served.
    """
    letters = _LETTERS | more

    def written(part: re.Match[str]) -> str:
        quoted, run, _ = part.groups()
        if run is None:
            return "%%" if quoted is None else (quoted or "'").replace("%", "%%")
        if run not in letters:
            raise not_served(f"{run} in the date pattern {pattern}")
        return letters[run]

    return _PART.sub(written, pattern)
