"""This machine, through psutil: CPU, memory, disk and network of the time since the reading before."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import psutil

from backend.collector.sources.base import Collected
from backend.contract.catalogue import Catalogue
from backend.contract.records import DEFAULT_ENVIRONMENT, DEFAULT_REGION, make_sample

SETTLE_SECONDS: Final = 1.0
MEGABIT_PER_BYTE: Final = 8e-6


class _Reading(NamedTuple):
    """Counters at one moment: seconds of CPU time, bytes of all interfaces but loopback."""

    taken: float
    busy: float
    total: float
    received: int
    sent: int


class HostSource:
    """The source ``host``.

    CPU and network are differences of two readings: the first is taken when the source is made. A collection that
    comes less than a second after the reading before waits for the rest of that second, so that a single run
    reports a rate and not a zero.
    """

    name = "host"

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        region: str = DEFAULT_REGION,
        disk_path: str = "/",
        hostname: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._catalogue = catalogue
        self._environment = environment
        self._region = region
        self._disk_path = disk_path
        self._hostname = hostname or socket.gethostname()
        self._sleep = sleep
        self._previous = _read()

    def collect(self, at: float, since: float | None) -> Collected:  # noqa: ARG002 - readings carry their own time
        """Up to five samples; one that can't be read is a problem, not a zero."""
        young = SETTLE_SECONDS - (time.monotonic() - self._previous.taken)
        if young > SETTLE_SECONDS / 10:
            self._sleep(young)
        before, now = self._previous, _read()
        self._previous = now
        values: dict[str, float] = {"memory_usage": psutil.virtual_memory().percent}
        problems = []
        if now.total > before.total:
            values["cpu_utilization"] = 100 * min(1.0, max(0.0, (now.busy - before.busy) / (now.total - before.total)))
        try:
            values["disk_usage"] = psutil.disk_usage(self._disk_path).percent
        except OSError as error:
            problems.append(f"disk {self._disk_path} can't be read ({error.strerror})")
        seconds = now.taken - before.taken
        for metric_type, grown in (
            ("network_in", now.received - before.received),
            ("network_out", now.sent - before.sent),
        ):
            # A counter that fell belongs to an interface that went away.
            if grown >= 0 and seconds > 0:
                values[metric_type] = grown * MEGABIT_PER_BYTE / seconds
        samples = [
            make_sample(
                timestamp=at,
                metric_type=metric_type,
                value=round(value, 3),
                hostname=self._hostname,
                unit=self._catalogue[metric_type].unit,
                region=self._region,
                environment=self._environment,
            )
            for metric_type, value in values.items()
        ]
        return Collected(samples, problems=problems)


def _read() -> _Reading:
    times = psutil.cpu_times()
    # guest time is part of user time on Linux.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    idle = times.idle + getattr(times, "iowait", 0.0)
    nics = [nic for name, nic in psutil.net_io_counters(pernic=True).items() if not name.startswith("lo")]
    received, sent = sum(nic.bytes_recv for nic in nics), sum(nic.bytes_sent for nic in nics)
    return _Reading(time.monotonic(), total - idle, total, received, sent)
