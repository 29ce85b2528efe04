"""`pulseboard ingest`: data recorded elsewhere, put in: metrics as an explicit backfill, events as if they came now."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from backend.aws import Clients
from backend.collector.backfill import Defaults, read_file, unique
from backend.collector.build import write_all
from backend.collector.core import encode, pack
from backend.contract.errors import InvalidInput
from backend.events.importing import import_events
from backend.events.ingest import Ingest
from backend.logs import make_logger
from backend.settings import load_settings

SHOWN = 20
"""Rejected rows printed one by one; the rest is counted."""


@click.group("ingest")
def command() -> None:
    """Imports recorded data."""


@command.command("metrics")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--metric", help="Metric of rows that name none, such as cpu_utilization.")
@click.option("--host", help="Host of rows that name none.")
@click.option("--tz", default="UTC", show_default=True, help="Zone of times that name none.")
@click.option("--environment", help="Environment of rows that name none; the one of pulseboard.toml by default.")
@click.option("--unit", help="Unit of rows that name none; the catalogue's by default.")
def metrics(
    file: Path, metric: str | None, host: str | None, tz: str, environment: str | None, unit: str | None
) -> None:
    """Imports samples of any date from 2000 on.

    FILE is JSON Lines, a JSON array, or CSV with a header that names timestamp and value. Rows that do not fit are
    named and left out, the others go in; the exit code is then 1.
    """
    content, settings = content_of(file), load_settings(os.environ)
    try:
        zone = ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput("tz", tz, "is not a time zone; use a name such as UTC or Europe/Berlin") from error
    if metric is not None and metric not in settings.catalogue:
        raise InvalidInput("metric", metric, "is not in the catalogue; see docs/metrics.md for the names")
    defaults = Defaults(metric, host, unit, environment or settings.config.environment, settings.region, zone)
    imported = read_file(content, defaults, settings.catalogue, time.time())
    tell([f"line {number}: {reason}" for number, reason in imported.rejected], file, "rows that do not fit")
    samples = unique(imported.samples)
    objects = pack(map(encode, samples), backfill=True)
    write_all(objects, Clients(settings.region).s3, settings.bucket)
    click.echo(
        f"{imported.rows} rows in, {len(samples)} samples written in {len(objects)} objects, "
        f"{len(imported.samples) - len(samples)} repeats, {len(imported.rejected)} rejected"
    )
    if imported.rejected:
        raise click.exceptions.Exit(1)


@command.command("events")
@click.argument("file", type=click.Path(path_type=Path))
def events(file: Path) -> None:
    """Takes events in as POST /ingest does, straight through AWS.

    FILE is NDJSON, one event a line, or a JSON array of events. What does not fit is named and left out, the others
    go in; the exit code is then 1. Run it again whenever it was interrupted: events have stable ids, and those that
    are there already count as duplicates. The time received is now, so recorded events are late.
    """
    content, settings = content_of(file), load_settings(os.environ)
    if not settings.event_queue_url:
        remedy = 'must be set; take it from the stack\'s outputs, or for the demo: eval "$(pulseboard env)"'
        raise InvalidInput("EVENT_QUEUE_URL", settings.event_queue_url, remedy)
    # No timestamps, ids and levels between what a person reads: what fails is in the outcomes.
    logger = make_logger("ingest-events", sys.stderr)
    logger.setLevel("CRITICAL")
    done = import_events(content, settings, Ingest(settings, Clients(settings.region), logger), time.time)
    tell(done.refused, file, "events that were refused")
    click.echo(
        f"{done.total} events in: {done.stored} stored, {done.duplicates} duplicates, "
        f"{len(done.refused)} refused, {done.unavailable} not stored"
    )
    if done.unavailable:
        click.echo("pulseboard: AWS did not take every event; run `pulseboard doctor`, then this again", err=True)
    if done.refused or done.unavailable:
        raise click.exceptions.Exit(1)


def content_of(file: Path) -> bytes:
    """The bytes of a file. Raises InvalidInput for one that is not there or can't be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput("file", str(file), f"can't be read ({error.strerror}); check the path") from None


def tell(problems: Sequence[str], file: Path, what: str) -> None:
    """The first problems on standard error, the rest as a number."""
    for problem in problems[:SHOWN]:
        click.echo(f"pulseboard: {file.name}, {problem}", err=True)
    if (more := len(problems) - SHOWN) > 0:
        click.echo(f"pulseboard: and {more} more {what}", err=True)
