"""The check of datasets, each minute: which are late; every quarter of an hour whose volume is odd, and the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from backend.checks.world import World
from backend.contract.checks import DATASET_LATE, DATASET_VOLUME, CheckResult, Finding
from backend.contract.jobs import DatasetStatus, JobRun
from backend.jobs.calendars import OpenTime
from backend.jobs.dataset_store import DatasetStore
from backend.jobs.datasets import late_sentence, says_more, status_of, volume_sentence
from backend.jobs.history import History, is_due
from backend.jobs.memory import MEMORY
from backend.jobs.volume import hourly, report, windows
from backend.settings_jobs import DatasetConfig

CHECK: Final = "datasets"
UNIT: Final = "datasets"
LOOK_SECONDS: Final = 2 * 3600.0
"""Runs started so lately are read each minute, and all since the oldest that had not ended."""
DEEP_SECONDS: Final = 2 * 86_400.0
"""And so far back every quarter of an hour: a run may be recorded late, from its worker's journal."""
LONGEST_SECONDS: Final = 31 * 86_400.0


def run(world: World, now: float) -> CheckResult:
    """Looks at all datasets of the environment. Raises what reading them raises: then nobody knows."""
    last = world.results.latest(CHECK, now, MEMORY)
    memory: Mapping[str, Any] = last.details[MEMORY] if last else {}
    deep = is_due(now, memory.get("history_at", 0.0))
    before = {status.dataset: status for status in world.jobs.datasets()}
    store = DatasetStore(world.clients.dynamodb, world.settings.datasets_table)
    statuses: list[DatasetStatus] = []
    oldest: dict[str, float] = {}
    going_on: dict[str, bool] = {}
    for name in _names(world, before, now, deep=deep):
        config, known = world.settings.config.datasets.get(name), before.get(name)
        start = _look_from(known, memory.get("oldest", {}).get(name), now, deep=deep)
        runs = _of_dataset(world, name, start, now)
        status = status_of(name, config, runs, known, now, world.environment)
        going_on[name] = bool(memory.get("going_on", {}).get(name)) and status.volume is not None
        if deep and config is not None:
            status, going_on[name] = _with_volume(world, status, config, now)
        if says_more(status, known):
            store.put(status)
        statuses.append(status)
        open_since = [entry.started_at for entry in runs if entry.status == "STARTED"]
        if open_since:
            oldest[name] = min(open_since)
    history_at, problem = _write_history(world, statuses, memory.get("history_at", 0.0), now, deep=deep)
    kept = {"history_at": history_at, "oldest": oldest, "going_on": {name: True for name, on in going_on.items() if on}}
    return _result(statuses, kept, problem, now)


def _names(world: World, before: Mapping[str, DatasetStatus], now: float, *, deep: bool) -> list[str]:
    """Datasets that are configured, known, or were lately loaded by a job that names one."""
    config = world.settings.config
    pages = world.jobs.runs(now - LOOK_SECONDS, now) if deep else ()
    loaded = {entry.dataset for page in pages for entry in page if entry.dataset}
    named = {job.dataset for job in config.jobs.values() if job.dataset}
    return sorted({*config.datasets, *before, *loaded, *named})


def _look_from(known: DatasetStatus | None, oldest: float | None, now: float, *, deep: bool) -> float:
    if known is None:
        return now - LONGEST_SECONDS
    start = now - (DEEP_SECONDS if deep else LOOK_SECONDS)
    # Where the check did not run for a while, what it did not see is read, too.
    start = min(start, known.checked_at - LOOK_SECONDS, start if oldest is None else oldest)
    return max(start, now - LONGEST_SECONDS)


def _of_dataset(world: World, name: str, start: float, end: float) -> list[JobRun]:
    return [entry for entry in world.jobs.of_dataset(name, start, end) if entry.environment == world.environment]


def _with_volume(world: World, status: DatasetStatus, config: DatasetConfig, now: float) -> tuple[DatasetStatus, bool]:
    """The status with what its last hours look like, and whether the newest of them differs."""
    calendar = OpenTime(config.calendar)
    runs = [
        entry
        for start, end in windows(config, calendar.zone, now)
        for entry in _of_dataset(world, status.dataset, start, end)
    ]
    found = report(hourly(runs, calendar.zone, now), config, calendar, now)
    return replace(status, volume=found.latest, volume_note=found.note), found.going_on


def _write_history(
    world: World, statuses: Sequence[DatasetStatus], written_at: float, now: float, *, deep: bool
) -> tuple[float, str]:
    """When the history was last written, and what went wrong: that costs nobody the look itself."""
    if not deep:
        return written_at, ""
    try:
        History(world.clients.s3, world.settings.bucket).write_status(statuses, now)
    except (ClientError, BotoCoreError) as error:
        world.logger.error("could not write history", extra={"check": CHECK, "error_message": str(error)})
        return written_at, f"could not write history: {type(error).__name__}"
    return now, ""


def _result(statuses: Sequence[DatasetStatus], memory: Mapping[str, Any], problem: str, now: float) -> CheckResult:
    late = [status for status in statuses if status.state == "late"]
    odd = [status for status in statuses if status.volume is not None and status.dataset in memory["going_on"]]
    unknown = sum(status.state == "unknown" for status in statuses)
    known = len(statuses) - unknown
    parts = [f"{len(late)} of {known} datasets are late" if late else f"None of {known} datasets is late"]
    if not known:
        parts = ["No dataset has an SLA and was ever loaded"]
    parts += [f"{len(odd)} with an unusual volume"] if odd else []
    parts += [f"{unknown} unknown"] if unknown else []
    findings = [
        *(_finding(status, DATASET_LATE, late_sentence(status), "HIGH") for status in late),
        *(_finding(status, DATASET_VOLUME, volume_sentence(status), "MEDIUM") for status in odd),
    ]
    return CheckResult(
        check=CHECK,
        at=now,
        status="failed" if findings else "passed" if known else "unknown",
        sentence="; ".join([", ".join(parts), *([problem] if problem else [])]),
        value=float(len(late)) if known else None,
        unit=UNIT,
        window_start=now - LOOK_SECONDS,
        window_end=now,
        findings=tuple(findings),
        details={MEMORY: memory, "late": len(late), "unknown": unknown},
    )


def _finding(status: DatasetStatus, kind: str, sentence: str, severity: Any) -> Finding:
    details: dict[str, Any] = {"kind": kind, "dataset": status.dataset, "job_name": status.job_name}
    if status.volume is not None and kind == DATASET_VOLUME:
        details |= {"hour": status.volume.hour, "method": status.volume.method}
    if status.synthetic:
        details["synthetic"] = True
    return Finding(status.dataset, sentence, severity, f"/jobs?dataset={quote(status.dataset)}", details)
