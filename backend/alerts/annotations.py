"""Marks that people and their tools put on the charts: deploys, migrations, anything with a time and a title."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from backend.contract.alerts import MAX_TITLE, Annotation
from backend.contract.errors import InvalidInput
from backend.contract.event_items import Item
from backend.contract.events import utc_text
from backend.contract.ranges import parse_time
from backend.contract.tables import ANNOTATIONS, DATA, EXPIRES_AT, FINGERPRINT, OPENED_AT
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_LINK: Final = 2_000
BY: Final = "posted_by"
KIND_PATTERN: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_KIND: Final = re.compile(KIND_PATTERN)
_FIELDS: Final = ("time", "title", "kind", "link")
_DAY: Final = 86_400


class Annotations:
    """Keeps posted annotations as long as alerts are kept. ``clock`` gives epoch seconds."""

    def __init__(self, dynamodb: DynamoDBClient, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._dynamodb = dynamodb
        self._table = settings.alerts_table
        self._kept_seconds = settings.config.alerts.retention_days * _DAY
        self._clock = clock

    def parse(self, record: Mapping[str, Any]) -> Annotation:
        """The annotation of a request's JSON. Raises InvalidInput, also for what would be gone at once."""
        now = self._clock()
        annotation = parse_annotation(record, now)
        if annotation.at < now - self._kept_seconds:
            remedy = f"is older than the {self._kept_seconds // _DAY} days for which annotations are kept"
            raise InvalidInput("time", record["time"], remedy)
        return annotation

    def add(self, annotation: Annotation, by: str) -> str:
        """Keeps it and gives its id. The same annotation again changes nothing, not even who posted it first."""
        item = annotation_item(annotation, by, max(annotation.at, self._clock()) + self._kept_seconds)
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(#k)",
                ExpressionAttributeNames={"#k": FINGERPRINT},
            )
        return annotation_id(annotation)


def annotation_id(annotation: Annotation) -> str:
    """16 hexadecimal digits of what it says and when: the same again is the same one."""
    parts = (utc_text(annotation.at), annotation.kind, annotation.title, annotation.link)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def annotation_item(annotation: Annotation, by: str, expires_at: float) -> Item:
    """Its item of the table Alerts, which sorts by time."""
    return {
        FINGERPRINT: {"S": ANNOTATIONS},
        OPENED_AT: {"S": f"{utc_text(annotation.at)}#{annotation_id(annotation)}"},
        DATA: {"S": json.dumps(asdict(annotation), ensure_ascii=False)},
        BY: {"S": by},
        EXPIRES_AT: {"N": str(int(expires_at))},
    }


def parse_annotation(record: Mapping[str, Any], now: float) -> Annotation:
    """``{time, title, kind, link?}``: time as ISO 8601 with a zone or epoch seconds or milliseconds, title up to 300
    characters, kind a word, link a path of this dashboard or a web address. Raises InvalidInput."""
    for name in record:
        if name not in _FIELDS:
            raise InvalidInput(str(name)[:64], record[name], f"is not known; use {', '.join(_FIELDS)}")
    for name in ("time", "title", "kind"):
        if record.get(name) is None:
            raise InvalidInput(name, None, "is required; add it", "missing_field")
    title, kind = record["title"], record["kind"]
    if not isinstance(title, str) or not 0 < len(title.strip()) <= MAX_TITLE or not title.isprintable():
        raise InvalidInput("title", title, f"must be printable text of 1 to {MAX_TITLE} characters")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise InvalidInput("kind", kind, "must be 1 to 64 letters, digits, '.', '_' or '-', such as deploy")
    return Annotation(at=_moment(record["time"], now), title=title.strip(), kind=kind, link=_link(record.get("link")))


def _moment(value: object, now: float) -> float:
    remedy = "must be ISO 8601 with a zone, epoch seconds or epoch milliseconds"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInput("time", value, remedy)
    text = str(value)
    # Posted twice it would be two instants, so it is no name for one.
    if text.strip().startswith("now"):
        raise InvalidInput("time", value, remedy)
    return round(parse_time(text, now, "time"), 3)


def _link(value: object) -> str:
    if value is None or value == "":
        return ""
    remedy = f"must be a path such as /errors, or a web address, of at most {MAX_LINK} characters"
    if not isinstance(value, str) or len(value) > MAX_LINK or not value.isprintable() or " " in value:
        raise InvalidInput("link", value, remedy)
    if re.match(r"/(?![/\\])", value):
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        raise InvalidInput("link", value, remedy) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput("link", value, remedy)
    return value
