"""Jobs that need somebody: hung, lost, missed, or with many starts and no success. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from backend.contract.events import utc_text
from backend.contract.jobs import LOST_SECONDS, JobRun, Watch
from backend.contract.verdict import duration
from backend.jobs.config import schedule_of
from backend.jobs.memory import Seen
from backend.jobs.schedule import MOST_MISSED, missed_starts
from backend.settings_jobs import JobConfig

NEVER_SEEN: Final = Seen(0.0)
WINDOWS: Final = 2
"""Starts of so many times ``none_succeeded_minutes`` are looked at: runs take their time to end."""


def watches(
    config: Mapping[str, JobConfig], runs: Sequence[JobRun], now: float, seen: Mapping[str, Seen]
) -> list[Watch]:
    """Everything that is wrong at ``now``, by job. ``runs`` are those that have not ended and all recent ones.

    Jobs without configuration have the defaults of ``JobConfig``: they can't be missed.
    """
    by_job: dict[str, list[JobRun]] = defaultdict(list)
    for run in runs:
        by_job[run.job_name].append(run)
    found: list[Watch] = []
    for name in sorted({*config, *by_job, *seen}):
        job, known = config.get(name, JobConfig()), seen.get(name, NEVER_SEEN)
        stuck = (_stuck(job, run, by_job[name], now) for run in by_job[name] if run.status == "STARTED")
        found += [watch for watch in stuck if watch is not None]
        others = (_missed(name, job, by_job[name], known, now), _none_succeeded(name, job, by_job[name], known, now))
        found += [watch for watch in others if watch is not None]
    return found


def is_lost(run: JobRun, now: float) -> bool:
    """Whether a run that has not ended has lost its worker. One that never had a heartbeat can't: it came from
    elsewhere (OpenLineage)."""
    return run.status == "STARTED" and run.heartbeat_at is not None and now - run.heartbeat_at > LOST_SECONDS


def limit_of(job: JobConfig, run: JobRun) -> float | None:
    """How long the run may take, in seconds: its own limit, or the job's; None for a streaming run without one."""
    if run.limit_seconds is not None:
        return run.limit_seconds
    return None if run.type == "streaming" else 60 * job.limit_minutes


def _stuck(job: JobConfig, run: JobRun, runs: Sequence[JobRun], now: float) -> Watch | None:
    """Lost, or past its limit. A lost run is over once a later one has taken up the same batch."""
    what = f"{run.job_name} {run.batch}".strip()
    if is_lost(run, now):
        if any(other.batch == run.batch and other.started_at > run.started_at for other in runs):
            return None
        beat = run.heartbeat_at or run.started_at
        worker = f" on {run.worker}" if run.worker else ""
        sentence = f"{what} has had no heartbeat for {duration(now - beat)}: its worker{worker} is lost"
        return Watch(run.job_name, "lost", beat + LOST_SECONDS, sentence, run.run_id, run.run_key, run.batch)
    limit = limit_of(job, run)
    if limit is None or run.seconds(now) <= limit:
        return None
    sentence = f"{what} has been running for {duration(run.seconds(now))}; its limit is {duration(limit)}"
    return Watch(run.job_name, "hung", run.started_at + limit, sentence, run.run_id, run.run_key, run.batch)


def _missed(name: str, job: JobConfig, runs: Sequence[JobRun], seen: Seen, now: float) -> Watch | None:
    """Due and not started, until it starts again."""
    schedule = schedule_of(job)
    if schedule is None:
        return None
    starts = [run.started_at for run in runs]
    if seen.last_started is not None:
        starts.append(seen.last_started)
    # Whatever was missed before the last start is over.
    since = max([seen.first_seen, *starts])
    missed = missed_starts(schedule, starts, since, now, 60 * job.grace_minutes)
    if not missed:
        return None
    also = len(missed) - 1
    more = f", nor at {'at least ' if also + 1 == MOST_MISSED else ''}{also} later times" if also else ""
    sentence = f"{name} was due at {_clock(missed[0])} and has not started{more}; its schedule is {job.schedule}" + (
        "" if schedule.every is not None else f" ({job.time_zone})"
    )
    return Watch(name, "missed", missed[0], sentence)


def _none_succeeded(name: str, job: JobConfig, runs: Sequence[JobRun], seen: Seen, now: float) -> Watch | None:
    """Many starts and no success: at once when that many failed, else when the time is over that one may take.

    Once said it lasts until a run succeeds: that nothing starts any more is no recovery.
    """
    window = 60 * job.none_succeeded_minutes
    ends = [run.ended_at for run in runs if run.status == "SUCCESS" and run.ended_at is not None]
    streams = {run for run in runs if run.type == "streaming" and run.status == "STARTED" and not is_lost(run, now)}
    # A stream is not there to end: one that has been running for as long as a run may take to succeed does well.
    ends += [now for run in streams if run.seconds(now) >= window]
    success = max(ends if seen.last_success is None else [*ends, seen.last_success], default=None)
    going_on = seen.none_since is not None and (success is None or success <= seen.none_since)
    after = now - WINDOWS * window if success is None else max(success, now - WINDOWS * window)
    fruitless = [run for run in runs if run.started_at > after and run.status != "SUCCESS" and run not in streams]
    count = _counter(fruitless, now)
    spent = count("failed") + count("lost")
    enough = len(fruitless) >= job.none_succeeded
    overdue = bool(fruitless) and now - min(run.started_at for run in fruitless) >= window
    if not going_on and not (enough and (spent >= job.none_succeeded or overdue)):
        return None
    since = seen.none_since if going_on and seen.none_since is not None else now
    if not fruitless:
        return Watch(name, "none_succeeded", since, f"{name}: no run has succeeded since {_clock(since)}")
    words = ", ".join(f"{number:,} {word}" for word in ("failed", "lost", "running") if (number := count(word)))
    sentence = f"{name}: {len(fruitless):,} started since {_clock(fruitless[0].started_at)}, 0 succeeded ({words})"
    return Watch(name, "none_succeeded", since, sentence)


def _counter(runs: Sequence[JobRun], now: float) -> Callable[[str], int]:
    words = ["failed" if run.status == "FAILED" else "lost" if is_lost(run, now) else "running" for run in runs]
    return words.count


def _clock(at: float) -> str:
    """``2026-11-21 02:00 UTC``."""
    return f"{utc_text(at)[:16].replace('T', ' ')} UTC"
