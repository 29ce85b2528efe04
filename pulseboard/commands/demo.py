"""`pulseboard demo`: the whole product on this machine, without a cloud account."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from backend.contract.errors import InvalidInput
from backend.local.state import DIRECTORY
from backend.settings import CONFIG_NAME


@click.command()
@click.option(
    "--port",
    envvar="PULSEBOARD_PORT",
    default=8050,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port of the dashboard.",
)
@click.option(
    "--engine-port",
    envvar="PULSEBOARD_ENGINE_PORT",
    type=click.IntRange(1, 65535),
    help="Port of the embedded engine; a free one by default.",
)
@click.option(
    "--api-port",
    envvar="PULSEBOARD_API_PORT",
    type=click.IntRange(1, 65535),
    help="Port of the ingest API; 8051 where it is free, else another one.",
)
@click.option(
    "--config",
    envvar="PULSEBOARD_CONFIG",
    type=click.Path(path_type=Path),
    help=f"Your {CONFIG_NAME}; by default the one in this directory, if there is one.",
)
@click.option(
    "--directory",
    envvar="PULSEBOARD_DEMO_DIRECTORY",
    default=DIRECTORY,
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where logs and state go.",
)
@click.option("--seed", envvar="PULSEBOARD_SEED", default=7, show_default=True, help="Seed of the synthetic source.")
@click.option(
    "--days",
    envvar="PULSEBOARD_DEMO_DAYS",
    type=click.IntRange(0, 90),
    help="Closed days of history made once it runs; 29 by default, fewer on a slow machine.",
)
def command(
    port: int,
    engine_port: int | None,
    api_port: int | None,
    config: Path | None,
    directory: Path,
    seed: int,
    days: int | None,
) -> None:
    """Run everything on this machine until Ctrl-C: engine, pipeline, a day of history, orders, dashboard."""
    try:
        from backend.local import demo, deploy, engine, processes
    except ModuleNotFoundError as error:
        raise InvalidInput("demo", error.name, "is not installed; run `make demo`, or `uv sync --group demo`") from None
    if config is None and Path(CONFIG_NAME).exists():
        config = Path(CONFIG_NAME)
    options = processes.Options(port, engine_port, directory, config, seed, api_port, days)
    _end_on_signals(demo.Stopped)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    try:
        demo.run(options, click.echo)
    except demo.Stopped:
        click.echo("Stopped")
    except (engine.EngineError, deploy.DeployError, processes.DemoError) as error:
        click.echo(f"pulseboard: {error}", err=True)
        sys.exit(1)


def _end_on_signals(stopped: type[BaseException]) -> None:
    """SIGINT and SIGTERM raise ``stopped`` in the main thread, once: what comes later must not disturb the ending."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise stopped

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
