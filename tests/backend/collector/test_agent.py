"""The agent: outages, kills, a full spool, tiers and a clean end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from backend.collector.agent import Agent, Scheduled
from backend.collector.core import Outgoing
from backend.collector.sources.base import Collected
from backend.collector.sources.synthetic import SyntheticSource
from backend.collector.spool import Spool
from backend.contract.catalogue import load_catalogue
from backend.contract.records import make_sample

CATALOGUE = load_catalogue()
WAIT_SECONDS = 20.0


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


class Numbers:
    """A source whose n-th collection gives the value n; ``since`` is kept."""

    name = "numbers"

    def __init__(self, metric_type: str = "timeouts") -> None:
        self.metric_type = metric_type
        self.given = 0
        self.since: list[float | None] = []

    def collect(self, at: float, since: float | None) -> Collected:
        self.given += 1
        self.since.append(since)
        return Collected([make_sample(timestamp=at, metric_type=self.metric_type, value=self.given, hostname="h")])


class Bucket:
    """Keeps what arrives; refuses while ``down``."""

    def __init__(self) -> None:
        self.down = False
        self.tried = 0
        self.arrived: list[Outgoing] = []

    def put(self, outgoing: Outgoing) -> None:
        self.tried += 1
        if self.down:
            raise ConnectionError("S3 is down")
        self.arrived.append(outgoing)

    def values(self, metric_type: str = "timeouts") -> list[float]:
        records = [orjson.loads(line) for o in self.arrived for line in o.body.splitlines()]
        return [r["value"] for r in records if r["metric_type"] == metric_type]


class Made(NamedTuple):
    """An agent and its spool."""

    agent: Agent
    spool: Spool


MakeAgent = Callable[..., Made]


@pytest.fixture
def make(tmp_path: Path, open_spool: Callable[[Path, int], Spool]) -> MakeAgent:
    def build(bucket: Bucket, *sources: Scheduled, size: int = 10**7, **options: Any) -> Made:
        spool = open_spool(tmp_path / "spool", size)
        settings = {"flush_seconds": 0.05, "first_retry": 0.01, "stop_seconds": 5.0, **options}
        place = {"environment": "test", "region": "eu-west-1"}
        return Made(Agent(sources, bucket.put, spool, CATALOGUE, **place, **settings), spool)

    return build


def test_an_outage_of_s3_loses_nothing_doubles_nothing_and_keeps_the_order(make: MakeAgent) -> None:
    source, bucket, stop = Numbers(), Bucket(), threading.Event()
    agent, _spool = make(bucket, Scheduled(source, 0.02))
    running = threading.Thread(target=agent.run, args=(stop,))
    running.start()
    wait_for(lambda: len(bucket.arrived) >= 2)
    bucket.down = True
    before = bucket.tried
    wait_for(lambda: agent.status().spooled_objects >= 5 and bucket.tried > before + 2)
    bucket.down = False
    wait_for(lambda: agent.status().spooled_objects == 0)
    given = source.given
    wait_for(lambda: source.given > given)
    stop.set()
    running.join()
    assert bucket.values() == list(range(1, source.given + 1))
    keys = [outgoing.key for outgoing in bucket.arrived]
    assert len(set(keys)) == len(keys)
    status = agent.status()
    assert status.failures == sum(bucket.values("s3_upload_failures")) > 0
    assert status.last_upload is not None


def test_a_clean_stop_leaves_in_the_spool_what_s3_does_not_take(make: MakeAgent) -> None:
    source, bucket, stop = Numbers(), Bucket(), threading.Event()
    bucket.down = True
    agent, spool = make(bucket, Scheduled(source, 0.02), stop_seconds=0.1)
    running = threading.Thread(target=agent.run, args=(stop,))
    running.start()
    wait_for(lambda: source.given >= 5)
    stop.set()
    running.join()
    assert agent.status().spooled_objects > 0
    assert bucket.arrived == []
    spool.close()
    bucket.down = False
    again, _ = make(bucket)
    assert again.upload()
    assert bucket.values() == list(range(1, source.given + 1))


def test_a_full_spool_pauses_collecting_and_the_next_delta_covers_the_pause(make: MakeAgent) -> None:
    source, bucket = Numbers(), Bucket()
    scheduled = Scheduled(source, 1.0)
    agent, _spool = make(bucket, scheduled, size=600, flush_bytes=300)
    bucket.down = True
    for at in range(100, 110):
        agent.collect(scheduled, at)
        agent.flush()
        assert not agent.upload()
    taken = source.given
    status = agent.status()
    assert status.spooled_bytes <= 600
    assert status.paused == 10 - taken > 0
    bucket.down = False
    assert agent.upload()
    agent.flush()
    assert agent.upload()
    agent.collect(scheduled, 200)
    assert source.since[-1] == 100 + taken - 1
    agent.flush()
    agent.upload()
    assert bucket.values() == list(range(1, source.given + 1))


def test_a_source_that_breaks_costs_only_itself(make: MakeAgent) -> None:
    class Broken:
        name = "broken"

        def collect(self, at: float, since: float | None) -> Collected:
            raise RuntimeError("out of order")

    good, bucket, stop = Numbers(), Bucket(), threading.Event()
    agent, _spool = make(bucket, Scheduled(Broken(), 0.02), Scheduled(good, 0.02))
    running = threading.Thread(target=agent.run, args=(stop,))
    running.start()
    wait_for(lambda: good.given >= 3)
    stop.set()
    running.join()
    assert bucket.values() == list(range(1, good.given + 1))


def test_slower_tiers_are_thinned_and_what_counts_events_is_not(make: MakeAgent) -> None:
    bucket = Bucket()
    gauge1, gauge2, gauge3 = Numbers("cache_hit_rate"), Numbers("cpu_utilization"), Numbers("gc_pause_time_ms")
    delta = Numbers("s3_upload_failures")
    scheduled = [Scheduled(source, 1.0) for source in (gauge1, gauge2, gauge3, delta)]
    agent, _spool = make(bucket, *scheduled)
    for at in range(1000, 1120):
        for one in scheduled:
            agent.collect(one, at)
    agent.flush()
    agent.upload()
    counts = {s.metric_type: len(bucket.values(s.metric_type)) for s in (gauge1, gauge2, gauge3, delta)}
    assert counts == {"cache_hit_rate": 120, "cpu_utilization": 12, "gc_pause_time_ms": 2, "s3_upload_failures": 120}


def test_objects_say_how_far_apart_their_samples_are(make: MakeAgent) -> None:
    bucket = Bucket()
    quick, slow = Scheduled(Numbers(), 5.0), Scheduled(Numbers(), 60.0)
    agent, _spool = make(bucket, quick, slow)
    for one in (quick, slow):
        agent.collect(one, 1000)
    agent.flush()
    agent.upload()
    assert [o.metadata["spacing-seconds"] for o in bucket.arrived] == ["5", "60"]


def test_objects_are_flushed_by_age_and_by_size(make: MakeAgent) -> None:
    now = [1000.0]
    bucket, scheduled = Bucket(), Scheduled(SyntheticSource(CATALOGUE), 5.0)
    agent, spool = make(bucket, scheduled, clock=lambda: now[0], flush_seconds=5.0, flush_bytes=20_000)
    agent.collect(Scheduled(Numbers(), 1.0), 1000)
    agent.flush(only_due=True)
    assert agent.status().spooled_objects == 0
    agent.collect(scheduled, 1_795_000_000)
    agent.flush(only_due=True)
    assert agent.status().spooled_objects > 1
    assert all(entry.size <= 20_000 for entry in spool.pending())
    now[0] += 5
    count = agent.status().spooled_objects
    agent.flush(only_due=True)
    assert agent.status().spooled_objects == count + 1


KILLED = """
import sys, threading, time
from pathlib import Path
from backend.collector.agent import Agent, Scheduled
from backend.collector.sources.base import Collected
from backend.collector.spool import Spool
from backend.contract.catalogue import load_catalogue
from backend.contract.records import make_sample

folder, blocking = Path(sys.argv[1]), sys.argv[2] == "block"

class Numbers:
    name = "numbers"
    given = int(sys.argv[3])
    def collect(self, at, since):
        self.given += 1
        return Collected([make_sample(timestamp=at, metric_type="timeouts", value=self.given, hostname="h")])

def put(outgoing):
    (folder / "tried").open("a").write(outgoing.key + "\\n")
    if blocking and (folder / "arrived").exists() and len(list((folder / "arrived").iterdir())) >= 2:
        (folder / "blocked").touch()
        time.sleep(600)
    target = folder / "arrived" / outgoing.key.replace("/", ",")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(outgoing.body)

agent = Agent([Scheduled(Numbers(), 0.05)], put, Spool(folder / "spool", 10**7), load_catalogue(),
              environment="test", region="eu-west-1", flush_seconds=0.05, stop_seconds=5)
stop = threading.Event()
if not blocking:
    threading.Timer(0.5, stop.set).start()
agent.run(stop)
"""


def test_a_kill_between_write_and_send_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    def start(mode: str, given: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), mode, str(given)], env={**os.environ})

    first = start("block", 0)
    try:
        wait_for((tmp_path / "blocked").exists)
        wait_for(lambda: len(list((tmp_path / "spool").glob("*.object"))) >= 4)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    spooled = {p.name.split(",", 2)[2].removesuffix(".object") for p in (tmp_path / "spool").glob("*.object")}
    second = start("send", 1000)
    assert second.wait(WAIT_SECONDS) == 0
    arrived = {p.name: p.read_bytes() for p in (tmp_path / "arrived").iterdir()}
    assert spooled <= set(arrived)
    values = sorted(orjson.loads(line)["value"] for body in arrived.values() for line in body.splitlines())
    before = [value for value in values if value <= 1000]
    assert len(values) == len(set(values))
    assert before == list(range(1, len(before) + 1))
    assert not list((tmp_path / "spool").glob("*.object"))
    tried = (tmp_path / "tried").read_text().split()
    assert len(tried) == len(set(tried)) + 1  # the one in flight was sent again, under its own key
