"""Metrics objects in S3: read whole, or cut into byte ranges that are processed one by one.

A 256 MB function never holds more than one range and one line or element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from backend.contract.tables import QUARANTINE_PREFIX, RECEIPT_METADATA, SPACING_METADATA
from backend.processor.arrays import ArrayScanner
from backend.processor.part import ObjectPart
from backend.processor.reading import TEXT_LIMIT, Quarantined, cut_text, format_of

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

CHUNK: Final = 256 * 1024
HEAD: Final = 1024
"""Bytes in which the first character that is no space is looked for."""


@dataclass(slots=True)
class Loaded:
    """A part's bytes and what the object's metadata say. ``ranges`` instead of a body when it is too large."""

    part: ObjectPart
    body: bytes = b""
    refused: list[Quarantined] = field(default_factory=list)
    ranges: list[ObjectPart] = field(default_factory=list)


def load(s3: S3Client, bucket: str, part: ObjectPart, limit: int) -> Loaded:
    """Reads an object, or cuts one larger than ``limit`` bytes into ranges; reads a range's own lines or elements.

    A line or element larger than ``limit`` is refused with the first 16 KB of its text. Raises botocore's errors.
    """
    if part.end is None:
        answer = s3.get_object(Bucket=bucket, Key=part.key)
        with closing(answer["Body"]) as body:
            known = _described(part, answer)
            if answer["ContentLength"] <= limit:
                return Loaded(known, body=body.read())
            return Loaded(known, ranges=list(_ranges(part.key, answer["ContentLength"], body, limit)))
    if part.format == "lines":
        return _load_lines(s3, bucket, part, part.end, limit)
    return _load_elements(s3, bucket, part, part.end, limit)


def quarantine_key(part: ObjectPart) -> str:
    """Where a part's refused lines are kept: the same at every delivery, so that a second one overwrites."""
    return f"{QUARANTINE_PREFIX}{part.key}.{part.start}.json"


def _described(part: ObjectPart, answer: GetObjectOutputTypeDef) -> ObjectPart:
    try:
        spacing = float(answer["Metadata"].get(SPACING_METADATA, ""))
    except ValueError:
        spacing = 0.0
    return replace(
        part,
        spacing_seconds=spacing or None,
        modified=answer["LastModified"].timestamp(),
        receipt=answer["Metadata"].get(RECEIPT_METADATA) == "yes",
    )


def _ranges(key: str, size: int, body: StreamingBody, limit: int) -> Iterator[ObjectPart]:
    """Cuts that depend on the bytes and the limit alone: cutting again gives the same ranges."""
    head = body.read(HEAD)
    if format_of(head) == "array":
        for start, end in array_ranges(_chunks(head, body), size, limit):
            yield ObjectPart(key, start, end, "elements")
    else:
        for start in range(0, size, limit):
            yield ObjectPart(key, start, min(start + limit, size), "lines")


def _chunks(head: bytes, body: StreamingBody) -> Iterator[bytes]:
    yield head
    yield from body.iter_chunks(CHUNK)


def array_ranges(chunks: Iterable[bytes], size: int, limit: int) -> Iterator[tuple[int, int]]:
    """Byte ranges of whole elements of an array, each at most ``limit`` bytes unless one element is larger.

    The first range holds the opening bracket; what follows the closing one is a range of its own.
    """
    scanner = ArrayScanner()
    start = last = 0
    for comma in _commas(scanner, chunks, size):
        if comma - start > limit and last > start:
            yield start, last
            start = last + 1
        if comma - start > limit:
            yield start, comma
            start = comma + 1
        last = comma
    end = size if scanner.closed is None else scanner.closed
    if start < end:
        yield start, end
    if end + 1 < size:
        yield end + 1, size


def _commas(scanner: ArrayScanner, chunks: Iterable[bytes], size: int) -> Iterator[int]:
    """The commas between elements, then the array's end."""
    for chunk in chunks:
        yield from scanner.feed(chunk)
        if scanner.closed is not None:
            break
    yield size if scanner.closed is None else scanner.closed


def _load_elements(s3: S3Client, bucket: str, part: ObjectPart, end: int, limit: int) -> Loaded:
    oversize = end - part.start > limit
    stop = part.start + TEXT_LIMIT if oversize else end
    answer = s3.get_object(Bucket=bucket, Key=part.key, Range=f"bytes={part.start}-{stop - 1}")
    with closing(answer["Body"]) as stream:
        body = stream.read()
    known = _described(part, answer)
    if oversize:
        return Loaded(known, refused=[_too_large(part.key, 1, body, limit)])
    if part.start == 0:
        body = body[body.index(b"[") + 1 :]
    return Loaded(known, body=body)


def _load_lines(s3: S3Client, bucket: str, part: ObjectPart, end: int, limit: int) -> Loaded:
    """The lines that start in the range; the last one is read to its end.

    The byte before the range tells whether its first byte starts a line.
    """
    first = max(part.start - 1, 0)
    answer = s3.get_object(Bucket=bucket, Key=part.key, Range=f"bytes={first}-{end + limit}")
    known = _described(part, answer)
    with closing(answer["Body"]) as stream:
        body: bytes = stream.read(end - first)
        begin = 0 if part.start == 0 else body.find(b"\n") + 1
        if begin == len(body) or (begin == 0 and part.start > 0):
            return Loaded(known)
        rest, ended = (b"", True) if body.endswith(b"\n") else _rest_of_line(stream)
    if ended or first + len(body) + len(rest) <= end + limit:
        return Loaded(known, body=body[begin:] + rest)
    cut = body.rfind(b"\n", begin) + 1 or begin
    line = body.count(b"\n", begin) + 1
    return Loaded(known, body=body[begin:cut], refused=[_too_large(part.key, line, body[cut:] + rest, limit)])


def _rest_of_line(stream: StreamingBody) -> tuple[bytes, bool]:
    """The bytes up to the next line end, and whether there was one before the stream's end."""
    chunks: list[bytes] = []
    for chunk in stream.iter_chunks(CHUNK):
        line, newline, _ = chunk.partition(b"\n")
        chunks.append(line)
        if newline:
            return b"".join(chunks), True
    return b"".join(chunks), False


def _too_large(key: str, line: int, text: bytes, limit: int) -> Quarantined:
    message = f"line {line}: is larger than {limit} bytes; write one sample a line"
    return Quarantined("too_large", key, line, cut_text(text), message)


def quarantine_records(
    records: Iterable[Quarantined], part: ObjectPart, received_at: float
) -> Iterator[dict[str, Any]]:
    """What is written to ``quarantine/``, one JSON object a line.

    ``line`` counts from ``first_byte`` of the object, which is 0 unless the object was read in ranges.
    """
    for record in records:
        yield {**record._asdict(), "first_byte": part.start, "received_at": received_at}
