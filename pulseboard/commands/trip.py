"""`pulseboard trip`: makes an alarm of the running demo fire, and end again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backend.contract.catalogue import Catalogue, load_catalogue
from backend.contract.errors import InvalidInput
from backend.jobs.terminated import TermGuard
from backend.local.state import DIRECTORY, read
from backend.local.trips import HEARTBEAT, LONGEST_SECONDS, TRIPS, record, trippable

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SWEEP_RULE = "alert-sweep-schedule"
"""The schedule by which the alert consumer beats."""


@click.command()
@click.argument("metric", required=False)
@click.option("--minutes", type=click.FloatRange(0.5, LONGEST_SECONDS / 60), help="How long; enough for the alarm.")
@click.option(
    "--directory",
    envvar="PULSEBOARD_DEMO_DIRECTORY",
    default=DIRECTORY,
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the demo keeps its logs and state.",
)
def command(metric: str | None, minutes: float | None, directory: Path) -> None:
    """Make the alarm of METRIC fire in the running demo; without METRIC, list what can be tripped.

    The synthetic source has the trouble for some minutes, and its samples take the way of all others. Only the alert
    consumer's heartbeat is different: its schedule is switched off while this command runs.
    """
    catalogue = load_catalogue()
    lasting = trippable(catalogue)
    if metric is None:
        click.echo("\n".join(_row(catalogue, name, seconds) for name, seconds in lasting.items()))
        return
    if metric not in lasting:
        raise InvalidInput("metric", metric, "can't be tripped; `pulseboard trip` lists what can")
    environment = read(directory)
    seconds = lasting[metric] if minutes is None else 60 * minutes
    if metric == HEARTBEAT:
        silence(_events(environment), seconds, click.echo)
        return
    record(directory / TRIPS, metric, time.time(), seconds)
    click.echo(f"{catalogue[metric].title}: beyond its threshold for {seconds / 60:g} min, then as before (synthetic)")


def silence(
    events: EventBridgeClient, seconds: float, say: Callable[[str], object], wait: Callable[[float], None] = time.sleep
) -> None:
    """Switches the alert consumer's schedule off, waits, and switches it on again, however the waiting ends: SIGTERM is
    an end like any other."""
    guard = TermGuard()
    guard.enter()
    try:
        events.disable_rule(Name=SWEEP_RULE)
        say(f"The alert consumer's schedule is off for {seconds / 60:g} min; Ctrl-C switches it on at once")
        wait(seconds)
    finally:
        with guard.leaving():
            events.enable_rule(Name=SWEEP_RULE)
            say("The alert consumer's schedule is on again")


def _row(catalogue: Catalogue, name: str, seconds: float) -> str:
    metric = catalogue[name]
    severity = metric.alarm.severity if metric.alarm else ""
    return f"{name:36} {severity:9} {seconds / 60:4g} min  {metric.title}"


def _events(environment: dict[str, str]) -> EventBridgeClient:
    import boto3

    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    return session.client("events", endpoint_url=environment["AWS_ENDPOINT_URL"])
