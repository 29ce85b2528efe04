"""`pulseboard tokens`: display tokens, which unattended screens show instead of a login."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import click

from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.contract.events import utc_text
from backend.settings import Settings, load_settings
from dashboard.access.tokens import DisplayToken, TokenStore


@click.group("tokens")
def command() -> None:
    """Makes, lists and revokes display tokens."""


@command.command("create")
@click.argument("name")
@click.option("--reason", default="", help="Why, for the audit log.")
@click.option(
    "--url",
    envvar="PULSEBOARD_PUBLIC_URL",
    default="http://127.0.0.1:8050",
    show_default=True,
    help="Where the dashboard answers.",
)
@click.option("--page", default="/?kiosk", show_default=True, help="Page that the display opens.")
def create(name: str, reason: str, url: str, page: str) -> None:
    """Makes a token and prints the link to open on the display, this once."""
    settings, clients = _connected()
    with _recorded(settings, clients, "token.create", reason, name) as who:
        token = TokenStore(clients.dynamodb, settings.tokens_table).create(name, who, time.time())
    click.echo(f"{url.rstrip('/')}/display?{urlencode({'token': token, 'next': page})}")
    click.echo("Open it once on the display. It is not shown again; who has it can look, but not act.", err=True)


@command.command("list")
def show() -> None:
    """Lists all tokens, the revoked ones too."""
    settings, clients = _connected()
    tokens = TokenStore(clients.dynamodb, settings.tokens_table).all()
    for token in tokens:
        click.echo(_line(token))
    if not tokens:
        click.echo("No display token was ever made: pulseboard tokens create NAME", err=True)


@command.command("revoke")
@click.argument("name")
@click.option("--reason", default="", help="Why, for the audit log.")
def revoke(name: str, reason: str) -> None:
    """Revokes a token: within a minute its displays see nothing more."""
    settings, clients = _connected()
    with _recorded(settings, clients, "token.revoke", reason, name):
        TokenStore(clients.dynamodb, settings.tokens_table).revoke(name, time.time())
    click.echo(f"{name} is revoked; its displays see nothing more within a minute")


def _connected() -> tuple[Settings, Clients]:
    settings = load_settings(os.environ)
    return settings, Clients(settings.region)


@contextmanager
def _recorded(settings: Settings, clients: Clients, action: str, reason: str, name: str) -> Iterator[str]:
    """A block that the audit log has an entry of, before and after; gives the user's name."""
    audit, who = AuditLog(clients.dynamodb, settings), getpass.getuser()
    entry = audit.begin(action, who, reason, name)
    try:
        yield who
    except Exception as error:
        audit.finish(entry, "refused" if isinstance(error, InvalidInput) else "failed", {"message": str(error)})
        raise
    audit.finish(entry, "succeeded")


def _line(token: DisplayToken) -> str:
    used = "never used" if token.last_used_at is None else f"used {utc_text(token.last_used_at)[:16]}Z"
    state = "in use" if token.revoked_at is None else f"revoked {utc_text(token.revoked_at)[:16]}Z"
    return f"{token.name:<24} {state:<26} {used:<24} made {utc_text(token.created_at)[:16]}Z by {token.created_by}"
