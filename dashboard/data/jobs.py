"""What the Jobs page shows, read once a refresh for all who look; everything about runs comes from memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.checks import CheckResult, Standing
from backend.contract.errors import InvalidInput
from backend.contract.jobs import BatchPlan, DatasetState, DatasetStatus, JobRun, RetryPreview, Watch
from dashboard.data.checks import LATEST_CHECKS
from dashboard.data.executions import Executions, read_executions
from dashboard.data.jobs_checks import SLOW_SECONDS, standing_of, state_as_of, watches_of
from dashboard.data.jobs_columns import Columns, Mask
from dashboard.data.jobs_failures import FailureGroup, failure_groups
from dashboard.data.jobs_lines import Timeline, Trend, timeline, trend
from dashboard.data.jobs_query import FILTERS, RunQuery, in_range, matching, parse_query, run_key
from dashboard.data.jobs_sources import Checks, Retries, Sources
from dashboard.data.jobs_store import Held
from dashboard.data.request import ViewRequest

logger = logging.getLogger(__name__)

PARAMETERS: Final = (*FILTERS, "sort", "run", "retry")
"""The page's own parameters. ``run`` is the open run's key, ``retry`` the job whose batches are to run again."""
MAX_ATTEMPTS: Final = 20
MAX_KNOWN: Final = 200
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Runs that match the filters, of those in the range, by how they stand.

    ``records`` is None where none of them told; ``told`` is how many did.
    """

    matching: int
    ranged: int
    running: int
    succeeded: int
    failed: int
    records: int | None
    told: int


@dataclass(frozen=True, slots=True)
class RunsData:
    """Everything drawn from the runs in memory. ``trend`` is None where no job is chosen and none ran."""

    held: Held
    query: RunQuery
    counts: RunCounts
    timeline: Timeline
    trend: Trend | None
    groups: tuple[FailureGroup, ...]
    more_groups: int
    known: Mapping[str, tuple[str, ...]]
    """Values of filters to choose from: ``job`` and ``dataset``."""
    synthetic: bool = False

    @property
    def whole(self) -> bool:
        """Whether all runs of the range are held."""
        return self.query.start >= self.held.since


@dataclass(frozen=True, slots=True)
class OpenRun:
    """The run that the drawer shows, with the other attempts of its batch. ``problem`` says why there is none."""

    key: str
    run: JobRun | None = None
    attempts: tuple[Attempt, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Another run of the same batch."""

    key: str
    status: str
    started_at: float
    seconds: float
    attempt: int


@dataclass(frozen=True, slots=True)
class JobsData:
    """One look at the page. A part is None where its service is not connected; ``problems`` says what can't be read.

    ``watches`` are None where the check that finds them has not told, of this environment.
    """

    request: ViewRequest
    at: float
    runs: RunsData | None = None
    watches: tuple[Watch, ...] | None = None
    watching: Standing | None = None
    checking: Standing | None = None
    datasets: tuple[DatasetStatus, ...] | None = None
    plans: tuple[BatchPlan, ...] | None = None
    opened: OpenRun | None = None
    retry: RetryPreview | None = None
    retry_problem: str = ""
    retries: bool = False
    executions: Executions = field(default_factory=Executions)
    region: str = ""
    bucket: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def watched(self) -> bool:
        """Whether the check of jobs looked, and what it found is known: only then is no watch good news."""
        looked = self.watching
        return looked is not None and (looked.status == "passed" or (looked.status == "failed" and bool(self.watches)))

    def state_of(self, status: DatasetStatus) -> DatasetState:
        """A dataset's state now."""
        return state_as_of(status, self.checking)

    @property
    def watches_here(self) -> tuple[Watch, ...]:
        """Watches of the job, and of jobs that load the dataset, that the address names."""
        job, dataset = self.request.get("job"), self.request.get("dataset")
        loading = self._pairs(dataset=dataset) if dataset else set()
        jobs = {name for name, _ in loading} | {
            status.job_name for status in self.datasets or () if status.dataset == dataset
        }
        return tuple(
            watch
            for watch in self.watches or ()
            if job in (None, watch.job_name) and (dataset is None or watch.job_name in jobs)
        )

    @property
    def datasets_here(self) -> tuple[DatasetStatus, ...]:
        """The dataset, and those that the job loads, that the address names."""
        job, dataset = self.request.get("job"), self.request.get("dataset")
        loaded = {name for _, name in self._pairs(job_name=job)} if job else set()
        return tuple(
            status
            for status in self.datasets or ()
            if dataset in (None, status.dataset) and (job in (None, status.job_name) or status.dataset in loaded)
        )

    def _pairs(self, **column: str) -> set[tuple[str, str]]:
        """Jobs and datasets of the runs held that have this value of a column."""
        if self.runs is None:
            return set()
        columns = self.runs.held.columns
        ((name, value),) = column.items()
        rows = np.flatnonzero(columns.is_(name, value))
        pairs = np.unique(np.stack([columns.codes["job_name"][rows], columns.codes["dataset"][rows]]), axis=1).T
        jobs, sets = columns.words["job_name"].list, columns.words["dataset"].list
        return {(jobs[int(job)], sets[int(dataset)]) for job, dataset in pairs}

    @property
    def acts(self) -> bool:
        """Whether who looks may act."""
        return self.request.role == "operator" and self.retries


def load(sources: Sources, request: ViewRequest, now: float) -> JobsData:
    """Reads what the page shows. Raises InvalidInput naming a wrong parameter, and what kept runs from being read."""
    query = parse_query(request, now)
    problems: dict[str, str] = {}
    runs = None if sources.runs is None else _runs(sources, sources.runs.held(), query, now, request.role == "display")
    plans = datasets = None
    if sources.jobs is not None:
        plans = _read(sources, "plans", sources.jobs.plans, problems)
        datasets = _read(sources, "datasets", sources.jobs.datasets, problems)
    found = None if sources.checks is None else _checks(sources, sources.checks, problems)
    latest = found.get("jobs") if found is not None else None
    if latest is not None and latest.environment != request.environment:
        latest = None
    own = tuple(status for status in datasets if status.environment == request.environment) if datasets else datasets
    retry, problem = _retry(sources.retries, request)
    return JobsData(
        request=request,
        at=now,
        runs=runs,
        watches=None if latest is None else watches_of(latest),
        watching=standing_of("jobs", found, request.environment, now),
        checking=standing_of("datasets", found, request.environment, now),
        datasets=own,
        plans=plans,
        opened=None if runs is None else _opened(sources, runs.held.columns, request, now),
        retry=retry,
        retry_problem=problem,
        retries=sources.retries is not None,
        executions=read_executions(sources.pipeline, sources.shared),
        region=sources.region,
        bucket=sources.bucket,
        problems=problems,
    )


def _retry(retries: Retries | None, request: ViewRequest) -> tuple[RetryPreview | None, str]:
    """What a retry of the job that the address names would run, for operators; or why that can't be said."""
    job = request.get("retry")
    if retries is None or job is None or request.role != "operator":
        return None, ""
    try:
        return retries.preview(job, None), ""
    except InvalidInput as error:
        return RetryPreview(job, ()), str(error)
    except (BotoCoreError, ClientError, TimeoutError) as error:
        return RetryPreview(job, ()), f"Its batches can't be read now ({type(error).__name__})."


def _checks(sources: Sources, checks: Checks, problems: dict[str, str]) -> Mapping[str, CheckResult] | None:
    return _read(sources, "checks", checks.latest_checks, problems, LATEST_CHECKS)


def _read(sources: Sources, name: str, read: Callable[[], T], problems: dict[str, str], key: str = "") -> T | None:
    """What is read beside the runs: where it can't be, the rest of the page stands all the same."""
    try:
        return sources.shared(key or f"jobs {name}", read, SLOW_SECONDS)
    except (BotoCoreError, ClientError, TimeoutError) as error:
        logger.warning("%s of jobs can't be read", name, exc_info=True)
        problems[name] = f"It can't be read now ({type(error).__name__})."
        return None


def _runs(sources: Sources, held: Held, query: RunQuery, now: float, display: bool) -> RunsData:
    columns = held.columns
    ranged, mask = in_range(columns, query), matching(columns, query)
    groups, number = failure_groups(columns.taken(mask))
    job = query.values.get("job") or _busiest(columns, mask)
    return RunsData(
        held=held,
        query=query,
        counts=_counts(columns, mask, ranged),
        timeline=timeline(columns, mask, query, now, display),
        trend=None if job is None else trend(columns, job, query, sources.limits.get(job), now),
        groups=groups,
        more_groups=number - len(groups),
        known={"job": _known(columns, ranged, "job_name"), "dataset": _known(columns, ranged, "dataset")},
        synthetic=bool(np.any(columns.numbers["synthetic"][ranged] > 0)),
    )


def _counts(columns: Columns, mask: Mask, ranged: Mask) -> RunCounts:
    def number(status: str) -> int:
        return int(np.count_nonzero(mask & columns.is_("status", status)))

    records = columns.numbers["records"][mask]
    told = int(np.count_nonzero(~np.isnan(records)))
    return RunCounts(
        int(np.count_nonzero(mask)), int(np.count_nonzero(ranged)), number("STARTED"), number("SUCCESS"),
        number("FAILED"), int(np.nansum(records)) if told else None, told,
    )  # fmt: skip


def _busiest(columns: Columns, mask: Mask) -> str | None:
    """The job that failed most, else the one that ran most: whose trend is shown where none is chosen."""
    jobs = columns.codes["job_name"]
    for rows in (mask & columns.is_("status", "FAILED"), mask):
        if rows.any():
            return columns.words["job_name"].list[int(np.bincount(jobs[rows]).argmax())]
    return None


def _known(columns: Columns, ranged: Mask, name: str) -> tuple[str, ...]:
    words = columns.words[name].list
    return tuple(sorted(word for code in np.unique(columns.codes[name][ranged]) if (word := words[int(code)])))[
        :MAX_KNOWN
    ]


def _opened(sources: Sources, columns: Columns, request: ViewRequest, now: float) -> OpenRun | None:
    """The open run, read whole: memory holds the beginning of its error only. Displays have no drawer."""
    key, jobs = request.get("run"), sources.jobs
    if not key or request.role == "display" or jobs is None:
        return None
    row = find_run(columns, key)
    job = request.get("job") if row is None else columns.text("job_name", row)
    if job is None:
        return OpenRun(key, problem="This run is not among those held in memory; name its job in the address too.")
    try:
        found = sources.shared(f"run {job} {key}", lambda: jobs.get_many([(job, key)]))
    except (BotoCoreError, ClientError, TimeoutError) as error:
        return OpenRun(key, problem=f"The run can't be read now ({type(error).__name__}).")
    if not found:
        return OpenRun(key, problem="There is no such run; it may have expired.")
    return OpenRun(key, found[0], _attempts(columns, found[0], now))


def find_run(columns: Columns, key: str) -> int | None:
    """The row of a run key, None where it is not held or is none."""
    _, _, run_id = key.partition("#")
    rows = np.flatnonzero(columns.run_ids == run_id)
    return next((int(row) for row in rows if run_key(columns, int(row)) == key), None)


def _attempts(columns: Columns, run: JobRun, now: float) -> tuple[Attempt, ...]:
    if not run.batch:
        return ()
    rows = np.flatnonzero(columns.is_("job_name", run.job_name) & columns.is_("batch", run.batch))[-MAX_ATTEMPTS:]
    starts, ends = columns.numbers["started_at"], columns.numbers["ended_at"]
    return tuple(
        Attempt(
            run_key(columns, int(row)), columns.text("status", int(row)), float(starts[row]),
            float((now if np.isnan(ends[row]) else ends[row]) - starts[row]),
            int(columns.numbers["attempt"][row]),
        )
        for row in rows[::-1]
    )  # fmt: skip
