"""`pulseboard serve`: the dashboard, against whatever AWS the environment names."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Callable
from typing import Any, Final

import click
from gunicorn.app.base import BaseApplication

from backend.contract.errors import InvalidInput
from backend.settings import load_settings

AUTH_MODES = ("none",)
THREADS: Final = 8
SWITCH_SECONDS: Final = 0.0005


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn in this process's image: one worker, because views and hot data are shared by its threads."""

    def __init__(self, make: Callable[[], Any], host: str, port: int, threads: int = THREADS) -> None:
        """``make`` gives the WSGI application; it is called in the worker."""
        self._make = make
        self._options = {
            "bind": f"{f'[{host}]' if ':' in host else host}:{port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": threads,
            "keepalive": 75,
            "timeout": 60,
            "graceful_timeout": 3,
            "control_socket_disable": True,
            "loglevel": "warning",
            "proc_name": "pulseboard",
        }
        super().__init__()

    def load_config(self) -> None:
        """gunicorn's settings; none are read from files or the command line."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The WSGI application, made in the worker."""
        # A view being made must not hold the interpreter for 5 ms at a time while others wait for finished ones.
        sys.setswitchinterval(SWITCH_SECONDS)
        return self._make()


@click.command()
@click.option("--host", envvar="PULSEBOARD_HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    envvar="PULSEBOARD_PORT",
    default=8050,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port to listen on.",
)
@click.option(
    "--threads",
    envvar="PULSEBOARD_THREADS",
    default=THREADS,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Requests served at once.",
)
@click.option(
    "--auth",
    envvar="PULSEBOARD_AUTH",
    default="none",
    show_default=True,
    help="Who may look. So far only `none`, on loopback.",
)
def command(host: str, port: int, threads: int, auth: str) -> None:
    """Serve the dashboard."""
    check_access(host, auth)
    load_settings(os.environ)

    def make() -> Any:
        from dashboard.app import create_server

        return create_server(os.environ)

    Server(make, host, port, threads).run()


def check_access(host: str, auth: str) -> None:
    """Refuses an unknown mode, and mode `none` anywhere but on loopback. Raises InvalidInput."""
    if auth not in AUTH_MODES:
        raise InvalidInput("auth", auth, f"is not a known mode; use {' or '.join(AUTH_MODES)}")
    if auth == "none" and not _loopback(host):
        raise InvalidInput(
            "host", host, "is not loopback, and without authentication anyone there could look; use 127.0.0.1"
        )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
