"""Bytes of a metrics object to decoded records, each with its place, or with the reason why it has none. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

import orjson

from backend.processor.arrays import ArrayScanner

Format = Literal["lines", "array", "elements"]
"""``lines``: JSON Lines. ``array``: one JSON array. ``elements``: a range of an array, cut between elements."""

TEXT_LIMIT: Final = 16_384
"""Quarantine keeps this much of a bad line; the object itself keeps the rest."""
_BOM: Final = b"\xef\xbb\xbf"


class Quarantined(NamedTuple):
    """One refused line. ``line`` counts from 1 within the object, or within the byte range that was read."""

    reason: str
    object: str
    line: int
    text: str
    message: str = ""


class Entry(NamedTuple):
    """One decoded line or element; ``text`` is None where the array was decoded whole."""

    line: int
    record: Any
    text: bytes | None


class Unreadable(NamedTuple):
    """One line or element that is not JSON."""

    line: int
    text: bytes
    reason: str
    message: str


def cut_text(text: bytes) -> str:
    """The part of a bad line that quarantine keeps; bytes that are no UTF-8 become replacement characters."""
    return text[:TEXT_LIMIT].decode("utf-8", "replace")


def format_of(head: bytes) -> Format:
    """The format that an object's first bytes show."""
    return "array" if head.removeprefix(_BOM).lstrip()[:1] == b"[" else "lines"


def read(body: bytes, form: Format | None, first_line: int = 1) -> Iterator[Entry | Unreadable]:
    """Every line or element of ``body`` in order; blank lines are none.

    An array that does not decode as a whole is taken apart, so that its good elements are kept; what follows its
    closing bracket is one more element.
    """
    body = body.removeprefix(_BOM)
    form = form or format_of(body)
    if form == "lines":
        return _lines(body, first_line)
    return _elements(body, form, first_line)


def _lines(body: bytes, first_line: int) -> Iterator[Entry | Unreadable]:
    loads = orjson.loads
    for number, line in enumerate(body.split(b"\n"), first_line):
        try:
            yield Entry(number, loads(line), line)
        except orjson.JSONDecodeError as error:
            if line.strip():
                yield _unreadable(number, line, error)


def _elements(body: bytes, form: Format, first_line: int) -> Iterator[Entry | Unreadable]:
    try:
        records = orjson.loads(body if form == "array" else b"[" + body + b"]")
    except orjson.JSONDecodeError:
        if form == "array" and _first_line_stands_alone(body):
            yield from _lines(body, first_line)
        else:
            yield from _taken_apart(body, form, first_line)
        return
    for number, record in enumerate(records, first_line):
        yield Entry(number, record, None)


def _first_line_stands_alone(body: bytes) -> bool:
    """Whether this is JSON Lines after all, whose first line happens to be an array."""
    line, _, rest = body.lstrip().partition(b"\n")
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return bool(rest.strip())


def _taken_apart(body: bytes, form: Format, first_line: int) -> Iterator[Entry | Unreadable]:
    scanner = ArrayScanner(opened=form == "elements")
    commas = list(scanner.feed(body))
    start = (scanner.opened or 0) + 1
    end = len(body) if scanner.closed is None else scanner.closed
    starts, ends = [start, *(comma + 1 for comma in commas)], [*commas, end]
    pieces = [body[a:b] for a, b in zip(starts, ends, strict=True)] + [body[end + 1 :]]
    for number, piece in enumerate(pieces, first_line):
        if not piece.strip():
            continue
        try:
            yield Entry(number, orjson.loads(piece), piece)
        except orjson.JSONDecodeError as error:
            yield _unreadable(number, piece, error)


def _unreadable(number: int, text: bytes, error: orjson.JSONDecodeError) -> Unreadable:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as wrong:
        message = f"line {number}: is not UTF-8 at byte {wrong.start}; write the file as UTF-8"
        return Unreadable(number, text, "invalid_utf8", message)
    if constant := _constant(text):
        message = f"line {number}: {constant} is not JSON; leave a sample without a value out"
        return Unreadable(number, text, "not_finite", message)
    message = f"line {number}: is not JSON ({error.msg}); write one JSON object a line"
    return Unreadable(number, text, "invalid_json", message)


def _constant(text: bytes) -> str | None:
    """The NaN or Infinity that alone makes ``text`` invalid, or None."""
    if b"NaN" not in text and b"Infinity" not in text:
        return None
    found: list[str] = []
    try:
        json.loads(text, parse_constant=found.append)
    except (ValueError, RecursionError):
        return None
    return found[0] if found else None
