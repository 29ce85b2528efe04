"""Large objects: cut the same way every time, read range by range, in bounded memory."""

from __future__ import annotations

import io
import re
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from botocore.response import StreamingBody
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.processor.objects import array_ranges, load
from backend.processor.part import ObjectPart
from backend.processor.reading import Entry, Unreadable, read

LIMIT = 5_000_000
SAMPLE = orjson.dumps(
    {
        "metric_id": "5f0c5c1e-6d0b-5a0e-9a63-0b6f6f1f6a11",
        "timestamp": 1_795_259_210,
        "metric_type": "cpu_utilization",
        "value": 41.5,
        "unit": "%",
        "hostname": "server-001",
        "region": "us-east-1",
        "environment": "production",
        "labels": {"note": 'a "quoted", bracketed ] text'},
    }
)


class Repeated(io.RawIOBase):
    """A file that repeats one unit between a head and a tail, without holding it."""

    def __init__(self, head: bytes, unit: bytes, times: int, tail: bytes) -> None:
        self.head, self.unit, self.times, self.tail = head, unit, times, tail
        self.size = len(head) + len(unit) * times + len(tail)

    def between(self, start: int, stop: int) -> bytes:
        """The bytes of a range, made from as many units as it needs."""
        body_start, body_end = len(self.head), len(self.head) + len(self.unit) * self.times
        parts = [self.head[start:stop]]
        if stop > body_start and start < body_end:
            first, last = max(start, body_start) - body_start, min(stop, body_end) - body_start
            lead = first // len(self.unit) * len(self.unit)
            units = -(-(last - lead) // len(self.unit))
            parts.append((self.unit * units)[first - lead : last - lead])
        parts.append(self.tail[max(start - body_end, 0) : max(stop - body_end, 0)])
        return b"".join(parts)


class Bucket:
    """S3 with one object that is made as it is read."""

    def __init__(self, file: Repeated) -> None:
        self.file = file

    def get_object(self, Bucket: str, Key: str, Range: str = "") -> dict[str, Any]:  # noqa: N803
        numbers = [int(n) for n in re.findall(r"\d+", Range)] or [0, self.file.size - 1]
        start, stop = numbers[0], min(numbers[1] + 1, self.file.size)
        stream = Reading(self.file, start, stop)
        return {
            "Body": StreamingBody(stream, stop - start),
            "ContentLength": stop - start,
            "Metadata": {"spacing-seconds": "15"},
            "LastModified": datetime(2026, 11, 21, tzinfo=UTC),
        }


class Reading:
    """What an HTTP response offers of a body."""

    def __init__(self, file: Repeated, start: int, stop: int) -> None:
        self.file, self.at, self.stop = file, start, stop

    def read(self, amount: int | None = None) -> bytes:
        stop = self.stop if amount is None else min(self.at + amount, self.stop)
        data = self.file.between(self.at, stop)
        self.at = stop
        return data

    def close(self) -> None:
        pass


def entries(bucket: Any, limit: int) -> Iterator[tuple[ObjectPart, list[Entry | Unreadable], list[Any]]]:
    """Part by part what is read and what is refused."""
    whole = load(bucket, "b", ObjectPart("metrics/a.json"), limit)
    for part in whole.ranges or [whole.part]:
        loaded = load(bucket, "b", part, limit)
        assert loaded.part.spacing_seconds == 15.0
        yield part, list(read(loaded.body, loaded.part.format)), loaded.refused


@pytest.mark.parametrize(
    "make",
    [lambda n: Repeated(b"", SAMPLE + b"\n", n, b""), lambda n: Repeated(b"[", SAMPLE + b",", n, SAMPLE + b"]\n")],
    ids=["lines", "array"],
)
def test_50_mb_are_read_in_bounded_memory(make: Callable[[int], Repeated]) -> None:
    file = make(50_000_000 // len(SAMPLE))
    expected = file.times + (file.head == b"[")
    bucket = Bucket(file)
    tracemalloc.start()
    ranges = load(bucket, "b", ObjectPart("metrics/a.json"), LIMIT).ranges  # type: ignore[arg-type]
    cut_peak = tracemalloc.get_traced_memory()[1]
    found = 0
    for part in ranges:
        loaded = load(bucket, "b", part, LIMIT)  # type: ignore[arg-type]
        assert len(loaded.body) <= LIMIT + len(SAMPLE)
        found += loaded.body.count(SAMPLE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == expected
    assert len(ranges) == pytest.approx(11, abs=1)
    assert cut_peak < 2_000_000
    assert peak < 5 * LIMIT


records = st.lists(st.text(alphabet='abé"\\[]{},: ', max_size=30), min_size=1, max_size=30)


@given(records, st.integers(8, 60), st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_line_or_element_is_read_by_exactly_one_range(
    texts: list[str], limit: int, as_array: bool, closed: bool
) -> None:
    values = [{"t": text} for text in texts]
    body = b"[" + b", ".join(map(orjson.dumps, values)) + b"]" if as_array else b"\n".join(map(orjson.dumps, values))
    if not as_array and closed:
        body += b"\n"
    bucket = Bucket(Repeated(body, b" ", 0, b""))
    found: list[Any] = []
    refused = 0
    for _, got, too_large in entries(bucket, limit):
        assert all(isinstance(entry, Entry) for entry in got)
        found += [entry.record for entry in got if isinstance(entry, Entry)]
        refused += len(too_large)
    assert len(found) + refused == len(values)
    assert all(value in values for value in found)
    # Only what is larger than the limit may be refused.
    assert refused <= sum(len(orjson.dumps(value)) + 2 > limit for value in values)


def test_a_line_larger_than_the_limit_is_refused_with_its_beginning() -> None:
    huge = b'{"note": "' + b"x" * 40_000 + b'"}'
    bucket = Bucket(Repeated(b'{"a": 1}\n' + huge + b'\n{"b": 2}\n', b" ", 0, b""))
    parts = list(entries(bucket, 20_000))
    records = [entry.record for _, got, _ in parts for entry in got if isinstance(entry, Entry)]
    assert records == [{"a": 1}, {"b": 2}]
    (refused,) = [bad for _, _, too_large in parts for bad in too_large]
    assert (refused.reason, refused.line) == ("too_large", 2)
    assert refused.text == huge[:16_384].decode()


def test_an_element_larger_than_the_limit_is_refused_with_its_beginning() -> None:
    huge = b'{"note": "' + b"x" * 40_000 + b'"}'
    bucket = Bucket(Repeated(b'[{"a": 1},' + huge + b',{"b": 2}]', b" ", 0, b""))
    parts = list(entries(bucket, 20_000))
    records = [entry.record for _, got, _ in parts for entry in got if isinstance(entry, Entry)]
    assert records == [{"a": 1}, {"b": 2}]
    (refused,) = [bad for _, _, too_large in parts for bad in too_large]
    assert (refused.reason, len(refused.text)) == ("too_large", 16_384)


def test_what_follows_an_array_is_a_range_of_its_own() -> None:
    data = b'[{"a": 1},{"a": 2}] what is this?'
    assert list(array_ranges([data], len(data), 10)) == [(0, 9), (10, 18), (19, len(data))]


def test_an_array_that_ends_early_is_read_to_its_end() -> None:
    data = b'[{"a": 1},{"a": 2},{"a":'
    assert list(array_ranges([data], len(data), 10)) == [(0, 9), (10, 18), (19, 24)]
