"""The demo's jobs: which there are and what each run does, a pure function of seed and time.

History and live workers draw from the same table, so that a page shows one story. Every run says ``synthetic``.

Some go well, one fails now and then, one hangs, one never starts, and one takes many starts without a success. The
backfill loads twelve months and dies in the fifth; it waits to be resumed from the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from random import Random
from typing import Final

from backend.contract.jobs import JobRun, JobType
from backend.contract.records import derived_id

BACKFILL: Final = "orders-backfill-2025"
MONTHS: Final = tuple(f"2025-{month:02d}" for month in range(1, 13))
DIES_IN: Final = MONTHS[4]
BACKFILL_ERROR: Final = "MemoryError: 2025-05 has 41,310,552 rows, and 8,192 MB are not enough to sort them"
HANGS: Final = "inventory-snapshot"
MISSED: Final = "ledger-close"
STREAM: Final = "clickstream-enricher"
HISTORY_DAYS: Final = 29
"""Four weeks and a day: an hour's volume is compared with the same hour of four earlier weeks."""
RECENT_SECONDS: Final = 1800.0
HOUR_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 240.0
DAILY: Final = (0.3, 0.25, 0.2, 0.2, 0.25, 0.4, 0.6, 0.8, 1.0, 1.15, 1.25, 1.3, 1.3, 1.25, 1.2, 1.15, 1.15, 1.2, 1.3,
                1.35, 1.2, 0.9, 0.6, 0.4)  # fmt: skip
"""How much is ordered in each hour of a day, around 1."""


@dataclass(frozen=True, slots=True)
class DemoJob:
    """A job of the demo. It starts each ``every_seconds``, and once an hour in the seeded past.

    ``failing`` is the share of runs that fail, with one of ``errors`` (``{number}`` differs each time).
    """

    name: str
    dataset: str
    every_seconds: float
    seconds: float
    records: int
    failing: float = 0.0
    errors: tuple[str, ...] = ()
    type: JobType = "batch"


REGULAR: Final = (
    DemoJob("orders-load", "orders", 60, 6, 5_200),
    DemoJob("payments-sync", "payments", 90, 9, 4_100, 0.25, (
        "TimeoutError: payments database did not answer within 30 s (attempt {number})",
        "ConnectionResetError: connection 10.0.3.{number} was reset while reading page {number}",
    )),
    DemoJob("shipping-report", "shipping", 120, 14, 1_900, 0.04, (
        "ValueError: carrier 'DPX-{number}' is not in the list of carriers",
    )),
    DemoJob("customer-dedupe", "customers", 180, 25, 860),
)  # fmt: skip
FAILING: Final = DemoJob("vat-export", "vat", 40, 3, 0, 1.0, (
    "PermissionError: s3://finance-exports/vat/{number}.csv: AccessDenied",
))  # fmt: skip
"""Since the demo's start no run of it has succeeded."""


@dataclass(frozen=True, slots=True)
class Fate:
    """How one run goes."""

    seconds: float
    records: int
    error: str = ""


def fate(job: DemoJob, seed: int, started_at: float) -> Fate:
    """How the run that starts at ``started_at`` (epoch s) goes: always the same for the same seed."""
    random = Random(f"{seed}/{job.name}/{int(started_at)}")
    hour = datetime.fromtimestamp(started_at, UTC).hour
    volume = DAILY[hour] * random.uniform(0.93, 1.07)
    seconds = job.seconds * (0.7 + 0.3 * volume) * random.uniform(0.8, 1.3)
    if random.random() < job.failing:
        error = random.choice(job.errors).format(number=random.randrange(2, 250))
        return Fate(seconds * random.uniform(0.1, 0.9), 0, error)
    return Fate(seconds, int(job.records * volume))


def history(seed: int, now: float) -> Iterator[JobRun]:
    """Runs of the last four weeks, oldest first per job, all ended before ``now`` (epoch s).

    The last half hour, and the hour that it begins in, are as dense as live runs: who looks at the start finds fresh
    datasets, and no hour is loaded twice.
    """
    dense = (now - RECENT_SECONDS) // HOUR_SECONDS
    for job in REGULAR:
        for hour in range(int((now - HISTORY_DAYS * 86400) // HOUR_SECONDS) + 1, int(dense)):
            yield from _hour(job, seed, hour)
        first, last = ceil(dense * HOUR_SECONDS / job.every_seconds), int((now - 2 * job.seconds) // job.every_seconds)
        for number in range(first, last + 1):
            yield ended(job, seed, number * job.every_seconds)


def _hour(job: DemoJob, seed: int, hour: int) -> Iterator[JobRun]:
    """A past hour: one run loads what its live runs would have; one that fails is tried again until it succeeds."""
    started = hour * HOUR_SECONDS + Random(f"{seed}/{job.name}/{hour}").uniform(0, 20)
    times = HOUR_SECONDS / job.every_seconds * (1 - job.failing)
    for attempt in range(int(HOUR_SECONDS / RETRY_SECONDS) - 1):
        run = ended(job, seed, started + attempt * RETRY_SECONDS, times)
        yield run
        if run.status == "SUCCESS":
            return


def ended(job: DemoJob, seed: int, started_at: float, times: float = 1.0) -> JobRun:
    """A finished run of a regular job, over ``times`` the records of a live one."""
    going = fate(job, seed, started_at)
    at = started_at + going.seconds * max(1.0, times / 4)
    return JobRun(
        job_name=job.name,
        run_id=derived_id("demo-run", seed, job.name, int(started_at)).replace("-", "")[:16],
        status="FAILED" if going.error else "SUCCESS",
        started_at=round(started_at, 3),
        ended_at=round(at, 3),
        heartbeat_at=round(at, 3),
        type=job.type,
        dataset=job.dataset,
        records=None if going.error else int(going.records * times),
        error=going.error.partition(": ")[2],
        error_type=going.error.partition(": ")[0],
        worker="worker-2:4711",
        synthetic=True,
    )
