"""What the check of jobs keeps from one run to the next, in its own result: no reading of weeks each minute. Pure.

Lost, it begins anew: what was due or failed before is not judged then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from backend.contract.jobs import JobRun
from backend.settings_jobs import JobConfig

MEMORY: Final = "memory"
"""Its name among a result's details."""
FORGET_SECONDS: Final = 8 * 86_400.0
"""A job without configuration that has not started for so long is forgotten."""
MOST_JOBS: Final = 500
MOST_SUBJECTS: Final = 300
"""A result is one item of at most 400 KB: the newest are kept."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One job. ``first_seen`` is since when it has this ``schedule``: what was due before is not missed.

    ``none_since`` is set while none of its runs succeeds. Times are epoch seconds.
    """

    first_seen: float
    schedule: str = ""
    last_started: float | None = None
    last_success: float | None = None
    none_since: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """All jobs by name, subjects (``<job>`` or ``<job>/<batch>``) whose last run failed and when, and batches that a
    policy found due, by job, and when (epoch s)."""

    jobs: Mapping[str, Seen] = field(default_factory=dict)
    failing: Mapping[str, float] = field(default_factory=dict)
    asked: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    history_at: float = 0.0
    open_days: Mapping[str, int] = field(default_factory=dict)
    """UTC days before yesterday, and how many of their runs had not ended when the history was written."""

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Memory:
        """What a result's details hold; an empty memory where they hold none."""
        kept = details.get(MEMORY) or {}
        jobs = {name: Seen(**seen) for name, seen in (kept.get("jobs") or {}).items()}
        return cls(**{**kept, "jobs": jobs})

    def as_json(self) -> dict[str, Any]:
        """For a result's details."""
        return asdict(self)


def newest_of(runs: Iterable[JobRun]) -> list[JobRun]:
    """Each run once: one that ended while it was read comes twice."""
    found: dict[tuple[str, str], JobRun] = {}
    for run in runs:
        key = (run.job_name, run.run_key)
        if key not in found or run.status != "STARTED":
            found[key] = run
    return sorted(found.values(), key=lambda run: (run.started_at, run.run_id))


def remember(memory: Memory, config: Mapping[str, JobConfig], runs: Sequence[JobRun], now: float) -> Memory:
    """The memory with what these runs add; jobs that are configured for the first time are first seen now."""
    jobs: dict[str, Seen] = {}
    for name in {*memory.jobs, *config, *(run.job_name for run in runs)}:
        schedule = config[name].schedule if name in config else ""
        seen = memory.jobs.get(name, Seen(now, schedule))
        jobs[name] = seen if seen.schedule == schedule else replace(seen, first_seen=now, schedule=schedule)
    for run in runs:
        seen = jobs[run.job_name]
        success = run.ended_at if run.status == "SUCCESS" else None
        jobs[run.job_name] = replace(
            seen,
            last_started=_latest(seen.last_started, run.started_at),
            last_success=_latest(seen.last_success, success),
        )
    kept = {name: seen for name, seen in jobs.items() if name in config or now - _last(seen) <= FORGET_SECONDS}
    newest = sorted(kept, key=lambda name: (name in config, _last(kept[name])), reverse=True)[:MOST_JOBS]
    return replace(memory, jobs={name: kept[name] for name in sorted(newest)})


def recovered(memory: Memory, runs: Sequence[JobRun]) -> tuple[dict[str, float], dict[str, float]]:
    """Subjects whose last run to end failed, with when; and those of the memory that have succeeded since."""
    failing, succeeded = dict(memory.failing), dict[str, float]()
    ended = [run for run in runs if run.ended_at is not None]
    last = {run.subject: run for run in sorted(ended, key=lambda run: run.ended_at or 0.0)}
    for subject, run in last.items():
        at = run.ended_at or 0.0
        if run.status == "FAILED":
            failing[subject] = max(at, failing.get(subject, at))
        elif at > failing.get(subject, at):
            del failing[subject]
            succeeded[subject] = at
    newest = sorted(failing, key=lambda subject: failing[subject], reverse=True)[:MOST_SUBJECTS]
    return {subject: failing[subject] for subject in newest}, succeeded


def _latest(known: float | None, at: float | None) -> float | None:
    return at if known is None else known if at is None else max(known, at)


def _last(seen: Seen) -> float:
    return max(seen.first_seen, seen.last_started or 0.0)
