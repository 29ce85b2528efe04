"""How long a service asks to wait. Pure."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_SECONDS: Final = 3_600.0
"""A longer wait is not believed: the delivery would seem forgotten."""


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds of a ``Retry-After`` header, which is a number or a date; None where it is neither. 0 to an hour."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), LONGEST_SECONDS) if seconds == seconds else None  # noqa: PLR0124 - NaN
