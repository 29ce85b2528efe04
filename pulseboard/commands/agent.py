"""`pulseboard agent`: collects until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from backend.aws import Clients
from backend.collector.agent import FLUSH_SECONDS, Agent, Scheduled
from backend.collector.build import DEFAULT_SEED, DEMO_VARIABLE, SEED_VARIABLE, SOURCES, make_source, s3_put
from backend.collector.spool import Spool
from backend.contract.errors import InvalidInput
from backend.local.trips import TRIPS_VARIABLE, TripFile
from backend.settings import CollectorSource, load_settings

USUAL_INTERVAL: Final = 15.0
DEFAULT_SPOOL: Final = Path("~/.local/state/pulseboard/spool")


@click.command("agent")
@click.option("--source", "sources", multiple=True, type=click.Choice(SOURCES), help="What to read; repeatable.")
@click.option("--url", "urls", multiple=True, help="Metrics page to scrape (source prometheus); repeatable.")
@click.option("--mapping", help="Ready mapping, or the path of your own (source prometheus).")
@click.option(
    "--interval",
    envvar="PULSEBOARD_INTERVAL",
    type=float,
    help=f"Seconds between two readings of a source; {USUAL_INTERVAL:g} by default.",
)
@click.option(
    "--flush-seconds",
    envvar="PULSEBOARD_FLUSH_SECONDS",
    type=float,
    default=FLUSH_SECONDS,
    show_default=True,
    help="Longest wait for an object.",
)
@click.option("--spool",
    envvar="PULSEBOARD_SPOOL", type=click.Path(path_type=Path), default=DEFAULT_SPOOL, show_default=True,
              help="Folder where objects wait for S3.")  # fmt: skip
@click.option(
    "--environment",
    help="Environment of the samples; the one of pulseboard.toml by default.",
)
@click.option("--demo-started", type=float, envvar=DEMO_VARIABLE, hidden=True)
@click.option("--seed", default=DEFAULT_SEED, envvar=SEED_VARIABLE, hidden=True)
@click.option("--trips", type=click.Path(path_type=Path), envvar=TRIPS_VARIABLE, hidden=True)
def command(
    sources: tuple[str, ...],
    urls: tuple[str, ...],
    mapping: str | None,
    interval: float | None,
    flush_seconds: float,
    spool: Path,
    environment: str | None,
    demo_started: float | None,
    seed: int,
    trips: Path | None,
) -> None:
    """Reads sources continuously; an S3 outage loses nothing.

    Sources come from --source, or else from pulseboard.toml. SIGTERM and Ctrl-C send what is left, then end.
    """
    for name, number in (("interval", interval), ("flush-seconds", flush_seconds)):
        if number is not None and not 0 < number <= 86_400:
            raise InvalidInput(name, number, "must be more than 0 and at most 86400 seconds")
    settings = load_settings(os.environ)
    clients = Clients(settings.region)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    specs = [CollectorSource(name, list(urls), mapping) for name in sources] or settings.config.collect
    asked = TripFile(trips) if trips else tuple
    scheduled = []
    for spec in specs:
        every = interval or spec.interval_seconds or USUAL_INTERVAL
        chosen = replace(spec, interval_seconds=every, environment=environment or spec.environment)
        source = make_source(chosen, settings, clients, demo_started_at=demo_started, seed=seed, trips=asked)
        scheduled.append(Scheduled(source, every))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Spool(spool.expanduser(), settings.config.limits.spool_bytes) as waiting:
        agent = Agent(
            scheduled,
            s3_put(clients.s3, settings.bucket),
            waiting,
            settings.catalogue,
            environment=environment or settings.config.environment,
            region=settings.region,
            flush_seconds=flush_seconds,
        )
        names = ", ".join(f"{s.source.name} every {s.interval:g} s" for s in scheduled)
        click.echo(f"Collecting {names} to s3://{settings.bucket}; spool {waiting.folder}", err=True)
        agent.run(stop)
        status = agent.status()
    click.echo(f"{status.uploaded} objects sent, {status.spooled_objects} left in the spool", err=True)
