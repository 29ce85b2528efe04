"""What the processor's queue carries: S3 notifications, and byte ranges of large objects. Pure."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from backend.contract.errors import InvalidInput
from backend.processor.part import ObjectPart


class Work(NamedTuple):
    """One object part to process; ``message`` is the queue message that asks for it alone."""

    bucket: str
    part: ObjectPart
    message: str


def work_of(body: str) -> list[Work]:
    """What one message asks for; nothing for ``s3:TestEvent`` and for events that create no object.

    Raises InvalidInput for anything else.
    """
    try:
        message = json.loads(body)
    except ValueError as error:
        raise InvalidInput("message", body, "is not JSON; the queue takes S3 notifications") from error
    if not isinstance(message, dict):
        raise InvalidInput("message", body, "must be a JSON object; the queue takes S3 notifications")
    if message.get("Event") == "s3:TestEvent":
        return []
    try:
        if "Records" in message:
            # Streams of other services have records with a name too; what is not S3's is not left out as no creation.
            named = [(record["s3"], record["eventName"], record) for record in message["Records"]]
            return [_notified(record) for _, name, record in named if name.startswith("ObjectCreated:")]
        return [_ranged(message)]
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput("message", body, "is no S3 notification and no byte range") from error


def range_message(bucket: str, part: ObjectPart) -> str:
    """The message for one byte range of an object."""
    return json.dumps(
        {"bucket": bucket, "key": part.key, "start": part.start, "end": part.end, "format": part.format},
        separators=(",", ":"),
    )


def _notified(record: dict[str, Any]) -> Work:
    """Keys arrive URL-encoded, with a plus for a space."""
    key = unquote_plus(record["s3"]["object"]["key"])
    return Work(record["s3"]["bucket"]["name"], ObjectPart(key), json.dumps({"Records": [record]}))


def _ranged(message: dict[str, Any]) -> Work:
    part = ObjectPart(message["key"], int(message["start"]), int(message["end"]), message["format"])
    return Work(message["bucket"], part, range_message(message["bucket"], part))
