"""A table fed with a few samples, and a clock that tests move by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from backend.contract.records import Sample, make_sample
from tests.memory_table import MemoryTable

NOW = 1_795_266_000.0
"""2026-11-21 13:00:00 UTC: on the grid of a minute, an hour and every refresh."""
ENVIRONMENT = "production"


class Clock:
    """Epoch seconds that only a test moves on."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def samples(
    metric: str,
    values: Mapping[float, float] | Iterable[tuple[float, float]],
    *,
    host: str = "host-1",
    environment: str = ENVIRONMENT,
    observations: list[list[float]] | None = None,
    **labels: str,
) -> list[Sample]:
    """Samples of one series; times are seconds from ``NOW``."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return [
        make_sample(
            timestamp=NOW + t,
            metric_type=metric,
            value=value,
            hostname=host,
            environment=environment,
            labels=labels,
            observations=observations,
        )
        for t, value in pairs
    ]


def put(table: MemoryTable, *series: list[Sample], key: str | None = None) -> None:
    """Each sample in an object of its own time, written as soon as it was taken."""
    by_time: dict[float, list[Sample]] = {}
    for sample in (s for one in series for s in one):
        by_time.setdefault(sample.timestamp, []).append(sample)
    for t, at in sorted(by_time.items()):
        names = "-".join(sorted({s.metric_type + s.hostname + "".join(s.labels.values()) for s in at}))
        table.put_samples(at, t, key or f"metrics/metrics-{t}-{names}.json")


def every(step: float, start: float, end: float = 0.0, value: float = 1.0) -> dict[float, float]:
    """``value`` at each step in [start, end], seconds from ``NOW``."""
    return {start + i * step: value for i in range(int((end - start) // step) + 1)}


def growing(step: float, start: float, end: float = 0.0, by: float = 1.0) -> dict[float, float]:
    """A counter that grows by ``by`` a step."""
    return {start + i * step: i * by for i in range(int((end - start) // step) + 1)}
