"""Job runs, batches, datasets and watches as a busy warehouse would have them: no AWS."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backend.contract.alerts import FoundAnnotations
from backend.contract.checks import CheckResult, Finding
from backend.contract.jobs import (
    BatchPlan,
    BatchState,
    DatasetStatus,
    JobRun,
    RetryPreview,
    VolumeFinding,
)
from backend.contract.replays import Replay

HOUR = 3600.0
JOBS = {
    "orders-load": ("orders", 900.0, 240.0), "clicks-hourly": ("clicks", 3600.0, 620.0),
    "customers-sync": ("customers", 1800.0, 95.0), "prices-import": ("prices", 1200.0, 30.0),
    "sessions-stream": ("sessions", 43_200.0, 40_000.0), "invoices-export": ("", 7200.0, 410.0),
    "stock-snapshot": ("stock", 600.0, 18.0), "returns-load": ("returns", 3600.0, 150.0),
}  # fmt: skip
"""Name to dataset, seconds between starts, and usual seconds a run."""
ERRORS = (
    ("TimeoutError", "no answer from 10.0.{a}.{b} within {c} s"),
    ("ClientError", "An error occurred (ThrottlingException) when calling PutItem, request 5f{a:02x}c0de{b:02x}"),
    ("ValueError", "column 'amount_{b}' of 2026-11-{day:02d} has {c} nulls"),
    ("MemoryError", "<script>alert(1)</script> worker ran out of memory"),
)
HOSTILE = "<img src=x onerror=alert(1)>"


def runs(now: float, days: float = 2.0, seed: int = 7) -> list[JobRun]:
    """A few hundred runs, the newest of each job maybe going on; one of them hangs."""
    rng = random.Random(seed)
    found: list[JobRun] = []
    for name, (dataset, every, usual) in JOBS.items():
        at = now - days * 24 * HOUR + rng.uniform(0, every)
        while at < now:
            found.append(_run(rng, name, dataset, round(at, 3), usual, now))
            at += every * rng.uniform(0.97, 1.03)
    hung = JobRun(
        "clicks-hourly", "hung0001", "STARTED", round(now - 3 * HOUR, 3), dataset="clicks", batch="2026-11-21T11",
        heartbeat_at=now - 3 * HOUR + 60, worker="etl-3:4411:1", limit_seconds=3600.0, correlation_id="clicks-11",
    )  # fmt: skip
    return [*found, hung]


def _run(rng: random.Random, name: str, dataset: str, at: float, usual: float, now: float) -> JobRun:
    took = usual * rng.uniform(0.7, 1.5)
    going = at + took > now
    failed = not going and rng.random() < 0.07
    kind, message = rng.choice(ERRORS)
    text = message.format(a=rng.randrange(255), b=rng.randrange(255), c=rng.randrange(9, 90), day=rng.randrange(1, 28))
    return JobRun(
        job_name=name,
        run_id=f"{rng.getrandbits(48):012x}",
        status="STARTED" if going else "FAILED" if failed else "SUCCESS",
        started_at=at,
        type="streaming" if name.endswith("stream") else "batch",
        dataset=dataset,
        ended_at=None if going else round(at + took * (0.4 if failed else 1), 3),
        heartbeat_at=now - 5 if going else None,
        records=None if failed else rng.randrange(200, 90_000),
        error=f"{kind}: {text}\nTraceback (most recent call last):\n  File load.py" if failed else "",
        error_type=kind if failed else "",
        worker=f"etl-{rng.randrange(1, 5)}:{rng.randrange(3000, 9000)}:1",
        limit_seconds=usual * 1.4,
        correlation_id=f"{name}-{int(at)}",
        progress=0.4 if going else None,
    )


def backfill(now: float) -> tuple[list[JobRun], BatchPlan]:
    """Twelve months of which the fifth died: its runs, and the plan."""
    found, states = [], []
    for month in range(1, 13):
        batch = f"2026-{month:02d}"
        at = round(now - 5 * HOUR + month * 600, 3)
        if month <= 4:
            states.append(BatchState(batch, "succeeded", 1, f"bf{month:02d}", at + 540))
            found.append(
                JobRun("orders-backfill", f"bf{month:02d}", "SUCCESS", at, dataset="orders", batch=batch,
                       ended_at=at + 540, records=310_000, worker="etl-1:900:1")
            )  # fmt: skip
        elif month == 5:
            for attempt in (1, 2):
                begun = round(at + (attempt - 1) * 900, 3)
                found.append(
                    JobRun("orders-backfill", f"bf05-{attempt}", "FAILED", begun, dataset="orders", batch=batch,
                           attempt=attempt, ended_at=begun + 200, worker="etl-1:900:1", error_type="MemoryError",
                           error=f"MemoryError: {HOSTILE} worker 900 ran out of memory", correlation_id="backfill-05")
                )  # fmt: skip
            states.append(BatchState(batch, "failed", 2, "bf05-2", at + 1100, error="ran out of memory",
                                     error_type="MemoryError"))  # fmt: skip
        elif month == 6:
            states.append(BatchState(batch, "running", 1, "bf06", now - 60, leased_until=now + 40))
            found.append(
                JobRun("orders-backfill", "bf06", "STARTED", round(now - 240, 3), dataset="orders", batch=batch,
                       heartbeat_at=now - 4, worker="etl-2:71:1")
            )  # fmt: skip
        else:
            states.append(BatchState(batch, "pending"))
    return found, BatchPlan("orders-backfill", tuple(states), now - 6 * HOUR)


def datasets(now: float) -> tuple[DatasetStatus, ...]:
    """One of each state, one with a strange hour."""
    weekdays = "Mon to Fri 06:00 to 22:00 Europe/Berlin, 2 holidays"
    odd = VolumeFinding(now // HOUR * HOUR - 2 * HOUR, 1_204, 8_800, 6_900, 10_400, 4, "median and MAD of 4 weeks")
    return (
        DatasetStatus("orders", "fresh", now - 20, now - 600, "r1", "orders-load", 4_120, 10.0, 60.0, now + 3000),
        DatasetStatus("clicks", "late", now - 20, now - 3.4 * HOUR, "r2", "clicks-hourly", 88_000, 204.0, 90.0,
                      now - 2 * HOUR, calendar="", volume=odd),
        DatasetStatus("customers", "fresh", now - 20, now - 1500, "r3", "customers-sync", 512, 25.0, 120.0, now + 5000,
                      calendar=weekdays, volume_note="not enough history: 1 of 3 weeks"),
        DatasetStatus("loyalty", "unknown", now - 20, sla_minutes=60.0, calendar=weekdays),
    )  # fmt: skip


def jobs_check(now: float, **changes: Any) -> CheckResult:
    """The newest result of the check of jobs: something of each kind needs somebody."""

    def finding(state: str, job: str, since: float, sentence: str, **more: str) -> Finding:
        details = {"state": state, "job_name": job, "since": since, **more}
        return Finding(job, sentence, "HIGH", f"/jobs?job={job}", details)

    found = (
        finding(
            "hung", "clicks-hourly", now - 2 * HOUR, "Running for 3 h, although it may take 1 h", run_id="hung0001"
        ),
        finding("none_succeeded", "returns-load", now - 1900, "100 started, none succeeded in 60 min"),
        finding("missed", "nightly-report", now - 5 * HOUR, "Was due 09:00, has not started within 10 min"),
    )
    result = CheckResult("jobs", now - 24, "failed", "3 jobs need somebody", 3.0, "jobs", findings=found)
    return replace(result, **changes)


@dataclass
class FakeReader:
    """Answers as JobReader from ``stored``; ``calls`` names what was asked, ``error`` is raised when set."""

    stored: list[JobRun] = field(default_factory=list)
    known: tuple[BatchPlan, ...] = ()
    sets: tuple[DatasetStatus, ...] = ()
    calls: list[str] = field(default_factory=list)
    error: Exception | None = None

    def _asked(self, name: str) -> None:
        self.calls.append(name)
        if self.error is not None:
            raise self.error

    def runs(self, start: float, end: float) -> Iterator[list[JobRun]]:
        """Two pages."""
        self._asked("runs")
        found = [run for run in self.stored if start <= run.started_at < end]
        yield found[::2]
        yield found[1::2]

    def started(self, now: float, days: int = 8) -> list[JobRun]:
        """Those that go on."""
        self._asked("started")
        return [run for run in self.stored if run.status == "STARTED" and run.started_at >= now - days * 86_400]

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[JobRun]:
        """By name and key."""
        if keys:
            self._asked("get_many")
        by_key = {(run.job_name, run.run_key): run for run in self.stored}
        return [by_key[key] for key in keys if key in by_key]

    def plans(self) -> tuple[BatchPlan, ...]:
        """The plans."""
        self._asked("plans")
        return self.known

    def datasets(self) -> tuple[DatasetStatus, ...]:
        """The datasets."""
        self._asked("datasets")
        return self.sets


@dataclass
class FakeRetries:
    """Previews from plans, and records what it was asked for."""

    plans: tuple[BatchPlan, ...] = ()
    asked: list[tuple[str, list[str], str, str, int | None]] = field(default_factory=list)
    error: Exception | None = None

    def preview(self, job_name: str, batches: Sequence[str] | None = None) -> RetryPreview:
        """What remains of the named; why not the others."""
        if self.error is not None:
            raise self.error
        plan = next(plan for plan in self.plans if plan.job_name == job_name)
        wanted = [entry for entry in plan.batches if batches is None or entry.batch in batches]
        why = {"running": "is running now", "succeeded": "has succeeded"}
        left_out = {entry.batch: why[entry.status] for entry in wanted if entry.status in why}
        return RetryPreview(
            job_name, tuple(entry for entry in wanted if entry.batch not in left_out), left_out, "job-retries-queue"
        )

    def retry(
        self, job_name: str, batches: Sequence[str] | None, by: str, reason: str, *, confirm: int | None = None
    ) -> Replay:
        """A replay that has just begun."""
        names = [entry.batch for entry in self.preview(job_name, batches).batches]
        self.asked.append((job_name, names, by, reason, confirm))
        return Replay(
            "77aa00bb11cc22dd", "retry", "pending", by, reason, "job-retries-queue",
            {"job_name": job_name, "batches": names}, 0.0, len(names),
        )  # fmt: skip


@dataclass
class FakeChecks:
    """Newest results of checks."""

    results: dict[str, CheckResult] = field(default_factory=dict)
    error: Exception | None = None

    def latest_checks(self) -> dict[str, CheckResult]:
        """By name."""
        if self.error is not None:
            raise self.error
        return self.results

    def open_alerts(self, environment: str | None = None) -> tuple[()]:
        """None."""
        return ()

    def annotations(self, start: float, end: float, environment: str | None = None) -> FoundAnnotations:
        """None."""
        return FoundAnnotations()
