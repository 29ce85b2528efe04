"""The ledger of compacted days: which generation of a day is read, and which objects are in it.

One small object tells of all days (``history/ledger/metrics.json``; pages read it), and one per generation holds the
keys that were read into it. Both are changed by conditional puts, so that of two writers one has to look again.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import orjson
from botocore.exceptions import ClientError

from backend.contract.errors import InvalidInput
from backend.contract.tables import LEDGER_PREFIX, METRICS_JSON
from backend.history.days import SKEW_SECONDS, Days, LateObjects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INDEX_KEY: Final = f"{LEDGER_PREFIX}{METRICS_JSON}.json"
VERSION: Final = 1
KEPT_DAYS: Final = 400
"""Days that the ledger remembers; S3 removes their Parquet by then (``history/`` in the template's lifecycle)."""
_TRIES: Final = 8
_WAIT_SECONDS: Final = 0.05
_BEATEN: Final = (409, 412)
"""What S3 answers a conditional put that another writer was quicker than."""

DayState = Literal["json", "parquet", "empty"]


@dataclass(frozen=True, slots=True)
class DayEntry:
    """What is known of one closed day. Times are epoch seconds, 0 for never; sizes are bytes.

    ``rows`` are the lines read, ``samples`` those that differ: as many as Parquet holds. ``digest`` is that of the
    objects' keys and versions. ``next_generation`` was never written to, not even by a run that died.
    ``checked_at`` is when the objects were listed last: all that were there then are in Parquet. ``problem`` is why the
    day could not be compacted; it stays what it was before.
    """

    state: DayState = "json"
    generation: int = -1
    next_generation: int = 0
    rows: int = 0
    samples: int = 0
    parquet_bytes: int = 0
    json_bytes: int = 0
    objects: int = 0
    digest: str = ""
    compacted_at: float = 0.0
    checked_at: float = 0.0
    problem: str = ""


Index = Mapping[date, DayEntry]


class Recorded(NamedTuple):
    """An object that the processor handled after its day was closed, at ``at`` (epoch s)."""

    day: date
    key: str
    at: float


def encode(index: Index) -> bytes:
    """The index as its object holds it; what is as by default is left out."""
    default = asdict(DayEntry())
    days = {
        day.isoformat(): {name: value for name, value in asdict(entry).items() if value != default[name]}
        for day, entry in sorted(index.items())
    }
    return orjson.dumps({"version": VERSION, "days": days})


def decode(body: bytes) -> dict[date, DayEntry]:
    """The index of an object's bytes. Raises InvalidInput for what ``encode`` did not write."""
    try:
        record = orjson.loads(body)
        # Entries of another version may have other fields.
        if (version := record["version"]) != VERSION:
            raise InvalidInput("ledger", version, f"is no version that this code reads ({VERSION}); update it")
        return {date.fromisoformat(day): DayEntry(**entry) for day, entry in record["days"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidInput("ledger", INDEX_KEY, f"can't be read ({error!r}); see docs/history.md") from error


def forget(index: Index, today: date) -> dict[date, DayEntry]:
    """The index without days whose Parquet has gone."""
    return {day: entry for day, entry in index.items() if (today - day).days <= KEPT_DAYS}


def days_of(index: Index) -> Days:
    """How each day is read."""
    return Days(
        {day: entry.generation for day, entry in index.items() if entry.state == "parquet"},
        frozenset(day for day, entry in index.items() if entry.state == "empty"),
    )


def late_of(index: Index, recorded: Iterable[Recorded], unread_from: date | None = None) -> LateObjects:
    """The recorded objects that may not be in the Parquet of their day.

    Of days from ``unread_from`` on, where it is given, not all records were read: all their objects count as late.
    """
    late = [
        (one.day, one.key)
        for one in recorded
        if (entry := index.get(one.day)) and entry.state != "json" and one.at >= entry.checked_at - SKEW_SECONDS
    ]
    unread = [day for day, entry in index.items() if unread_from and day >= unread_from and entry.state != "json"]
    return LateObjects.of(late, unread)


class Ledger:
    """The ledger in S3. Methods raise ClientError as it comes."""

    def __init__(self, s3: S3Client, bucket: str, sleep: Callable[[float], object] = time.sleep) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._sleep = sleep

    def read(self) -> dict[date, DayEntry]:
        """Every day; none where nothing was compacted yet. Raises InvalidInput for a ledger that can't be read."""
        return self._read()[0]

    def change(self, decide: Callable[[Index], Index]) -> dict[date, DayEntry]:
        """Writes what ``decide`` makes of the index as it is now, and returns it.

        ``decide`` is asked again when another writer was quicker. Raises TimeoutError where that never ends.
        """
        for attempt in range(_TRIES):
            index, version = self._read()
            changed = dict(decide(index))
            if changed == index:
                return index
            condition: Any = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
            try:
                self._put(INDEX_KEY, encode(changed), **condition)
            except ClientError as error:
                if _status(error) not in _BEATEN:
                    raise
                self._sleep(_WAIT_SECONDS * 2**attempt)
            else:
                return changed
        raise TimeoutError(f"the ledger changed {_TRIES} times meanwhile")

    def reserve(self, day: date, least: int = 0) -> int:
        """A generation of a day, from ``least`` on, that nobody was given and nobody will be given again."""
        taken = [least]

        def reserved(index: Index) -> Index:
            entry = index.get(day, DayEntry())
            taken[0] = max(entry.next_generation, least)
            return {**index, day: replace(entry, next_generation=taken[0] + 1)}

        self.change(reserved)
        return taken[0]

    def put_manifest(self, day: date, generation: int, objects: Mapping[str, str]) -> None:
        """Keeps which objects (key to version) are in a generation; written once, before the day is switched to it."""
        lines = "".join(f"{key}\t{version}\n" for key, version in sorted(objects.items()))
        self._put(manifest_key(day, generation), gzip.compress(lines.encode(), mtime=0))

    def manifest(self, day: date, generation: int) -> dict[str, str]:
        """Key to version of the objects that are in a generation; none where the manifest is gone.

        Then every object counts as new, and Parquet keeps what it has.
        """
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=manifest_key(day, generation))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return {}
        lines = gzip.decompress(answer["Body"].read()).decode().splitlines()
        return {key: version for key, _, version in (line.rpartition("\t") for line in lines)}

    def _read(self) -> tuple[dict[date, DayEntry], str]:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=INDEX_KEY)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return {}, ""
        return decode(answer["Body"].read()), answer["ETag"]

    def _put(self, key: str, body: bytes, **condition: Any) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, **condition)


def manifest_key(day: date, generation: int) -> str:
    """``history/ledger/metrics/2026-11-21/0.gz``."""
    return f"{LEDGER_PREFIX}{METRICS_JSON}/{day.isoformat()}/{generation}.gz"


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
