"""`pulseboard serve`: the dashboard, against whatever AWS the environment names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import click
from gunicorn.app.base import BaseApplication

from backend.settings import load_settings
from dashboard.access.settings import MODES, AccessSettings, load_access

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
    help=f"Who may look: {', '.join(MODES)}. `none` serves loopback only; see docs/access.md for the others.",
)
@click.option(
    "--allowed-hosts",
    envvar="PULSEBOARD_ALLOWED_HOSTS",
    default="",
    help="Host names answered to besides loopback and --host, with commas between.",
)
def command(host: str, port: int, threads: int, auth: str, allowed_hosts: str) -> None:
    """Serve the dashboard."""
    environ = {
        **os.environ,
        "PULSEBOARD_HOST": host,
        "PULSEBOARD_AUTH": auth,
        "PULSEBOARD_ALLOWED_HOSTS": allowed_hosts,
    }
    check_access(environ)
    load_settings(environ)

    def make() -> Any:
        from dashboard.app import create_server

        return create_server(environ)

    Server(make, host, port, threads).run()


def check_access(environ: Mapping[str, str]) -> AccessSettings:
    """What the server will go by, checked before it starts. Raises InvalidInput for what would leave it open."""
    return load_access(environ)
