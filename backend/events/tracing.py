"""W3C trace context and X-Ray ids: read from a request's headers, handed on with messages."""

from __future__ import annotations

import re
import secrets
from typing import Final

TRACEPARENT: Final = "traceparent"
"""Header, and message attribute of the event queue."""
XRAY_HEADER: Final = "x-amzn-trace-id"
XRAY_ATTRIBUTE: Final = "AWSTraceHeader"
"""System attribute of a message that carries ``Root=<xray id>``."""
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
_XRAY: Final = re.compile(r"(?:^|;)\s*Root=(1-[0-9a-f]{8}-[0-9a-f]{24})\s*(?:;|$)", re.IGNORECASE)


def trace_id_of(traceparent: str | None) -> str | None:
    """The 32 digits of the trace, None for a text that is no valid ``traceparent`` (W3C Trace Context, 3.2)."""
    found = _matched(traceparent)
    return found[1] if found else None


def continued(traceparent: str | None) -> str:
    """A ``traceparent`` of the same trace with a span of its own; of a new, sampled trace where there is none."""
    found = _matched(traceparent)
    trace, flags = (found[1], found[2]) if found else (secrets.token_hex(16), "01")
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"


def xray_id_of(header: str | None) -> str:
    """The root id of an ``X-Amzn-Trace-Id`` header, empty where it has none."""
    found = _XRAY.search(header or "")
    return found[1].lower() if found else ""


def _matched(traceparent: str | None) -> re.Match[str] | None:
    found = _TRACEPARENT.fullmatch((traceparent or "").strip())
    # Version 00 has exactly four parts; later ones may append what this reader does not know.
    return None if found is None or (found[3] and found[0].startswith("00")) else found
