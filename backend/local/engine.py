"""The embedded engine: ministack as a child process that stands in for AWS on this machine.

It listens on loopback only, keeps its state in a directory of its own that goes when it stops, and runs Lambda
functions as subprocesses of this interpreter, so their dependencies come from the virtual environment.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any, Final, Self

import boto3
from botocore.config import Config

from backend.contract.errors import InvalidInput
from backend.local.child import Child

HOST: Final = "127.0.0.1"
REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
_SECRET: Final = "test"
ATHENA_VARIABLE: Final = "AWS_ENDPOINT_URL_ATHENA"
"""boto3's variable for where Athena is; ``AWS_ENDPOINT_URL`` says it for every other service."""
START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.02
_WORK_PREFIX: Final = "pulseboard-engine-"
_LOCK_NAME: Final = "lock"
"""Held while the directory is in use."""


class EngineError(RuntimeError):
    """The engine did not start, or ended by itself; the message is one line and names the log."""


class Engine:
    """``with Engine() as engine:`` runs the engine until the block is left, however it is left.

    ``port`` is a free one by default. ``log`` is where its output goes, by default a file in its work directory, and
    ``level`` how much of it: INFO has every function's own log.
    ``athena_port`` is where the local Athena endpoint will listen, if there is to be one: functions are told.
    ``services`` maps boto3's names of services to URLs where clients and functions find them instead of the engine.
    ``enforce_permissions`` makes it evaluate roles and policies as AWS does; by default every call is allowed.
    Raises InvalidInput when ``port`` is taken, EngineError when it does not become ready.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        athena_port: int | None = None,
        services: Mapping[str, str] | None = None,
        log: Path | None = None,
        enforce_permissions: bool = False,
        level: str = "WARNING",
    ) -> None:
        self._wanted_port = port
        self._athena_port = athena_port
        self._services = dict(services or {})
        self._enforce_permissions = enforce_permissions
        self._level = level
        self._log = log
        self._child: Child | None = None
        self._lock: IO[str] | None = None
        self.port = port or 0
        self.directory = Path()

    @property
    def endpoint(self) -> str:
        """Base URL of every service."""
        return f"http://{HOST}:{self.port}"

    @property
    def running(self) -> bool:
        """False before the start, after the stop, and when it ended by itself."""
        return self._child is not None and self._child.running

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._log or self.directory / "engine.log"

    @property
    def pid(self) -> int:
        """Process id; the functions' processes are in its process group."""
        if self._child is None:
            raise EngineError("the engine was not started")
        return self._child.pid

    def environment(self) -> dict[str, str]:
        """Variables that point boto3 and the AWS command line at this engine."""
        athena = {} if self._athena_port is None else {ATHENA_VARIABLE: f"http://{HOST}:{self._athena_port}"}
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            **athena,
            **{f"AWS_ENDPOINT_URL_{name.upper()}": url for name, url in self._services.items()},
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """A boto3 client of one service on this engine, whatever the environment says."""
        session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key=_SECRET, region_name=REGION)
        config = Config(max_pool_connections=16, retries={"mode": "standard"}, connect_timeout=3, read_timeout=30)
        return session.client(service, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload]

    def start(self) -> None:
        """Starts it and returns once it answers."""
        remove_abandoned()
        if self._wanted_port and not port_is_free(self._wanted_port):
            raise InvalidInput("port", self._wanted_port, "is taken; stop what listens there or choose another one")
        self.directory = Path(tempfile.mkdtemp(prefix=_WORK_PREFIX))
        self._lock = (self.directory / _LOCK_NAME).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.port = self._wanted_port or free_port()
        self._child = Child(
            "engine",
            [sys.executable, "-m", "backend.local.engine_main"],
            self._child_environment(),
            self.log,
            parent_death_signal=signal.SIGKILL,
        )
        try:
            self._child.start()
            self._wait_until_ready(self._child)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends it with every function process and removes its directory. Stopping twice is fine."""
        if self._child is not None:
            self._child.stop(_STOP_SECONDS)
            self._child = None
        if self.directory.name.startswith(_WORK_PREFIX):
            shutil.rmtree(self.directory, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _child_environment(self) -> dict[str, str]:
        temporary = self.directory / "tmp"
        temporary.mkdir()
        return {
            **without_aws(os.environ),
            **self.environment(),
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": HOST,
            "STATE_DIR": str(self.directory / "state"),
            "S3_DATA_DIR": str(self.directory / "s3"),
            "TMPDIR": str(temporary),
            # Both would listen on every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It would look for containers of its own to remove; none are ever started.
            "DOCKER_HOST": f"unix://{self.directory}/no-docker.sock",
            "LAMBDA_EXECUTOR": "local",
            "AUTH": "true" if self._enforce_permissions else "false",
            "LOG_LEVEL": self._level,
        }

    def _wait_until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self.port):
            if not child.running:
                raise EngineError(f"the engine ended at once ({child.tail(1)}); see {self.log}")
            if time.monotonic() > deadline:
                raise EngineError(f"the engine did not answer within {START_SECONDS:g} s; see {self.log}")
            time.sleep(_POLL_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment less everything that could lead a client to a real account, and less our own settings."""
    return {name: value for name, value in environ.items() if not name.startswith(("AWS_", "PULSEBOARD_"))}


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen on ``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def remove_abandoned() -> None:
    """Removes the directories of engines whose process was killed before it could do so itself."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_WORK_PREFIX}*/{_LOCK_NAME}"):
        with suppress(OSError), lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


def _answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
