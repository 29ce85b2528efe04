"""The demo's processes beside the engine: dashboard, agent, API, order stream, jobs, stand-ins, Athena."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from backend.collector.build import DEMO_VARIABLE, SEED_VARIABLE
from backend.contract.errors import InvalidInput
from backend.local import state
from backend.local.child import Child
from backend.local.engine import HOST, free_port, port_is_free
from backend.local.trips import TRIPS, TRIPS_VARIABLE

API_PORT: Final = 8051
SLACK_PORT: Final = 8052
PAGERDUTY_PORT: Final = 8053
ATHENA_PORT: Final = 8054
READY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1
_COMMAND: Final = (sys.executable, "-c", "from pulseboard.cli import main; main()")


class DemoError(RuntimeError):
    """The demo can't go on; the message is one line and names the log that says more."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line chooses. ``config`` is the user's pulseboard.toml, if there is one.

    ``api_port`` and ``engine_port`` None: 8051 where it is free, else any free one; any free one. ``days`` None: as
    many closed days of history as ``backend.local.seed_history`` makes unasked.
    """

    port: int = 8050
    engine_port: int | None = None
    directory: Path = state.DIRECTORY
    config: Path | None = None
    seed: int = 7
    api_port: int | None = None
    days: int | None = None

    @property
    def url(self) -> str:
        """Where the dashboard answers."""
        return f"http://{HOST}:{self.port}"


def checked_api_port(options: Options) -> int:
    """The port of the ingest API. Raises InvalidInput for a taken one that was asked for."""
    if options.api_port is None:
        return API_PORT if options.port != API_PORT and port_is_free(API_PORT) else free_port()
    if options.api_port == options.port or not port_is_free(options.api_port):
        remedy = "is taken; stop what listens there, or choose one with PULSEBOARD_API_PORT"
        raise InvalidInput("api-port", options.api_port, remedy)
    return options.api_port


def api_url(port: int) -> str:
    """Where the ingest API answers."""
    return f"http://{HOST}:{port}"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the API, the stand-ins for Slack and PagerDuty, and the Athena endpoint listen on loopback."""

    api: int
    slack: int
    pagerduty: int
    athena: int


def chosen_ports(options: Options) -> Ports:
    """The usual ports, or free ones where those are taken. Raises InvalidInput for a taken one that was asked for."""
    taken = {options.port, api := checked_api_port(options)}
    found = []
    for usual in (SLACK_PORT, PAGERDUTY_PORT, ATHENA_PORT):
        found.append(usual if usual not in taken and port_is_free(usual) else free_port())
        taken.add(found[-1])
    return Ports(api, *found)


@dataclass(frozen=True, slots=True)
class Processes:
    """Every process. The API is by itself because it starts again with a new configuration."""

    dashboard: Child
    agent: Child
    api: Child
    orders: Child
    stand_ins: Child
    jobs: Child
    athena: Child

    @property
    def all(self) -> tuple[Child, ...]:
        """In the order in which they start."""
        return (self.dashboard, self.agent, self.api, self.orders, self.stand_ins, self.jobs, self.athena)


def make_processes(
    options: Options, environment: Mapping[str, str], logs: Path, started: float, ports: Ports
) -> Processes:
    """The processes, not started yet. ``started`` is when the demo did, epoch seconds: incidents count from there."""
    spool = options.directory / "spool"
    journal = options.directory.resolve() / "journal"
    # What an earlier demo could not send belongs to a bucket and tables that are gone.
    for folder in (spool, journal):
        shutil.rmtree(folder, ignore_errors=True)

    def child(name: str, command: Sequence[str], more: Mapping[str, str]) -> Child:
        log = logs / f"{name}.log"
        log.unlink(missing_ok=True)
        return Child(name, command, {**environment, **more}, log)

    trips = options.directory / TRIPS
    trips.unlink(missing_ok=True)
    demo = {DEMO_VARIABLE: repr(started), SEED_VARIABLE: str(options.seed), TRIPS_VARIABLE: str(trips)}
    # A line for each event would be most of what the log holds.
    quiet = {"LOG_LEVEL": environment.get("LOG_LEVEL", "WARNING")}
    kept = {"PULSEBOARD_JOURNAL": str(journal)}
    peers = ["--slack-port", str(ports.slack), "--pagerduty-port", str(ports.pagerduty)]
    orders = ["--url", api_url(ports.api), "--started", repr(started), "--seed", str(options.seed)]
    return Processes(
        child("dashboard", [*_COMMAND, "serve", "--host", HOST], {"PULSEBOARD_PORT": str(options.port)}),
        child("agent", [*_COMMAND, "agent", "--flush-seconds", "1", "--spool", str(spool)], demo),
        child("api", [sys.executable, "-m", "backend.local.api_server", "--port", str(ports.api)], quiet),
        child("orders", [sys.executable, "-m", "backend.local.orders", *orders], {}),
        child("stand-ins", [sys.executable, "-m", "backend.local.peers", *peers], {}),
        child("jobs", [sys.executable, "-m", "backend.local.workload", "--seed", str(options.seed)], kept),
        child("athena", [sys.executable, "-m", "backend.local.athena", "--port", str(ports.athena)], {}),
    )


def history_process(options: Options, environment: Mapping[str, str], logs: Path, started: float) -> Child:
    """What seeds the month before, once everything else is ready; it ends by itself."""
    log = logs / "history.log"
    log.unlink(missing_ok=True)
    days = [] if options.days is None else ["--days", str(options.days)]
    asked = ["--started", repr(started), "--seed", str(options.seed), *days]
    return Child("history", [sys.executable, "-m", "backend.local.seed_history", *asked], environment, log)


Places = Mapping[str, tuple[int, str]]
"""Name of a process to the port and path where it answers 200 when it is ready."""


def places(options: Options, ports: Ports) -> Places:
    """Where dashboard, API and stand-ins answer."""
    return {
        "dashboard": (options.port, "/readyz"),
        "api": (ports.api, "/openapi.json"),
        "Slack's stand-in": (ports.slack, "/messages"),
        "PagerDuty's stand-in": (ports.pagerduty, "/incidents"),
        "Athena's endpoint": (ports.athena, "/_ready"),
    }


def wait_until_ready(waiting: Places, children: Sequence[Child]) -> None:
    """Returns once all answer. Raises DemoError when one of the children ends, or when it takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while waiting:
        waiting = {name: place for name, place in waiting.items() if not _answers(*place)}
        for child in children:
            if not child.running:
                raise DemoError(f"the {child.name} ended at once ({child.tail(1)}); see {child.log}")
        if waiting and time.monotonic() > deadline:
            logs = children[0].log.parent
            raise DemoError(f"{' and '.join(waiting)} not ready within {READY_SECONDS:g} s; see {logs}")
        time.sleep(_POLL_SECONDS)


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
