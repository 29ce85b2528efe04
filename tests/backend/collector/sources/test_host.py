"""This machine's metrics."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from backend.collector.sources import host
from backend.collector.sources.host import HostSource
from backend.contract.catalogue import load_catalogue

CATALOGUE = load_catalogue()


class Machine:
    """A psutil whose counters and clock move only when told."""

    def __init__(self) -> None:
        self.now, self.idle, self.user, self.received, self.sent = 100.0, 1000.0, 500.0, 5_000_000, 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Times(tuple[float, ...]):
            user = property(lambda s: s[0])
            idle = property(lambda s: s[1])

        nic = lambda: SimpleNamespace(bytes_recv=self.received, bytes_sent=self.sent)  # noqa: E731
        loopback = SimpleNamespace(bytes_recv=int(self.now * 1e9), bytes_sent=int(self.now * 1e9))
        monkeypatch.setattr(host.psutil, "cpu_times", lambda: Times((self.user, self.idle)))
        monkeypatch.setattr(host.psutil, "net_io_counters", lambda pernic: {"lo": loopback, "eth0": nic()})
        monkeypatch.setattr(host.time, "monotonic", lambda: self.now)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    made.install(monkeypatch)
    return made


def values(source: HostSource, at: float = 1000) -> dict[str, float]:
    collected = source.collect(at, None)
    assert all(s.timestamp == at for s in collected.samples)
    return {s.metric_type: s.value for s in collected.samples}


def test_a_real_reading_has_all_five_in_their_units() -> None:
    collected = HostSource(CATALOGUE, hostname="here").collect(1000, None)
    assert {s.metric_type for s in collected.samples} == {
        "cpu_utilization", "memory_usage", "disk_usage", "network_in", "network_out",
    }  # fmt: skip
    assert {s.hostname for s in collected.samples} == {"here"}
    for sample in collected.samples:
        assert sample.unit == CATALOGUE[sample.metric_type].unit
        assert 0 <= sample.value < (101 if sample.unit == "%" else 1e9)


def test_a_single_run_waits_for_a_second_reading_instead_of_reporting_zero(machine: Machine) -> None:
    def sleep(seconds: float) -> None:
        assert seconds == pytest.approx(1)
        machine.now += seconds
        machine.received += 1_250_000
        machine.user += 0.5
        machine.idle += 1.5

    got = values(HostSource(CATALOGUE, sleep=sleep))
    assert got["network_in"] == pytest.approx(10)
    assert got["network_out"] == 0
    assert got["cpu_utilization"] == pytest.approx(25)


def test_a_later_reading_covers_the_time_between(machine: Machine) -> None:
    source = HostSource(CATALOGUE, sleep=lambda _: pytest.fail("no need to wait"))
    machine.now += 10
    machine.sent += 12_500_000
    machine.user += 20
    assert values(source) | {"memory_usage": 0, "disk_usage": 0} == {
        "cpu_utilization": 100, "memory_usage": 0, "disk_usage": 0, "network_in": 0, "network_out": 10,
    }  # fmt: skip


def test_a_network_counter_that_fell_is_left_out(machine: Machine) -> None:
    source = HostSource(CATALOGUE)
    machine.now += 10
    machine.received -= 1
    assert "network_in" not in values(source)


def test_a_disk_that_cannot_be_read_is_a_problem_and_not_a_zero(machine: Machine) -> None:
    source = HostSource(CATALOGUE, disk_path="/no/such/place")
    machine.now += 10
    collected = source.collect(1000, None)
    assert "disk_usage" not in {s.metric_type for s in collected.samples}
    assert collected.problems == ["disk /no/such/place can't be read (No such file or directory)"]


def test_metric_ids_differ_from_reading_to_reading() -> None:
    source = HostSource(CATALOGUE, sleep=lambda _: None)
    ids = [s.metric_id for at, _ in zip(itertools.count(1), range(3)) for s in source.collect(at, None).samples]
    assert len(ids) == len(set(ids))
