"""A request's body to events: every one checked by itself, so that a bad one costs no good one. Pure.

Refused is what two JSON readers would understand differently, or what would be changed by being kept: duplicate keys,
NaN and Infinity, integers beyond 2^53, lone surrogates, unknown fields.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from backend.contract.errors import InvalidInput
from backend.contract.events import Event
from backend.events.fields import event_of
from backend.events.values import decode, excerpt
from backend.processor.arrays import ArrayScanner
from backend.settings import Events, Limits

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
TOO_LARGE: Final = "too_large"
UNSUPPORTED: Final = "unsupported_media_type"
BODY: Final = "body"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a body and its events may be at most; ``now`` is epoch seconds."""

    events: Events
    limits: Limits
    now: float


@dataclass(frozen=True, slots=True)
class Body:
    """What a body holds, in its order. ``single``: it is one event itself, not a batch of any size."""

    single: bool
    entries: tuple[Event | InvalidInput, ...]


def read_body(body: bytes, content_type: str, bounds: Bounds) -> Body:
    """The events of a body: one JSON object, an array of them, or NDJSON.

    An entry that can't be taken is the InvalidInput that says why, its field with the entry's place:
    ``[3].payload.amount``. Raises InvalidInput for a body that can't be taken at all.
    """
    kind = media_type(content_type)
    text = checked_size(body, bounds.events.body_bytes)
    if kind == JSON and not text.lstrip().startswith(b"["):
        return Body(True, (_event(text, "", bounds),))
    pieces = list(_lines(text) if kind == NDJSON else _elements(text))
    if not pieces:
        raise InvalidInput(BODY, excerpt(text), "holds no event; send at least one")
    if len(pieces) > (most := bounds.events.body_events):
        remedy = f"are more than {most} events; send them in several requests"
        raise InvalidInput(BODY, f"{len(pieces)} events", remedy, TOO_LARGE)
    return Body(False, tuple(_entry(piece, f"[{number}]", bounds) for number, piece in enumerate(pieces)))


def read_object(body: bytes, content_type: str, bounds: Bounds, most: int | None = None) -> dict[str, Any]:
    """The JSON object of a body that is no event, held to the limits of one, or to ``most`` bytes.

    Raises InvalidInput.
    """
    if media_type(content_type) != JSON:
        raise InvalidInput("content-type", content_type, f"must be {JSON}", UNSUPPORTED)
    value = decode(checked_size(body, most or bounds.events.event_bytes), BODY, bounds.events.depth)
    if not isinstance(value, dict):
        raise InvalidInput(BODY, excerpt(body), "must be a JSON object")
    return value


def media_type(content_type: str) -> str:
    """``JSON`` or ``NDJSON``. Raises InvalidInput with code ``unsupported_media_type`` for anything else."""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")]
    if kind not in (JSON, NDJSON) or any(charset not in ("utf-8", "utf8", "us-ascii") for charset in charsets):
        remedy = f"is not taken; send {JSON} for an event or an array, {NDJSON} for one event a line, in UTF-8"
        raise InvalidInput("content-type", content_type, remedy, UNSUPPORTED)
    return kind


def checked_size(body: bytes, most: int) -> bytes:
    """The body without a byte order mark. Raises InvalidInput for an empty one and for one of more than ``most``."""
    if len(body) > most:
        raise InvalidInput(BODY, f"{len(body)} bytes", f"are more than {most}; send smaller parts", TOO_LARGE)
    if not body.strip():
        raise InvalidInput(BODY, "", "is empty; send a JSON object")
    return body.removeprefix(codecs.BOM_UTF8)


def _entry(piece: bytes | InvalidInput, place: str, bounds: Bounds) -> Event | InvalidInput:
    return piece if isinstance(piece, InvalidInput) else _event(piece, place, bounds)


def _event(text: bytes, place: str, bounds: Bounds) -> Event | InvalidInput:
    name = place or BODY
    if len(text) > (most := bounds.events.event_bytes):
        remedy = f"are more than {most}, the most that one event may have; keep large parts elsewhere and name them"
        return InvalidInput(name, f"{len(text)} bytes", remedy, TOO_LARGE)
    try:
        # One more than the payload may have: the event itself is a level.
        record = decode(text, name, bounds.events.depth + 1, place)
        return event_of(record, place, bounds.now, bounds.limits.future_seconds)
    except InvalidInput as error:
        return error


def _lines(text: bytes) -> Iterator[bytes]:
    for line in text.splitlines():
        if line := line.strip():
            yield line


def _elements(text: bytes) -> Iterator[bytes | InvalidInput]:
    """The elements of an array; where its end is missing, what came before counts all the same."""
    scanner = ArrayScanner()
    commas = list(scanner.feed(text))
    start = (scanner.opened or 0) + 1
    end = len(text) if scanner.closed is None else scanner.closed
    pieces = [text[a:b].strip() for a, b in zip([start, *(c + 1 for c in commas)], [*commas, end], strict=True)]
    yield from pieces if any(pieces) else ()
    if scanner.closed is None:
        yield InvalidInput(BODY, excerpt(text[-40:]), "ends before its array does; send what is missing")
    elif rest := text[end + 1 :].strip():
        yield InvalidInput(BODY, excerpt(rest), f"goes on after its array; send one array, or lines as {NDJSON}")
