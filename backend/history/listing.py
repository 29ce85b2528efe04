"""What lies in the bucket: a day's objects of samples, and the Parquet of its generations."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from backend.contract.tables import HISTORY_PREFIX, METRICS_PREFIX
from backend.history.days import day_of_key, day_path

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef, ObjectTypeDef

_GENERATION: Final = re.compile(re.escape(HISTORY_PREFIX) + r"year=(\d+)/month=(\d+)/day=(\d+)/generation=(\d+)/")
_DELETE_BATCH: Final = 1_000


class DayObjects(NamedTuple):
    """A day's objects of samples. ``digest`` is that of keys and versions; ``size`` is bytes."""

    day: date
    objects: int
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The Parquet of one generation of a day: ``size`` in bytes, ``newest`` is when it was written last (epoch s)."""

    day: date
    generation: int
    keys: tuple[str, ...]
    size: int
    newest: float


class Bucket:
    """Listings, and the few changes that compaction makes besides the ledger. Raises ClientError as it comes."""

    def __init__(self, s3: S3Client, name: str) -> None:
        self._s3 = s3
        self.name = name

    def days(self) -> Iterator[DayObjects]:
        """Every day that has objects of samples, by the order of their keys. One day at a time is in memory."""
        for day, objects in groupby(self._list(METRICS_PREFIX), key=lambda found: day_of_key(found["Key"])):
            if day is not None:
                yield _summary(day, list(objects))

    def day(self, day: date) -> tuple[DayObjects, dict[str, str]]:
        """One day's objects, with the version (ETag) of each key."""
        found = list(self._list(f"{METRICS_PREFIX}{day_path(day)}"))
        return _summary(day, found), {entry["Key"]: entry["ETag"] for entry in found}

    def generations(self, day: date | None = None) -> list[Stored]:
        """What lies there of the generations of a day, or of all days, in Athena's or in Hive's folders."""
        found: dict[tuple[date, int], list[ObjectTypeDef]] = {}
        prefixes = [HISTORY_PREFIX] if day is None else {f"{HISTORY_PREFIX}{day_path(day)}", _hive_day(day)}
        for prefix in prefixes:
            for entry in self._list(prefix):
                if match := _GENERATION.match(entry["Key"]):
                    year, month, number, generation = map(int, match.groups())
                    found.setdefault((date(year, month, number), generation), []).append(entry)
        return [
            Stored(
                *place,
                tuple(entry["Key"] for entry in entries),
                sum(entry["Size"] for entry in entries),
                max(entry["LastModified"].timestamp() for entry in entries),
            )
            for place, entries in sorted(found.items())
        ]

    def settle(self, day: date, generation: int) -> int:
        """Brings what Athena wrote to where its projection looks for it; returns how many objects it moved.

        INSERT INTO names folders as Hive does, ``month=1``, whatever the table's template says; the layout of every
        table here is ``month=01``. Run again it ends in the same state.
        """
        hive, home = generation_prefix(day, generation, hive=True), generation_prefix(day, generation)
        if hive == home:
            return 0
        keys = [entry["Key"] for entry in self._list(hive)]
        for key in keys:
            source: CopySourceTypeDef = {"Bucket": self.name, "Key": key}
            self._s3.copy_object(Bucket=self.name, Key=home + key.removeprefix(hive), CopySource=source)
        self.remove(keys)
        return len(keys)

    def remove(self, keys: list[str]) -> None:
        """Deletes objects; those that are gone already are no error. Raises RuntimeError for one that S3 keeps."""
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = [{"Key": key} for key in keys[start : start + _DELETE_BATCH]]
            answer = self._s3.delete_objects(Bucket=self.name, Delete={"Objects": batch, "Quiet": True})  # type: ignore[typeddict-item]
            if failed := answer.get("Errors"):
                raise RuntimeError(f"{failed[0].get('Key')} not deleted: {failed[0].get('Message')}")

    def _list(self, prefix: str) -> Iterator[ObjectTypeDef]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
            yield from page.get("Contents", ())


def generation_prefix(day: date, generation: int, *, hive: bool = False) -> str:
    """``history/metrics/year=2026/month=01/day=03/generation=0/``, or without zeros as ``hive`` has it."""
    return f"{_hive_day(day) if hive else HISTORY_PREFIX + day_path(day)}generation={generation}/"


def _hive_day(day: date) -> str:
    return f"{HISTORY_PREFIX}year={day.year}/month={day.month}/day={day.day}/"


def _summary(day: date, found: list[ObjectTypeDef]) -> DayObjects:
    digest = hashlib.sha256()
    for key, version in sorted((entry["Key"], entry["ETag"]) for entry in found):
        digest.update(f"{key}\t{version}\n".encode())
    size = sum(entry["Size"] for entry in found)
    return DayObjects(day, len(found), size, digest.hexdigest()[:32] if found else "")
