"""The `pulseboard` command: a thin, lazily loaded group; each command lives in ``pulseboard/commands``."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import click

from backend.contract.errors import InvalidInput

COMMANDS: Final = {
    "demo": "demo",
    "serve": "serve",
    "agent": "agent",
    "collect": "collect",
    "ingest": "ingest",
    "replay": "replay",
    "jobs": "jobs",
    "pipeline": "pipeline",
    "tokens": "tokens",
    "trip": "trip",
    "cost": "cost",
    "env": "env",
    "doctor": "doctor",
}
"""Command name to module of ``pulseboard.commands``; the module's ``command`` is the click command."""


class LazyGroup(click.Group):
    """Imports a command's module when it is asked for, so that `pulseboard --help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"pulseboard.commands.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "PULSEBOARD"}
)
@click.version_option(package_name="pulseboard")
def cli() -> None:
    """Operations dashboard for data pipelines on AWS."""


def main() -> None:
    """Runs the command line; bad input ends in one line with the remedy and exit code 2."""
    try:
        # Outside of its standalone mode click returns the code that a command exits with.
        code = cli(standalone_mode=False)
        if isinstance(code, int) and code:
            sys.exit(code)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InvalidInput as error:
        click.echo(f"pulseboard: {error}", err=True)
        sys.exit(2)
    except Exception as error:
        # botocore is not imported until a command needs it, and then its errors have a name to be known by.
        if not type(error).__module__.startswith("botocore."):
            raise
        click.echo(f"pulseboard: AWS: {' '.join(str(error).split())}; `pulseboard doctor` says what to mend", err=True)
        sys.exit(1)
