"""The whole product, as the demo runs it, with the proxy between it and everything that it depends on."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self

from backend.contract.tables import RESULTS_PREFIX, WORKGROUP
from backend.local.child import Child
from backend.local.deploy import deploy
from backend.local.engine import HOST, Engine, free_port, without_aws
from backend.local.processes import Options, Ports, api_url, make_processes, places, wait_until_ready
from backend.local.stand_ins import told
from backend.settings import CONFIG_NAME, Settings, load_settings
from chaos.config import MAPPING, config
from chaos.faults import AWS, SERVICES
from chaos.proxy import Switch

VISIBILITY_SECONDS: Final = 60
"""Of every queue here: what a killed function had in hand comes back so soon. The template says 6 to 12 minutes."""
RESTART_SECONDS: Final = 1.0
"""What a service manager takes to start a process again."""
FUNCTIONS: Final = ("log-processor", "event-processor", "alert-consumer", "replay-runner")
PROCESSES: Final = ("agent", "dashboard", "api")
KILLED: Final = (*PROCESSES, *FUNCTIONS)
"""What is killed by SIGKILL: processes of ours, and the functions' workers."""
_QUEUES: Final = ("queue_url", "event_queue_url", "alert_queue_url", "replay_queue_url")


@dataclass(frozen=True, slots=True)
class Redis:
    """The program of a real Redis, None where there is none, and where its libraries are."""

    program: str | None
    libraries: str = ""


def find_redis() -> Redis:
    """``redis-server`` of the machine, or what ``chaos/redis.sh`` has unpacked; None without Python's client too."""
    if find_spec("redis") is None:
        return Redis(None)
    if installed := shutil.which("redis-server"):
        return Redis(installed)
    unpacked = Path("build/redis/usr").resolve()
    program = unpacked / "bin/redis-server"
    libraries = ":".join(str(path) for path in (unpacked / "lib").glob("*-linux-gnu"))
    return Redis(str(program), libraries) if program.exists() else Redis(None)


class Product:
    """``with Product(directory, target_url) as product``: everything runs until the block is left.

    ``target_url`` is the page that the agent scrapes. Raises what the demo's start raises.
    """

    def __init__(self, directory: Path, target_url: str) -> None:
        self.directory = directory.resolve()
        self._target_url = target_url
        self._stack = ExitStack()
        self._stop = threading.Event()
        self.redis = find_redis()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._stack.close()

    def _start(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.logs = self.directory / "logs"
        self.logs.mkdir(parents=True)
        services = [name for name in SERVICES if name != "redis" or self.redis.program]
        self.gates = {name: free_port() for name in services}
        upstream, admin = self._upstream(), free_port()
        self.switch = Switch(admin)
        gates = [f"{name}={port}:{upstream.get(name, upstream['engine'])}" for name, port in self.gates.items()]
        command = [sys.executable, "-m", "chaos.proxy", "--admin", str(admin)]
        command += [part for gate in gates for part in ("--gate", gate)]
        self._run(Child("proxy", command, without_aws(os.environ), self.logs / "proxy.log"))
        urls = {name: f"http://{HOST}:{self.gates[name]}" for name in AWS}
        self.engine = self._stack.enter_context(
            Engine(port=upstream["engine"], services=urls, log=self.logs / "engine.log", level="INFO")
        )
        self._start_redis(upstream)
        self._deploy(upstream)

    def _upstream(self) -> dict[str, int]:
        names = ("engine", "athena", "slack", "pagerduty", "redis", "api", "dashboard")
        self.ports = {name: free_port() for name in names}
        return self.ports

    def _start_redis(self, upstream: Mapping[str, int]) -> None:
        if self.redis.program is None:
            return
        command = [self.redis.program, "--port", str(upstream["redis"]), "--bind", HOST, "--save", "",
                   "--dir", str(self.directory)]  # fmt: skip
        environment = without_aws(os.environ)
        if self.redis.libraries:
            environment["LD_LIBRARY_PATH"] = self.redis.libraries
        self._run(Child("redis", command, environment, self.logs / "redis.log"))

    def _deploy(self, upstream: Mapping[str, int]) -> None:
        options = Options(port=upstream["dashboard"], directory=self.directory, api_port=upstream["api"])
        real = Ports(upstream["api"], upstream["slack"], upstream["pagerduty"], upstream["athena"])
        mapping = self.directory / "mapping.toml"
        mapping.write_text(MAPPING, "utf-8")
        text = config(options.url, self._target_url, mapping)
        (self.directory / CONFIG_NAME).write_text(text, "utf-8")
        proxied = replace(real, slack=self.gates["slack"], pagerduty=self.gates["pagerduty"])
        parameters = {"CollectorEnabled": "DISABLED", "IngestApiUrl": api_url(real.api)}
        outputs = deploy(
            self.engine.client, config=text, parameters={**parameters, **told(self.engine.client, proxied)}
        )
        plain = {**without_aws(os.environ), **outputs, "PULSEBOARD_CONFIG": str(self.directory / CONFIG_NAME)}
        self.environment = {**plain, **self.engine.environment()}
        self.settings: Settings = load_settings(self.environment)
        sqs = self.engine.client("sqs")
        for name in _QUEUES:
            attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
            sqs.set_queue_attributes(QueueUrl=getattr(self.settings, name), Attributes=attributes)
        self.url, self.api_url = options.url, api_url(real.api)
        self._start_processes(options, real)

    def _start_processes(self, options: Options, real: Ports) -> None:
        environment = dict(self.environment)
        if "redis" in self.gates:
            environment["PULSEBOARD_REDIS_URL"] = f"redis://{HOST}:{self.gates['redis']}/0"
        made = make_processes(options, environment, self.logs, time.time(), real)
        direct = {name: value for name, value in environment.items() if not name.startswith("AWS_ENDPOINT_URL_")}
        command = [sys.executable, "-m", "backend.local.athena", "--port", str(real.athena)]
        # It stands for Athena itself, which does not reach S3 by our network.
        athena = Child("athena", command, direct, self.logs / "athena.log")
        self.children = {child.name: child for child in (made.dashboard, made.agent, made.api)}
        for child in (athena, made.stand_ins, *self.children.values()):
            self._run(child)
        wait_until_ready(places(options, real), (athena, made.stand_ins, *self.children.values()))
        threading.Thread(target=self._keep_running, daemon=True).start()

    def _run(self, child: Child) -> None:
        self._stack.enter_context(child)

    def _keep_running(self) -> None:
        """Starts again what ended, as a service manager would."""
        while not self._stop.wait(RESTART_SECONDS):
            for child in self.children.values():
                if not child.running and not self._stop.is_set():
                    child.start()

    def kill(self, name: str) -> int:
        """SIGKILL to a process, or to every worker of a function; how many processes that were."""
        if name in self.children:
            pids = [self.children[name].pid] if self.children[name].running else []
        else:
            pids = workers_of(name, self.engine.pid)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def command(self, *words: str) -> list[str]:
        """A command of `pulseboard`."""
        return [sys.executable, "-c", "from pulseboard.cli import main; main()", *words]

    def exports(self) -> dict[str, str]:
        """What a person's shell would have: straight to the services, not by way of the proxy."""
        direct = {name: value for name, value in self.environment.items() if not name.startswith("AWS_ENDPOINT_URL_")}
        return {
            **direct,
            "AWS_ATHENA_S3_STAGING_DIR": f"s3://{self.settings.bucket}/{RESULTS_PREFIX}",
            "AWS_ATHENA_WORK_GROUP": WORKGROUP,
        }

    def client(self, service: str) -> Any:
        """A boto3 client that reaches the engine directly: the campaign's own eyes."""
        return self.engine.client(service)


def workers_of(function: str, engine: int) -> list[int]:
    """Process ids of a function's workers, which run in the engine's process group."""
    wanted = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        pid = int(environ.parent.name)
        with suppress(OSError):
            if os.getpgid(pid) == engine and wanted in environ.read_bytes().split(b"\0"):
                found.append(pid)
    return found
