"""The engine leaves nothing behind, whichever way its parent goes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from backend.contract.errors import InvalidInput
from backend.local.engine import HOST, Engine, port_is_free, remove_abandoned

pytestmark = pytest.mark.e2e

PARENT = """
import sys, time
from backend.local.engine import Engine
with Engine() as engine:
    print(engine.port, engine.pid, engine.directory, flush=True)
    time.sleep(120)
"""


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


def group_is_empty(group: int) -> bool:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state != "Z":
            return False
    return True


@pytest.fixture
def parent() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, process_group=0)


def test_it_answers_while_open_and_leaves_nothing_when_closed() -> None:
    with Engine() as engine:
        client = boto3.client(
            "s3",
            endpoint_url=engine.endpoint,
            region_name="us-east-1",
            aws_access_key_id="000000000000",
            aws_secret_access_key="test",
        )
        assert client.list_buckets()["Buckets"] == []
        client.close()
        group, port, directory = engine.pid, engine.port, engine.directory
        assert directory.exists()
    assert group_is_empty(group)
    assert port_is_free(port)
    assert not directory.exists()


def test_it_listens_on_loopback_only() -> None:
    with Engine() as engine:
        sockets = {os.readlink(fd) for fd in Path(f"/proc/{engine.pid}/fd").iterdir() if fd.is_symlink()}
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        rows += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
        listening = [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]
        assert listening == [f"0100007F:{engine.port:04X}"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_parent(parent: subprocess.Popen[str], number: signal.Signals) -> None:
    assert parent.stdout is not None
    port, group, directory = parent.stdout.readline().split()
    parent.send_signal(number)
    parent.communicate()
    assert eventually(lambda: group_is_empty(int(group)))
    assert eventually(lambda: port_is_free(int(port)))
    remove_abandoned()
    assert not Path(directory).exists()


def test_a_taken_port_is_refused_before_anything_is_started() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        engine = Engine(port=port)
        with pytest.raises(InvalidInput, match=f"port: {port} is taken"):
            engine.start()
        assert not engine.running


def test_the_directory_of_a_running_engine_is_not_abandoned() -> None:
    with Engine() as engine:
        remove_abandoned()
        assert engine.directory.exists()
