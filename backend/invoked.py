"""What a function is invoked with: an event of the kind it is made for, or one clear line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.contract.errors import InvalidInput

_SHOWN_KEYS: Final = 5


def check_sqs(event: Mapping[str, Any]) -> None:
    """Raises InvalidInput for an event that no SQS queue sends: somebody connected the function to something else."""
    records = event.get("Records")
    if not isinstance(records, list) or not all(_is_message(record) for record in records):
        raise InvalidInput("event", kind_of(event), "is not SQS's; let this function be invoked by its queue only")


def check_api_gateway(event: Mapping[str, Any]) -> None:
    """Raises InvalidInput for an event that is not API Gateway's of format 2.0."""
    context = event.get("requestContext")
    if not isinstance(context, Mapping) or not isinstance(context.get("http"), Mapping):
        remedy = "is not API Gateway's of format 2.0; let this function be invoked by its HTTP API only"
        raise InvalidInput("event", kind_of(event), remedy)


def kind_of(event: Mapping[str, Any]) -> str:
    """Who seems to have sent an event: ``aws:s3``, ``aws.ec2``, or the event's first keys."""
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records and isinstance(records[0], Mapping) else {}
    source = first.get("eventSource") or first.get("EventSource") or event.get("source")
    return str(source or ", ".join(list(event)[:_SHOWN_KEYS]))


def _is_message(record: object) -> bool:
    return isinstance(record, Mapping) and "body" in record
