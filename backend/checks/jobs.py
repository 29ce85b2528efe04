"""The check of jobs, each minute: who hangs, who was missed, who never succeeds; and what a policy does about it.

Besides it writes the history of runs every quarter of an hour, and resolves alerts of failures that are over, should
the job itself not have been able to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, Final
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from backend.alerts.publish import Publisher
from backend.audit import AuditLog
from backend.checks.world import World
from backend.contract.checks import WATCH_KINDS, CheckResult, Finding
from backend.contract.errors import InvalidInput
from backend.contract.jobs import JobRun, Watch
from backend.jobs.history import DAY_SECONDS, RUN_DAYS, History, day_start, days_to_write, is_due, open_days
from backend.jobs.memory import MEMORY, Memory, newest_of, recovered, remember
from backend.jobs.remediation import decide
from backend.jobs.retries import Retries
from backend.jobs.signals import JOB_FAILED, SEVERITY, SOURCE
from backend.jobs.watch import WINDOWS, watches
from backend.settings_jobs import JobConfig

CHECK: Final = "jobs"
UNIT: Final = "jobs"
LONGEST_LOOK_SECONDS: Final = 8 * 86_400.0
"""What is read at most where the check did not run for a while."""
OVERLAP_SECONDS: Final = 3600.0
"""Runs recorded late, from a worker's journal, began before the last look."""
YESTERDAY: Final = 2.0
"""Days that reach back to the beginning of yesterday; earlier ones are in the memory."""
SHOWN: Final = 10
"""Runs that a finding names."""


def run(world: World, now: float) -> CheckResult:
    """Looks at all jobs of the environment. Raises what reading them raises: then nobody knows."""
    config = world.settings.config.jobs
    last = world.results.latest(CHECK, now, MEMORY)
    memory = Memory.of(last.details if last else {})
    start = _look_from(config, None if last is None else last.at, now)
    running = world.jobs.started(now, _days_back(memory, now))
    recent = [entry for page in world.jobs.runs(start, now + OVERLAP_SECONDS) for entry in page]
    runs = [entry for entry in newest_of([*running, *recent]) if entry.environment == world.environment]
    memory = remember(memory, config, runs, now)
    found = watches(config, runs, now, memory.jobs)
    memory = _with_fruitless(memory, found)
    memory, problems = _act(world, memory, runs, running, now)
    return _result(memory, found, runs, start, now, problems)


def _look_from(config: Mapping[str, JobConfig], last: float | None, now: float) -> float:
    """From when on runs are read: as far back as the longest window asks, and over what the check did not see."""
    longest = max(60 * job.none_succeeded_minutes for job in (*config.values(), JobConfig()))
    since = now if last is None else last
    return max(now - LONGEST_LOOK_SECONDS, min(now - WINDOWS * longest, since - OVERLAP_SECONDS))


def _days_back(memory: Memory, now: float) -> int:
    """How many days of runs that have not ended are read: all when the history is written, which finds the days that
    have some, else as far back as those."""
    if is_due(now, memory.history_at):
        return RUN_DAYS
    days = [(now - day_start(day)) / DAY_SECONDS for day in memory.open_days]
    return min(RUN_DAYS, ceil(max(days, default=YESTERDAY)))


def _with_fruitless(memory: Memory, found: Sequence[Watch]) -> Memory:
    since = {watch.job_name: watch.since for watch in found if watch.state == "none_succeeded"}
    jobs = {name: replace(seen, none_since=since.get(name)) for name, seen in memory.jobs.items()}
    return replace(memory, jobs=jobs)


def _act(
    world: World, memory: Memory, runs: Sequence[JobRun], running: Sequence[JobRun], now: float
) -> tuple[Memory, list[str]]:
    """What is done besides looking. None of it may cost the look: what fails is said, logged and tried again."""
    problems: list[str] = []
    for step in (_resolve, _remediate, _write_history):
        try:
            memory = step(world, memory, runs, running, now)
        except (ClientError, BotoCoreError) as error:
            what = step.__name__.strip("_").replace("_", " ")
            problems.append(f"could not {what}: {type(error).__name__}")
            world.logger.error(f"could not {what}", extra={"check": CHECK, "error_message": str(error)})
    return memory, problems


def _resolve(world: World, memory: Memory, runs: Sequence[JobRun], _running: Sequence[JobRun], _now: float) -> Memory:
    failing, succeeded = recovered(memory, runs)
    publisher = Publisher(world.clients.sns, world.settings, world.logger, SOURCE, world.clock)
    for subject, at in succeeded.items():
        title = f"{subject} has succeeded"
        sent = publisher.send(SEVERITY, JOB_FAILED, title, state="resolved", subject=subject, at=at)
        if not sent and subject in memory.failing:
            failing[subject] = memory.failing[subject]
    return replace(memory, failing=failing)


def _remediate(world: World, memory: Memory, _runs: Sequence[JobRun], _running: Sequence[JobRun], now: float) -> Memory:
    """Asks for what the jobs' policies say, as their own requester."""
    clients, settings = world.clients, world.settings
    audit = AuditLog(clients.dynamodb, settings, world.clock)
    retries = Retries(clients.dynamodb, clients.sqs, clients.s3, world.jobs, audit, settings, world.clock)
    asked = {name: dict(batches) for name, batches in memory.asked.items()}
    for name, job in settings.config.jobs.items():
        plan = world.jobs.plan(name) if job.remediation.max_attempts else None
        if plan is None:
            asked.pop(name, None)
            continue
        changed = {state.batch: state.updated_at or 0.0 for state in plan.remaining}
        known = {batch: at for batch, at in asked.get(name, {}).items() if at > changed.get(batch, now)}
        due = decide(job, plan, now, known)
        if due:
            reason = f"failed batches are tried up to {job.remediation.max_attempts} times"
            try:
                # Without what is on its way already; should that be cancelled or not be sent, it is the policy's again.
                batches = [state.batch for state in retries.preview(name, due).batches]
                if batches:
                    retries.retry(name, batches, f"policy: {name}", reason, confirm=len(batches))
                known |= dict.fromkeys(due, now)
            except (InvalidInput, ClientError, BotoCoreError) as error:
                # What was asked for of other jobs has to be remembered all the same.
                fields = {"job_name": name, "error_type": type(error).__name__, "error_message": str(error)}
                world.logger.error("policy could not ask for batches", extra=fields)
        asked[name] = known
    return replace(memory, asked={name: batches for name, batches in asked.items() if batches})


def _write_history(
    world: World, memory: Memory, _runs: Sequence[JobRun], running: Sequence[JobRun], now: float
) -> Memory:
    if not is_due(now, memory.history_at):
        return memory
    history = History(world.clients.s3, world.settings.bucket)
    left = open_days(running, now)
    for day in days_to_write(memory.open_days, left, now):
        history.write_runs(day, world.jobs.runs)
    return replace(memory, history_at=now, open_days=left)


def _result(
    memory: Memory, found: Sequence[Watch], runs: Sequence[JobRun], start: float, now: float, problems: Sequence[str]
) -> CheckResult:
    by_kind: dict[tuple[str, str], list[Watch]] = defaultdict(list)
    for watch in found:
        by_kind[watch.job_name, watch.state].append(watch)
    synthetic = {entry.job_name for entry in runs if entry.synthetic}
    findings = tuple(_finding(entries, entries[0].job_name in synthetic) for entries in by_kind.values())
    bad = len({watch.job_name for watch in found})
    count = len(memory.jobs)
    if not count:
        sentence = "No job is known: none is configured and none has run"
    elif bad:
        sentence = f"{bad} of {count} jobs need somebody"
    else:
        sentence = f"None of {count} job{'s' if count > 1 else ''} hangs, was missed or keeps failing"
    return CheckResult(
        check=CHECK,
        at=now,
        status="unknown" if not count else "failed" if found else "passed",
        sentence="; ".join([sentence, *problems]),
        value=float(bad) if count else None,
        unit=UNIT,
        window_start=start,
        window_end=now,
        findings=findings,
        details={MEMORY: memory.as_json(), "watches": len(found)},
    )


def _finding(found: Sequence[Watch], synthetic: bool) -> Finding:
    """One finding for a job and state: many hung runs of a job are told once."""
    first = min(found, key=lambda watch: watch.since)
    others = len(found) - 1
    details: dict[str, Any] = {"kind": WATCH_KINDS[first.state], "state": first.state, "since": first.since}
    details |= {"job_name": first.job_name, "run_id": first.run_id, "run_key": first.run_key, "batch": first.batch}
    if others:
        details["runs"] = ", ".join(f"{watch.batch} {watch.run_id}".strip() for watch in found[:SHOWN])
    if synthetic:
        details["synthetic"] = True
    more = f", and {others} more run{'s' if others > 1 else ''} of it" if others else ""
    return Finding(first.job_name, first.sentence + more, "HIGH", f"/jobs?job={quote(first.job_name)}", details)
