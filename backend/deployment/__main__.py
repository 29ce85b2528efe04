"""``python -m backend.deployment``: deploy and teardown, which ``make`` runs; restore and switch for tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.deployment.commands import Console, Wanted, deploy, teardown
from backend.deployment.plan import load_plan, with_flags
from backend.deployment.restore import Restorer, parse_time
from backend.deployment.stack import DeploymentError
from backend.local.template import load_template, template_path
from backend.settings import CONFIG_NAME, load_config

_EXISTING = click.Path(exists=True, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Puts Pulseboard's stack on the AWS account that the environment's credentials are for."""


@cli.command("deploy")
@click.option("--plan", type=_EXISTING, help="What to deploy; by default ./deploy.toml if there is one.")
@click.option("--stack", help="Name of the stack.")
@click.option("--code-bucket", help="Bucket for the package and the templates, in the stack's region.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the template.")
@click.option("--package", type=_EXISTING, default=Path("build"), help="The functions' zip, or where the newest lies.")
@click.option("--config", type=_EXISTING, help=f"The configuration in the package; by default ./{CONFIG_NAME}.")
@click.option("--allow-replacement", is_flag=True, help="Let tables, buckets and queues be replaced or removed.")
@click.option("--adopt", is_flag=True, help="Take in tables and the bucket that an earlier stack left behind.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def deploy_command(
    plan: Path | None,
    stack: str | None,
    code_bucket: str | None,
    parameters: tuple[str, ...],
    package: Path,
    config: Path | None,
    allow_replacement: bool,
    adopt: bool,
    yes: bool,
) -> None:
    """Creates or updates the stack through a change set, which is shown first."""
    configured = config or (Path(CONFIG_NAME) if Path(CONFIG_NAME).exists() else None)
    region = _region()
    wanted = Wanted(
        plan=with_flags(load_plan(plan), parameters, stack=stack, code_bucket=code_bucket),
        region=region,
        template=template_path(),
        package=package,
        retention_days=load_config(configured).events.retention_days,
        allow_replacement=allow_replacement,
        adopt=adopt,
    )
    deploy(Clients(region, timeout=60.0), wanted, _console(yes))


@cli.command("teardown")
@click.option("--plan", type=_EXISTING, help="What was deployed; by default ./deploy.toml if there is one.")
@click.option("--stack", help="Name of the stack.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def teardown_command(plan: Path | None, stack: str | None, yes: bool) -> None:
    """Deletes the stack; the bucket and the tables stay."""
    name = with_flags(load_plan(plan), (), stack=stack, code_bucket=None).stack
    teardown(Clients(_region(), timeout=60.0), name, _console(yes))


@cli.command("restore")
@click.option("--table", required=True, help="Table as it is named, such as Replays.")
@click.option("--at", help="Time to go back to (ISO 8601 with zone); by default the latest there is.")
def restore_command(table: str, at: str | None) -> None:
    """Restores a table beside the present one, as it was at a time of the last 35 days."""
    _restorer().restore(table, None if at is None else parse_time(at))


@cli.command("switch")
@click.option("--table", required=True, help="Table whose restored copy takes its place.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def switch_command(table: str, yes: bool) -> None:
    """Puts the restored table in the place of the present one."""
    if not _console(yes).ask(f"Replace {table}? What it holds now stays in a system backup for 35 days."):
        raise DeploymentError("not carried out; nothing was changed")
    _restorer().switch(table)


def _restorer() -> Restorer:
    return Restorer(Clients(_region()).dynamodb, load_template(), click.echo)


def _region() -> str:
    region = boto3.Session().region_name
    if not region:
        raise InvalidInput("AWS_REGION", None, "must name the region of the stack, such as eu-central-1")
    return region


def _console(yes: bool) -> Console:
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    ask: Callable[[str], bool] = (lambda _question: True) if yes else click.confirm
    return Console(say=click.echo, ask=ask, colour=colour)


def main() -> None:
    """Runs the command line; what is wrong ends in one line with the remedy."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit("\ndeploy: not carried out; nothing was changed")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (InvalidInput, DeploymentError) as error:
        sys.exit(f"deploy: {error}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"deploy: AWS: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
