"""The ledger: what it holds, who writes it, and what of late objects follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from backend.contract.errors import InvalidInput
from backend.history.days import Days
from backend.history.ledger import (
    INDEX_KEY,
    KEPT_DAYS,
    SKEW_SECONDS,
    DayEntry,
    Index,
    Ledger,
    Recorded,
    days_of,
    decode,
    encode,
    forget,
    late_of,
)
from tests.backend.history.lake import BUCKET, DAY, Lake

CHECKED = 1_000_000.0
PARQUET = DayEntry("parquet", 2, 3, 10, 9, 100, 1000, 4, "abc", CHECKED + 5, CHECKED)


@pytest.fixture
def lake() -> Iterator[Lake]:
    with mock_aws():
        yield Lake()


def test_an_index_reads_as_it_was_written_and_is_small() -> None:
    index = {DAY + timedelta(days=number): replace(PARQUET, rows=number) for number in range(KEPT_DAYS)}
    index[DAY] = DayEntry("json", problem="why")
    assert decode(encode(index)) == index
    assert len(encode(index)) < 250 * KEPT_DAYS


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"version": 1, "days": {"2026-11-03": {"new": 1}}}', b'{"version": 1, "days": {"x": 1}}'],
)
def test_a_ledger_that_cannot_be_read_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="ledger"):
        decode(body)


def test_a_ledger_of_another_version_says_so_whatever_its_entries_hold() -> None:
    with pytest.raises(InvalidInput, match="update it"):
        decode(b'{"version": 2, "days": {"2026-11-03": {"new": 1}}}')


def test_days_are_forgotten_when_their_parquet_has_gone() -> None:
    index = {DAY - timedelta(days=age): PARQUET for age in (0, KEPT_DAYS, KEPT_DAYS + 1)}
    assert sorted(forget(index, DAY)) == [DAY - timedelta(days=KEPT_DAYS), DAY]


def test_days_are_read_as_the_ledger_says() -> None:
    index = {DAY: PARQUET, DAY + timedelta(days=1): DayEntry("empty"), DAY + timedelta(days=2): DayEntry(problem="x")}
    assert days_of(index) == Days({DAY: 2}, frozenset({DAY + timedelta(days=1)}))


def test_late_is_what_was_recorded_since_the_day_was_listed() -> None:
    other = DAY + timedelta(days=1)
    recorded = [
        Recorded(DAY, "old", CHECKED - SKEW_SECONDS - 1),
        Recorded(DAY, "new", CHECKED),
        Recorded(other, "not compacted", CHECKED),
    ]
    assert late_of({DAY: PARQUET}, recorded).keys == {DAY: ("new",)}
    assert late_of({DAY: PARQUET, other: DayEntry()}, recorded).days() == {DAY}
    assert late_of({DAY: PARQUET, other: PARQUET}, [], unread_from=other).whole == {other}


def test_a_change_is_decided_again_when_another_writer_was_quicker(lake: Lake) -> None:
    seen: list[Index] = []

    def decide(index: Index) -> Index:
        seen.append(index)
        if len(seen) == 1:
            Ledger(lake.s3, BUCKET).change(lambda _: {DAY: PARQUET})
        return {**index, DAY + timedelta(days=1): DayEntry("empty")}

    assert lake.ledger.change(decide) == {DAY: PARQUET, DAY + timedelta(days=1): DayEntry("empty")}
    assert [len(index) for index in seen] == [0, 1], "the first write of all is conditional too"
    seen.clear()
    assert len(lake.ledger.change(decide)) == 2


def test_a_change_gives_up_when_it_is_always_beaten(lake: Lake) -> None:
    rounds = iter(range(100))

    def decide(index: Index) -> Index:
        number = next(rounds)
        Ledger(lake.s3, BUCKET).change(lambda now: {**now, DAY: replace(PARQUET, rows=number)})
        return {**index, DAY: DayEntry("empty")}

    with pytest.raises(TimeoutError):
        lake.ledger.change(decide)


def test_what_changes_nothing_writes_nothing(lake: Lake) -> None:
    lake.ledger.change(lambda _: {DAY: PARQUET})
    before = lake.s3.head_object(Bucket=BUCKET, Key=INDEX_KEY)
    lake.ledger.change(dict)
    assert lake.s3.head_object(Bucket=BUCKET, Key=INDEX_KEY)["LastModified"] == before["LastModified"]


def test_other_errors_of_s3_pass_through(lake: Lake) -> None:
    with pytest.raises(ClientError):
        Ledger(lake.s3, "no-such-bucket").change(lambda _: {DAY: PARQUET})


def test_a_manifest_holds_keys_of_any_kind_and_a_lost_one_holds_none(lake: Lake) -> None:
    objects = {"metrics/a b\t'%.json": '"1"', "metrics/ü.json": '"2"'}
    lake.ledger.put_manifest(DAY, 1, objects)
    assert lake.ledger.manifest(DAY, 1) == objects
    assert lake.ledger.manifest(DAY, 2) == {}


def test_no_day_is_known_before_the_first_run(lake: Lake) -> None:
    empty: dict[Any, Any] = {}
    assert lake.ledger.read() == empty
