"""Whether an answer is AWS's at all. A proxy's page with status 200 is none, and botocore takes it for success.

botocore reads a body that is no JSON as a result without fields: a write that was never done looks done, a query looks
empty. Every answer of AWS names its request, so one that does not comes from something in between.
"""

from __future__ import annotations

from typing import Any, Final
from xml.etree import ElementTree

import orjson
from botocore.exceptions import BotoCoreError

REQUEST_IDS: Final = ("x-amzn-requestid", "x-amz-request-id")
"""Headers that name the request; botocore's headers ignore case."""


class NotAnAnswer(BotoCoreError):  # noqa: N818 - says what it is
    """What came is not AWS's answer, or not all of it. Whether the request was done is not known."""

    fmt = "{operation}: status {status} is no answer of AWS's ({reason}); a proxy in between may have sent it"


def refuse_foreign(**event: Any) -> None:
    """A handler of botocore's event ``before-parse``. Raises NotAnAnswer; errors are left to botocore, which reads
    their status."""
    operation_model = event["operation_model"]
    status, headers, body = (event["response_dict"][name] for name in ("status_code", "headers", "body"))
    if status >= 400:
        return
    reason = ""
    if not any(name in headers for name in REQUEST_IDS):
        reason = "it names no request"
    elif isinstance(body, bytes) and body and not _whole(body, operation_model.service_model.resolved_protocol):
        reason = "its body is cut or garbled"
    if reason:
        raise NotAnAnswer(operation=operation_model.name, status=status, reason=reason)


def _whole(body: bytes, protocol: str) -> bool:
    """Whether a body can be read by the service's protocol."""
    try:
        if protocol.endswith("json"):
            orjson.loads(body)
        elif protocol.endswith("xml") or protocol == "query":
            ElementTree.fromstring(body)  # noqa: S314 - botocore parses the same body the same way
    except (orjson.JSONDecodeError, ElementTree.ParseError):
        return False
    return True
