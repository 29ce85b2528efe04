"""`pulseboard jobs`: runs and batches on the command line, any program as a job, and the journal."""

from __future__ import annotations

import json
import os
import signal
import time
from functools import partial
from typing import Final

import click

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.contract.events import utc_text
from backend.contract.jobs import JOB_STATUSES, JOB_TYPES, BatchPlan, JobRun, JobType
from backend.contract.ranges import parse_range
from backend.jobs.errors import JobError, LeaseLost
from backend.jobs.program import execute
from backend.jobs.reader import JobReader
from backend.jobs.sdk import job, wired
from backend.settings import load_settings

NOT_STARTED: Final = 75
"""Exit code where the batch is busy, done, or can't be looked at: sysexits' EX_TEMPFAIL."""
LOST: Final = 76
"""Exit code where another worker took the batch over meanwhile."""


@click.group("jobs")
def command() -> None:
    """Lists and records runs of jobs."""


@command.command("list")
@click.option("--from", "start", default="now-24h", show_default=True, help="Started from when on.")
@click.option("--to", "end", help="Until when; now by default.")
@click.option("--job", "name", help="Only this one's.")
@click.option("--status", type=click.Choice(JOB_STATUSES), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one run a line.")
def listing(start: str, end: str | None, name: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """Lists runs, the newest first."""
    wanted = parse_range(start, end, time.time())
    found = [
        run
        for page in reader().runs(wanted.start, wanted.end)
        for run in page
        if name in (None, run.job_name) and status in (None, run.status)
    ]
    found.sort(key=lambda run: run.started_at, reverse=True)
    for run in found[:limit]:
        click.echo(json.dumps(run.as_json()) if as_json else line(run, time.time()))
    if not found:
        click.echo("no runs in this time", err=True)
    elif len(found) > limit:
        click.echo(f"the newest {limit} of {len(found)}; see --limit", err=True)


def line(run: JobRun, now: float) -> str:
    """A run in one line."""
    name = run.job_name + (f" [{run.batch}]" if run.batch else "")
    text = f"{utc_text(run.started_at)}  {run.status:7}  {run.seconds(now):9.1f} s  {name}"
    if run.attempt > 1:
        text += f"  attempt {run.attempt}"
    if run.records is not None:
        text += f"  {run.records} records"
    if run.error:
        first = run.error.strip().splitlines()[0] if run.error.strip() else ""
        text += f"  {run.error_type}: {first[:200]}"
    # What comes out of a job must not steer a terminal.
    return "".join(character if character.isprintable() else "?" for character in text)


@command.command("pending")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def pending(name: str, as_json: bool) -> None:
    """Lists the batches of a job that have not succeeded, of those it was last planned with."""
    plan = reader().plan(name)
    if plan is None:
        raise InvalidInput(
            "name", name, "has no batches; a job gets them by pending(name, batches) or job(name, batch=)"
        )
    remaining = [batch for batch in plan.batches if batch.status != "succeeded"]
    if as_json:
        click.echo(json.dumps([batch.batch for batch in remaining]))
        return
    for batch in remaining:
        tries = f"  {batch.attempts} attempts" if batch.attempts else ""
        until = f"  held until {utc_text(batch.leased_until)}" if batch.leased_until else ""
        error = f"  {batch.error_type}" if batch.error_type else ""
        click.echo(f"{batch.batch}  {batch.status}{tries}{until}{error}")
    click.echo(summary(plan), err=True)


def summary(plan: BatchPlan) -> str:
    """A plan in one line."""
    done = sum(batch.status == "succeeded" for batch in plan.batches)
    return f"{done} of {len(plan.batches)} batches have succeeded"


@command.command("deliver")
def deliver() -> None:
    """Records what this machine kept while AWS was away; exit code 1 where some of it is left."""
    tracker = wired(os.getpid())
    folder = tracker.journal.folder
    try:
        done = tracker.deliver()
    except OSError as error:
        raise InvalidInput("PULSEBOARD_JOURNAL", str(folder), f"can't be used ({error.strerror})") from error
    click.echo(f"{done.delivered} delivered, {done.refused} put aside, {done.left} left in {folder}")
    if done.left:
        raise click.exceptions.Exit(1)


@command.command("run", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--type", "kind", type=click.Choice(JOB_TYPES), help="By default as pulseboard.toml says.")
@click.option("--dataset", help="What it loads; by default as pulseboard.toml says.")
@click.option("--batch", default="", help="The part of the work; two workers never run one at once.")
@click.option("--again", is_flag=True, help="Also where the batch has succeeded already.")
@click.option("--no-lease", is_flag=True, help="Also where DynamoDB can't say whether the batch is free.")
def run(
    name: str, program: tuple[str, ...], kind: JobType | None, dataset: str | None, batch: str, again: bool,
    no_lease: bool,
) -> None:  # fmt: skip
    """Runs a program as a job: pulseboard jobs run load --batch 2026-05 -- ./load.sh 2026-05

    Its exit code is the program's; it fails where that is not 0. A line `pulseboard records=42` on the program's
    standard output says how many records there were. 75 says that the batch did not start, 76 that another worker took
    it over, and the program was ended.
    """
    try:
        with job(name, kind, dataset, batch, again=again, require_lease=not no_lease) as recorded:
            if code := execute(program, recorded, partial(click.echo, nl=False), os.environ):
                raise ProgramFailed(program, code)
    except ProgramFailed as failed:
        raise click.exceptions.Exit(failed.code) from failed
    except JobError as error:
        click.echo(f"pulseboard: {error}", err=True)
        raise click.exceptions.Exit(LOST if isinstance(error, LeaseLost) else NOT_STARTED) from error


class ProgramFailed(RuntimeError):  # noqa: N818 - reads as a statement where it is recorded
    """The program of a job ended with a code that is not 0."""

    def __init__(self, program: tuple[str, ...], code: int) -> None:
        # A program may end with any code: not all above 128 stand for a signal that has a name.
        names = {128 + number.value: f"signal {number.name}" for number in signal.Signals}
        super().__init__(f"{program[0]}: {names.get(code, f'exit code {code}')}")
        self.code = code


def reader() -> JobReader:
    """Reads the tables of the environment."""
    settings = load_settings(os.environ)
    return JobReader(Clients(settings.region).dynamodb, settings)
