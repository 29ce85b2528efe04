"""What the charts of the Jobs page draw: bars of runs per job over time, and how long one job's runs take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from backend.contract.jobs import JobStatus
from dashboard.data.jobs_columns import Columns, Index, Mask, Numbers
from dashboard.data.jobs_query import RunQuery, durations, run_key

MAX_JOBS: Final = 50
DISPLAY_JOBS: Final = 14
"""Rows that can be read from afar."""
MAX_BARS: Final = 1_200
"""More bars than that take a weak browser seconds: they are joined, and the chart says so."""
SLOTS: Final = 240
"""Slots of time that joined bars are made of."""
MAX_POINTS: Final = 1_000
TREND_SLOTS: Final = 24
UNITS: Final = ((10_800.0, 3600.0, "hours"), (300.0, 60.0, "minutes"))
"""A trend whose longest run takes longer than the first is read in the second."""
LIMIT_REACH: Final = 3.0
LEAST_RUNS: Final = 3
"""Fewer successful runs in a slot make no percentile."""
WORST: Final[tuple[JobStatus, ...]] = ("FAILED", "STARTED", "SUCCESS")
"""Which status a joined bar shows, where it stands for several runs."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One run, or several of one job that follow each other: then ``runs`` is their number and ``run`` is empty."""

    job: str
    status: JobStatus
    start: float
    end: float
    run: str = ""
    batch: str = ""
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bars of the jobs that ran last, newest job first. ``slot`` is the width of joined bars, 0 where none is joined.

    ``more_jobs`` is how many jobs are left out. ``worst_first``: those whose newest run failed or goes on come before.
    """

    jobs: tuple[str, ...]
    bars: tuple[Bar, ...]
    start: float
    end: float
    slot: float = 0.0
    more_jobs: int = 0
    worst_first: bool = False


@dataclass(frozen=True, slots=True)
class Percentiles:
    """p50 and p95 of the successful runs of one slot of time, in seconds; ``at`` is its middle."""

    at: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Trend:
    """How long the runs of one job took. ``points`` are (start, seconds, status), the newest where ``cut`` says so.

    ``limit`` is how long a run may take, None where nobody said.
    """

    job: str
    points: tuple[tuple[float, float, JobStatus], ...]
    percentiles: tuple[Percentiles, ...]
    p50: float | None
    p95: float | None
    limit: float | None
    cut: bool = False

    @property
    def longest(self) -> float:
        """Seconds of the longest run shown."""
        return max((seconds for _, seconds, _ in self.points), default=0.0)

    @property
    def unit(self) -> tuple[float, str]:
        """What the runs are best read in: seconds of the unit, and its word."""
        return next(((size, word) for above, size, word in UNITS if self.longest > above), (1.0, "seconds"))

    @property
    def limit_near(self) -> bool:
        """Whether the limit is near enough to be drawn: farther away it would flatten the runs."""
        return self.limit is not None and self.limit <= LIMIT_REACH * self.longest


def timeline(columns: Columns, mask: Mask, query: RunQuery, now: float, display: bool = False) -> Timeline:
    """The bars of the runs in ``mask``, cut at the range's ends; for displays of a few jobs, the worst first."""
    rows = np.flatnonzero(mask)
    jobs = columns.codes["job_name"][rows]
    codes, newest = np.unique(jobs[::-1], return_index=True)
    order = np.argsort(newest, kind="stable")
    if display:
        states = columns.codes["status"][rows][::-1][newest]
        ranks = np.full(len(codes), len(WORST))
        for rank, status in enumerate(WORST):
            ranks[states == columns.words["status"].find(status)] = rank
        order = np.lexsort((newest, ranks))
    shown = codes[order][: DISPLAY_JOBS if display else MAX_JOBS]
    rows = rows[np.isin(jobs, shown)]
    names = tuple(columns.words["job_name"].list[int(code)] for code in shown)
    end = min(query.end, now)
    starts = np.maximum(columns.numbers["started_at"][rows], query.start)
    ends = np.minimum(columns.numbers["started_at"][rows] + durations(columns, now)[rows], end)
    more = len(codes) - len(shown)
    if len(rows) <= MAX_BARS:
        bars = tuple(
            Bar(
                columns.text("job_name", row), _status(columns, row), float(start), float(max(stop, start)),
                run_key(columns, row), columns.text("batch", row),
            )
            for row, start, stop in zip(map(int, rows), starts, ends, strict=True)
        )  # fmt: skip
        return Timeline(names, bars, query.start, end, 0.0, more, display)
    slot = max((end - query.start) / SLOTS, 1.0)
    joined = tuple(_joined(columns, rows, starts, ends, query.start, slot))
    return Timeline(names, joined, query.start, end, slot, more, display)


def trend(columns: Columns, job: str, query: RunQuery, limit: float | None, now: float) -> Trend:
    """The runs of one job that began in the range; those that go on are counted up to now."""
    started = columns.numbers["started_at"]
    mask = columns.is_("job_name", job) & columns.is_("environment", query.environment)
    rows = np.flatnonzero(mask & (started >= query.start) & (started < query.end))
    seconds = durations(columns, now)[rows]
    own = columns.numbers["limit_seconds"][rows]
    said = own[~np.isnan(own)]
    done = columns.is_("status", "SUCCESS")[rows]
    newest = slice(max(len(rows) - MAX_POINTS, 0), None)
    points = tuple(
        (float(started[row]), float(took), _status(columns, int(row)))
        for row, took in zip(rows[newest], seconds[newest], strict=True)
    )
    whole = seconds[done]
    return Trend(
        job=job,
        points=points,
        percentiles=tuple(_percentiles(started[rows][done], whole, query.start, min(query.end, now))),
        p50=float(np.percentile(whole, 50)) if len(whole) >= LEAST_RUNS else None,
        p95=float(np.percentile(whole, 95)) if len(whole) >= LEAST_RUNS else None,
        limit=float(said[-1]) if len(said) else limit,
        cut=len(rows) > MAX_POINTS,
    )


def _percentiles(starts: Numbers, seconds: Numbers, start: float, end: float) -> list[Percentiles]:
    width = max((end - start) / TREND_SLOTS, 60.0)
    slots = ((starts - start) // width).astype(np.int64)
    found = []
    for slot in np.unique(slots):
        own = seconds[slots == slot]
        if len(own) >= LEAST_RUNS:
            p50, p95 = np.percentile(own, (50, 95))
            found.append(Percentiles(start + (int(slot) + 0.5) * width, float(p50), float(p95)))
    return found


def _joined(columns: Columns, rows: Index, starts: Numbers, ends: Numbers, start: float, slot: float) -> list[Bar]:
    """For each job its slots of time by the worst status in them, neighbours of one status as one bar."""
    bars: list[Bar] = []
    jobs, states = columns.codes["job_name"][rows], columns.codes["status"][rows]
    ranks = {columns.words["status"].find(status): rank for rank, status in enumerate(WORST)}
    for code in np.unique(jobs):
        own = np.flatnonzero(jobs == code)
        first = ((starts[own] - start) // slot).astype(np.int64)
        last = np.minimum(np.ceil((ends[own] - start) / slot).astype(np.int64), SLOTS)
        worst = np.full(SLOTS + 1, len(WORST), np.int64)
        number = np.bincount(np.minimum(first, SLOTS), minlength=SLOTS + 1)
        for at, until, state in zip(first, np.maximum(last, first + 1), states[own], strict=True):
            worst[at:until] = np.minimum(worst[at:until], ranks[int(state)])
        bars += _stretches(columns.words["job_name"].list[int(code)], worst[:SLOTS], number, start, slot)
    return bars


def _stretches(job: str, worst: Index, number: Index, start: float, slot: float) -> list[Bar]:
    edges = [0, *(np.flatnonzero(np.diff(worst)) + 1).tolist(), len(worst)]
    return [
        Bar(job, WORST[int(worst[at])], start + at * slot, start + until * slot, runs=int(number[at:until].sum()))
        for at, until in pairwise(edges)
        if worst[at] < len(WORST)
    ]


def _status(columns: Columns, row: int) -> JobStatus:
    text = columns.text("status", row)
    return next(status for status in WORST if status == text)


def tidy(time: float) -> float:
    """A length of time with as many digits as anybody reads."""
    return round(time, 3 if time < 1 else 2 if time < 10 else 1) if math.isfinite(time) else 0.0
