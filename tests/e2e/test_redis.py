"""Two dashboards with a real Redis between them: views are shared, and no failure of Redis reaches a viewer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask_caching.backends import SimpleCache

from backend.contract.errors import InvalidInput
from backend.local.engine import free_port
from dashboard.services import build_services
from dashboard.shared_store import shared_store
from tests.dashboard.data.feeding import every, put, samples
from tests.dashboard.small import SMALL, TICK, Dashboard

redis = pytest.importorskip("redis", reason="Python's client, the extra `redis`, is not here")
UNPACKED = Path(__file__).parents[2] / "build" / "redis" / "usr"
PROGRAM = shutil.which("redis-server") or next((str(path) for path in UNPACKED.glob("bin/redis-server")), None)


class Server:
    """A redis-server on loopback. ``freeze`` leaves it connected and silent."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(port=self.port)

    def start(self) -> None:
        libraries = ":".join(str(path) for path in UNPACKED.glob("lib/*-linux-gnu"))
        command = [str(PROGRAM), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        with (self._directory / "log").open("ab") as log:
            environment = {**os.environ, "LD_LIBRARY_PATH": libraries}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        eventually(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def views(self) -> list[bytes]:
        """The keys of the page's views."""
        return [key for key in self.client.scan_iter() if b"small" in key]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        yield
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class Pair(list[Dashboard]):
    """Two dashboards over one table; the time of both, and of the pause after a failure, goes on together."""

    def __init__(self, url: str) -> None:
        first, second = Dashboard(), Dashboard()
        self.seconds = 0.0
        put(first.table, samples("consumer_lag_records", every(10, -1200, value=100), partition="0"))
        for dashboard in (first, second):
            dashboard.table = first.table
            dashboard.services.close()
            shared = shared_store(url, SimpleCache(), "pulseboard:test:")
            shared._clock = lambda: self.seconds
            dashboard.services = build_services(
                dashboard.services.settings, first.table, (SMALL,), "build-1", shared, dashboard.clock,  # type: ignore[arg-type]
            )  # fmt: skip
            dashboard.services.shared_views = shared
            dashboard.serve()
        super().__init__((first, second))

    def go_on(self, seconds: float) -> None:
        self.seconds += seconds
        for dashboard in self:
            dashboard.go_on(seconds)

    def looked(self) -> list[int]:
        """Everybody looks once; the views that each one had to make since its start."""
        for dashboard in self:
            answer = dashboard.client.get("/api/v1/view/small")
            assert (answer.status_code, answer.headers.get("X-Pulseboard-Stale")) == (200, None)
            assert answer.get_json()["props"] == {"verdict": {"children": "healthy"}}
            dashboard.settle()
        return [dashboard.services.views.counts.made for dashboard in self]

    def told(self) -> str:
        """What the second one says of its views."""
        ready = self[1].client.get("/readyz")
        assert ready.status_code == 200
        return str(ready.get_json()["views"])

    def metric(self, name: str) -> float:
        lines = self[1].client.get("/metrics").text.splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"pulseboard_{name} ")))


def eventually(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if PROGRAM is None:
        pytest.skip("redis-server is not here: chaos/redis.sh fetches it from Debian's archive")
    running = Server(tmp_path_factory.mktemp("redis"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def pair(server: Server) -> Iterator[Pair]:
    server.client.flushall()
    made = Pair(f"redis://127.0.0.1:{server.port}/0")
    yield made
    for dashboard in made:
        dashboard.services.close()


def test_a_view_is_made_once_for_both(pair: Pair) -> None:
    assert pair.looked() == [1, 0]
    assert pair.told() == "redis"
    assert (pair.metric("redis_up"), pair.metric("redis_failures_total")) == (1, 0)
    assert pair.metric("redis_hits_total") >= 1


def test_while_redis_is_away_each_makes_its_own_and_afterwards_they_share_again(pair: Pair, server: Server) -> None:
    pair.looked()
    server.stop()
    pair.go_on(3 * TICK)
    assert pair.looked() == [2, 1]
    assert pair.told().startswith("memory; Redis can't be read: ConnectionError")
    assert pair.metric("redis_up") == 0
    server.start()
    pair.go_on(3 * TICK)
    assert pair.looked() == [3, 1]
    assert pair.told() == "redis"


def test_a_redis_that_hangs_costs_one_wait_and_no_error(pair: Pair, server: Server) -> None:
    pair.looked()
    with server.frozen():
        pair.go_on(3 * TICK)
        assert pair.looked() == [2, 1]
        assert "TimeoutError" in pair.told()
        failures = pair.metric("redis_failures_total")
        pair.looked()
        assert pair.metric("redis_failures_total") == failures
    pair.go_on(3 * TICK)
    assert pair.looked() == [3, 1]


def test_a_full_redis_is_told_and_read_all_the_same(pair: Pair, server: Server) -> None:
    server.client.config_set("maxmemory", "1")
    assert pair.looked() == [1, 1]
    assert "can't be written: OutOfMemoryError" in pair.told()
    server.client.config_set("maxmemory", "0")
    pair.go_on(3 * TICK)
    assert pair.looked() == [2, 1]
    assert pair.told() == "redis"


def test_garbage_is_no_view(pair: Pair, server: Server) -> None:
    pair.looked()
    (key,) = server.views()
    server.client.set(key, b"pbv1" + b"\xff" * 99)
    pair.go_on(3 * TICK)
    assert pair.looked() == [2, 0]


def test_a_key_of_another_kind_is_written_over(pair: Pair, server: Server) -> None:
    pair.looked()
    (key,) = server.views()
    server.client.delete(key)
    server.client.lpush(key, "a")
    pair.go_on(3 * TICK)
    assert pair.looked() == [2, 0]
    assert pair.told() == "redis"


def test_a_pickle_from_redis_is_never_run(pair: Pair, server: Server, tmp_path: Path) -> None:
    pair.looked()
    (key,) = server.views()
    server.client.set(key, f"!cos\nsystem\n(S'touch {tmp_path}/run'\ntR.".encode())
    pair.go_on(3 * TICK)
    pair.looked()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("url", ["redis.internal:6379", "http://redis", "redis://host:port"])
def test_an_address_that_is_none_is_refused_at_the_start_without_being_shown(url: str) -> None:
    with pytest.raises(InvalidInput, match="PULSEBOARD_REDIS_URL") as refused:
        shared_store(url, SimpleCache(), "")
    assert url not in str(refused.value)
