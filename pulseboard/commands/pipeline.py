"""`pulseboard pipeline`: runs the state machine InfraMonitoringPipeline and lists its executions."""

from __future__ import annotations

import getpass
import json
import os
import time
from dataclasses import asdict
from datetime import datetime
from typing import Final

import click

from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.contract.events import utc_text
from backend.contract.executions import Execution
from backend.orchestration.pipeline import MOST, Pipeline
from backend.settings import load_settings

LOOK_SECONDS: Final = 1.0
GIVEN_UP: Final = 75
"""Exit code where the execution goes on when the time to wait is over: sysexits' EX_TEMPFAIL."""


@click.group("pipeline")
def command() -> None:
    """Runs the state machine that collects metrics and stays until they are processed and seen."""


@command.command("run")
@click.option("--reason", required=True, help="Why, for the audit log.")
@click.option("--at", "at", metavar="TIME", help="The time that samples bear, ISO 8601 with a zone; now by default.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Until it has ended.")
@click.option("--timeout", type=click.FloatRange(1), default=1800.0, show_default=True, help="Wait at most so long, s.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def run(reason: str, at: str | None, wait: bool, timeout: float, as_json: bool) -> None:
    """Starts an execution. Exit code 1 where it fails, 75 where it goes on after the time to wait."""
    pipeline = wired()
    execution = pipeline.start(f"{getpass.getuser()} (command line)", reason, moment(at))
    if wait:
        execution = awaited(pipeline, execution, time.monotonic() + timeout)
    click.echo(shown(execution, as_json))
    if wait and execution.status == "RUNNING":
        raise click.exceptions.Exit(GIVEN_UP)
    if wait and execution.status != "SUCCEEDED":
        raise click.exceptions.Exit(1)


@command.command("list")
@click.option("--limit", type=click.IntRange(1, MOST), default=10, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one execution a line.")
def listing(limit: int, as_json: bool) -> None:
    """Lists executions, the newest first."""
    found = wired().recent(limit)
    for execution in found:
        click.echo(shown(execution, as_json))
    if not found:
        click.echo("no executions; start one with `pulseboard pipeline run`", err=True)


def awaited(pipeline: Pipeline, execution: Execution, until: float) -> Execution:
    """The execution once it has ended, or as it stands at ``until`` (monotonic s)."""
    while execution.status == "RUNNING" and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        execution = pipeline.get(execution.arn)
    return execution


def shown(execution: Execution, as_json: bool) -> str:
    """An execution in one line."""
    if as_json:
        return json.dumps(asdict(execution))
    took = f"{execution.seconds(time.time()):7.1f} s"
    text = f"{utc_text(execution.started_at)}  {execution.status:9}  {took}  {execution.name}"
    if execution.failed_state:
        text += f"  {execution.failed_state}"
    if execution.cause:
        text += f"  {execution.cause}"
    # A cause may hold anybody's text, which must not steer a terminal.
    return "".join(character if character.isprintable() else "?" for character in text)


def moment(text: str | None) -> float | None:
    """Epoch seconds of a time. Raises InvalidInput for one without a zone."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput("at", text, "must be ISO 8601 with a zone, such as 2026-11-22T10:00:00Z")
    return at.timestamp()


def wired() -> Pipeline:
    """The state machine of the environment. Raises InvalidInput where it names none."""
    settings = load_settings(os.environ)
    clients = Clients(settings.region)
    pipeline = Pipeline(clients.stepfunctions, AuditLog(clients.dynamodb, settings), settings)
    if not pipeline.used:
        remedy = 'is not set; take it from the stack\'s outputs, or eval "$(pulseboard env)"'
        raise InvalidInput("STATE_MACHINE_ARN", settings.state_machine_arn, remedy)
    return pipeline
