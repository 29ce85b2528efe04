"""Job runs and dataset status in S3, one JSON object a line, as Athena's ``monitoring`` tables read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from backend.contract.events import utc_seconds, utc_text
from backend.contract.jobs import DatasetStatus, JobRun
from backend.contract.tables import DATASET_STATUS_PREFIX, JOB_RUNS_PREFIX
from backend.jobs.memory import newest_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EVERY_SECONDS: Final = 900
DAY_SECONDS: Final = 86_400
RUN_DAYS: Final = 31
"""A run that ends more days after its start is not written again."""
_STATUS_TIMES: Final = ("checked_at", "last_success_at", "due_at")
_STATUS_PLAIN: Final = (
    "dataset", "state", "last_run_id", "job_name", "records", "freshness_minutes", "sla_minutes", "calendar",
    "volume_note", "environment", "synthetic",
)  # fmt: skip
_VOLUME: Final = ("records", "expected", "low", "high", "weeks", "method")


def is_due(now: float, written_at: float) -> bool:
    """Whether the history is to be written: once in each quarter of an hour."""
    return now // EVERY_SECONDS != written_at // EVERY_SECONDS


def partition_path(at: float) -> str:
    """The folder of a UTC day, as partition projection finds it: ``year=2026/month=11/day=21/``."""
    year, month, day = utc_text(at)[:10].split("-")
    return f"year={year}/month={month}/day={day}/"


def day_start(day: str) -> float:
    """The beginning of a UTC day, ``2026-11-21``, in epoch seconds."""
    return utc_seconds(f"{day}T00:00:00.000Z")


def runs_key(day: float) -> str:
    """The object that holds all runs started on the UTC day of ``day``."""
    return f"{JOB_RUNS_PREFIX}{partition_path(day)}runs.json"


def status_key(at: float) -> str:
    """The object of a quarter of an hour: written twice, it is the same one."""
    began = at // EVERY_SECONDS * EVERY_SECONDS
    return f"{DATASET_STATUS_PREFIX}{partition_path(began)}status-{utc_text(began)[11:16].replace(':', '')}.json"


def open_days(running: Iterable[JobRun], now: float) -> dict[str, int]:
    """UTC days before yesterday with runs that have not ended, and how many."""
    found: dict[str, int] = {}
    for run in running:
        if run.started_at // DAY_SECONDS < now // DAY_SECONDS - 1:
            day = utc_text(run.started_at)[:10]
            found[day] = found.get(day, 0) + 1
    return found


def days_to_write(before: Mapping[str, int], running: Mapping[str, int], now: float) -> list[float]:
    """Beginnings (epoch s) of the UTC days whose object is to be written: today, yesterday, and earlier days of which
    runs have ended since ``before``. Besides one of the earlier days in turn: a worker that was cut off delivers runs
    from their start to their end days later, and nothing else tells of those."""
    today = now // DAY_SECONDS
    changed = {day for day in {*before, *running} if before.get(day, 0) != running.get(day, 0)}
    in_turn = 2 + int(now // EVERY_SECONDS) % RUN_DAYS
    return sorted(
        day
        for age in range(RUN_DAYS + 2)
        if utc_text(day := (today - age) * DAY_SECONDS)[:10] in changed or age in (0, 1, in_turn)
    )


class History:
    """Writes objects. Its calls raise what boto3 raises."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def write_runs(self, day: float, read: Callable[[float, float], Iterator[list[JobRun]]]) -> int:
        """Writes all runs of a UTC day anew, through ``JobReader.runs``; how many. A day without runs has no object."""
        runs = newest_of(run for page in read(day, day + DAY_SECONDS) for run in page)
        if runs:
            self._put(runs_key(day), (run.as_json() for run in runs))
        return len(runs)

    def write_status(self, statuses: Sequence[DatasetStatus], at: float) -> None:
        """Writes how all datasets were found in this quarter of an hour."""
        if statuses:
            self._put(status_key(at), (status_line(status) for status in statuses))

    def _put(self, key: str, lines: Iterable[Mapping[str, Any]]) -> None:
        body = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")


def status_line(status: DatasetStatus) -> dict[str, Any]:
    """One line of ``monitoring.dataset_status``: flat, times as text, what is not known as null."""
    volume = status.volume
    return {
        **{name: getattr(status, name) for name in _STATUS_PLAIN},
        **{name: None if (at := getattr(status, name)) is None else utc_text(at) for name in _STATUS_TIMES},
        "volume_hour": None if volume is None else utc_text(volume.hour),
        **{f"volume_{name}": None if volume is None else getattr(volume, name) for name in _VOLUME},
    }
