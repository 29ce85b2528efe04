"""The whole product on one machine: engine, stack, history, dashboard and agent, started in order, ended in reverse."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final, NoReturn

from backend.collector.build import DEMO_VARIABLE, SEED_VARIABLE
from backend.collector.sources.synthetic import SyntheticSource
from backend.contract.errors import InvalidInput
from backend.local import state
from backend.local.child import Child
from backend.local.demo_config import demo_config
from backend.local.deploy import deploy
from backend.local.engine import HOST, Engine, port_is_free, without_aws
from backend.local.seed import seed
from backend.local.thin import EVERY_SECONDS, ITEM_LIMIT, item_count, thin
from backend.settings import CONFIG_NAME, Settings, load_settings

READY_SECONDS: Final = 60.0
RESTARTS: Final = 5
"""A part that ended more often than this within one demo is not started again: the demo ends and says why."""
_TICK_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.1
_COMMAND: Final = (sys.executable, "-c", "from pulseboard.cli import main; main()")
ATHENA_PREFIX: Final = "athena-results/"

_PARAMETERS: Final = {"CollectorEnabled": "DISABLED"}
"""The agent collects, every few seconds; the function would do the same again every five minutes."""

_PASSED_ON: Final = ("PULSEBOARD_REFRESH_SECONDS", "PULSEBOARD_HOT_REFRESH_SECONDS")

Say = Callable[[str], None]


class Stopped(BaseException):
    """A signal asked the demo to end; not an error, so nothing on the way up may take it for one."""


class DemoError(RuntimeError):
    """The demo can't go on; the message is one line and names the log that says more."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line chooses. ``config`` is the user's pulseboard.toml, if there is one."""

    port: int = 8050
    engine_port: int | None = None
    directory: Path = state.DIRECTORY
    config: Path | None = None
    seed: int = 7

    @property
    def url(self) -> str:
        """Where the dashboard answers."""
        return f"http://{HOST}:{self.port}"


def run(options: Options, say: Say) -> None:
    """Runs the demo until Stopped is raised in it, and leaves nothing behind however it ends.

    Raises InvalidInput before anything is started; EngineError, DeployError or DemoError afterwards.
    """
    if not port_is_free(options.port):
        raise InvalidInput(
            "port", options.port, "is taken; stop what listens there, or choose one with PULSEBOARD_PORT"
        )
    config = demo_config(options.config)
    with ExitStack() as stack:
        stack.enter_context(state.held(options.directory))
        logs = options.directory / "logs"
        logs.mkdir(exist_ok=True)
        (options.directory / CONFIG_NAME).write_text(config, "utf-8")
        engine = stack.enter_context(_engine(options, logs))
        say("Engine is up; creating the stack of infra/template.yaml")
        environment = _environment(options, engine, deploy(engine.client, config=config, parameters=_PARAMETERS))
        settings = load_settings(environment)
        started = time.time()
        _seed(options, engine, settings, started, say)
        children = _children(options, environment, logs, started)
        for child in children:
            stack.enter_context(child)
        # On the way out all are told before any is waited for.
        for child in children:
            stack.callback(child.terminate)
        _wait_until_ready(options, children)
        state.publish(options.directory, _exports(options, engine, environment))
        say(_summary(engine, settings, options))
        say(f"Pulseboard is ready at {options.url}")
        _watch(engine, children, settings, say)


@contextmanager
def _engine(options: Options, logs: Path) -> Iterator[Engine]:
    log = logs / "engine.log"
    log.unlink(missing_ok=True)
    with Engine(port=options.engine_port, log=log) as engine:
        yield engine


def _environment(options: Options, engine: Engine, outputs: Mapping[str, str]) -> dict[str, str]:
    """What the dashboard and the agent run with: nothing of the caller's AWS settings, and how often they refresh."""
    config = (options.directory / CONFIG_NAME).resolve()
    chosen = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**without_aws(os.environ), **chosen, **engine.environment(), **outputs, "PULSEBOARD_CONFIG": str(config)}


def _exports(options: Options, engine: Engine, environment: Mapping[str, str]) -> dict[str, str]:
    """What `pulseboard env` prints."""
    outputs = {name: environment[name] for name in (*_OUTPUTS, "PULSEBOARD_CONFIG")}
    return {
        **engine.environment(),
        **outputs,
        "REGION": environment["AWS_REGION"],
        "AWS_ATHENA_S3_STAGING_DIR": f"s3://{environment['S3_BUCKET']}/{ATHENA_PREFIX}",
        "AWS_ATHENA_WORK_GROUP": "primary",
        "PULSEBOARD_URL": options.url,
        "PULSEBOARD_API_URL": options.url,
    }


_OUTPUTS: Final = (
    "S3_BUCKET",
    "DYNAMODB_TABLE",
    "QUEUE_URL",
    "DEAD_LETTER_QUEUE_URL",
    "ALERTS_TOPIC_ARN",
    "WARNINGS_TOPIC_ARN",
)


def _seed(options: Options, engine: Engine, settings: Settings, now: float, say: Say) -> None:
    source = SyntheticSource(settings.catalogue, seed=options.seed, demo_started_at=now)
    done = seed(engine.client, settings, source, now)
    say(
        f"Seeded a day of synthetic history: {done.samples:,} samples in {done.objects} objects, {done.items:,} items, "
        f"{done.seconds:.0f} s (rolled up by the processor's own code, but not by way of SQS and Lambda)"
    )


def _children(options: Options, environment: Mapping[str, str], logs: Path, started: float) -> list[Child]:
    dashboard = {**environment, "PULSEBOARD_PORT": str(options.port)}
    agent = {**environment, DEMO_VARIABLE: repr(started), SEED_VARIABLE: str(options.seed)}
    spool = options.directory / "spool"
    # What an earlier demo could not send belongs to a bucket that is gone.
    shutil.rmtree(spool, ignore_errors=True)
    children = [
        Child("dashboard", [*_COMMAND, "serve", "--host", HOST], dashboard, logs / "dashboard.log"),
        Child("agent", [*_COMMAND, "agent", "--flush-seconds", "1", "--spool", str(spool)], agent, logs / "agent.log"),
    ]
    for child in children:
        child.log.unlink(missing_ok=True)
    return children


def _wait_until_ready(options: Options, children: list[Child]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _ready(options.port):
        for child in children:
            if not child.running:
                raise DemoError(f"the {child.name} ended at once ({child.tail(1)}); see {child.log}")
        if time.monotonic() > deadline:
            raise DemoError(f"the dashboard was not ready within {READY_SECONDS:g} s; see {children[0].log}")
        time.sleep(_POLL_SECONDS)


def _ready(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Connection": "close"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _summary(engine: Engine, settings: Settings, options: Options) -> str:
    count = item_count(engine.client("dynamodb"), settings.table)
    return (
        f"InfraMetrics holds {count:,} items (kept under {ITEM_LIMIT:,}). Ten servers and a streaming pipeline are "
        f"synthetic, with an incident every 20 minutes; this machine's own metrics are real. "
        f"Logs: {options.directory / 'logs'}"
    )


def _watch(engine: Engine, children: list[Child], settings: Settings, say: Say) -> NoReturn:
    """Restarts what ended by itself and keeps the table small."""
    client = engine.client("dynamodb")
    restarts = 0
    thinned = time.monotonic()
    while True:
        time.sleep(_TICK_SECONDS)
        if not engine.running:
            raise DemoError(f"the engine ended by itself, and its data with it; see {engine.log} and start again")
        for child in children:
            if child.running:
                continue
            restarts += 1
            if restarts > RESTARTS:
                raise DemoError(f"the {child.name} keeps ending ({child.tail(1)}); see {child.log}")
            say(f"The {child.name} ended with code {child.exit_code}; starting it again (see {child.log})")
            child.start()
        if time.monotonic() - thinned > EVERY_SECONDS:
            thin(client, settings, time.time())
            thinned = time.monotonic()
