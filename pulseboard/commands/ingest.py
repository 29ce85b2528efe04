"""`pulseboard ingest`: data recorded elsewhere, put in as an explicit backfill."""

from __future__ import annotations

import os
import time
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from backend.aws import Clients
from backend.collector.backfill import Defaults, read_file, unique
from backend.collector.build import write_all
from backend.collector.core import encode, pack
from backend.contract.errors import InvalidInput
from backend.settings import load_settings

SHOWN = 20
"""Rejected rows printed one by one; the rest is counted."""


@click.group("ingest")
def command() -> None:
    """Imports recorded data."""


@command.command("metrics")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
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
    settings = load_settings(os.environ)
    try:
        zone = ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput("tz", tz, "is not a time zone; use a name such as UTC or Europe/Berlin") from error
    if metric is not None and metric not in settings.catalogue:
        raise InvalidInput("metric", metric, "is not in the catalogue; see docs/metrics.md for the names")
    defaults = Defaults(metric, host, unit, environment or settings.config.environment, settings.region, zone)
    imported = read_file(file.read_bytes(), defaults, settings.catalogue, time.time())
    for number, reason in imported.rejected[:SHOWN]:
        click.echo(f"pulseboard: {file.name}, line {number}: {reason}", err=True)
    if (more := len(imported.rejected) - SHOWN) > 0:
        click.echo(f"pulseboard: and {more} more rows that do not fit", err=True)
    samples = unique(imported.samples)
    objects = pack(map(encode, samples), backfill=True)
    write_all(objects, Clients(settings.region).s3, settings.bucket)
    click.echo(
        f"{imported.rows} rows in, {len(samples)} samples written in {len(objects)} objects, "
        f"{len(imported.samples) - len(samples)} repeats, {len(imported.rejected)} rejected"
    )
    if imported.rejected:
        raise click.exceptions.Exit(1)
