"""`pulseboard collect`: one source, once, into one object."""

from __future__ import annotations

import os
import time

import click

from backend.aws import Clients
from backend.collector.build import DEFAULT_SEED, DEMO_VARIABLE, SEED_VARIABLE, SOURCES, make_source, write_all
from backend.collector.core import encode, pack
from backend.contract.ranges import parse_time
from backend.settings import CollectorSource, load_settings

ONE_OBJECT = 1 << 62
"""A single run is one object, however large."""


@click.command("collect")
@click.option("--source", required=True, type=click.Choice(SOURCES), help="What to read.")
@click.option("--url", "urls", multiple=True, help="Metrics page to scrape (source prometheus); repeatable.")
@click.option("--mapping", help="Ready mapping, or the path of your own (source prometheus).")
@click.option("--at", help="Time of the samples: epoch seconds or ISO 8601 with a zone; now by default.")
@click.option(
    "--environment",
    help="Environment of the samples; the one of pulseboard.toml by default.",
)
@click.option("--host-label", help="Host name of the samples (source host); this machine's by default.")
@click.option("--demo-started", type=float, envvar=DEMO_VARIABLE, hidden=True)
@click.option("--seed", default=DEFAULT_SEED, envvar=SEED_VARIABLE, hidden=True)
def command(
    source: str,
    urls: tuple[str, ...],
    mapping: str | None,
    at: str | None,
    environment: str | None,
    host_label: str | None,
    demo_started: float | None,
    seed: int,
) -> None:
    """Reads a source once and writes the samples to the bucket.

    An endpoint that does not answer becomes a sample too: `up` = 0.
    """
    settings = load_settings(os.environ)
    clients = Clients(settings.region)
    now = time.time()
    spec = CollectorSource(source, list(urls), mapping, environment=environment)
    reader = make_source(spec, settings, clients, demo_started_at=demo_started, seed=seed, hostname=host_label)
    collected = reader.collect(parse_time(at, now, "at") if at else float(int(now)), None)
    for problem in collected.problems:
        click.echo(f"pulseboard: {problem}", err=True)
    objects = pack(map(encode, collected.samples), max_bytes=ONE_OBJECT)
    write_all(objects, clients.s3, settings.bucket)
    summary = f"{len(collected.samples)} samples, {collected.skipped} skipped (no value yet), "
    click.echo(summary + f"{len(collected.problems)} problems")
    for outgoing in objects:
        click.echo(f"s3://{settings.bucket}/{outgoing.key}")
    if not objects:
        raise click.exceptions.Exit(1)
