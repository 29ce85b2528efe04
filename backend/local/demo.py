"""The whole product on one machine: engine, stack, history, dashboard and agent, started in order, ended in reverse."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from backend.aws import Clients
from backend.collector.sources.synthetic import SyntheticSource
from backend.contract.errors import InvalidInput
from backend.contract.tables import RESULTS_PREFIX, WORKGROUP
from backend.local import prune, sooner, state
from backend.local.child import Child
from backend.local.configuration import WatchedConfig, apply_change
from backend.local.demo_config import demo_config
from backend.local.demo_jobs import history
from backend.local.deploy import ENVIRONMENT_OF_OUTPUT, DeployError, deploy
from backend.local.engine import Engine, port_is_free, without_aws
from backend.local.orders import Shop
from backend.local.play_along import play_along
from backend.local.processes import (
    DemoError,
    Options,
    Places,
    Ports,
    Processes,
    api_url,
    chosen_ports,
    history_process,
    make_processes,
    places,
    wait_until_ready,
)
from backend.local.seed import seed
from backend.local.seed_events import seed_events
from backend.local.seed_jobs import seed_jobs
from backend.local.stand_ins import told
from backend.local.thin import EVERY_SECONDS, ITEM_LIMIT, item_count, thin
from backend.settings import CONFIG_NAME, Settings, load_settings

RESTARTS: Final = 5
"""A part that ended more often than this within one demo is not started again: the demo ends and says why."""
FIRST_CHECKS_SECONDS: Final = 60.0
"""After the start: the hour of orders that was seeded has been processed by then."""
_TICK_SECONDS: Final = 0.5

_PARAMETERS: Final = {"CollectorEnabled": "DISABLED"}
"""The agent collects, every few seconds; the function would do the same again every five minutes."""

_PASSED_ON: Final = ("PULSEBOARD_REFRESH_SECONDS", "PULSEBOARD_HOT_REFRESH_SECONDS")

Say = Callable[[str], None]


class Stopped(BaseException):
    """A signal asked the demo to end; not an error, so nothing on the way up may take it for one."""


def run(options: Options, say: Say) -> None:
    """Runs the demo until Stopped is raised in it, and leaves nothing behind however it ends.

    Raises InvalidInput before anything is started; EngineError, DeployError or DemoError afterwards.
    """
    if not port_is_free(options.port):
        raise InvalidInput(
            "port", options.port, "is taken; stop what listens there, or choose one with PULSEBOARD_PORT"
        )
    ports = chosen_ports(options)
    config = demo_config(options.config, options.url)
    with ExitStack() as stack:
        stack.enter_context(state.held(options.directory))
        logs = options.directory / "logs"
        logs.mkdir(exist_ok=True)
        (options.directory / CONFIG_NAME).write_text(config, "utf-8")
        watched = WatchedConfig(options.directory / CONFIG_NAME)
        engine = stack.enter_context(_engine(options, logs, ports))
        say("Engine is up; creating the stack of infra/template.yaml")
        parameters = {**_PARAMETERS, "IngestApiUrl": api_url(ports.api), **told(engine.client, ports)}
        outputs = deploy(engine.client, config=config, parameters=parameters)
        environment = _environment(options, engine, outputs)
        settings = load_settings(environment)
        started = time.time()
        joined = partial(play_along, engine.client("lambda"), options.seed, started)
        joined()
        _seed(options, engine, settings, started, say)
        processes = make_processes(options, environment, logs, started, ports)
        for child in processes.all:
            stack.enter_context(child)
        # On the way out all are told before any is waited for.
        for child in processes.all:
            stack.callback(child.terminate)
        ready = places(options, ports)
        wait_until_ready(ready, processes.all)
        state.publish(options.directory, _exports(options, engine, environment, ports))
        say(_summary(engine, settings, options, ports))
        say(f"Pulseboard is ready at {options.url}")
        month = stack.enter_context(history_process(options, environment, logs, started))
        api = {"api": ready["api"]}
        _watch(_Demo(engine, processes, settings, environment, parameters, watched, api, month, joined, say))


@contextmanager
def _engine(options: Options, logs: Path, ports: Ports) -> Iterator[Engine]:
    log = logs / "engine.log"
    log.unlink(missing_ok=True)
    with Engine(port=options.engine_port, athena_port=ports.athena, log=log) as engine:
        yield engine


def _environment(options: Options, engine: Engine, outputs: Mapping[str, str]) -> dict[str, str]:
    """What the dashboard and the agent run with: nothing of the caller's AWS settings, and how often they refresh."""
    config = (options.directory / CONFIG_NAME).resolve()
    chosen = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**without_aws(os.environ), **chosen, **engine.environment(), **outputs, "PULSEBOARD_CONFIG": str(config)}


def _exports(options: Options, engine: Engine, environment: Mapping[str, str], ports: Ports) -> dict[str, str]:
    """What `pulseboard env` prints."""
    outputs = {name: environment[name] for name in (*ENVIRONMENT_OF_OUTPUT.values(), "PULSEBOARD_CONFIG")}
    return {
        **engine.environment(),
        **outputs,
        "REGION": environment["AWS_REGION"],
        "AWS_ENDPOINT_URL_S3": engine.endpoint,
        "AWS_ATHENA_S3_STAGING_DIR": f"s3://{environment['S3_BUCKET']}/{RESULTS_PREFIX}",
        "AWS_ATHENA_WORK_GROUP": WORKGROUP,
        "PULSEBOARD_URL": options.url,
        "PULSEBOARD_API_URL": api_url(ports.api),
    }


def _seed(options: Options, engine: Engine, settings: Settings, now: float, say: Say) -> None:
    """Metrics, and beside them orders and job runs: each waits for the engine more than it computes."""
    prune.queues_of_the_demo(engine.client("sqs"), settings)
    shop, source = Shop(options.seed, now), SyntheticSource(settings.catalogue, seed=options.seed, demo_started_at=now)
    beside = ThreadPoolExecutor(1, "seed")
    try:
        orders = beside.submit(seed_events, settings, _Seeding(engine, settings.region), shop, now)
        jobs = beside.submit(seed_jobs, engine.client("dynamodb"), settings, history(options.seed, now))
        done = seed(engine.client, settings, source, now)
        say(
            f"Seeded a day of synthetic history: {done.samples:,} samples in {done.objects} objects, {done.items:,} "
            f"items, {done.seconds:.0f} s (rolled up by the processor's own code, but not by way of SQS and Lambda)"
        )
        events = orders.result()
        say(
            f"Seeded an hour of synthetic orders: {events.stored:,} events, {events.duplicates} sent twice, "
            f"{events.seconds:.0f} s (taken by the ingest's own code as of their times; processed now)"
        )
        runs = jobs.result()
        say(f"Seeded four weeks of synthetic job runs: {runs.runs:,} runs, {runs.seconds:.0f} s")
    finally:
        # Whoever stops the demo meanwhile stops the engine: what is under way ends with it.
        beside.shutdown(wait=False, cancel_futures=True)


class _Seeding(Clients):
    """The product's clients, on this engine whatever the environment says."""

    def __init__(self, engine: Engine, region: str) -> None:
        super().__init__(region)
        self.s3, self.dynamodb, self.sqs = (engine.client(name) for name in ("s3", "dynamodb", "sqs"))


def _summary(engine: Engine, settings: Settings, options: Options, ports: Ports) -> str:
    dynamodb = engine.client("dynamodb")
    metrics, events = (item_count(dynamodb, table) for table in (settings.table, settings.events_table))
    slack, pagerduty = api_url(ports.slack), api_url(ports.pagerduty)
    return (
        f"InfraMetrics holds {metrics:,} items (kept under {ITEM_LIMIT:,}), PipelineEvents {events:,} "
        f"(kept {prune.KEPT_SECONDS // 60} min). Ten servers, a streaming pipeline and a shop's orders are synthetic, "
        f"with an incident every 20 minutes; this machine's own metrics are real. Events are taken at "
        f"{api_url(ports.api)}/ingest. Edit {options.directory / CONFIG_NAME} to mend what fails. "
        f"Alerts go to stand-ins: Slack's is at {slack}, PagerDuty's at {pagerduty}. "
        f"Logs: {options.directory / 'logs'}"
    )


@dataclass(frozen=True, slots=True)
class _Demo:
    """What runs."""

    engine: Engine
    processes: Processes
    settings: Settings
    environment: Mapping[str, str]
    parameters: Mapping[str, str]
    config: WatchedConfig
    api: Places
    month: Child
    joined: Callable[[], None]
    say: Say

    def use(self, config: str) -> None:
        """Functions and API with another configuration; returns once the API answers again."""
        deploy(self.engine.client, config=config, parameters=self.parameters)
        self.joined()
        self.processes.api.stop()
        self.processes.api.start()
        wait_until_ready(self.api, (self.processes.api,))


def attempt(say: Say, what: str, step: Callable[[], object]) -> None:
    """Does what is done again later anyway: an engine that does not answer once ends no demo."""
    try:
        step()
    except (ClientError, BotoCoreError) as error:
        say(f"{what} did not work ({error}); it is tried again later")


def _watch(demo: _Demo) -> NoReturn:
    """Restarts what ended by itself, takes a changed configuration and keeps the tables small."""
    dynamodb, functions = demo.engine.client("dynamodb"), demo.engine.client("lambda")
    restarts = 0
    seeding = True
    thinned = pruned = time.monotonic()
    checked = thinned + FIRST_CHECKS_SECONDS - sooner.EVERY_SECONDS
    while True:
        time.sleep(_TICK_SECONDS)
        if not demo.engine.running:
            log = demo.engine.log
            raise DemoError(f"the engine ended by itself, and its data with it; see {log} and start again")
        for child in demo.processes.all:
            if child.running:
                continue
            restarts += 1
            if restarts > RESTARTS:
                raise DemoError(f"the {child.name} keeps ending ({child.tail(1)}); see {child.log}")
            demo.say(f"The {child.name} ended with code {child.exit_code}; starting it again (see {child.log})")
            child.start()
        if seeding and not demo.month.running:
            seeding = False
            demo.say(demo.month.tail(1) if demo.month.exit_code == 0 else f"No older history: see {demo.month.log}")
        try:
            apply_change(demo.config, demo.environment, demo.use, demo.say)
        except (DeployError, DemoError, ClientError, BotoCoreError) as error:
            demo.say(f"{demo.config.path} could not be put to use ({error}); change it again, or start again")
        if time.monotonic() - thinned > EVERY_SECONDS:
            attempt(demo.say, "Thinning", lambda: thin(dynamodb, demo.settings, time.time()))
            thinned = time.monotonic()
        if time.monotonic() - pruned > prune.EVERY_SECONDS:
            attempt(demo.say, "Pruning", lambda: prune.prune(dynamodb, demo.settings, time.time()))
            pruned = time.monotonic()
        if time.monotonic() - checked > sooner.EVERY_SECONDS:
            attempt(demo.say, "Running the slow checks", lambda: sooner.run_slow_checks(functions))
            checked = time.monotonic()
