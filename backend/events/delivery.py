"""How a request came: when, from whom, with which headers and in which trace. Pure but for new span ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.events.tracing import TRACEPARENT, XRAY_HEADER, continued, trace_id_of, xray_id_of

KEPT_HEADERS: Final = ("content-type", "user-agent", "host", "x-request-id", TRACEPARENT, "tracestate", XRAY_HEADER)
"""Headers that are kept with an event. Not among them: what signs a request in, and where it came from."""
HEADER_CHARACTERS: Final = 512
LOCAL: Final = "local"
"""Who asks where nobody was asked to sign in: on loopback."""
_CLAIMS: Final = ("email", "username", "cognito:username", "sub")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request. ``received_at`` is epoch seconds, ``by`` the caller's name.

    ``traceparent`` continues the caller's trace, or is a new one; ``trace_id`` is the caller's, None without any.
    """

    received_at: float
    by: str
    headers: Mapping[str, str]
    traceparent: str
    trace_id: str | None
    xray_id: str
    request_id: str


def delivery_of(event: Mapping[str, Any], now: float) -> Delivery:
    """The delivery of an API Gateway v2 event."""
    headers = lower_headers(event)
    context = event.get("requestContext") or {}
    given = headers.get(TRACEPARENT)
    return Delivery(
        received_at=now,
        by=caller_of(event),
        headers={name: headers[name][:HEADER_CHARACTERS] for name in KEPT_HEADERS if headers.get(name)},
        traceparent=continued(given),
        trace_id=trace_id_of(given),
        xray_id=xray_id_of(headers.get(XRAY_HEADER)),
        request_id=str(context.get("requestId") or ""),
    )


def lower_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """The request's headers by their names in small letters."""
    return {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}


def caller_of(event: Mapping[str, Any]) -> str:
    """Who asks: the ARN of a request signed for IAM, a claim of a JWT, ``local`` where neither was asked for."""
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    if arn := (authorizer.get("iam") or {}).get("userArn"):
        return str(arn)
    claims = (authorizer.get("jwt") or {}).get("claims")
    if claims is None:
        return LOCAL
    return next((str(claims[name]) for name in _CLAIMS if claims.get(name)), "unnamed")
