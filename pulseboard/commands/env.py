"""`pulseboard env`: shell exports that point any AWS client, and this command line, at the running demo."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from backend.local.state import DIRECTORY, read


@click.command()
@click.option(
    "--directory",
    envvar="PULSEBOARD_DEMO_DIRECTORY",
    default=DIRECTORY,
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the demo keeps its logs and state.",
)
def command(directory: Path) -> None:
    """Print exports for the running demo: eval "$(pulseboard env)".

    PULSEBOARD_URL is the dashboard, PULSEBOARD_API_URL takes events at /ingest. AWS_ENDPOINT_URL_ATHENA and the
    AWS_ATHENA variables are for clients of Athena, such as PyAthena.
    """
    environment = read(directory)
    # The semicolon serves an unquoted eval, which joins the lines; exports need none and stay easy to parse.
    click.echo("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN;")
    for name, value in environment.items():
        click.echo(f"export {name}={shlex.quote(value)}")
